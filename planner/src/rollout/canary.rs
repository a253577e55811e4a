//! A canary without a router: weights are approximated by numbers of pods. `[canary]`

use super::pass::Pass;
use super::{
    analysis, gate, give_back, history, metadata, pause, promotion, restart, rollback, routed, routed_sizes,
    scale_down, services, status, steps, targets,
};
use crate::ReplicaSet;
use crate::arithmetic::{CanaryInput, Counts, canary_replicas};
use crate::defect;
use crds::defaults;
use crds::rollout::RolloutStatus;

/// One pass of a canary.
pub(super) fn run(pass: &mut Pass<'_>) -> RolloutStatus {
    if is_scaling_event(pass) {
        if empties_stable(pass) {
            services::canary(pass, true);
        }
        scale(pass);
        return conclude(pass, None);
    }
    if status::has_changed(pass) {
        return conclude(pass, None);
    }
    let restarted = restart::run(pass);
    if restarted.evicted {
        return conclude(pass, restarted.done_at);
    }
    let emptied = empties_stable(pass);
    services::canary(pass, emptied);
    routed::run(pass);
    history::replica_sets(pass);
    analysis::canary(pass);
    if let Some(invalid) = pass.unmade.take() {
        return gate::invalid(pass, &invalid);
    }
    // Before sizes: pods that are made have what the template says by then.
    metadata::run(pass);
    if !pass.pause.has_added() && !pass.pause.has_aborted() && !scale(pass) {
        pause_step(pass);
    }
    wait_for_pause(pass);
    give_back::run(pass);
    conclude(pass, restarted.done_at)
}

/// `spec.replicas` has changed since new or stable were last scaled. Another template or other steps come before it:
/// what is recorded of the last update would give the new version the size of that update's end.
///
/// DIFFERS: Argo Rollouts scales first.
pub(super) fn is_scaling_event(pass: &Pass<'_>) -> bool {
    let is_resized = |set: &ReplicaSet| set.replicas > 0 && set.desired_annotation() != Some(pass.replicas);
    (!status::has_changed(pass) || defect!(ScaleComesFirst))
        && [pass.new, pass.stable].into_iter().flatten().any(is_resized)
}

/// Scales stable, then new, then the others. True when a size has changed.
fn scale(pass: &mut Pass<'_>) -> bool {
    if pass.is_halted() {
        pass.plan.trail.push("halted: nothing is scaled".to_owned());
        return false;
    }
    let Some(new) = pass.new else { return false };
    if routed::is_routed(pass) {
        return routed_sizes::scale(pass, new);
    }
    let stable = pass.stable.filter(|stable| !pass.is_new(stable));
    let input = sizes(pass, new);
    let want = canary_replicas(&input);
    let why = format!("weight {}: {} new and {} stable pods fit now", input.weight, want.new, want.stable);
    let least = |set: &ReplicaSet| i32::from(scale_down::is_served(pass, set)).min(set.replicas);
    let (least_new, least_stable) = (least(new), stable.map_or(0, least));
    let mut scaled = false;
    // Pods of the one side are counted on where the other gives some up: they are to be as they were seen.
    if let Some(stable) = stable {
        let to = targets::least(pass, stable, want.stable.max(least_stable));
        let to = least_of(pass, stable, to, Some(new));
        scaled = pass.scale(stable, to, why.clone());
    }
    if !scaled {
        let to = targets::least(pass, new, want.new.max(least_new));
        let to = least_of(pass, new, to, stable);
        scale_down::clear_deadline(pass, new);
        scaled = pass.scale(new, to, why);
    }
    scaled || scale_down::canary_others(pass)
}

/// The size `to`, or that of now while it is not known how many pods the other side has to make up for it.
fn least_of(pass: &mut Pass<'_>, set: &ReplicaSet, to: i32, other: Option<&ReplicaSet>) -> i32 {
    let counted = other.filter(|other| to < set.replicas && pass.world.available(other) > 0);
    let Some(other) = counted else { return to };
    if !other.availability_is_known() {
        pass.plan
            .trail
            .push(format!("{} keeps its pods: those of {} are counted anew", set.name, other.name));
        return set.replicas;
    }
    services::confirm_set(pass, other);
    to
}

fn sizes(pass: &Pass<'_>, new: &ReplicaSet) -> CanaryInput {
    CanaryInput {
        replicas: pass.replicas,
        weight: steps::weight(pass),
        max_surge: defaults::max_surge(&pass.world.rollout),
        max_unavailable: defaults::max_unavailable(&pass.world.rollout),
        new: counts(pass, new),
        stable: pass.stable.filter(|stable| !pass.is_new(stable)).map(|stable| counts(pass, stable)),
        others_spec: status::sum(&pass.others(), |set| set.replicas),
    }
}

/// The stable version is about to have no pods, or has none any more: the new one carries everything.
fn empties_stable(pass: &Pass<'_>) -> bool {
    let Some(new) = pass.new.filter(|new| !pass.is_stable(new)) else { return false };
    pass.stable.is_some()
        && !routed::is_routed(pass)
        && !defect!(ServiceStaysBehind)
        && pass.replicas > 0
        && canary_replicas(&sizes(pass, new)).stable == 0
}

fn counts(pass: &Pass<'_>, set: &ReplicaSet) -> Counts {
    Counts { spec: set.replicas, available: pass.world.available(set) }
}

