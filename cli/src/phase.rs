//! The phase as a client shows it: what the controller has not seen yet counts as progressing. `[cli.phase]`

use crds::Rollout;
use planner::rollout::phase_of;

/// What is said while the workload that a Rollout refers to is newer than the status.
pub(crate) const WORKLOAD_UNOBSERVED: &str =
    "waiting for rollout spec update to be observed for the reference workload";

/// Whether the generation of the workload that the controller has noted is not the one of the status.
fn is_workload_unobserved(rollout: &Rollout, observed: &str) -> bool {
    let annotations = rollout.metadata.annotations.as_ref();
    let noted = annotations.and_then(|map| map.get(crds::meta::WORKLOAD_GENERATION_ANNOTATION));
    let number = |text: &str| text.parse::<i64>().ok();
    rollout.spec.workload_ref.is_some()
        && noted
            .and_then(|noted| number(noted))
            .zip(number(observed))
            .is_some_and(|(noted, observed)| noted != observed)
}

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
    if is_workload_unobserved(rollout, &status.workload_observed_generation) {
        return progressing(WORKLOAD_UNOBSERVED);
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

    #[test]
    fn a_newer_workload_is_progressing() {
        for (noted, observed, reference, want) in [
            ("2", "1", true, "Progressing"),
            ("2", "2", true, "Healthy"),
            ("2", "", true, "Healthy"),
            ("2", "1", false, "Healthy"),
        ] {
            let reference = reference.then(|| json!({"kind": "Deployment", "name": "web"}));
            let object = json!({
                "metadata": {"generation": 1, "annotations": {"rollout.argoproj.io/workload-generation": noted}},
                "spec": {"workloadRef": reference},
                "status": {"observedGeneration": "1", "phase": "Healthy", "workloadObservedGeneration": observed},
            });
            let rollout: Rollout = serde_json::from_value(object).unwrap();
            assert_eq!(phase(&rollout).0, want, "{noted} {observed}");
        }
    }
}
