//! One pass over the world: who is who, and then gate, strategy and status in order.

use super::pause::PauseChange;
use super::{blue_green, canary, gate, identify, status, workload};
use crate::defect;
use crate::{Anchor, EventType, Notice, Plan, Planned, ReplicaSet, Target, World, Write};
use crds::rollout::RolloutStatus;
use crds::rollout::canary::{CanaryStep, CanaryStrategy};
use crds::validate::Invalid;
use crds::{Time, defaults, meta};
use std::collections::BTreeMap;

/// What one pass knows and what it has decided so far.
pub(super) struct Pass<'w> {
    pub(super) world: &'w World,
    pub(super) now: Time,
    /// The status as it was read: people write into it, too.
    pub(super) old: RolloutStatus,
    /// Our ReplicaSets that are not being deleted, oldest first.
    pub(super) all: Vec<&'w ReplicaSet>,
    /// The ReplicaSet of the current template.
    pub(super) new: Option<&'w ReplicaSet>,
    /// Why it cannot be told which one that is.
    pub(super) ambiguous: Option<Invalid>,
    /// The ReplicaSet that was last promoted; the same as `new` when all is done.
    pub(super) stable: Option<&'w ReplicaSet>,
    /// Revision of the new ReplicaSet once this pass has numbered it: after a rollback it is more than the ReplicaSet
    /// that was read says.
    pub(super) revision: i64,
    /// `spec.replicas`, 1 when unset.
    pub(super) replicas: i32,
    pub(super) pause: PauseChange,
    pub(super) runs: super::analysis::CurrentRuns,
    /// Why an analysis that is to run cannot be made.
    pub(super) unmade: Option<Invalid>,
    /// What routers are asked for in this pass.
    pub(super) intent: Option<crate::traffic::Intent>,
    /// How the new version was promoted in this pass, if it was.
    pub(super) promoted: Option<&'static str>,
    pub(super) plan: Plan,
}

/// Runs one pass; `invalid` says what is wrong with the world, if anything is. Its plan has no status when the Rollout
/// is being deleted.
pub(super) fn run(world: &World, now: Time, invalid: Option<&Invalid>) -> Plan {
    if world.rollout.metadata.deletion_timestamp.is_some() {
        return Plan::default();
    }
    let mut pass = Pass::new(world, now);
    let ambiguous = pass.ambiguous.take();
    if let Some(invalid) = invalid.or(ambiguous.as_ref()) {
        let status = gate::waiting(&mut pass, invalid).unwrap_or_else(|| gate::invalid(&mut pass, invalid));
        return pass.finish(status);
    }
    gate::end_wait(&mut pass);
    workload::follow(&mut pass);
    if let Some(status) = workload::take_over_size(&mut pass) {
        return pass.finish(status);
    }
    identify::claim(&mut pass);
    if let Some(status) = identify::ensure_new(&mut pass) {
        return pass.finish(status);
    }
    if world.rollout.spec.replicas.is_none() {
        pass.write(Write::SetRolloutReplicas { replicas: 1 }, "autoscalers need a number in spec.replicas");
    }
    if let Some(status) = gate::paused_conditions(&pass) {
        return pass.finish(status);
    }
    if pass.old.abort && pass.old.aborted_at.is_none() && !defect!(FullPromotionFirst) {
        // Asked for since the last look. DIFFERS: Argo Rollouts ignores it until the full promotion is over.
        pass.old.promote_full = false;
    }
    if (pass.is_fully_promoted() || pass.old.promote_full) && !defect!(AbortsNothing) {
        pass.pause.remove_abort();
    }
    let status = match pass.blue_green() {
        Some(strategy) => blue_green::run(&mut pass, strategy),
        None => canary::run(&mut pass),
    };
    workload::scale(&mut pass, &status);
    pass.finish(status)
}

impl<'w> Pass<'w> {
    fn new(world: &'w World, now: Time) -> Self {
        let mut pass = Self {
            world,
            now,
            old: world.rollout.status.clone().unwrap_or_default(),
            all: Vec::new(),
            new: None,
            ambiguous: None,
            stable: None,
            revision: 0,
            replicas: defaults::replicas(&world.rollout),
            pause: PauseChange::default(),
            runs: None,
            unmade: None,
            intent: None,
            promoted: None,
            plan: Plan::default(),
        };
        identify::sort_out(&mut pass);
        pass
    }

    fn finish(mut self, status: RolloutStatus) -> Plan {
        self.plan.status = Some(status);
        self.plan
    }

