//! A Rollout behind a real router, and what its clients would notice.

use crate::play::Play;
use crate::support::routers::Told;
use planner::traffic::Roles;
use serde_json::{Value, json};

/// How many seconds routers may be behind in these plays.
pub(crate) const LAG: i64 = 60;

/// An HTTPRoute, in which another team has a rule, too.
pub(crate) fn object_of_a_route() -> Value {
    json!({"kind": "HTTPRoute", "metadata": {"name": "web"}, "spec": {"rules": [
        {"matches": [{"path": {"type": "PathPrefix", "value": "/other"}}],
            "backendRefs": [{"name": "other", "port": 80, "weight": 7}]},
        {"backendRefs": [{"name": "stable", "port": 80}, {"name": "canary", "port": 80, "weight": 0}]},
    ]}})
}

pub(crate) fn routing_of_a_route() -> Value {
    json!({"gatewayAPI": {"httpRoute": "web"}, "managedRoutes": [{"name": "testers"}]})
}

/// A canary behind that HTTPRoute; `app:1` is Healthy.
pub(crate) fn behind_a_route(replicas: i32, steps: &Value, more: &Value) -> Play {
    healthy(replicas, steps, &routing_of_a_route(), more, &[object_of_a_route()], &json!({}))
}

/// A canary behind the subsets of a DestinationRule, which has a subset of another team, too.
pub(crate) fn objects_of_a_mesh() -> [Value; 2] {
    let to = |subset: &str, weight: i32| json!({"destination": {"host": "web", "subset": subset}, "weight": weight});
    [
        json!({"kind": "VirtualService", "metadata": {"name": "web"}, "spec": {"http": [
            {"name": "primary", "route": [to("stable", 100), to("canary", 0)]},
        ]}}),
        json!({"kind": "DestinationRule", "metadata": {"name": "rule"}, "spec": {"host": "web", "subsets": [
            {"name": "stable", "labels": {"app": "demo"}},
            {"name": "canary", "labels": {"app": "demo"}},
            {"name": "theirs", "labels": {"version": "v9"}},
        ]}}),
    ]
}

pub(crate) fn routing_of_a_mesh() -> Value {
    let rule = json!({"name": "rule", "canarySubsetName": "canary", "stableSubsetName": "stable"});
    let istio = json!({"virtualService": {"name": "web"}, "destinationRule": rule});
    json!({"istio": istio, "managedRoutes": [{"name": "testers"}]})
}

pub(crate) fn behind_a_mesh(replicas: i32, steps: &Value, more: &Value) -> Play {
    healthy(replicas, steps, &routing_of_a_mesh(), more, &objects_of_a_mesh(), &json!({}))
}

/// The strategy of a canary with the Services `stable` and `canary`.
pub(crate) fn strategy(steps: &Value, routing: &Value, more: &Value) -> Value {
    let mut canary = json!({"steps": steps, "stableService": "stable", "canaryService": "canary",
        "trafficRouting": routing});
    for (key, value) in more.as_object().into_iter().flatten() {
        canary[key] = value.clone();
    }
    json!({"canary": canary})
}

/// `app:1` has been deployed behind a router, and everything has settled.
pub(crate) fn healthy(
    replicas: i32,
    steps: &Value,
    routing: &Value,
    more: &Value,
    objects: &[Value],
    spec: &Value,
) -> Play {
    let mut play = Play::begun("app:1", replicas, &strategy(steps, routing, more), spec);
    play.model.add_objects(objects);
    play.model.world.settings.settle_seconds = LAG;
    play.run(300);
    assert_eq!((play.phase().as_str(), weight(&play)), ("Healthy", 0));
    play
}

/// The canary's weight, as routers show it.
pub(crate) fn weight(play: &Play) -> i32 {
    let shown = play.model.world.routers.iter().map(|view| view.observed.as_ref().unwrap().canary(100));
    shown.max().unwrap()
}

/// Which version gets how much, in percent, where a data plane does what it was told.
fn shares(told: &Told) -> Vec<(String, i64)> {
    let service = |name: &str| told.services.get(name).cloned().unwrap_or_default();
    let percent = |weight: i64, sum: i64| weight * 100 / sum.max(1);
    let mut shares = Vec::new();
    for (Roles { canary, stable }, split) in &told.splits {
        let (canary, stable) = told.subsets.clone().unwrap_or_else(|| (service(canary), service(stable)));
        let sum = split.canary + split.stable;
        if canary == stable {
            shares.push((canary.clone(), percent(sum, sum)));
        } else {
            shares.extend([
                (canary.clone(), percent(split.canary, sum)),
                (stable.clone(), percent(split.stable, sum)),
            ]);
        }
    }
    shares
}

/// Available pods of a version, or of all where no version is selected.
fn available(play: &Play, hash: &str) -> i32 {
    let sets = play.model.world.replica_sets.iter().filter(|set| hash.is_empty() || set.hash() == hash);
    sets.map(|set| set.counts.available.min(set.replicas)).sum()
}

/// Whatever a data plane that is up to [`LAG`] behind may do now: each version has the available pods for its share,
/// and one at least.
pub(crate) fn everybody_is_served(play: &Play) {
    let replicas = i64::from(play.model.world.rollout.spec.replicas.unwrap());
    has_pods(play, |share| (replicas * share / 100).max(1));
}

/// Each version that gets anything has the available pods that `need` says for its share in percent.
pub(crate) fn has_pods(play: &Play, need: impl Fn(i64) -> i64) {
    for told in play.model.in_force(LAG) {
        for (hash, share) in shares(told).into_iter().filter(|(_, share)| *share > 0) {
            let (have, version) = (i64::from(available(play, &hash)), play.model.plain(&hash));
            let now = play.model.now;
            assert!(have >= need(share), "{version} gets {share} % with {have} pods at {now}: {told:?}");
        }
    }
}
