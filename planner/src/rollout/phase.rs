//! Phase and message: what people and syncers see. `[status.phase]`

use super::conditions;
use crate::defect;
use crds::rollout::RolloutStatus;
use crds::{Rollout, defaults};

/// The phase of a Rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// All is as wanted.
    Healthy,
    /// It failed, was aborted or is invalid.
    Degraded,
    /// It works towards what is wanted.
    Progressing,
    /// It waits for a person or a time.
    Paused,
}

impl Phase {
    /// The text on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Degraded => "Degraded",
            Self::Progressing => "Progressing",
            Self::Paused => "Paused",
        }
    }
}

/// The status says that some weight goes to another version than the newest, as on the way back to a stable version that
/// has shrunk. DIFFERS: Argo Rollouts is Healthy then. `[status.traffic]`
fn sends_elsewhere(status: &RolloutStatus) -> bool {
    let weights = status.canary.as_ref().and_then(|canary| canary.weights.as_ref());
    let canary = weights.map(|weights| &weights.canary).filter(|canary| canary.weight > 0);
    let hash = canary.and_then(|canary| canary.pod_template_hash.as_deref());
    hash.is_some_and(|hash| hash != status.current_pod_hash)
}

/// Phase and message that follow from the spec and the rest of the status; the first rule that fits decides. Nothing is
/// Healthy while the API server refuses the version that is wanted. `[status.refused]`
#[must_use]
pub fn phase_of(rollout: &Rollout, status: &RolloutStatus) -> (Phase, String) {
    let (phase, message) = phase_of_seen(rollout, status);
    let refusal = conditions::get(status, conditions::PROGRESSING)
        .filter(|condition| condition.reason == conditions::REASON_CREATE_ERROR);
    match (phase, refusal) {
        (Phase::Healthy, Some(refusal)) => (Phase::Progressing, refusal.message.clone()),
        _ => (phase, message),
    }
}

fn phase_of_seen(rollout: &Rollout, status: &RolloutStatus) -> (Phase, String) {
    let progressing = |message: &str| (Phase::Progressing, message.to_owned());
    for condition in status.conditions.iter().flatten() {
        if condition.kind == conditions::INVALID_SPEC {
            return (Phase::Degraded, format!("{}: {}", condition.kind, condition.message));
        }
        if [conditions::REASON_ABORTED, conditions::REASON_TIMED_OUT].contains(&condition.reason.as_str()) {
            return (Phase::Degraded, format!("{}: {}", condition.reason, condition.message));
        }
    }
    let waits = conditions::get(status, conditions::PROGRESSING)
        .filter(|condition| condition.reason == conditions::REASON_WAITING);
    if let Some(condition) = waits {
        return (Phase::Progressing, condition.message.clone());
    }
    if rollout.spec.paused == Some(true) {
        return (Phase::Paused, "manually paused".to_owned());
    }
    if let Some(pause) = status.pause_conditions.iter().flatten().next() {
        return (Phase::Paused, pause.reason.clone());
    }
    let replicas = defaults::replicas(rollout);
    if super::restart::is_pending(rollout, status) && !defect!(RestartHidden) {
        return progressing("rollout is restarting");
    }
    if status.updated_replicas < replicas {
        return progressing("more replicas need to be updated");
    }
    if status.available_replicas < status.updated_replicas {
        return progressing("updated replicas are still becoming available");
    }
    let stable = !status.stable_rs.is_empty() && status.stable_rs == status.current_pod_hash;
    let strategy = rollout.spec.strategy.clone().unwrap_or_default();
    if let Some(blue_green) = strategy.blue_green {
        let seen = status.blue_green.clone().unwrap_or_default();
        if seen.active_selector.is_empty() || seen.active_selector != status.current_pod_hash {
            return progressing("active service cutover pending");
        }
        let run = seen.post_promotion_analysis_run_status.as_ref();
        let is_over = run.is_some_and(|run| run.status.is_completed());
        return match (stable, blue_green.post_promotion_analysis.is_some() && !is_over) {
            (true, _) => (Phase::Healthy, String::new()),
            (false, true) => progressing("waiting for analysis to complete"),
            (false, false) => progressing("waiting for post-promotion verification to complete"),
        };
    }
    if let Some(canary) = strategy.canary {
        if canary.traffic_routing.is_none() && status.replicas > status.updated_replicas {
            return progressing("old replicas are pending termination");
        }
        if !stable && !defect!(HealthyTooEarly) {
            return progressing("waiting for all steps to complete");
        }
        if canary.dynamic_stable_scale == Some(true) && sends_elsewhere(status) {
            return progressing("traffic is still sent to another version");
        }
    }
    (Phase::Healthy, String::new())
}
