//! The steps of a canary: which one is current, what weight holds, and when a step is done. `[canary.steps]`

use super::pass::Pass;
use super::pause;
use crate::arithmetic;
use crate::defect;
use crds::defaults;
use crds::rollout::RolloutStatus;
use crds::rollout::canary::CanaryStep;

/// The whole weight, in percent.
pub(super) const WHOLE_WEIGHT: i32 = 100;

/// The step at the recorded index; `None` past the end.
pub(super) fn current<'w>(pass: &Pass<'w>, status: &RolloutStatus) -> Option<&'w CanaryStep> {
    pass.steps().get(usize::try_from(status.current_step_index?).ok()?)
}

/// The weight that holds now: that of the nearest `setWeight` at or before the index, 0 before the first one, all of
/// it past the last step, and 0 after an abort.
pub(super) fn weight(pass: &Pass<'_>) -> i32 {
    let old = &pass.old;
    if old.promote_full || old.stable_rs.is_empty() || pass.new.is_some_and(|new| pass.is_stable(new)) {
        return WHOLE_WEIGHT;
    }
    if pass.is_aborted() && !defect!(AbortKeepsWeight) {
        return 0;
    }
    let Some(index) = super::status::step_index(pass).and_then(|index| usize::try_from(index).ok()) else {
        return WHOLE_WEIGHT;
    };
    if index >= pass.steps().len() {
        return WHOLE_WEIGHT;
    }
    pass.steps()
        .iter()
        .take(index.saturating_add(1 + usize::from(defect!(WeightOfNext))))
        .rev()
        .find_map(|step| step.set_weight)
        .unwrap_or(0)
}

/// Whether the current step is done. Nothing is done while a person has frozen the Rollout.
pub(super) fn is_completed(pass: &Pass<'_>, status: &RolloutStatus) -> bool {
    let Some(step) = current(pass, status).filter(|_| !pass.is_frozen() || defect!(FrozenGoesOn)) else {
        return false;
    };
    if let Some(step) = &step.pause {
        let condition = pause::get(&pass.old, pause::CANARY_PAUSE_STEP);
        // Only when nothing else holds it: an undecided analysis may have begun to wait as the pause before this ended.
        let resumed = pass.old.controller_pause && !pause::any(&pass.old) && !defect!(ResumedPauseStays);
        let over = condition
            .zip(duration_seconds(step))
            .is_some_and(|(condition, seconds)| pass.now >= condition.start_time.plus_seconds(seconds));
        return resumed || over || defect!(SkipsPause);
    }
    if step.set_weight.is_some() {
        return has_reached_replicas(pass);
    }
    if let Some(analysis) = &step.analysis {
        // Without templates there is nothing to wait for, and no run will ever be made.
        return defect!(SkipsAnalysis)
            || super::analysis::is_empty(analysis)
            || super::analysis::step_is_successful(pass, status);
    }
    false
}

/// Length of a pause in seconds; `None` when it waits for a person.
pub(super) fn duration_seconds(pause: &crds::rollout::canary::RolloutPause) -> Option<i64> {
    // Validation has refused what cannot be read; to wait for a person is the safe reading of what slips through.
    let seconds = defaults::pause_duration_seconds(pause).ok().flatten();
    if defect!(PauseTooShort) { seconds.map(|seconds| seconds / 2) } else { seconds }
}

/// The new version has the pods that the weight asks for, stable has none above its own share, and no other version has
/// available ones.
///
/// DIFFERS: Argo Rollouts waits until stable has all pods of its share. One that cannot make them (a quota, a lost
/// image) would hold the version that mends it.
fn has_reached_replicas(pass: &Pass<'_>) -> bool {
    let surge = defaults::max_surge(&pass.world.rollout);
    let desired = match pass.stable.filter(|stable| !pass.is_new(stable)) {
        Some(_) => arithmetic::desired_pair(pass.replicas, weight(pass), surge),
        None => arithmetic::CanaryReplicas { new: pass.replicas, stable: 0 },
    };
    let Some(new) = pass.new.filter(|new| new.availability_is_known()) else { return false };
    let new_is_there = match threshold(pass) {
        Some(threshold) => arithmetic::reaches(threshold, new.counts.available, desired.new),
        None => {
            new.replicas == desired.new && (new.counts.available == desired.new || defect!(WeightBeforePods))
        }
    };
    let stable_is_there = pass.stable.filter(|stable| !pass.is_new(stable)).is_none_or(|stable| {
        stable.replicas == desired.stable
            && stable.counts.replicas <= desired.stable
            && (stable.counts.available == desired.stable || !defect!(StepWaitsForStable))
    });
    new_is_there && stable_is_there && pass.others().iter().all(|set| set.counts.available == 0)
}

/// How many pods are enough, where the Rollout says so in words that count. `[canary.threshold]`
pub(super) fn threshold(pass: &Pass<'_>) -> Option<arithmetic::Threshold> {
    let threshold = pass.canary()?.replica_progress_threshold.as_ref()?;
    arithmetic::Threshold::of(&threshold.kind, threshold.value)
}

/// A step in words, as events name it.
pub(super) fn describe(step: &CanaryStep) -> String {
    if let Some(weight) = step.set_weight {
        return format!("setWeight: {weight}");
    }
    if let Some(pause) = &step.pause {
        // As it is written: 30 and 30s mean the same, and are told as they are.
        return match &pause.duration {
            Some(duration) => format!("pause: {duration}"),
            None => "pause".to_owned(),
        };
    }
    if step.analysis.is_some() {
        return "analysis".to_owned();
    }
    if step.experiment.is_some() {
        return "experiment".to_owned();
    }
    "step".to_owned()
}
