//! What ends a pass before its strategy: an invalid Rollout, and conditions that have to follow a person's act.

use super::conditions::{self, condition};
use super::pass::Pass;
use super::{pause, status};
use crate::World;
use crate::defect;
use crds::rollout::RolloutStatus;
use crds::validate::Invalid;

/// Whether what is missing may still come: nothing is in production yet. `[validation.waiting]`
pub(super) fn is_patient(world: &World) -> bool {
    let status = world.rollout.status.as_ref();
    status.is_none_or(|status| status.stable_rs.is_empty()) && world.settings.reference_grace_seconds > 0
}

/// Whether it is waited for: what is invalid already does not begin to wait.
fn may_wait(pass: &Pass<'_>) -> bool {
    is_patient(pass.world) && conditions::get(&pass.old, conditions::INVALID_SPEC).is_none()
}

/// The status of a Rollout that waits for something it refers to; `None` when there is nothing to wait for, or it was
/// waited for long enough. The time is counted from what the status says, so that no restart prolongs it.
///
/// DIFFERS: Argo Rollouts makes it invalid at once. Who applies a Rollout together with its Services and templates has
/// no say in what comes first. `[validation.waiting]`
pub(super) fn waiting(pass: &mut Pass<'_>, invalid: &Invalid) -> Option<RolloutStatus> {
    let missing = invalid.missing.as_ref().filter(|_| may_wait(pass))?;
    let (kind, reason) = (conditions::PROGRESSING, conditions::REASON_WAITING);
    let message = format!("waiting for {} {:?}", missing.kind, missing.name);
    let known = conditions::get(&pass.old, kind).filter(|known| known.reason == reason);
    let since = known.map_or(pass.now, |known| known.last_update_time);
    let is_told = known.is_some_and(|known| known.message == message);
    let end = since.plus_seconds(pass.world.settings.reference_grace_seconds);
    if pass.now >= end {
        return None;
    }
    pass.plan.trail.push(message.clone());
    pass.plan.wake_at(end, "what is waited for may never come");
    pass.greet(crate::Anchor::Status);
    let mut status = pass.old.clone();
    if !is_told {
        // Whatever is missing by now: the time runs from the first that was.
        conditions::replace(&mut status, condition(kind, "True", reason, &message, since));
    }
    status::stamp(pass, &mut status);
    Some(status)
}

/// All that was waited for is there: the Rollout goes on as one that never waited.
pub(super) fn end_wait(pass: &mut Pass<'_>) {
    let (kind, reason) = (conditions::PROGRESSING, conditions::REASON_WAITING);
    if !conditions::has_reason(&pass.old, kind, reason) {
        return;
    }
    conditions::remove(&mut pass.old, kind);
    if let Some(new) = pass.new.filter(|_| !pass.old.current_pod_hash.is_empty()) {
        // Its deadline begins anew: without its references it could not progress.
        let message = format!("ReplicaSet {:?} is progressing.", new.name);
        let progress = condition(kind, "True", conditions::REASON_UPDATED, &message, pass.now);
        conditions::set(&mut pass.old, progress);
    }
}

/// The status of an invalid Rollout: nothing that it owns is written until it is mended. `[validation]`
pub(super) fn invalid(pass: &mut Pass<'_>, invalid: &Invalid) -> RolloutStatus {
    let message = &invalid.condition_message(pass.name());
    pass.plan.trail.push(format!("invalid: {message}"));
    pass.greet(crate::Anchor::Status);
    let mut status = pass.old.clone();
    if conditions::has_reason(&status, conditions::PROGRESSING, conditions::REASON_WAITING) {
        conditions::remove(&mut status, conditions::PROGRESSING);
    }
    let kind = conditions::INVALID_SPEC;
    conditions::set(&mut status, condition(kind, "True", kind, message, pass.now));
    status::stamp(pass, &mut status);
    status
}

/// Conditions Paused and Progressing follow what a person did: paused, resumed, or retried after an abort. A status
/// ends the pass. `[status.conditions]`
pub(super) fn paused_conditions(pass: &Pass<'_>) -> Option<RolloutStatus> {
    let old = &pass.old;
    if old.observed_generation != pass.world.rollout.metadata.generation.unwrap_or(0).to_string() {
        return None;
    }
    let mut status = status::carry_over(pass);
    let paused = pause::any(old) || pass.is_frozen();
    let aborted = conditions::has_reason(old, conditions::PROGRESSING, conditions::REASON_ABORTED);
    let shown = conditions::has_reason(old, conditions::PROGRESSING, conditions::REASON_PAUSED);
    let set = |status: &mut RolloutStatus, kind: &str, value: &str, reason: &str, message: &str| {
        conditions::set(status, condition(kind, value, reason, message, pass.now))
    };
    let mut changed = false;
    // An update that is over does not progress, paused or not; but what was late waits from now on.
    let late = conditions::has_reason(old, conditions::PROGRESSING, conditions::REASON_TIMED_OUT);
    let nothing_to_pause = paused && pass.is_fully_promoted() && !late;
    if !aborted && paused != shown && !nothing_to_pause {
        let (reason, message) = if paused {
            (conditions::REASON_PAUSED, "Rollout is paused")
        } else {
            (conditions::REASON_RESUMED, "Rollout is resumed")
        };
        changed |= set(&mut status, conditions::PROGRESSING, "Unknown", reason, message);
    }
    if aborted && !old.abort && !defect!(RetryUnheard) {
        let (reason, message) = (conditions::REASON_RETRY, "Retrying Rollout after abort");
        changed |= set(&mut status, conditions::PROGRESSING, "Unknown", reason, message);
    }
    if !aborted && paused != conditions::is_true(old, conditions::PAUSED) {
        let value = if paused { "True" } else { "False" };
        let (reason, message) = (conditions::REASON_PAUSED, "Rollout is paused");
        if paused || conditions::get(old, conditions::PAUSED).is_some() {
            changed |= set(&mut status, conditions::PAUSED, value, reason, message);
        }
    }
    changed.then(|| {
        status::stamp(pass, &mut status);
        status
    })
}
