//! Each rule about routers finds a plan that breaks it, and lets the plan pass that does not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crate::check::check;
use crate::traffic::{Abilities, Authors, Intent, ObservedTraffic, RouterView, Share, Split};
use crate::{Owner, Plan, Planned, ReplicaSet, ReplicaSetCounts, Service, Target, World, Write};
use crds::rollout::RolloutStatus;
use crds::{Time, meta};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn labels(hash: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(meta::POD_TEMPLATE_HASH_LABEL.to_owned(), hash.to_owned())])
}

fn set(name: &str, pods: i32, available: i32) -> ReplicaSet {
    let counts = ReplicaSetCounts {
        replicas: pods,
        ready: available,
        available,
        generation_observed: true,
        resized_here: false,
    };
    ReplicaSet {
        name: name.to_owned(),
        owner: Owner::Ours,
        labels: labels(name),
        replicas: pods,
        counts,
        ..ReplicaSet::default()
    }
}

fn split(canary: i64) -> Split {
    Split { canary, stable: 100 - canary, ..Split::default() }
}

fn router(canary: i64) -> RouterView {
    let observed = Ok(ObservedTraffic { splits: vec![split(canary)], ..ObservedTraffic::default() });
    RouterView {
        name: "router",
        abilities: Abilities::default(),
        observed,
        changed: None,
        authors: Authors::default(),
        served: None,
        asked: None,
    }
}

/// Eight replicas, all of version `old`; `new` has four, is at the step of 50, and a router shows 25.
fn world(more: &Value) -> World {
    let mut canary = json!({"stableService": "stable", "canaryService": "canary", "dynamicStableScale": true,
        "trafficRouting": {"traefik": {"weightedTraefikServiceName": "web"}},
        "steps": [{"setWeight": 25}, {"setWeight": 50}, {"pause": {}}, {"setWeight": 75}]});
    for (key, value) in more.as_object().unwrap() {
        canary[key] = value.clone();
    }
    let rollout =
        json!({"metadata": {"name": "demo"}, "spec": {"replicas": 8, "strategy": {"canary": canary}}});
    let mut rollout: crds::Rollout = serde_json::from_value(rollout).unwrap();
    rollout.status = Some(RolloutStatus {
        stable_rs: "old".to_owned(),
        current_pod_hash: "new".to_owned(),
        current_step_index: Some(1),
        ..RolloutStatus::default()
    });
    let service = |(name, version): (&str, &str)| {
        (name.to_owned(), Service { name: name.to_owned(), selector: labels(version), ..Service::default() })
    };
    World {
        rollout,
        replica_sets: vec![set("old", 8, 8), set("new", 4, 4)],
        services: [("stable", "old"), ("canary", "new")].map(service).into(),
        routers: vec![router(25)],
        ..World::default()
    }
}

fn target(name: &str) -> Target {
    Target { name: name.to_owned(), ..Target::default() }
}

fn scale(name: &str, from: i32, to: i32) -> Write {
    Write::ScaleReplicaSet { target: target(name), from, to, annotations: BTreeMap::new() }
}

fn select(service: &str, hash: &str) -> Write {
    Write::SelectService { target: target(service), hash: Some(hash.to_owned()), managed_by: None }
}

fn route(canary: i32, stable: i32) -> Write {
    let share = |hash: &str, weight| Share { service: String::new(), hash: hash.to_owned(), weight };
    let intent = Intent {
        total: 100,
        canary: share("new", canary),
        stable: share("old", stable),
        ..Intent::default()
    };
    Write::RouteTraffic { router: "router", intent }
}

/// The rules that the writes break.
fn broken(world: &World, writes: &[Write]) -> Vec<&'static str> {
    let planned = |write: &Write| Planned { write: write.clone(), reason: String::new() };
    let plan = Plan {
        writes: writes.iter().map(planned).collect(),
        status: world.rollout.status.clone(),
        ..Plan::default()
    };
    let faults = check(world, &plan, Time::default());
    faults.into_iter().map(|fault| fault.rule).filter(|rule| *rule != "availability").collect()
}

#[test]
fn weights_are_what_they_are_said_to_be() {
    let world = world(&json!({}));
    assert_eq!(broken(&world, &[route(50, 50)]), [""; 0]);
    assert_eq!(broken(&world, &[route(50, 60)]), ["weights_add_up"]);
    assert_eq!(broken(&world, &[route(-25, 125)]), ["weights_add_up"]);
    let mut others = route(20, 70);
    let Write::RouteTraffic { intent, .. } = &mut others else { unreachable!() };
    intent.additional.push(Share { weight: 10, ..Share::default() });
    assert_eq!(broken(&world, &[others]), [""; 0], "experiments count");
    let thousand = self::world(&json!({"trafficRouting": {"maxTrafficWeight": 1000}}));
    assert_eq!(broken(&thousand, &[route(50, 50)]), ["weights_add_up"]);
}

