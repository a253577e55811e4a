//! The status: recomputed from the world in each pass. `[status]`

use super::conditions::{self, condition};
use super::pass::Pass;
use super::{duration, pause, phase, stand_in, workload};
use crate::defect;
use crate::{Anchor, EventType, ReplicaSet, Write};
use crds::Time;
use crds::rollout::RolloutStatus;
use crds::rollout::status::{BlueGreenStatus, CanaryStatus};
use crds::{defaults, hash, meta};

/// What is said of a Rollout that lacks pods.
const NOT_AVAILABLE: &str = "Rollout does not have minimum availability";

/// The old status, for a pass that ends before its strategy has run.
pub(super) fn carry_over(pass: &Pass<'_>) -> RolloutStatus {
    let mut status = pass.old.clone();
    conditions::remove(&mut status, conditions::INVALID_SPEC);
    status.workload_observed_generation = workload::generation(pass);
    status
}

/// Writes what every status carries: the generation that it belongs to, and the phase.
pub(super) fn stamp(pass: &Pass<'_>, status: &mut RolloutStatus) {
    let ahead = i64::from(defect!(GenerationAhead));
    let generation = pass.world.rollout.metadata.generation.unwrap_or(0).saturating_add(ahead);
    status.observed_generation = generation.to_string();
    if status.conditions.as_ref().is_some_and(Vec::is_empty) {
        status.conditions = None;
    }
    let (phase, message) = phase::phase_of(&pass.world.rollout, status);
    status.phase = phase.as_str().to_owned();
    status.message = if defect!(ClockInStatus) { pass.now.to_string() } else { message };
}

/// Hash of the canary steps; empty for blue-green.
pub(super) fn step_hash(pass: &Pass<'_>) -> String {
    // PARITY: an empty list is none: Argo Rollouts writes the object anew before it looks, and leaves empty lists out.
    let steps = Some(pass.steps()).filter(|steps| !steps.is_empty());
    pass.canary().map_or_else(String::new, |_| hash::step_hash(steps))
}

/// Counts and hashes as they are, and what is kept from the old status.
pub(super) fn base(pass: &Pass<'_>) -> RolloutStatus {
    let old = &pass.old;
    let current = pass.new.map_or(old.current_pod_hash.as_str(), ReplicaSet::hash).to_owned();
    let mut status = RolloutStatus {
        replicas: sum(&pass.all, |set| set.counts.replicas),
        updated_replicas: pass.new.map_or(0, |new| new.counts.replicas),
        ready_replicas: sum(&pass.all, |set| set.counts.ready),
        current_step_hash: if defect!(StepHashKept) {
            old.current_step_hash.clone()
        } else {
            step_hash(pass)
        },
        collision_count: old.collision_count.filter(|_| !defect!(CollisionForgotten)),
        conditions: old.conditions.clone(),
        stable_rs: old.stable_rs.clone(),
        restarted_at: old.restarted_at,
        promote_full: old.promote_full && old.stable_rs != current,
        duration: old.duration.clone(),
        workload_observed_generation: workload::generation(pass),
        current_pod_hash: current,
        ..RolloutStatus::default()
    };
    if !defect!(InvalidStays) {
        conditions::remove(&mut status, conditions::INVALID_SPEC);
    }
    if pass.blue_green().is_some() {
        let (active, preview) = super::services::blue_green_hashes(pass);
        let old = old.blue_green.clone().unwrap_or_default();
        status.blue_green =
            Some(BlueGreenStatus { preview_selector: preview, active_selector: active, ..old });
        let active =
            pass.all.iter().copied().find(|set| !set.hash().is_empty() && set.hash() == active_of(&status));
        status.ready_replicas = active.map_or(status.ready_replicas, |set| set.counts.ready);
        status.available_replicas = active.map_or(0, |set| set.counts.available);
        status.hpa_replicas = active.map_or(status.replicas, |set| set.counts.replicas);
        status.selector = active.map_or_else(|| own_selector(pass), |set| set.selector.to_string());
    } else {
        let weights = super::routed::weights(pass).filter(|_| super::routed::is_routed(pass));
        status.canary = Some(CanaryStatus { weights, ..old.canary.clone().unwrap_or_default() });
        status.available_replicas = sum(&pass.all, |set| set.counts.available);
        status.hpa_replicas = status.replicas;
        status.selector = own_selector(pass);
        status.current_step_index = step_index(pass);
        super::verified::record(pass, &mut status);
    }
    status
}

