//! Strategy, step and weights of a Rollout, as all views tell them. `[cli.summary]`

use crds::Rollout;
use crds::rollout::canary::CanaryStep;
use serde_json::{Value, json};

/// All users.
const FULL_WEIGHT: i32 = 100;

/// `BlueGreen` or `Canary`.
pub(crate) fn strategy(rollout: &Rollout) -> &'static str {
    let strategy = rollout.spec.strategy.as_ref();
    if strategy.is_some_and(|strategy| strategy.blue_green.is_some()) { "BlueGreen" } else { "Canary" }
}

fn steps(rollout: &Rollout) -> Option<&Vec<CanaryStep>> {
    let canary = rollout.spec.strategy.as_ref()?.canary.as_ref()?;
    canary.steps.as_ref().filter(|steps| !steps.is_empty())
}

fn index(rollout: &Rollout) -> Option<usize> {
    let index = rollout.status.as_ref()?.current_step_index?;
    usize::try_from(index).ok()
}

/// `1/4`; nothing without steps.
pub(crate) fn step(rollout: &Rollout) -> Option<String> {
    Some(format!("{}/{}", index(rollout)?, steps(rollout)?.len()))
}

/// The weight that the steps ask for; nothing for blue-green. An aborted update has none.
pub(crate) fn set_weight(rollout: &Rollout) -> Option<i32> {
    if strategy(rollout) == "BlueGreen" {
        return None;
    }
    if rollout.status.as_ref().is_some_and(|status| status.abort) {
        return Some(0);
    }
    let (Some(steps), Some(index)) = (steps(rollout), index(rollout)) else { return Some(FULL_WEIGHT) };
    if index >= steps.len() {
        return Some(FULL_WEIGHT);
    }
    let weights = steps.iter().take(index + 1).rev().find_map(|step| step.set_weight);
    Some(weights.unwrap_or(0))
}

/// The share of the available pods that are of the new version, given how many of those are available.
pub(crate) fn actual_weight(rollout: &Rollout, canary_available: i32) -> Option<i32> {
    let wanted = set_weight(rollout)?;
    let past_last = match (steps(rollout), index(rollout)) {
        (Some(steps), Some(index)) => index >= steps.len(),
        _ => true,
    };
    let available = rollout.status.as_ref().map_or(0, |status| status.available_replicas);
    if past_last {
        return Some(wanted);
    }
    Some(if available > 0 { canary_available.saturating_mul(FULL_WEIGHT) / available } else { 0 })
}

/// For programs: what the table has, by name.
pub(crate) fn as_json(rollout: &Rollout, phase: &str, message: &str) -> Value {
    let status = rollout.status.clone().unwrap_or_default();
    json!({
        "name": rollout.metadata.name,
        "namespace": rollout.metadata.namespace,
        "strategy": strategy(rollout),
        "phase": phase,
        "message": message,
        "step": status.current_step_index,
        "steps": steps(rollout).map_or(0, Vec::len),
        "setWeight": set_weight(rollout),
        "revision": rollout.metadata.annotations.as_ref().and_then(|all| all.get(crds::meta::REVISION_ANNOTATION)),
        "currentPodHash": status.current_pod_hash,
        "stableRS": status.stable_rs,
        "aborted": status.abort,
        "desired": crds::defaults::replicas(rollout),
        "current": status.replicas,
        "updated": status.updated_replicas,
        "ready": status.ready_replicas,
        "available": status.available_replicas,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(index: i32, abort: bool) -> Rollout {
        let steps = json!([{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}]);
        serde_json::from_value(json!({
            "spec": {"strategy": {"canary": {"steps": steps}}},
            "status": {"currentStepIndex": index, "abort": abort, "availableReplicas": 5},
        }))
        .unwrap()
    }

    #[test]
    fn weights_follow_the_steps() {
        for (index, set, actual) in [(0, 20, 40), (1, 20, 40), (2, 60, 40), (3, 100, 100)] {
            let rollout = canary(index, false);
            assert_eq!(
                (set_weight(&rollout), actual_weight(&rollout, 2)),
                (Some(set), Some(actual)),
                "{index}"
            );
            assert_eq!(step(&rollout), Some(format!("{index}/3")));
        }
        assert_eq!(set_weight(&canary(2, true)), Some(0));
    }

    #[test]
    fn blue_green_has_no_weights_and_no_steps_are_all() {
        let of = |strategy: Value| {
            serde_json::from_value::<Rollout>(json!({"spec": {"strategy": strategy}})).unwrap()
        };
        let blue_green = of(json!({"blueGreen": {"activeService": "a"}}));
        assert_eq!(
            (set_weight(&blue_green), step(&blue_green), strategy(&blue_green)),
            (None, None, "BlueGreen")
        );
        let plain = of(json!({"canary": {}}));
        assert_eq!((set_weight(&plain), actual_weight(&plain, 0)), (Some(100), Some(100)));
    }
}
