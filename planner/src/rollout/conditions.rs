//! Conditions of a Rollout: finding, setting and removing them. `[status.conditions]`

use crate::defect;
use crds::Time;
use crds::rollout::RolloutStatus;
use crds::rollout::status::RolloutCondition;

pub(super) const INVALID_SPEC: &str = "InvalidSpec";
pub(super) const AVAILABLE: &str = "Available";
pub(super) const PROGRESSING: &str = "Progressing";
pub(super) const PAUSED: &str = "Paused";
pub(super) const HEALTHY: &str = "Healthy";
pub(super) const COMPLETED: &str = "Completed";
pub(super) const REPLICA_FAILURE: &str = "ReplicaFailure";

pub(super) const REASON_PAUSED: &str = "RolloutPaused";
pub(super) const REASON_RESUMED: &str = "RolloutResumed";
pub(super) const REASON_RETRY: &str = "RolloutRetry";
pub(super) const REASON_ABORTED: &str = "RolloutAborted";
pub(super) const REASON_HEALTHY: &str = "RolloutHealthy";
pub(super) const REASON_COMPLETED: &str = "RolloutCompleted";
pub(super) const REASON_AVAILABLE: &str = "AvailableReason";
pub(super) const REASON_CREATED: &str = "NewReplicaSetCreated";
pub(super) const REASON_CREATE_ERROR: &str = "ReplicaSetCreateError";
pub(super) const REASON_UPDATED: &str = "ReplicaSetUpdated";
pub(super) const REASON_SET_AVAILABLE: &str = "NewReplicaSetAvailable";
pub(super) const REASON_SET_NOT_AVAILABLE: &str = "ReplicaSetNotAvailable";
/// Of a Rollout that waits for something it refers to; Argo Rollouts has no such reason.
pub(super) const REASON_WAITING: &str = "WaitingForReference";
pub(super) const REASON_TIMED_OUT: &str = "ProgressDeadlineExceeded";

/// A condition that was confirmed and changed at `now`.
pub(super) fn condition(
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: Time,
) -> RolloutCondition {
    let now = now.whole_seconds();
    RolloutCondition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        last_update_time: now,
        last_transition_time: now,
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

/// The condition of that type.
pub(super) fn get<'s>(status: &'s RolloutStatus, kind: &str) -> Option<&'s RolloutCondition> {
    status.conditions.iter().flatten().find(|condition| condition.kind == kind)
}

/// Whether the condition of that type has that reason.
pub(super) fn has_reason(status: &RolloutStatus, kind: &str, reason: &str) -> bool {
    get(status, kind).is_some_and(|condition| condition.reason == reason)
}

/// Whether the condition of that type is `True`.
pub(super) fn is_true(status: &RolloutStatus, kind: &str) -> bool {
    get(status, kind).is_some_and(|condition| condition.status == "True")
}

/// Sets a condition; true when that changed something. The same status and reason is no change, except that a new
/// message replaces an `InvalidSpec`. The transition time stays while the status does.
pub(super) fn set(status: &mut RolloutStatus, mut condition: RolloutCondition) -> bool {
    if let Some(old) = get(status, &condition.kind) {
        let same = old.status == condition.status && old.reason == condition.reason;
        if same && (condition.kind != INVALID_SPEC || old.message == condition.message) {
            return false;
        }
        if old.status == condition.status && !defect!(TransitionMoves) {
            condition.last_transition_time = old.last_transition_time;
        }
    }
    replace(status, condition);
    true
}

/// Puts a condition in place of the one of its type, whatever it says; a new one goes to the end.
pub(super) fn replace(status: &mut RolloutStatus, condition: RolloutCondition) {
    remove(status, &condition.kind);
    status.conditions.get_or_insert_default().push(condition);
}

/// Removes the condition of that type.
pub(super) fn remove(status: &mut RolloutStatus, kind: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|condition| condition.kind != kind);
    }
}