fn own_selector(pass: &Pass<'_>) -> String {
    pass.world.rollout.spec.selector.as_ref().map_or_else(String::new, ToString::to_string)
}

/// The hash that the active Service selects.
pub(super) fn active_of(status: &RolloutStatus) -> &str {
    status.blue_green.as_ref().map_or("", |blue_green| blue_green.active_selector.as_str())
}

/// The recorded step index, held inside the list of steps; `None` without steps.
pub(super) fn step_index(pass: &Pass<'_>) -> Option<i32> {
    let count = i32::try_from(pass.steps().len()).unwrap_or(i32::MAX);
    (count > 0).then(|| pass.old.current_step_index.unwrap_or(0).clamp(0, count))
}

pub(super) fn sum(sets: &[&ReplicaSet], of: impl Fn(&ReplicaSet) -> i32) -> i32 {
    sets.iter().fold(0, |total: i32, set| total.saturating_add(of(set)))
}

/// Template or steps have changed since the last status. A first deploy has no earlier template; that of a canary
/// counts as a change because its steps were never recorded. `[status.change]`
pub(super) fn has_changed(pass: &Pass<'_>) -> bool {
    let recorded = pass.old.current_pod_hash.as_str();
    let other = |new: &ReplicaSet| !recorded.is_empty() && new.hash() != recorded;
    step_hash(pass) != pass.old.current_step_hash
        || (!defect!(NewTemplateIgnored) && pass.new.is_some_and(other))
}

/// What a change of template or steps puts back to the beginning. A restart that was asked for counts as done: the
/// new pods are younger than it.
pub(super) fn reset(pass: &mut Pass<'_>, status: &mut RolloutStatus) {
    pass.pause.clear();
    if !defect!(AbortOutlives) {
        pass.pause.remove_abort();
    }
    status.promote_full = false;
    status.restarted_at = pass.world.rollout.spec.restart_at.or(status.restarted_at);
    if let Some(canary) = &mut status.canary {
        canary.current_step_analysis_run_status = None;
        canary.current_background_analysis_run_status = None;
    }
    if let Some(blue_green) = &mut status.blue_green {
        blue_green.pre_promotion_analysis_run_status = None;
        blue_green.post_promotion_analysis_run_status = None;
        blue_green.scale_up_preview_check_point =
            blue_green.scale_up_preview_check_point && defect!(CheckpointLeaks);
    }
    status.current_step_index = (!pass.steps().is_empty()).then_some(0);
}

/// Pause, abort, conditions, phase, and the notices about them.
pub(super) fn conclude(pass: &mut Pass<'_>, mut status: RolloutStatus) -> RolloutStatus {
    let switched = active_of(&status) == status.current_pod_hash;
    let keep_resumed = pass.is_frozen() || (pass.blue_green().is_some() && !switched);
    pass.pause.clone().record(&pass.old, &mut status, pass.now, keep_resumed);
    duration::record(pass, &mut status);
    let was_paused = pause::any(&pass.old);
    let aborted = pass.is_aborted();
    update_conditions(pass, &mut status, aborted);
    if pause::any(&status) != was_paused {
        let reason =
            status.pause_conditions.iter().flatten().next().map(|condition| condition.reason.clone());
        if let Some(reason) = reason {
            pass.tell(conditions::REASON_PAUSED, format!("Rollout is paused ({reason})"));
        } else if !aborted {
            pass.tell(conditions::REASON_RESUMED, "Rollout is resumed".to_owned());
        }
    }
    stamp(pass, &mut status);
    status
}

