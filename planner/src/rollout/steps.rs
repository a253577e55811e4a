//! The steps of a canary: which one is current, what weight holds, and when a step is done. `[canary.steps]`

use super::pass::Pass;
use super::{pause, routed, stand_in};
use crate::arithmetic;
use crate::defect;
use crds::defaults;
use crds::rollout::RolloutStatus;
use crds::rollout::canary::{CanaryStep, SetCanaryScale};

/// The step at the recorded index; `None` past the end.
pub(super) fn current<'w>(pass: &Pass<'w>, status: &RolloutStatus) -> Option<&'w CanaryStep> {
    pass.steps().get(usize::try_from(status.current_step_index?).ok()?)
}

/// The weight that holds now: that of the nearest `setWeight` at or before the index, 0 before the first one, all of
/// it past the last step, and 0 after an abort.
pub(super) fn weight(pass: &Pass<'_>) -> i32 {
    let (old, whole) = (&pass.old, routed::total(pass));
    if old.promote_full || old.stable_rs.is_empty() || pass.new.is_some_and(|new| pass.is_stable(new)) {
        return whole;
    }
    if pass.is_aborted() && !defect!(AbortKeepsWeight) {
        return 0;
    }
    let Some(index) = super::status::step_index(pass).and_then(|index| usize::try_from(index).ok()) else {
        return whole;
    };
    if index >= pass.steps().len() {
        return whole;
    }
    weight_before(pass, index.saturating_add(1 + usize::from(defect!(WeightOfNext)))).unwrap_or(0)
}

/// The weight of the nearest `setWeight` before the index.
pub(super) fn weight_before(pass: &Pass<'_>, index: usize) -> Option<i32> {
    pass.steps().iter().take(index).rev().find_map(|step| step.set_weight)
}

/// The nearest `setCanaryScale` at or before the index, unless it says that weights count again, or nothing.
fn canary_scale<'w>(pass: &Pass<'w>) -> Option<&'w SetCanaryScale> {
    let delayed = defaults::abort_scale_down_delay_seconds(&pass.world.rollout).is_some();
    if pass.is_aborted() && delayed {
        return None;
    }
    let index = usize::try_from(super::status::step_index(pass)?).ok()?;
    if index >= pass.steps().len() {
        return None;
    }
    let so_far = pass.steps().iter().take(index.saturating_add(1)).rev();
    let scale = so_far.into_iter().find_map(|step| step.set_canary_scale.as_ref())?;
    (scale.match_traffic_weight != Some(true)).then_some(scale)
}

/// How many pods the new version of a routed canary is to have, and whether its steps say so apart from its weight.
///
/// Example: 10 replicas and weight 25: 3. With `setCanaryScale: {replicas: 1}` before it: 1.
pub(super) fn routed_size(pass: &Pass<'_>) -> (i32, bool) {
    let (replicas, total) = (pass.replicas, routed::total(pass));
    let least = pass.canary().and_then(|canary| canary.min_pods_per_replica_set);
    if pass.old.promote_full
        || pass.old.stable_rs.is_empty()
        || pass.new.is_some_and(|new| pass.is_stable(new))
        || stand_in::is_needed_whole(pass)
    {
        return (replicas, false);
    }
    let scale = canary_scale(pass);
    if let Some(pods) = scale.and_then(|scale| scale.replicas) {
        let least = least.filter(|_| routed::is_dynamic(pass));
        return (arithmetic::at_least(pods, least, replicas), true);
    }
    let apart = scale.and_then(|scale| scale.weight);
    let weight = apart.unwrap_or_else(|| weight(pass));
    (arithmetic::at_least(arithmetic::pods_for(replicas, weight, total), least, replicas), apart.is_some())
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
        return has_reached_replicas(pass) && (!routed::is_routed(pass) || routed::is_shown(pass));
    }
    if step.set_canary_scale.is_some() {
        // Pods that are too many may have to wait for routers to settle: what follows is to meet what was asked for.
        let is_sized = || pass.new.is_some_and(|new| new.replicas <= routed_size(pass).0);
        return has_reached_replicas(pass) && (!routed::is_routed(pass) || is_sized());
    }
    let routes = step.set_header_route.is_some() || step.set_mirror_route.is_some();
    if let Some(analysis) = &step.analysis {
        // Without templates there is nothing to wait for, and no run will ever be made.
        let passed = defect!(SkipsAnalysis)
            || super::analysis::is_empty(analysis)
            || super::analysis::step_is_successful(pass, status);
        return passed && (!routes || routed::is_shown(pass));
    }
    routes && routed::is_shown(pass)
}

/// Whether what begins with the step `number` counts on the pods that the weight has: an analysis does, and so does
/// another weight. A pause does not; what comes after it asks then.
pub(super) fn is_counted_on(pass: &Pass<'_>, done: &CanaryStep, number: i32) -> bool {
    let next = usize::try_from(number).ok().and_then(|index| pass.steps().get(index));
    let measures = next.is_some_and(|next| next.analysis.is_some())
        || super::analysis::background_begins_at(pass, number);
    let waits = next.is_some_and(|next| next.pause.is_some());
    (done.set_weight.is_some() && !waits) || measures
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
pub(super) fn has_reached_replicas(pass: &Pass<'_>) -> bool {
    if routed::is_routed(pass) {
        return has_reached_routed_replicas(pass);
    }
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

/// The same behind routers: the versions do not share a number of pods, and a third one is in nobody's way.
fn has_reached_routed_replicas(pass: &Pass<'_>) -> bool {
    let Some(new) = pass.new.filter(|new| new.availability_is_known()) else { return false };
    let (wanted, _) = routed_size(pass);
    let available = pass.world.available(new);
    let new_is_there = match threshold(pass) {
        Some(threshold) => arithmetic::reaches(threshold, available, wanted),
        // More than are wanted are about to go.
        None => available >= wanted && new.replicas >= wanted,
    };
    let stable = pass.stable.filter(|stable| !pass.is_new(stable) && !routed::is_dynamic(pass));
    new_is_there && stable.is_none_or(|stable| stable.replicas == pass.replicas)
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
    if let Some(scale) = &step.set_canary_scale {
        return format!("setCanaryScale{{{}}}", describe_scale(scale));
    }
    if let Some(route) = &step.set_header_route {
        return format!("setHeaderRoute: {}", route.name.as_deref().unwrap_or_default());
    }
    if let Some(route) = &step.set_mirror_route {
        return format!("setMirrorRoute: {}", route.name);
    }
    "step".to_owned()
}

fn describe_scale(scale: &SetCanaryScale) -> String {
    match (scale.weight, scale.replicas) {
        _ if scale.match_traffic_weight == Some(true) => "matchTrafficWeight: true".to_owned(),
        (Some(weight), _) => format!("weight: {weight}"),
        (None, Some(replicas)) => format!("replicas: {replicas}"),
        (None, None) => String::new(),
    }
}
