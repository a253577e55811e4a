//! What each verb writes, as pure functions of the Rollout that was read. `[cli.patches]`

use crds::Rollout;
use crds::analysis::AnalysisPhase;
use crds::rollout::RolloutStatus;
use serde_json::{Value, json};

/// Patches of one verb: to the spec, and to the status. Both may be absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Patches {
    pub(crate) spec: Option<Value>,
    pub(crate) status: Option<Value>,
}

fn unpause(rollout: &Rollout) -> Option<Value> {
    (rollout.spec.paused == Some(true)).then(|| json!({"spec": {"paused": false}}))
}

/// Lets the Rollout go on by one step; a promoted Rollout needs nothing.
pub(crate) fn promote(rollout: &Rollout) -> Patches {
    let status = rollout.status.clone().unwrap_or_default();
    let steps = steps(rollout);
    let paused = status.pause_conditions.as_ref().is_some_and(|conditions| !conditions.is_empty());
    let next = status.current_step_index.filter(|index| *index < steps).map(|index| index + 1);
    // DIFFERS: [cli.promote-twice] The pause was lifted and the controller has not acted yet: a second promotion at this
    // moment would skip the step after the pause.
    let is_about_to_go_on = status.controller_pause && !paused;
    let patch = if is_about_to_go_on {
        None
    } else if paused && status.controller_pause && step_is_inconclusive(&status) {
        Some(json!({"pauseConditions": null, "controllerPause": false, "currentStepIndex": next}))
    } else if paused {
        Some(json!({"pauseConditions": null}))
    } else {
        next.filter(|_| !is_promoted(&status))
            .map(|next| json!({"pauseConditions": null, "currentStepIndex": next}))
    };
    Patches { spec: unpause(rollout), status: patch.map(|patch| json!({"status": patch})) }
}

/// Skips everything that is left.
pub(crate) fn promote_full(rollout: &Rollout) -> Patches {
    let status = rollout.status.clone().unwrap_or_default();
    let patch = (!is_promoted(&status)).then(|| json!({"status": {"promoteFull": true}}));
    Patches { spec: unpause(rollout), status: patch }
}

fn steps(rollout: &Rollout) -> i32 {
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let steps = canary.and_then(|canary| canary.steps.as_ref()).map_or(0, Vec::len);
    i32::try_from(steps).unwrap_or(i32::MAX)
}

fn is_promoted(status: &RolloutStatus) -> bool {
    status.current_pod_hash == status.stable_rs
}

fn step_is_inconclusive(status: &RolloutStatus) -> bool {
    let run = status.canary.as_ref().and_then(|canary| canary.current_step_analysis_run_status.as_ref());
    run.is_some_and(|run| run.status == AnalysisPhase::Inconclusive)
}

/// What the decision to promote rests on: a second try after a conflict is made only while it is the same.
pub(crate) fn position(rollout: &Rollout) -> (Option<i32>, bool, String) {
    let status = rollout.status.clone().unwrap_or_default();
    let paused = status.pause_conditions.as_ref().is_some_and(|conditions| !conditions.is_empty());
    (status.current_step_index, paused, status.current_pod_hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(status: impl Into<Value>) -> Rollout {
        let status: Value = status.into();
        let steps = json!([{"setWeight": 20}, {"pause": {}}, {"setWeight": 40}]);
        let object = json!({"spec": {"strategy": {"canary": {"steps": steps}}}, "status": status});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn promote_resumes_a_pause_and_else_skips_one_step() {
        let pause = json!([{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]);
        let paused = rollout(
            json!({"currentStepIndex": 1, "currentPodHash": "b", "stableRS": "a", "pauseConditions": pause}),
        );
        assert_eq!(promote(&paused).status, Some(json!({"status": {"pauseConditions": null}})));
        let running = rollout(json!({"currentStepIndex": 0, "currentPodHash": "b", "stableRS": "a"}));
        let skip = json!({"status": {"pauseConditions": null, "currentStepIndex": 1}});
        assert_eq!(promote(&running).status, Some(skip));
    }

    #[test]
    fn a_pause_that_was_lifted_is_not_skipped_again() {
        let lifted = rollout(
            json!({"currentStepIndex": 1, "currentPodHash": "b", "stableRS": "a", "controllerPause": true}),
        );
        assert_eq!(promote(&lifted), Patches::default());
    }

    #[test]
    fn a_promoted_rollout_needs_nothing() {
        let done = rollout(json!({"currentStepIndex": 3, "currentPodHash": "a", "stableRS": "a"}));
        assert_eq!(promote(&done), Patches::default());
        assert_eq!(promote_full(&done), Patches::default());
        let running = rollout(json!({"currentStepIndex": 0, "currentPodHash": "b", "stableRS": "a"}));
        assert_eq!(promote_full(&running).status, Some(json!({"status": {"promoteFull": true}})));
    }

    #[test]
    fn an_undecided_analysis_is_stepped_over() {
        let pause = json!([{"reason": "InconclusiveAnalysisRun", "startTime": "2026-01-01T00:00:00Z"}]);
        let run = json!({"currentStepAnalysisRunStatus": {"name": "x", "status": "Inconclusive"}});
        let status = json!({"currentStepIndex": 1, "currentPodHash": "b", "stableRS": "a", "controllerPause": true,
            "pauseConditions": pause, "canary": run});
        let want =
            json!({"status": {"pauseConditions": null, "controllerPause": false, "currentStepIndex": 2}});
        assert_eq!(promote(&rollout(status)).status, Some(want));
    }
}
