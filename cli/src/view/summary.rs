//! Strategy, step and weights of a Rollout, as all views tell them. `[cli.summary]`

use crds::Rollout;
use crds::rollout::canary::CanaryStep;
use serde_json::{Value, json};

/// All users: `maxTrafficWeight` of the routing, or 100.
fn full_weight(rollout: &Rollout) -> i32 {
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let routing = canary.and_then(|canary| canary.traffic_routing.as_ref());
    routing.and_then(|routing| routing.max_traffic_weight).filter(|full| *full > 0).unwrap_or(100)
}

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
    let full = full_weight(rollout);
    let (Some(steps), Some(index)) = (steps(rollout), index(rollout)) else { return Some(full) };
    if index >= steps.len() {
        return Some(full);
    }
    let weights = steps.iter().take(index + 1).rev().find_map(|step| step.set_weight);
    Some(weights.unwrap_or(0))
}

/// The weight that routers were asked for; without a router the share of the available pods that are of the new version,
/// given how many of those are available.
pub(crate) fn actual_weight(rollout: &Rollout, canary_available: i32) -> Option<i32> {
    set_weight(rollout)?;
    let full = full_weight(rollout);
    let past_last = match (steps(rollout), index(rollout)) {
        (Some(steps), Some(index)) => index >= steps.len(),
        _ => true,
    };
    if past_last {
        return Some(full);
    }
    let status = rollout.status.as_ref();
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    if canary.is_some_and(|canary| canary.traffic_routing.is_some()) {
        let weights = status.and_then(|status| status.canary.as_ref()?.weights.as_ref());
        return Some(weights.map_or(0, |weights| weights.canary.weight));
    }
    let available = status.map_or(0, |status| status.available_replicas);
    Some(if available > 0 { canary_available.saturating_mul(full) / available } else { 0 })
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
    fn behind_routers_the_weight_is_what_they_were_asked_for() {
        let weights = json!({"canary": {"weight": 30}, "stable": {"weight": 170}});
        let mut rollout = json!({
            "spec": {"strategy": {"canary": {"steps": [{"setWeight": 30}, {"pause": {}}],
                "trafficRouting": {"maxTrafficWeight": 200, "plugins": {"argoproj-labs/gatewayAPI": {}}}}}},
            "status": {"currentStepIndex": 1, "availableReplicas": 5, "canary": {"weights": weights}},
        });
        let told = |rollout: &Value| {
            let rollout: Rollout = serde_json::from_value(rollout.clone()).unwrap();
            (set_weight(&rollout), actual_weight(&rollout, 5))
        };
        assert_eq!(told(&rollout), (Some(30), Some(30)));
        rollout["status"]["canary"] = json!({});
        assert_eq!(told(&rollout), (Some(30), Some(0)));
        rollout["status"]["currentStepIndex"] = json!(2);
        assert_eq!(told(&rollout), (Some(200), Some(200)));
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