/// Begins the pause of the current step.
fn pause_step(pass: &mut Pass<'_>) {
    let Some(step) = current_pause(pass) else { return };
    if pause::get(&pass.old, pause::CANARY_PAUSE_STEP).is_none() && !pass.old.controller_pause {
        pass.pause.add(pause::CANARY_PAUSE_STEP);
        if let (false, Some(seconds)) = (defect!(NobodyWakes), steps::duration_seconds(step)) {
            pass.plan.wake_at(pass.now.whole_seconds().plus_seconds(seconds), "the pause is over");
        }
    }
}

/// A pause that has begun ends by its time, whatever else is waited for meanwhile.
fn wait_for_pause(pass: &mut Pass<'_>) {
    let Some(step) = current_pause(pass) else { return };
    let begun = pause::get(&pass.old, pause::CANARY_PAUSE_STEP).map(|condition| condition.start_time);
    if let (false, Some(since), Some(seconds)) = (defect!(NobodyWakes), begun, steps::duration_seconds(step))
    {
        pass.plan.wake_at(since.plus_seconds(seconds), "the pause is over");
    }
}

/// The pause that is the current step, unless it does not count: the Rollout is frozen or aborted.
fn current_pause<'w>(pass: &Pass<'w>) -> Option<&'w crds::rollout::canary::RolloutPause> {
    if pass.is_frozen() || pass.is_aborted() {
        return None;
    }
    let index = usize::try_from(status::step_index(pass)?).ok()?;
    pass.steps().get(index)?.pause.as_ref()
}

/// The status: a change of the template begins anew, a finished update is promoted, a finished step counted.
fn conclude(pass: &mut Pass<'_>, restarted_at: Option<crds::Time>) -> RolloutStatus {
    let mut base = status::base(pass);
    base.restarted_at = restarted_at.or(base.restarted_at);
    let count = i32::try_from(pass.steps().len()).unwrap_or(i32::MAX);
    if !defect!(RunNotRecorded) {
        analysis::record_canary(pass, &mut base);
    }
    if status::has_changed(pass) {
        status::reset(pass, &mut base);
        if count > 0
            && pass.new.is_some_and(|new| new.hash() == pass.old.stable_rs)
            && !defect!(StepsOfTheStable)
        {
            base.current_step_index = Some(count);
            pass.tell("SkipSteps", "Rollback to stable ReplicaSets".to_owned());
        } else if count > 0
            && rollback::is_within_window(pass)
            && pass.new.is_some_and(|new| new.replicas > 0)
        {
            base.current_step_index = Some(count);
            pass.tell("SkipSteps", "Rollback to active ReplicaSets within RollbackWindow".to_owned());
        }
        return pass.conclude(base);
    }
    if pass.old.promote_full || rollback::passes_by_steps(pass) {
        pass.pause.clear();
        pass.pause.remove_abort();
        base.current_step_index = (count > 0).then_some(count);
    }
    if let Some(reason) = promotion::reason(pass, &base) {
        if let Some(new) = pass.new.filter(|new| !base.stable_rs.is_empty() && new.hash() != base.stable_rs) {
            services::confirm_set(pass, new);
        }
        promotion::promote(pass, &mut base, &reason);
        return pass.conclude(base);
    }
    abort_at_deadline(pass, &base);
    if pass.is_aborted() {
        let stable = pass.new.is_some_and(|new| pass.is_stable(new));
        base.current_step_index = (count > 0).then_some(if stable { count } else { 0 });
        return pass.conclude(base);
    }
    complete_step(pass, &mut base, count);
    pass.conclude(base)
}

fn complete_step(pass: &mut Pass<'_>, base: &mut RolloutStatus, count: i32) {
    let Some(index) = base.current_step_index.filter(|_| steps::is_completed(pass, base)) else { return };
    let Some(step) = steps::current(pass, base) else { return };
    let (number, text) = (index.saturating_add(1), steps::describe(step));
    if let Some(new) = pass.new.filter(|_| steps::is_counted_on(pass, step, number)) {
        // A write of our own that is not seen yet may have given its pods up.
        services::confirm_set(pass, new);
    }
    base.current_step_index = Some(number);
    if let Some(canary) = &mut base.canary {
        canary.current_step_analysis_run_status = None;
    }
    pass.pause.remove(pause::CANARY_PAUSE_STEP);
    pass.tell("RolloutStepCompleted", format!("Rollout step {number}/{count} completed ({text})"));
    pass.plan.trail.push(format!("step {number} of {count} is done ({text})"));
}

/// Gives the update up when it made no progress before its deadline, if the Rollout asks for that.
pub(super) fn abort_at_deadline(pass: &mut Pass<'_>, base: &RolloutStatus) {
    let asked = pass.world.rollout.spec.progress_deadline_abort == Some(true);
    if !asked || pass.is_aborted() || pass.is_fully_promoted() || status::has_progressed(&pass.old, base) {
        return;
    }
    let old = pass.old.clone();
    let due = status::deadline(pass, &old).is_some_and(|deadline| pass.now > deadline);
    let timed_out = super::conditions::has_reason(
        &old,
        super::conditions::PROGRESSING,
        super::conditions::REASON_TIMED_OUT,
    );
    if due || timed_out {
        let name = pass.new.map_or_else(|| pass.name().to_owned(), |new| new.name.clone());
        pass.pause.abort(format!("ReplicaSet {name:?} has timed out progressing."));
    }
}