#[test]
fn no_weight_is_above_that_of_its_step() {
    let mut world = world(&json!({}));
    world.replica_sets = vec![set("old", 8, 8), set("new", 8, 8)];
    assert_eq!(broken(&world, &[route(50, 50)]), [""; 0]);
    assert_eq!(broken(&world, &[route(51, 49)]), ["weights_keep_to_the_step"]);
    world.routers = vec![router(75)];
    assert_eq!(broken(&world, &[route(75, 25)]), [""; 0], "it is there");
    world.routers = vec![router(25)];
    world.rollout.status.as_mut().unwrap().current_step_index = Some(4);
    assert_eq!(broken(&world, &[route(100, 0)]), [""; 0], "past the last step");
    world.rollout.status.as_mut().unwrap().current_step_index = Some(0);
    assert_eq!(broken(&world, &[route(50, 50)]), ["weights_keep_to_the_step"]);
    world.rollout.status.as_mut().unwrap().promote_full = true;
    assert_eq!(broken(&world, &[route(100, 0)]), [""; 0]);
}

#[test]
fn weight_rises_where_pods_carry_it() {
    let mut world = world(&json!({}));
    world.replica_sets = vec![set("old", 8, 8), set("new", 4, 3)];
    assert_eq!(broken(&world, &[route(50, 50)]), ["weights_are_carried"]);
    assert_eq!(broken(&world, &[route(25, 75)]), [""; 0], "it does not rise");
    world.rollout.spec.strategy.as_mut().unwrap().canary.as_mut().unwrap().steps.as_mut().unwrap()[2] =
        serde_json::from_value(json!({"setCanaryScale": {"replicas": 1}})).unwrap();
    assert_eq!(broken(&world, &[route(50, 50)]), [""; 0], "people have said how many");
}

#[test]
fn what_routers_ask_moves_where_pods_carry_the_weight() {
    let mut world = world(&json!({}));
    world.replica_sets = vec![set("old", 8, 8), set("new", 4, 1), set("overtaken", 2, 2)];
    world.services.get_mut("canary").unwrap().selector = labels("overtaken");
    assert_eq!(broken(&world, &[select("canary", "new")]), ["weights_are_carried"]);
    assert_eq!(broken(&world, &[select("canary", "old")]), [""; 0], "the way back");
    world.replica_sets[1] = set("new", 4, 2);
    assert_eq!(broken(&world, &[select("canary", "new")]), [""; 0]);

    // The same for a router that selects versions itself.
    let subsets = Some(("overtaken".to_owned(), "old".to_owned()));
    let observed = ObservedTraffic { splits: vec![split(25)], subsets, ..ObservedTraffic::default() };
    world.routers[0].observed = Ok(observed);
    world.routers[0].abilities.subsets = true;
    assert_eq!(broken(&world, &[route(25, 75)]), [""; 0]);
    world.replica_sets[1] = set("new", 4, 1);
    assert_eq!(broken(&world, &[route(25, 75)]), ["weights_are_carried"]);
}

#[test]
fn pods_stay_where_routers_send_requests() {
    let mut world = world(&json!({}));
    assert_eq!(broken(&world, &[scale("old", 8, 6)]), [""; 0], "75 of 100");
    assert_eq!(broken(&world, &[scale("old", 8, 5)]), ["served_pods_stay"]);
    assert_eq!(broken(&world, &[scale("new", 4, 2)]), [""; 0]);
    assert_eq!(broken(&world, &[scale("new", 4, 1)]), ["served_pods_stay"]);
    world.routers[0].observed.as_mut().unwrap().splits.push(split(75));
    assert_eq!(broken(&world, &[scale("new", 4, 3)]), ["served_pods_stay"], "the largest share counts");
    world.routers[0].observed.as_mut().unwrap().subsets = Some(("old".to_owned(), "new".to_owned()));
    assert_eq!(broken(&world, &[scale("old", 8, 5)]), ["served_pods_stay"], "subsets count, Services do not");
    world.routers[0].observed = Err(crate::traffic::RouterProblem::default());
    assert_eq!(broken(&world, &[scale("new", 4, 3)]), ["served_pods_stay"], "nobody knows");
}

#[test]
fn pods_stay_for_the_settle_time() {
    let mut world = world(&json!({}));
    world.settings.settle_seconds = 5;
    let ago = |seconds: i64| Some(Time::default().plus_seconds(-seconds));
    for (router, service, faults) in
        [(ago(9), None, 0), (ago(4), None, 1), (ago(9), ago(4), 1), (ago(9), ago(9), 0)]
    {
        world.routers[0].changed = router;
        world.services.get_mut("stable").unwrap().changed = service;
        assert_eq!(broken(&world, &[scale("old", 8, 7)]).len(), faults, "{router:?} {service:?}");
    }
    world.routers[0].changed = ago(1);
    world.rollout.spec.replicas = Some(6);
    assert_eq!(broken(&world, &[scale("old", 8, 6)]), [""; 0], "people want fewer");
}

#[test]
fn a_service_that_nobody_asks_may_be_emptied() {
    let mut world = world(&json!({}));
    world.replica_sets = vec![set("old", 1, 1), set("new", 8, 8)];
    world.routers = vec![router(100)];
    assert_eq!(broken(&world, &[scale("old", 1, 0)]), [""; 0]);
    world.routers = vec![router(99)];
    assert_eq!(broken(&world, &[scale("old", 1, 0)]), ["services_have_pods"]);
}
