//! The phase as a client shows it: what the controller has not seen yet counts as progressing. `[cli.phase]`

use crds::Rollout;
use planner::rollout::phase_of;

/// Phase and message.
pub(crate) fn phase(rollout: &Rollout) -> (String, String) {
    let progressing = |message: &str| ("Progressing".to_owned(), message.to_owned());
    let status = rollout.status.clone().unwrap_or_default();
    let generation = rollout.metadata.generation.unwrap_or(0);
    // Text, or a number that is too large, counts as observed: so wrote very old versions.
    let unobserved = status.observed_generation.parse::<i64>().is_ok_and(|observed| observed < generation);
    if rollout.status.is_none() || unobserved {
        return progressing("waiting for rollout spec update to be observed");
    }
    if status.controller_pause && status.pause_conditions.as_ref().is_none_or(Vec::is_empty) {
        return progressing("waiting for rollout to unpause");
    }
    if status.phase.is_empty() {
        let (phase, message) = phase_of(rollout, &status);
        return (phase.as_str().to_owned(), message);
    }
    (status.phase, status.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_seen_yet_is_progressing() {
        for (generation, status, want) in [
            (2, json!({"observedGeneration": "1", "phase": "Healthy"}), "Progressing"),
            (2, json!({"observedGeneration": "2", "phase": "Healthy"}), "Healthy"),
            (2, json!({"observedGeneration": "3", "phase": "Healthy"}), "Healthy"),
            (2, json!({"observedGeneration": "abc", "phase": "Degraded"}), "Degraded"),
            (
                2,
                json!({"observedGeneration": "2", "phase": "Paused", "controllerPause": true}),
                "Progressing",
            ),
        ] {
            let object = json!({"metadata": {"generation": generation}, "status": status});
            let rollout: Rollout = serde_json::from_value(object).unwrap();
            assert_eq!(phase(&rollout).0, want, "{status}");
        }
    }
}
