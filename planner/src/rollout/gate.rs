//! What ends a pass before its strategy: an invalid Rollout, and conditions that have to follow a person's act.

use super::conditions::{self, condition};
use super::pass::Pass;
use super::{pause, status};
use crate::defect;
use crds::rollout::RolloutStatus;

/// The status of an invalid Rollout: nothing that it owns is written until it is mended. `[validation]`
pub(super) fn invalid(pass: &mut Pass<'_>, message: &str) -> RolloutStatus {
    pass.plan.trail.push(format!("invalid: {message}"));
    pass.greet(crate::Anchor::Status);
    let mut status = pass.old.clone();
    let kind = conditions::INVALID_SPEC;
    conditions::set(&mut status, condition(kind, "True", kind, message, pass.now));
    status::stamp(pass, &mut status);
    status
}

/// A retry in the same second as its abort waits for the next one: times have whole seconds, and what the abort leaves
/// behind must be older than the retry.
pub(super) fn retry_too_soon(pass: &mut Pass<'_>) -> Option<RolloutStatus> {
    let progressing = conditions::get(&pass.old, conditions::PROGRESSING)?;
    let aborted = progressing.reason == conditions::REASON_ABORTED && !pass.old.abort;
    let second = progressing.last_update_time.whole_seconds();
    if !aborted || second != pass.now.whole_seconds() || defect!(RetryAtOnce) {
        return None;
    }
    pass.plan.wake_at(second.plus_seconds(1), "a retry begins in the second after its abort");
    Some(pass.old.clone())
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
    if !aborted && paused != shown {
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
