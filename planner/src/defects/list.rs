//! The list of the seeded defects, and the switch.

use super::about::{About, Rung};
use std::cell::Cell;

/// Text that is in every binary with seeded defects. No image may have it.
pub const MARKER: &str = "stepgate: seeded defects are compiled into this binary";

thread_local! {
    // A thread of the simulation runs one defect at a time, and a run stays on its thread.
    static ON: Cell<Option<Defect>> = const { Cell::new(None) };
}

macro_rules! defects {
    ($($(#[doc = $what:literal])+ $name:ident: $rung:ident, $place:literal, [$($rule:literal),+], $bound:literal, [$($hint:literal),*];)+) => {
        /// A seeded defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Defect {
            $($(#[doc = $what])+ $name,)+
        }

        impl Defect {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// What is known of it.
            #[must_use]
            pub const fn about(self) -> About {
                match self {
                    $(Self::$name => About {
                        name: stringify!($name),
                        place: $place,
                        what: concat!($($what),+),
                        rung: Rung::$rung,
                        invariants: &[$($rule),+],
                        bound: $bound,
                        hints: &[$($hint),*],
                    },)+
                }
            }
        }
    };
}

impl Defect {
    /// Whether this one is on in this thread.
    #[must_use]
    pub fn is_on(self) -> bool {
        ON.get() == Some(self)
    }

    /// Switches one defect on in this thread, and any other off; none with `None`.
    pub fn seed(defect: Option<Self>) {
        // The marker has to be where the switch is: whoever has the one has the other.
        std::hint::black_box(MARKER);
        ON.set(defect);
    }
}

defects! {
    /// A step waits for pods of the stable version.
    StepWaitsForStable: Museum, "rollout/steps.rs has_reached_replicas", ["bad-stable-holds-a-good-canary", "stable-that-cannot-make-pods"], 1, [];
    /// A pause that a person has ended goes on.
    ResumedPauseStays: Museum, "rollout/steps.rs is_completed", ["pause-begins-again"], 1, [];
    /// The scale is looked at before the template.
    ScaleComesFirst: Museum, "rollout/canary.rs is_scaling_event", ["replicas-and-template-in-one-apply"], 1, [];
    /// Other steps begin anew although the version is the stable one.
    StepsOfTheStable: Museum, "rollout/canary.rs conclude", ["stuck-after-changing-strategy"], 1, [];
    /// A version inherits the checkpoint of the one before it.
    CheckpointLeaks: Museum, "rollout/status.rs reset", ["gate-skipped-by-a-leaked-checkpoint"], 1, [];
    /// The progress deadline counts from the last change of the condition.
    DeadlineFromTheFirst: Museum, "rollout/status.rs deadline", ["next-version-pays-for-an-invalid-one"], 1, [];
    /// Versions without pods hold the progress deadline up.
    EmptyOnesHoldTheDeadline: Museum, "rollout/status.rs deadline", ["old-deadline-hides-the-progress-deadline"], 1, [];
    /// A mistake that was mended stays in the status.
    InvalidStays: Museum, "rollout/status.rs base", ["invalid-spec-sticks"], 1, [];
    /// A full promotion is not ended by an abort.
    FullPromotionFirst: Museum, "rollout/pass.rs run", ["abort-ignored-after-full-promotion"], 1, [];
    /// The stable version is among those that may go.
    StableIsAnOldOne: Museum, "rollout/pass.rs others", ["stable-taken-down-when-the-strategy-changes"], 1, [];
    /// An equal template with another hash is another version.
    OnlyHashesCount: Museum, "rollout/identify.rs find_new", ["controller-upgrade-restarts-everything"], 1, [];
    /// What is recorded of a ReplicaSet does not count, only its template.
    EqualIsEnough: Museum, "rollout/record.rs stands_for", ["edited-replicaset-taken-for-the-new-one"], 1, [];
    /// An undecided analysis does not keep a version from being promoted.
    UndecidedIsPromoted: Museum, "rollout/promotion.rs reason", ["undecided-background-analysis-is-promoted"], 1, [];
    /// An analysis is cancelled when a pod is away.
    AnalysisNeedsPods: Museum, "rollout/analysis.rs blue_green", ["analysis-cancelled-when-a-pod-restarts"], 1, [];
    /// A restart evicts while a version gives up pods.
    EvictsBesideScaling: Museum, "rollout/restart.rs run", ["restart-during-an-update"], 1, [];
    /// An active Service without a hash opens the gate.
    EmptySelectorIsFirst: Museum, "rollout/blue_green.rs is_fast_tracked", ["gate-opened-by-an-empty-selector"], 1, [];
    /// A deadline that cannot be read has passed.
    BlankIsOver: Museum, "world.rs scale_down_deadline", ["blank-deadline"], 1, [];
    /// A ReplicaSet of an earlier Rollout of the same name counts as ours.
    OwnerByName: Museum, "controller observe/objects.rs replica_set", ["recreated-under-the-same-name"], 1, [];
    /// A Service that no Rollout names any more is left as it is.
    ServiceKeepsTheHash: Museum, "controller services.rs look", ["service-keeps-the-hash-of-another-strategy"], 1, [];
    /// A metric that has not been measured yet does not count.
    UnmeasuredIsPassed: Museum, "controller analysis_runs reconcile", ["delayed-metric-never-measured"], 1, [];
    /// A phase of our own writing wakes no Rollout.
    VerdictWakesNobody: Museum, "controller watches.rs start, controller.rs look_at_run", ["verdict-that-nobody-hears"], 1, [];
    /// A list that follows the first one brings nothing new.
    ListBringsNothing: Museum, "controller cache/watch.rs take", ["promote-never-seen", "lost-replicaset-event"], 1, [];
    /// A plan that met a conflict is not made anew.
    ConflictIsTheEnd: Museum, "controller rollouts.rs look", ["conflict-ends-the-update"], 1, [];
    /// A plan goes on after the lease is lost.
    GuardIsOpen: Museum, "controller apply/mod.rs guard", ["two-leaders"], 1, [];
    /// The definition lets the selector change.
    SelectorMayChange: Museum, "crds manifest", ["selector-change-leaves-pods-behind"], 1, [];
    /// A pod that goes long after an update is late by the deadline of that update.
    IdleHasADeadline: Museum, "rollout/status.rs update_progress", ["idle-rollout-called-degraded"], 1, [];
    /// A look that failed is not repeated.
    RetryIsForgotten: Museum, "controller queue/mod.rs done", ["conflicts-until-somebody-restarts-the-controller"], 1, [];
    /// A Service or a template that appears wakes no Rollout.
    MendingWakesNobody: Museum, "controller services.rs look, watches.rs", ["missing-service-is-never-looked-for-again"], 1, [];
    /// An object that cannot be read ends its watch.
    UnreadableIsFatal: Museum, "controller cache/watch.rs readable", ["one-bad-object-stops-all"], 1, [];
    /// Behind routers the stable version has the pods of its wish, whatever they still send it.
    StableByWish: Museum, "rollout/routed_sizes.rs stable_size", ["stable-shrinks-before-the-weight-is-verified"], 1, [];
    /// The stable version shrinks though the new one cannot carry what it has got.
    StableGoesUnbacked: Museum, "rollout/routed_sizes.rs stable_size", ["stable-shrinks-while-canary-pods-are-missing"], 1, [];
    /// The stable version comes back only as far as the weight has.
    AbortWaitsForWeight: Museum, "rollout/routed_sizes.rs stable_size", ["abort-that-waits-for-itself"], 1, [];
    /// A Service that still leads to a version does not keep it.
    ReferencesForgotten: Museum, "rollout/routed.rs is_referenced", ["selector-switched-after-old-pods-went"], 1, [];
    /// A canary that is overtaken loses all of its weight at once.
    OvertakenLosesAll: Museum, "rollout/weights.rs wanted", ["third-version-on-a-shrunken-stable"], 1, [];
    /// Weight rises before the pods of its step are there.
    RoutesBeforePods: Museum, "rollout/weights.rs wanted", ["weight-before-destination"], 1, [];
    /// All weight goes back to a stable version that has shrunk.
    AllBackAtOnce: Museum, "rollout/weights.rs abort_weight", ["rollback-below-availability"], 1, [];
    /// The canary's subset selects the new version before that can carry its weight.
    SubsetMovesFirst: Museum, "rollout/routed.rs canary_hash", ["weight-before-destination"], 1, [];
    /// The DestinationRule is always written after the VirtualServices.
    RuleAlwaysLast: Museum, "traffic istio/order.rs rule_goes_first", ["weight-before-destination"], 1, [];
    /// Routers are asked for weights before any version is stable, and whatever pods it has.
    RoutesBeforeStable: Museum, "rollout/routed.rs intent", ["first-deploy-behind-a-mesh"], 1, [];
    /// Routers do at once what their objects say.
    NothingSettles: Museum, "rollout/routed.rs settles_at", ["abort-before-the-router-has-heard"], 1, [];
    /// A Service that an earlier write of the plan has moved counts as settled.
    SwitchIsNoChange: Museum, "rollout/fold.rs select", ["load-balancer-behind-the-selector"], 1, [];
    /// Weight rises in the moment in which the canary's Service moves.
    WeightBeforeTargets: Museum, "rollout/handover.rs held_rise", ["load-balancer-behind-the-selector"], 1, [];
    /// At the end of an update the stable Service moves in the moment in which weight leaves it and comes back.
    SelectorMovesWithTheWeight: Museum, "rollout/handover.rs handover", ["load-balancer-behind-the-selector"], 1, [];
    /// Nobody asks target groups which pods they have.
    TargetsUnheard: Museum, "rollout/targets.rs asked", ["load-balancer-hears-late"], 1, [];
    /// Target groups of which nothing is known have all pods.
    SilenceIsConsent: Museum, "targets.rs are_registered", ["load-balancer-hears-late"], 1, [];
    /// A version that is neither new nor stable has been behind no Service.
    LeftForgotten: Museum, "rollout/targets.rs may_have_left", ["load-balancer-hears-late"], 1, [];
    /// Target groups do not count for a version that was overtaken.
    OvertakenForgotten: Museum, "rollout/targets.rs may_go_routed", ["load-balancer-hears-late"], 1, [];
    /// Weight rises before the first health checks of its targets are over.
    RisesUnchecked: Museum, "rollout/targets.rs word", ["load-balancer-behind-the-selector"], 1, [];
    /// A step ends though a load balancer does not serve its weight yet.
    UnservedIsShown: Museum, "rollout/routed.rs is_shown", ["stable-shrinks-before-the-weight-is-verified"], 1, [];
    /// Pods go though a load balancer does not serve yet what its objects show.
    UnservedHasSettled: Museum, "rollout/verified.rs awaited", ["stable-shrinks-before-the-weight-is-verified"], 1, [];
    /// Fields of routers' objects stay ours.
    KeepsFields: Museum, "rollout/give_back.rs run", ["git-loses-its-routes"], 1, [];
    /// Fields of routers' objects are given back before their last change has settled.
    GivesBackUnsettled: Museum, "rollout/give_back.rs run", ["git-loses-its-routes"], 1, [];
    /// What is put back at rest is given back again and again.
    GivesBackAgain: Museum, "rollout/give_back.rs run", ["git-loses-its-routes"], 1, [];
    /// What somebody else has changed in a route stays.
    OverwrittenStays: Museum, "rollout/routed.rs run", ["weights-changed-by-somebody-stay"], 1, [];
    /// What somebody else changes is put back as fast as it is changed.
    PutsBackInARace: Museum, "rollout/put_back.rs waits_until", ["weights-changed-by-somebody-stay"], 1, [];
    /// The canary's Service goes back to an aborted version while the stable one lacks a pod.
    KeptCanaryIsServed: Museum, "rollout/services.rs routed_canary", ["canary-service-flaps-after-abort"], 1, [];
    /// Pods above the wanted number carry more than everything.
    WeightBeyondTheWhole: Museum, "arithmetic/routed.rs weight_for", ["weights-out-of-range"], 1, [];
    /// Managed routes stay when the update is over.
    RoutesOutlive: Museum, "rollout/routed.rs sends_to_canary", ["foreign-routes-removed"], 1, [];
    /// Subsets of others are taken for those of experiments that have ended.
    ForeignSubsetsGo: Museum, "traffic istio/destination_rule.rs has_ended", ["foreign-routes-removed"], 1, [];
    /// A version that is kept behind routers is late.
    KeptOnesAreLate: Museum, "rollout/status.rs deadline", ["kept-version-times-out"], 1, [];
    /// An abort is obeyed although nothing is in progress.
    AbortsNothing: L1, "rollout/pass.rs run", ["V1"], 100, [];
    /// Versions without pods wait for their scale-down again and again.
    EmptyOnesWait: L1, "rollout/blue_green.rs scale_others", ["V2", "V1"], 50, [];
    /// A version that is needed again keeps its old deadline.
    KeepsDeadline: L1, "rollout/blue_green.rs scale_new", ["V1", "wake_is_present"], 800, [];
    /// The active Service does not wait for the analysis before the promotion.
    SwitchIgnoresAnalysis: L1, "rollout/blue_green.rs is_open", ["no_skipped_gate"], 800, [];
    /// The active Service does not wait for the pods of the new version.
    SwitchesUnready: L1, "rollout/blue_green.rs is_open", ["S2", "services_have_pods", "S1"], 50, [];
    /// Pods of the new version count as available before they are.
    CountsMissingPods: L1, "arithmetic/canary_replicas.rs scale_down", ["availability", "S1"], 50, [];
    /// Surge and availability are forgotten once the weight is whole.
    NoBoundsAtTheEnd: L1, "arithmetic/canary_replicas.rs canary_replicas", ["availability", "S1"], 50, [];
    /// One pod more than the surplus goes.
    OnePodTooMany: L1, "arithmetic/canary_replicas.rs scale_down", ["availability", "S1"], 50, [];
    /// Another template does not begin the steps anew.
    NewTemplateIgnored: L1, "rollout/status.rs has_changed", ["V5", "S5", "no_skipped_gate"], 50, [];
    /// An abort outlives the version that it was about.
    AbortOutlives: L1, "rollout/status.rs reset", ["V5"], 200, [];
    /// The status claims a generation that was not observed.
    GenerationAhead: L1, "rollout/status.rs stamp", ["S10"], 50, [];
    /// The status has the time of the look in it.
    ClockInStatus: L1, "rollout/status.rs stamp", ["V2"], 50, [];
    /// The AnalysisRun that was made is not recorded.
    RunNotRecorded: L1, "rollout/canary.rs conclude", ["V1", "S6", "V2"], 500, [];
    /// The stable Service stays with the stable version until that has no pods.
    ServiceStaysBehind: L1, "rollout/canary.rs empties_stable", ["services_have_pods", "V1", "S2"], 2000, [];
    /// Nobody looks when a timed pause is over.
    NobodyWakes: L1, "rollout/canary.rs wait_for_pause", ["wake_is_present", "V1"], 100, [];
    /// An analysis that has ended begins again.
    EndedRunAgain: L1, "rollout/analysis.rs need", ["wake_is_present", "S6", "V1", "V2"], 800, [];
    /// The analysis of one step speaks for another.
    RunOfAnotherStep: L1, "rollout/analysis.rs need", ["S5", "S6", "V1"], 8000, [];
    /// A failed analysis does not abort.
    FailureIgnored: L1, "rollout/analysis.rs need", ["V1", "S6"], 500, [];
    /// A rollback counts as fast after the old version's deadline.
    StaleDeadlineIsFast: L1, "rollout/services.rs is_fast_rollback", ["no_skipped_gate"], 800, [];
    /// A Service is pointed at a version without pods.
    SelectsWithoutPods: L1, "rollout/services.rs ensure", ["services_have_pods", "S2"], 50, [];
    /// The canary Service stays with an aborted version.
    CanaryServiceStays: L1, "rollout/services.rs canary", ["V1"], 2000, [];
    /// The stable Service goes to the new version at once.
    StableServiceGoesFirst: L1, "rollout/services.rs canary", ["S4", "services_have_pods", "V1"], 100, [];
    /// ReplicaSets of another owner count as ours.
    TakesForeign: L1, "rollout/identify.rs sort_out", ["only_own_objects"], 50, [];
    /// The ReplicaSet of the template is not found and is made again.
    NewOneNotFound: L1, "rollout/identify.rs find_new", ["one_create_per_hash", "S8"], 50, [];
    /// The Rollout's own revision does not count.
    RevisionForgotten: L1, "rollout/identify.rs ensure_new", ["S10"], 50, [];
    /// A version becomes stable before its pods are available.
    PromotesUnready: L1, "rollout/promotion.rs reason", ["S7"], 50, [];
    /// A version becomes stable before its last step.
    PromotesBeforeTheEnd: L1, "rollout/promotion.rs reason", ["no_skipped_gate", "S7"], 500, [];
    /// A version becomes stable without its analysis after the promotion.
    PromotesUnanalysed: L1, "rollout/promotion.rs reason", ["S6"], 400, [];
    /// A stable ReplicaSet that is not seen yet makes a first deploy.
    UnseenIsFirst: L1, "rollout/promotion.rs reason", ["S7", "no_skipped_gate"], 100, [];
    /// A pause is passed by.
    SkipsPause: L1, "rollout/steps.rs is_completed", ["no_skipped_gate", "S5"], 100, [];
    /// A timed pause ends at half its time.
    PauseTooShort: L1, "rollout/steps.rs is_completed", ["no_skipped_gate"], 200, [];
    /// An analysis step is passed by.
    SkipsAnalysis: L1, "rollout/steps.rs is_completed", ["no_skipped_gate", "S5"], 50, [];
    /// An abort leaves the new version its share.
    AbortKeepsWeight: L1, "rollout/steps.rs weight", ["V3", "V1"], 1000, [];
    /// Old versions go without regard to availability.
    OthersGoAtOnce: L1, "rollout/scale_down.rs canary_others", ["availability", "S1"], 100, [];
    /// A version that was live goes before its delay is over.
    DelayIgnored: L1, "rollout/scale_down.rs decide", ["S3"], 50, [];
    /// The last pod of a version that the stable Service selects goes.
    EmptiesTheServed: L2, "rollout/scale_down.rs canary_others", ["S2"], 5, ["overtaken-while-served"];
    /// Old versions are deleted with their pods.
    DeletesTheLive: L1, "rollout/history.rs replica_sets", ["availability", "no_skipped_gate", "S7"], 1500, [];
    /// A restart evicts all pods at once.
    EvictsAll: L1, "rollout/restart.rs run", ["availability", "S1"], 50, [];
    /// The count of hash collisions is forgotten.
    CollisionForgotten: L1, "rollout/status.rs base", ["S10", "V1"], 200, [];
    /// The hash of the steps is never renewed.
    StepHashKept: L1, "rollout/status.rs base", ["V1"], 50, [];
    /// The progress deadline counts in a pause, too.
    LateInPause: L1, "rollout/status.rs deadline", ["S10", "V1"], 400, [];
    /// There is no progress deadline.
    NeverLate: L1, "rollout/status.rs deadline", ["V1"], 50, [];
    /// The progress deadline comes at half its time.
    LateTooEarly: L1, "rollout/status.rs deadline", ["S6", "S10", "V1"], 50, [];
    /// A version that was not promoted counts as healthy.
    HealthyBeforeTheEnd: L1, "rollout/status.rs is_healthy", ["V1"], 2000, [];
    /// The condition Available is always True.
    AlwaysAvailable: L1, "rollout/status.rs update_available", ["V1"], 100, [];
    /// The last version's progress deadline counts for the next one.
    OldDeadline: L1, "rollout/status.rs update_progress", ["S6", "V1", "V5"], 400, [];
    /// Pods count as there though the size is not observed yet.
    UnobservedCounts: L2, "rollout/status.rs is_saturated", ["S2", "S3", "V1", "S1"], 5, ["counts-of-a-moment-ago"];
    /// A name that is taken is no collision.
    CollisionIgnored: L1, "rollout/identify.rs refused", ["V1"], 200, [];
    /// Another minReadySeconds does not come to the ReplicaSet.
    MinReadyIgnored: L1, "rollout/identify.rs ensure_new", ["V1"], 50, [];
    /// Annotations that come later are not copied.
    AnnotationsNotCopied: L1, "rollout/identify.rs ensure_new", ["V1"], 50, [];
    /// A version that comes back keeps its old revision.
    RevisionNotRaised: L1, "rollout/identify.rs ensure_new", ["V2", "V1"], 50, [];
    /// A ReplicaSet is made with all pods.
    CreatedFull: L1, "rollout/identify.rs create", ["S4", "V1"], 50, [];
    /// The number of desired pods is not recorded.
    DesiredNotRecorded: L1, "rollout/pass.rs scale", ["V1"], 50, [];
    /// The deadline stays on a version without pods.
    DeadlineStays: L1, "rollout/pass.rs scale", ["V1"], 50, [];
    /// The weight of the step after this one holds.
    WeightOfNext: L1, "rollout/steps.rs weight", ["S4", "V1"], 1000, [];
    /// Steps end while a person has frozen the Rollout.
    FrozenGoesOn: L1, "rollout/steps.rs is_completed", ["S5", "V1"], 800, [];
    /// A weight counts as reached before its pods are available.
    WeightBeforePods: L1, "rollout/steps.rs has_reached_replicas", ["S5", "V1"], 100, [];
    /// An aborted version becomes stable.
    PromotesAborted: L1, "rollout/promotion.rs reason", ["V3", "V1"], 1500, [];
    /// A version becomes stable while an analysis is undecided.
    PromotesUndecided: L1, "rollout/promotion.rs reason", ["V1", "no_skipped_gate"], 20000, [];
    /// The preview Service stays with the old version.
    PreviewStays: L1, "rollout/blue_green.rs run", ["V1"], 50, [];
    /// A preview keeps its own size for ever.
    PreviewKeepsSize: L1, "rollout/blue_green.rs new_size", ["V1"], 800, [];
    /// Nobody has to promote.
    PromotesByItself: L1, "rollout/blue_green.rs pause_is_over", ["no_skipped_gate", "V1"], 50, [];
    /// A promotion does not wait for its time.
    PromotesAtOnce: L1, "rollout/blue_green.rs pause_is_over", ["V1", "no_skipped_gate"], 200, [];
    /// Whether the new version still has its pods is not asked again before the switch.
    SwitchUnconfirmed: L1, "rollout/blue_green.rs switch_active", ["S2", "S1"], 6000, [];
    /// After an abort the active Service stays with the new version.
    NeverBack: L1, "rollout/blue_green.rs switch_back", ["V1"], 400, [];
    /// After an abort the active Service goes back to a version without pods.
    BackBlindly: L1, "rollout/blue_green.rs switch_back", ["services_have_pods", "V1", "S2"], 3000, [];
    /// An aborted version goes before its delay is over.
    AbortedGoesAtOnce: L1, "rollout/blue_green.rs scale_aborted", ["S3", "V1"], 200, [];
    /// An aborted version keeps its pods for ever.
    AbortedStays: L1, "rollout/blue_green.rs scale_aborted", ["V1"], 200, [];
    /// The stable version shrinks before the switch.
    StableShrinks: L1, "rollout/blue_green.rs scale", ["availability", "V1"], 50, [];
    /// A version that was taken for idle keeps its deadline while it is active.
    ActiveKeepsDeadline: L2, "rollout/blue_green.rs scale_others", ["V1"], 5, ["active-taken-for-idle"];
    /// An aborted version does not record another scale.
    AbortedScalesForEver: L2, "rollout/blue_green.rs scale_aborted", ["V1"], 5, ["scaled-after-an-abort"];
    /// A Service does not say who manages it.
    ManagedNotRecorded: L1, "rollout/services.rs select", ["V1"], 50, [];
    /// A Service that reaches all pods is narrowed to a version with few.
    NarrowedEarly: L1, "rollout/services.rs ensure", ["S2", "V1"], 800, [];
    /// Old versions go at once.
    NoDelay: L1, "rollout/scale_down.rs decide", ["S3", "V1"], 50, [];
    /// Old versions go at half their time.
    DelayTooShort: L1, "rollout/scale_down.rs set_deadline", ["S3", "V1"], 50, [];
    /// More old versions wait than the limit allows.
    LimitIgnored: L1, "rollout/scale_down.rs decide", ["delays_have_a_limit", "V1"], 3000, [];
    /// The newest of the old versions are deleted first.
    NewestGoFirst: L1, "rollout/history.rs replica_sets", ["oldest_go_first", "V1"], 800, [];
    /// One old version too many is deleted.
    OneTooManyGoes: L1, "rollout/history.rs replica_sets", ["oldest_go_first", "V1"], 50, [];
    /// A restart begins before its time.
    RestartBeforeTime: L1, "rollout/restart.rs run", ["V4", "V1"], 50, [];
    /// A restart counts as done while old pods are left.
    RestartDoneEarly: L1, "rollout/restart.rs run", ["V4", "V1"], 50, [];
    /// A restart is never done.
    RestartNeverDone: L1, "rollout/restart.rs run", ["V1"], 50, [];
    /// A restart evicts pods that are young enough.
    YoungEvicted: L1, "rollout/restart.rs run", ["V4", "V1"], 50, [];
    /// A restart counts and evicts pods of another owner.
    EvictsForeign: L1, "rollout/restart.rs ours", ["only_own_objects", "V1"], 50, [];
    /// A pause begins again with each look.
    PauseBeginsAgain: L1, "rollout/pause.rs record", ["S5", "V1"], 3000, [];
    /// An abort keeps the pauses.
    AbortKeepsPause: L1, "rollout/pause.rs record", ["V1"], 800, [];
    /// An undecided analysis waits for nobody.
    UndecidedGoesOn: L1, "rollout/analysis.rs need", ["V1"], 4000, [];
    /// An analysis that could not measure does not abort.
    ErrorIgnored: L1, "rollout/analysis.rs need", ["V1"], 800, [];
    /// Analyses that nobody needs go on.
    RunsGoOn: L1, "rollout/analysis.rs settle", ["V1"], 200, [];
    /// The analysis beside the steps does not wait for its step.
    BackgroundTooEarly: L1, "rollout/analysis.rs canary", ["S5", "V1"], 400, [];
    /// There is no analysis beside the steps.
    NoBackground: L1, "rollout/analysis.rs background", ["V1"], 3000, [];
    /// The history limits take the current run, too.
    CurrentRunDeleted: L1, "rollout/analysis/retention.rs delete_old", ["S5", "S6", "V1"], 500, [];
    /// The limits of good and bad runs are swapped.
    LimitsSwapped: L1, "rollout/analysis/retention.rs delete_old", ["V1"], 50, [];
    /// Runs outlive their version.
    RunsOutliveVersion: L1, "rollout/analysis/retention.rs has_version", ["V1"], 800, [];
    /// A run is measured before the status of its Rollout names it.
    BeginsUnnamed: L2, "controller/src/analysis_runs reconcile", ["S6"], 400, [];
    /// A write without an answer may be carried out after others have counted on the object as it was seen.
    NoFence: L2, "controller/src/apply/requests.rs fence", ["S1"], 5, ["given-up-and-carried-out"];
    /// A run of a later number is overlooked.
    SecondRun: L1, "rollout/analysis/make.rs new_run", ["S6", "V1"], 50, [];
    /// Writes follow a decision that is not recorded yet.
    WritesAfterDecision: L1, "rollout/fold.rs plan", ["S7", "S6", "V1", "surge", "S4"], 50, [];
    /// Events wait for another write than theirs.
    AnchorsNotShifted: L1, "rollout/fold.rs absorb", ["notices_fit", "V1"], 50, [];
    /// A retry leaves the condition of the abort.
    RetryUnheard: L1, "rollout/gate.rs paused_conditions", ["V1"], 3000, [];
    /// A condition's transition time moves though its status does not change.
    TransitionMoves: L1, "rollout/conditions.rs set", ["S10", "V1"], 50, [];
    /// A Rollout that restarts is called Healthy.
    RestartHidden: L1, "rollout/phase.rs phase_of", ["S10", "V1"], 50, [];
    /// A canary is called Healthy before its promotion.
    HealthyTooEarly: L1, "rollout/phase.rs phase_of", ["S10", "V1"], 50, [];
    /// One pod more than the surge is asked for.
    OneMoreSurge: L1, "arithmetic/canary_replicas.rs canary_replicas", ["surge", "V1"], 50, [];
    /// Pods that serve nobody keep their places.
    NobodyGivesWay: L2, "arithmetic/canary_replicas.rs give_way", ["V1"], 5, ["places-taken-for-nothing"];
    /// Shares are rounded down.
    RoundsDown: L1, "arithmetic/canary_replicas.rs desired_pair", ["S5", "V1"], 200, [];
    /// The status is written without the version that it was made from.
    StatusWithoutVersion: L2, "controller apply/requests.rs status", ["S12"], 50, ["promoted"];
    /// Patches have neither uid nor resourceVersion.
    PatchWithoutVersion: L2, "controller apply/requests.rs with_preconditions", ["S12"], 50, ["promoted"];
    /// Deletes and evictions have no uid.
    DeleteWithoutUid: L2, "controller apply/requests.rs delete_params", ["S12"], 100, ["restarted", "many-versions"];
    /// The revision is written together with the spec.
    WritesTheSpec: L2, "controller apply/requests.rs send", ["S13"], 50, ["promoted"];
    /// Older news overwrites what our own writes have brought.
    OlderOverwrites: L2, "controller cache/store.rs put", ["V4", "judge"], 5, ["older-news-overwrites-newer"];
    /// A new list does not take out what is gone.
    GoneStays: L2, "controller cache/store.rs retain_listed", ["S1", "V1", "V2", "S9", "S11", "V4"], 3000, ["set-deleted"];
    /// A watch that fails is not started again.
    WatchEnds: L2, "controller cache/watch.rs start", ["V1", "O1", "V4"], 300, ["promoted", "timed-pauses"];
    /// A deletion is not taken out of the cache.
    DeletionIgnored: L2, "controller cache/watch.rs take", ["S1", "V1", "V2", "V4"], 100, ["set-deleted"];
    /// A key that is added while it runs is lost.
    RunningKeyLost: L2, "controller queue/mod.rs push", ["V1", "V4"], 5, ["answers-after-the-news"];
    /// An earlier wake-up does not replace a later one.
    EarlierWakeLost: L2, "controller queue/mod.rs delay", ["V1", "V4"], 100, ["brisk"];
    /// A plan goes on after a write that failed.
    GoesOnAfterFailure: L2, "controller apply/mod.rs apply", ["S1", "S2", "S5", "S6", "S7", "S8", "S10", "O1", "V1"], 600, ["promoted", "services"];
    /// The status is written before the writes.
    StatusFirst: L2, "controller apply/mod.rs apply", ["S10"], 50, ["brisk"];
    /// An object of that name counts as made, whosever it is.
    ExistsIsFine: L2, "controller apply/mod.rs write", ["S12", "V1", "S10"], 300, ["promoted", "gate-passed"];
    /// A conflict counts as success.
    RefusalIsFine: L2, "controller apply/mod.rs write", ["S12", "S2", "S10"], 600, ["services", "promoted"];
    /// An error of the server counts as success.
    FailureIsFine: L2, "controller apply/mod.rs write", ["S10"], 300, ["brisk-services"];
    /// A lease is taken before it has run out.
    LeaseTakenEarly: L2, "controller lease.rs evaluate", ["S12"], 50, ["two-controllers"];
    /// Whoever loses the race for the lease leads, too.
    LostRaceLeads: L2, "controller lease.rs taken", ["S12"], 600, ["two-controllers"];
    /// What was refused once is never tried again.
    RefusedForEver: L2, "controller rollouts.rs refusals", ["V1"], 400, ["brisk"];
    /// Nobody looks at the time that the plan asks for.
    WakeDropped: L2, "controller rollouts.rs look", ["V4"], 10, ["timed-pauses"];
    /// The answer of a measurement is not recorded.
    AnswerLost: L2, "controller analysis_runs reconcile", ["V1", "V2", "S6"], 50, ["gate-passed"];
    /// One measurement makes a run successful.
    OneIsEnough: L2, "controller analysis_runs reconcile", ["S6"], 50, ["gate-passed"];
    /// A failed run becomes a successful one.
    VerdictRewritten: L2, "controller analysis_runs reconcile", ["S6"], 50, ["gate-failed"];
    /// A route that loses its labels in an update is left as it is.
    LabelsForgotten: L2, "traffic gateway/mod.rs is_held", ["O1", "S2", "S3", "V1"], 50, ["routed-labels-leave", "routed-labels-leave-aborted"];
    /// News of ReplicaSets wakes no Rollout.
    SetsWakeNobody: L2, "controller watches.rs start", ["V1"], 100, ["brisk", "brisk-services"];
}
