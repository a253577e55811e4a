//! Each play fails when the rule that prevents its outage is switched off, and passes when it is not: a play that
//! cannot fail shows nothing.

use crate::{analysis, balancers, blue_green, canary, restart, routed, routes, versions};
use planner::defects::Defect;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Name of a piece, its play, and the defect that breaks the rule.
const PIECES: &[(&str, fn(), Defect)] = &[
    (
        "abort-ignored-after-full-promotion",
        versions::abort_ignored_after_full_promotion,
        Defect::FullPromotionFirst,
    ),
    ("abort-outlives-its-version", versions::abort_outlives_its_version, Defect::AbortOutlives),
    ("abort-with-nothing-in-progress", versions::abort_with_nothing_in_progress, Defect::AbortsNothing),
    (
        "analysis-cancelled-when-a-pod-restarts",
        analysis::analysis_cancelled_when_a_pod_restarts,
        Defect::AnalysisNeedsPods,
    ),
    ("analysis-runs-without-end", analysis::analysis_runs_without_end, Defect::RunNotRecorded),
    ("background-analysis-starts-again", analysis::background_analysis_starts_again, Defect::EndedRunAgain),
    ("bad-stable-holds-a-good-canary", canary::bad_stable_holds_a_good_canary, Defect::StepWaitsForStable),
    ("blank-deadline", blue_green::blank_deadline, Defect::BlankIsOver),
    (
        "bounds-forgotten-after-the-last-step",
        canary::bounds_forgotten_after_the_last_step,
        Defect::NoBoundsAtTheEnd,
    ),
    (
        "canary-service-left-on-a-dead-version",
        canary::canary_service_left_on_a_dead_version,
        Defect::CanaryServiceStays,
    ),
    (
        "controller-upgrade-restarts-everything",
        versions::controller_upgrade_restarts_everything,
        Defect::OnlyHashesCount,
    ),
    (
        "edited-replicaset-taken-for-the-new-one",
        blue_green::edited_replicaset_taken_for_the_new_one,
        Defect::EqualIsEnough,
    ),
    ("finished-update-goes-quiet", blue_green::finished_update_goes_quiet, Defect::EmptyOnesWait),
    (
        "gate-opened-by-an-empty-selector",
        blue_green::gate_opened_by_an_empty_selector,
        Defect::EmptySelectorIsFirst,
    ),
    (
        "gate-skipped-by-a-leaked-checkpoint",
        blue_green::gate_skipped_by_a_leaked_checkpoint,
        Defect::CheckpointLeaks,
    ),
    ("idle-rollout-called-degraded", versions::idle_rollout_called_degraded, Defect::IdleHasADeadline),
    ("invalid-spec-sticks", versions::invalid_spec_sticks, Defect::InvalidStays),
    ("newest-template-ignored", canary::newest_template_ignored, Defect::NewTemplateIgnored),
    (
        "next-version-pays-for-an-invalid-one",
        canary::next_version_pays_for_an_invalid_one,
        Defect::DeadlineFromTheFirst,
    ),
    (
        "old-deadline-hides-the-progress-deadline",
        canary::old_deadline_hides_the_progress_deadline,
        Defect::EmptyOnesHoldTheDeadline,
    ),
    ("pause-begins-again", canary::pause_begins_again, Defect::ResumedPauseStays),
    ("promotion-before-readiness", canary::promotion_before_readiness, Defect::PromotesUnready),
    (
        "replicas-and-template-in-one-apply",
        canary::replicas_and_template_in_one_apply,
        Defect::ScaleComesFirst,
    ),
    (
        "replicas-from-git-against-the-autoscaler",
        canary::replicas_from_git_against_the_autoscaler,
        Defect::CountsMissingPods,
    ),
    ("restart-during-an-update", restart::restart_during_an_update, Defect::EvictsBesideScaling),
    ("scaling-event-takes-stable-down", canary::scaling_event_takes_stable_down, Defect::CountsMissingPods),
    ("second-abort-kills-at-once", blue_green::second_abort_kills_at_once, Defect::KeepsDeadline),
    (
        "service-narrowed-before-pods-are-there",
        canary::service_narrowed_before_pods_are_there,
        Defect::SelectsWithoutPods,
    ),
    ("stable-service-without-pods", canary::stable_service_without_pods, Defect::ServiceStaysBehind),
    (
        "stable-taken-down-when-the-strategy-changes",
        blue_green::stable_taken_down_when_the_strategy_changes,
        Defect::StableIsAnOldOne,
    ),
    ("stable-that-cannot-make-pods", canary::stable_that_cannot_make_pods, Defect::StepWaitsForStable),
    ("stale-deadline-opens-the-gate", blue_green::stale_deadline_opens_the_gate, Defect::StaleDeadlineIsFast),
    ("stuck-after-changing-strategy", canary::stuck_after_changing_strategy, Defect::StepsOfTheStable),
    (
        "undecided-analysis-blocks-the-promotion",
        analysis::undecided_analysis_blocks_the_promotion,
        Defect::RunOfAnotherStep,
    ),
    (
        "undecided-background-analysis-is-promoted",
        analysis::undecided_background_analysis_is_promoted,
        Defect::UndecidedIsPromoted,
    ),
    ("abort-before-the-router-has-heard", routed::abort_before_the_router_has_heard, Defect::NothingSettles),
    ("abort-that-waits-for-itself", routed::abort_that_waits_for_itself, Defect::AbortWaitsForWeight),
    (
        "canary-service-flaps-after-abort",
        routed::canary_service_flaps_after_abort,
        Defect::KeptCanaryIsServed,
    ),
    ("first-deploy-behind-a-mesh", routes::first_deploy_behind_a_mesh, Defect::RoutesBeforeStable),
    ("foreign-routes-removed", routes::foreign_routes_removed, Defect::RoutesOutlive),
    ("foreign-routes-removed", routes::foreign_routes_removed, Defect::ForeignSubsetsGo),
    ("kept-version-times-out", routed::kept_version_times_out, Defect::KeptOnesAreLate),
    (
        "load-balancer-behind-the-selector",
        routes::load_balancer_behind_the_selector,
        Defect::SelectorMovesWithTheWeight,
    ),
    (
        "load-balancer-behind-the-selector",
        routes::load_balancer_behind_the_selector,
        Defect::WeightBeforeTargets,
    ),
    (
        "load-balancer-behind-the-selector",
        routes::load_balancer_behind_the_selector,
        Defect::SwitchIsNoChange,
    ),
    ("git-loses-its-routes", balancers::git_loses_its_routes, Defect::KeepsFields),
    ("git-loses-its-routes", balancers::git_loses_its_routes, Defect::GivesBackUnsettled),
    ("git-loses-its-routes", balancers::git_loses_its_routes, Defect::GivesBackAgain),
    (
        "load-balancer-behind-the-selector",
        balancers::weight_waits_for_the_first_health_checks,
        Defect::RisesUnchecked,
    ),
    ("load-balancer-hears-late", balancers::load_balancer_hears_late, Defect::TargetsUnheard),
    ("load-balancer-hears-late", balancers::load_balancer_hears_late, Defect::SilenceIsConsent),
    ("load-balancer-hears-late", balancers::third_version_while_it_has_not_heard, Defect::LeftForgotten),
    ("load-balancer-hears-late", balancers::overtaken_while_it_has_not_heard, Defect::OvertakenForgotten),
    ("rollback-below-availability", routed::rollback_below_availability, Defect::AllBackAtOnce),
    (
        "selector-switched-after-old-pods-went",
        routed::selector_stays_and_old_pods_stay_with_it,
        Defect::ReferencesForgotten,
    ),
    (
        "stable-shrinks-before-the-weight-is-verified",
        routed::stable_shrinks_before_the_weight_is_verified,
        Defect::StableByWish,
    ),
    (
        "stable-shrinks-while-canary-pods-are-missing",
        routed::stable_shrinks_while_canary_pods_are_missing,
        Defect::StableGoesUnbacked,
    ),
    (
        "stable-shrinks-before-the-weight-is-verified",
        balancers::a_load_balancer_says_what_it_serves,
        Defect::UnservedIsShown,
    ),
    (
        "stable-shrinks-before-the-weight-is-verified",
        balancers::a_load_balancer_says_what_it_serves,
        Defect::UnservedHasSettled,
    ),
    (
        "third-version-on-a-shrunken-stable",
        routed::third_version_on_a_shrunken_stable,
        Defect::OvertakenLosesAll,
    ),
    ("weight-before-destination", routes::weight_before_destination, Defect::SubsetMovesFirst),
    ("weight-before-destination", routes::weight_before_destination, Defect::RuleAlwaysLast),
    ("weight-before-destination", routes::weight_before_destination, Defect::RoutesBeforePods),
    (
        "weights-changed-by-somebody-stay",
        balancers::weights_changed_by_somebody_stay,
        Defect::OverwrittenStays,
    ),
    (
        "weights-changed-by-somebody-stay",
        balancers::weights_changed_by_somebody_stay,
        Defect::PutsBackInARace,
    ),
    ("weights-out-of-range", routes::weights_out_of_range, Defect::WeightBeyondTheWhole),
    ("workloads-nobody-asked-about", versions::workloads_nobody_asked_about, Defect::TakesForeign),
];