    pub(super) fn name(&self) -> &'w str {
        self.world.rollout.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn canary(&self) -> Option<&'w CanaryStrategy> {
        self.world.rollout.spec.strategy.as_ref()?.canary.as_ref()
    }

    pub(super) fn blue_green(&self) -> Option<&'w crds::rollout::blue_green::BlueGreenStrategy> {
        self.world.rollout.spec.strategy.as_ref()?.blue_green.as_ref()
    }

    pub(super) fn steps(&self) -> &'w [CanaryStep] {
        self.canary().and_then(|canary| canary.steps.as_deref()).unwrap_or_default()
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.pause.is_aborted(&self.old)
    }

    /// The newest template is also the one that was last promoted.
    pub(super) fn is_fully_promoted(&self) -> bool {
        !self.old.stable_rs.is_empty() && self.old.stable_rs == self.old.current_pod_hash
    }

    /// A person froze the Rollout, or an analysis could not decide: nothing is scaled or switched.
    pub(super) fn is_halted(&self) -> bool {
        self.is_frozen() || super::pause::get(&self.old, super::pause::INCONCLUSIVE_ANALYSIS).is_some()
    }

    /// `spec.paused`.
    pub(super) fn is_frozen(&self) -> bool {
        self.world.rollout.spec.paused == Some(true)
    }

    pub(super) fn is_new(&self, set: &ReplicaSet) -> bool {
        self.new.is_some_and(|new| new.name == set.name)
    }

    pub(super) fn is_stable(&self, set: &ReplicaSet) -> bool {
        self.stable.is_some_and(|stable| stable.name == set.name)
    }

    /// Our ReplicaSets that are neither new nor stable, oldest first.
    pub(super) fn others(&self) -> Vec<&'w ReplicaSet> {
        self.all
            .iter()
            .copied()
            .filter(|set| !self.is_new(set) && (!self.is_stable(set) || defect!(StableIsAnOldOne)))
            .collect()
    }

    pub(super) fn write(&mut self, write: Write, reason: impl Into<String>) -> Anchor {
        let reason = reason.into();
        self.plan.trail.push(reason.clone());
        self.plan.writes.push(Planned { write, reason });
        Anchor::Write(self.plan.writes.len().saturating_sub(1))
    }

    pub(super) fn notice(&mut self, anchor: Anchor, kind: EventType, reason: &'static str, message: String) {
        self.plan.notices.push(Notice { anchor, event_type: kind, reason, message });
    }

    /// Tells that the Rollout is seen for the first time.
    pub(super) fn greet(&mut self, anchor: Anchor) {
        if self.old.observed_generation.is_empty() {
            let namespace = self.world.rollout.metadata.namespace.as_deref().unwrap_or_default();
            let message = format!("Rollout resource added to informer: {namespace}/{}", self.name());
            self.notice(anchor, EventType::Normal, "RolloutAddedToInformer", message);
        }
    }

    pub(super) fn tell(&mut self, reason: &'static str, message: String) {
        self.tell_of(EventType::Normal, reason, message);
    }

    pub(super) fn tell_of(&mut self, kind: EventType, reason: &'static str, message: String) {
        self.notice(Anchor::Status, kind, reason, message);
    }

    /// Asks for `to` pods; true when the size changes. The number of desired pods is recorded on the ReplicaSet in
    /// any case, so that a later change of `spec.replicas` is noticed. A full scale-down ends its deadline.
    pub(super) fn scale(&mut self, set: &ReplicaSet, to: i32, why: impl Into<String>) -> bool {
        let mut annotations = BTreeMap::new();
        if set.desired_annotation() != Some(self.replicas) && !defect!(DesiredNotRecorded) {
            annotations.insert(meta::DESIRED_REPLICAS_ANNOTATION.to_owned(), Some(self.replicas.to_string()));
        }
        if to == 0 && set.is_marked_for_scale_down() && !defect!(DeadlineStays) {
            annotations.insert(meta::SCALE_DOWN_DEADLINE_ANNOTATION.to_owned(), None);
        }
        let (from, target) = (set.replicas, target(set));
        if from == to {
            if !annotations.is_empty() {
                let write = Write::AnnotateReplicaSet { target, annotations, min_ready_seconds: None };
                self.write(write, "the number of desired pods is recorded");
            }
            return false;
        }
        let anchor = self.write(Write::ScaleReplicaSet { target, from, to, annotations }, why);
        let direction = if to > from { "up" } else { "down" };
        let (name, revision) = (&set.name, set.revision());
        let message =
            format!("Scaled {direction} ReplicaSet {name} (revision {revision}) from {from} to {to}");
        self.notice(anchor, EventType::Normal, "ScalingReplicaSet", message);
        true
    }

    /// The complete status of this pass, conditions and phase included.
    pub(super) fn conclude(&mut self, base: RolloutStatus) -> RolloutStatus {
        status::conclude(self, base)
    }
}

/// A ReplicaSet as the target of a write.
pub(super) fn target(set: &ReplicaSet) -> Target {
    Target { name: set.name.clone(), uid: set.uid.clone(), resource_version: set.resource_version.clone() }
}