/// Says that it is not healthy, where it has been.
pub(super) fn set_unhealthy(status: &mut RolloutStatus, now: Time) {
    if conditions::get(status, conditions::HEALTHY).is_some() {
        let message = "Rollout is not healthy";
        let unhealthy = condition(conditions::HEALTHY, "False", conditions::REASON_HEALTHY, message, now);
        conditions::set(status, unhealthy);
    }
}

fn update_conditions(pass: &mut Pass<'_>, status: &mut RolloutStatus, aborted: bool) {
    let now = pass.now;
    let paused = pause::any(&pass.old) || pass.is_frozen();
    let healthy = is_healthy(pass, status);
    if healthy && !paused {
        let message = "Rollout is healthy";
        conditions::set(
            status,
            condition(conditions::HEALTHY, "True", conditions::REASON_HEALTHY, message, now),
        );
    } else {
        set_unhealthy(status, now);
    }
    let reason = conditions::REASON_COMPLETED;
    let completed = !status.stable_rs.is_empty() && status.stable_rs == status.current_pod_hash;
    let value = if completed { "True" } else { "False" };
    let changed = conditions::set(status, condition(conditions::COMPLETED, value, reason, reason, now));
    if aborted {
        tell_aborted(pass, status);
    }
    if !aborted {
        update_progress(pass, status, healthy);
    }
    update_available(pass, status);
    update_failure(pass, status);
    if changed && !completed {
        let (revision, hash) = (pass.revision, &status.current_pod_hash);
        let message = format!("Rollout not completed, started update to revision {revision} ({hash})");
        pass.tell("RolloutNotCompleted", message);
    }
}

fn tell_aborted(pass: &mut Pass<'_>, status: &mut RolloutStatus) {
    let revision = pass.revision;
    let mut message = format!("Rollout aborted update to revision {revision}");
    if let Some(why) = pass.pause.abort_message() {
        message = format!("{message}: {why}");
    }
    let reason = conditions::REASON_ABORTED;
    if conditions::set(status, condition(conditions::PROGRESSING, "False", reason, &message, pass.now)) {
        pass.notice(Anchor::Status, EventType::Warning, reason, message);
    }
}

/// Everything runs the newest version, and nothing else is left.
fn is_healthy(pass: &Pass<'_>, status: &RolloutStatus) -> bool {
    let replicas = pass.replicas;
    // Pods that a restart is about to evict, or has just evicted, do not count, though the ReplicaSets still say so: each
    // pod of a restart would be a moment of health, and an end of it.
    let evicts = pass.plan.writes.iter().any(|planned| matches!(planned.write, Write::EvictPod { .. }));
    let available = match pass.blue_green() {
        Some(_) => pass.new.map_or(0, |new| pass.world.available(new)),
        None => status.available_replicas.min(sum(&pass.all, |set| pass.world.available(set))),
    };
    let same = status.updated_replicas == replicas && available == replicas && !evicts;
    let promoted = !status.stable_rs.is_empty()
        && (status.stable_rs == status.current_pod_hash || defect!(HealthyBeforeTheEnd));
    if let Some(strategy) = pass.blue_green() {
        let blue_green = status.blue_green.clone().unwrap_or_default();
        let previewed = strategy.preview_service.as_deref().is_none_or(str::is_empty)
            || blue_green.preview_selector == status.current_pod_hash;
        return same && promoted && previewed && blue_green.active_selector == status.current_pod_hash;
    }
    let done = status.current_step_index.is_none_or(|index| index >= len(pass));
    same && promoted && done && status.replicas == replicas
}

fn len(pass: &Pass<'_>) -> i32 {
    i32::try_from(pass.steps().len()).unwrap_or(i32::MAX)
}