/// What a play says with a defect seeded; `None` when it passes.
fn play(piece: fn(), defect: Option<Defect>) -> Option<String> {
    Defect::seed(defect);
    let result = catch_unwind(AssertUnwindSafe(piece));
    Defect::seed(None);
    let said = result.err()?;
    let text = said.downcast_ref::<String>().map(String::as_str);
    Some(text.or(said.downcast_ref::<&str>().copied()).unwrap_or_default().to_owned())
}

#[test]
fn each_play_fails_without_its_rule() {
    let mut wrong = Vec::new();
    for (name, piece, defect) in PIECES {
        if let Some(said) = play(*piece, None) {
            wrong.push(format!("{name} fails: {said}"));
        }
        match play(*piece, Some(*defect)) {
            Some(said) => println!("{name}: {defect:?}: {}", said.lines().next().unwrap_or_default()),
            None => wrong.push(format!("{name} passes, although {defect:?} is on")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_piece_is_in_the_catalogue_with_its_switch() {
    let catalogue = include_str!("../../../docs/outages.md");
    for (name, _, defect) in PIECES {
        let section = catalogue.split("\n### ").find(|section| section.lines().next() == Some(name));
        let section = section.unwrap_or_else(|| panic!("docs/outages.md has no piece {name}"));
        assert!(section.contains(&format!("`{defect:?}`")), "{name} does not name its switch `{defect:?}`");
    }
}