fn update_progress(pass: &mut Pass<'_>, status: &mut RolloutStatus, healthy: bool) {
    let now = pass.now;
    // Another version has not settled because the last one had: its deadline begins now.
    let settled = (status.current_pod_hash == pass.old.current_pod_hash || defect!(OldDeadline))
        && status.replicas == status.available_replicas
        && conditions::has_reason(status, conditions::PROGRESSING, conditions::REASON_SET_AVAILABLE)
        && conditions::is_true(status, conditions::PROGRESSING);
    if settled || pause_holds(pass, status) {
        return;
    }
    let name = pass.new.map_or_else(|| pass.name().to_owned(), |new| new.name.clone());
    let late = conditions::has_reason(status, conditions::PROGRESSING, conditions::REASON_TIMED_OUT);
    if healthy || (late && is_complete(pass, status)) {
        let (reason, message) =
            (conditions::REASON_SET_AVAILABLE, format!("ReplicaSet {name:?} has successfully progressed."));
        conditions::set(status, condition(conditions::PROGRESSING, "True", reason, &message, now));
    } else if was_complete(status) && !defect!(IdleHasADeadline) {
        // A pod that went long after the update has a deadline of its own.
        let reason = conditions::REASON_SET_NOT_AVAILABLE;
        conditions::set(status, condition(conditions::PROGRESSING, "True", reason, NOT_AVAILABLE, now));
    } else if has_progressed(&pass.old, status) {
        let message = format!("ReplicaSet {name:?} is progressing.");
        let mut progress =
            condition(conditions::PROGRESSING, "True", conditions::REASON_UPDATED, &message, now);
        if let Some(old) = conditions::get(status, conditions::PROGRESSING).filter(|old| old.status == "True")
        {
            progress.last_transition_time = old.last_transition_time;
        }
        conditions::replace(status, progress);
    } else if let Some(deadline) = deadline(pass, status) {
        if now > deadline {
            let message = format!("ReplicaSet {name:?} has timed out progressing.");
            let reason = conditions::REASON_TIMED_OUT;
            conditions::set(status, condition(conditions::PROGRESSING, "False", reason, &message, now));
        } else {
            pass.plan.wake_at(deadline.plus_seconds(1), "the progress deadline");
        }
    }
}

/// The update is over, and its condition still says so.
fn was_complete(status: &RolloutStatus) -> bool {
    !status.stable_rs.is_empty()
        && status.stable_rs == status.current_pod_hash
        && conditions::has_reason(status, conditions::PROGRESSING, conditions::REASON_SET_AVAILABLE)
        && conditions::is_true(status, conditions::PROGRESSING)
}

/// A pause holds, and its condition stays: counts that change meanwhile are no progress of the update.
/// DIFFERS: Argo Rollouts lets the condition flip to and fro with each count.
fn pause_holds(pass: &Pass<'_>, status: &RolloutStatus) -> bool {
    let paused = pause::any(status) || pass.is_frozen();
    paused && conditions::has_reason(status, conditions::PROGRESSING, conditions::REASON_PAUSED)
}

/// Something got better since the last status.
pub(super) fn has_progressed(old: &RolloutStatus, new: &RolloutStatus) -> bool {
    let olds = |status: &RolloutStatus| status.replicas.saturating_sub(status.updated_replicas);
    let selectors = |status: &RolloutStatus| {
        status
            .blue_green
            .as_ref()
            .map(|b| (b.active_selector.clone(), b.preview_selector.clone()))
            .unwrap_or_default()
    };
    new.updated_replicas != old.updated_replicas
        || olds(new) < olds(old)
        || new.ready_replicas > old.ready_replicas
        || new.available_replicas > old.available_replicas
        || selectors(new) != selectors(old)
        || new.stable_rs != old.stable_rs
        || new.current_step_index != old.current_step_index
        || new.current_step_hash != old.current_step_hash
        || new.current_pod_hash != old.current_pod_hash
}

/// When the progress deadline passes; `None` while it does not count: in a pause, at a step that may take any time,
/// while an old version waits to be scaled down, or once the promoted version has all its pods.
pub(super) fn deadline(pass: &Pass<'_>, status: &RolloutStatus) -> Option<Time> {
    let progressing = conditions::get(status, conditions::PROGRESSING)?;
    let exempt = [conditions::REASON_ABORTED, conditions::REASON_PAUSED, conditions::REASON_TIMED_OUT];
    let step = pass.canary().and_then(|_| super::steps::current(pass, status));
    let endless =
        step.is_some_and(|step| step.pause.is_some() || step.analysis.is_some() || step.experiment.is_some());
    // One without pods waits for nothing, and one that is active stays, whatever an annotation says that was left behind.
    let goes = |set: &&ReplicaSet| {
        (set.replicas > 0 || defect!(EmptyOnesHoldTheDeadline)) && set.hash() != active_of(status)
    };
    let delayed = pass.others().into_iter().filter(goes).any(|set| set.scale_down_deadline().is_some())
        && !defect!(KeptOnesAreLate);
    let settled = progressing.reason == conditions::REASON_SET_AVAILABLE
        && progressing.status == "True"
        && is_healthy(pass, status);
    let is_complete = is_complete(pass, status);
    if exempt.contains(&progressing.reason.as_str())
        || (endless && !defect!(LateInPause))
        || delayed
        || settled
        || is_complete
        || (conditions::is_true(status, conditions::PAUSED) && !defect!(LateInPause))
        || defect!(NeverLate)
    {
        return None;
    }
    let seconds = defaults::progress_deadline_seconds(&pass.world.rollout);
    let seconds = if defect!(LateTooEarly) { seconds / 2 } else { seconds };
    let since = if defect!(DeadlineFromTheFirst) {
        progressing.last_transition_time
    } else {
        progressing.last_update_time
    };
    Some(since.plus_seconds(i64::from(seconds)))
}

/// The promoted version has all its pods. What is left are pods of old versions, and they may go in their own time.
fn is_complete(pass: &Pass<'_>, status: &RolloutStatus) -> bool {
    !status.stable_rs.is_empty()
        && status.stable_rs == status.current_pod_hash
        && pass.new.is_some_and(|new| pass.world.available(new).min(new.replicas) >= pass.replicas)
        && !defect!(KeptOnesAreLate)
}

fn update_available(pass: &mut Pass<'_>, status: &mut RolloutStatus) {
    let available = match pass.blue_green() {
        Some(_) => {
            let active = active_of(status).to_owned();
            pass.all.iter().any(|set| !active.is_empty() && set.hash() == active && is_saturated(pass, set))
        }
        None => status.available_replicas >= pass.replicas,
    } || defect!(AlwaysAvailable);
    if !available && conditions::is_true(&pass.old, conditions::AVAILABLE) {
        stand_in::tell(pass);
    }
    let (value, message) =
        if available { ("True", "Rollout has minimum availability") } else { ("False", NOT_AVAILABLE) };
    conditions::set(
        status,
        condition(conditions::AVAILABLE, value, conditions::REASON_AVAILABLE, message, pass.now),
    );
}

/// The ReplicaSet has all the pods that the Rollout wants, and all of them are available.
pub(super) fn is_saturated(pass: &Pass<'_>, set: &ReplicaSet) -> bool {
    set.replicas == pass.replicas
        && set.desired_annotation() == Some(pass.replicas)
        && pass.world.available(set) == pass.replicas
        // Pods of a size that is not observed yet may be about to go.
        && (set.counts.generation_observed || defect!(UnobservedCounts))
}

fn update_failure(pass: &Pass<'_>, status: &mut RolloutStatus) {
    let failure = |set: &&ReplicaSet| set.failure.clone();
    let failure = pass.new.as_ref().and_then(failure).or_else(|| pass.all.iter().find_map(failure));
    match failure {
        Some((reason, message)) => {
            conditions::set(
                status,
                condition(conditions::REPLICA_FAILURE, "True", &reason, &message, pass.now),
            );
        }
        None => conditions::remove(status, conditions::REPLICA_FAILURE),
    }
}

/// Revision of the Rollout as its annotation says; empty without one, as after a syncer has taken it away.
pub(super) fn revision(pass: &Pass<'_>) -> String {
    let annotations = pass.world.rollout.metadata.annotations.as_ref();
    annotations.and_then(|map| map.get(meta::REVISION_ANNOTATION)).cloned().unwrap_or_default()
}
