//! Each rule about target groups finds a plan that breaks it, and lets the plan pass that does not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crate::check::check;
use crate::traffic::{Abilities, Authors, Intent, ObservedTraffic, RouterView, Share, Split};
use crate::{
    Owner, Plan, Planned, Registered, ReplicaSet, ReplicaSetCounts, Service, Target, Targets, World, Write,
};
use crds::rollout::RolloutStatus;
use crds::{Time, meta};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The rules that are looked at here.
const RULES: [&str; 3] = ["listed_pods_stay", "promotion_waits_for_targets", "weight_waits_for_targets"];

fn labels(hash: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(meta::POD_TEMPLATE_HASH_LABEL.to_owned(), hash.to_owned())])
}

/// A version with four pods.
fn set(name: &str, revision: u8) -> ReplicaSet {
    let counts = ReplicaSetCounts {
        replicas: 4,
        ready: 4,
        available: 4,
        generation_observed: true,
        resized_here: false,
    };
    ReplicaSet {
        name: name.to_owned(),
        owner: Owner::Ours,
        labels: labels(name),
        annotations: BTreeMap::from([(meta::REVISION_ANNOTATION.to_owned(), revision.to_string())]),
        replicas: 4,
        counts,
        ..ReplicaSet::default()
    }
}

/// Three versions of four pods each; both Services have come to `new`, and nobody has said anything of its targets.
fn world(strategy: &Value) -> World {
    let rollout = json!({"metadata": {"name": "demo"}, "spec": {"replicas": 4, "strategy": strategy}});
    let mut rollout: crds::Rollout = serde_json::from_value(rollout).unwrap();
    rollout.status = Some(RolloutStatus {
        stable_rs: "old".to_owned(),
        current_pod_hash: "new".to_owned(),
        ..RolloutStatus::default()
    });
    let service = |name: &str| {
        (name.to_owned(), Service { name: name.to_owned(), selector: labels("new"), ..Service::default() })
    };
    let mut world = World {
        rollout,
        replica_sets: vec![set("old", 1), set("new", 2), set("newest", 3)],
        services: ["main", "canary"].map(service).into(),
        ..World::default()
    };
    world.settings.verifies_targets = true;
    world
}

fn blue_green() -> World {
    world(&json!({"blueGreen": {"activeService": "main"}}))
}

fn canary() -> World {
    world(&json!({"canary": {"stableService": "main", "steps": [{"setWeight": 50}]}}))
}

/// Behind a load balancer that shows the canary 10 of 100.
fn routed() -> World {
    let mut world = world(&json!({"canary": {"stableService": "main", "canaryService": "canary",
        "steps": [{"setWeight": 50}], "trafficRouting": {"alb": {"ingress": "web", "servicePort": 80}}}}));
    let splits = vec![Split { canary: 10, stable: 90, ..Split::default() }];
    world.routers = vec![RouterView {
        name: "alb",
        abilities: Abilities { registers: true, ..Abilities::default() },
        observed: Ok(ObservedTraffic { splits, ..ObservedTraffic::default() }),
        changed: None,
        authors: Authors::default(),
        served: None,
        asked: None,
    }];
    world
}

fn say(world: &mut World, service: &str, targets: Targets) {
    world.services.get_mut(service).unwrap().targets = targets;
}

/// Of four ready pods so many are targets, and so many beyond their first health checks.
fn bound(registered: usize, checked: usize) -> Targets {
    Targets::Bound(Registered { groups: Vec::new(), pods: 4, registered, checked })
}

fn target(name: &str) -> Target {
    Target { name: name.to_owned(), ..Target::default() }
}

fn scale(name: &str, to: i32) -> Write {
    Write::ScaleReplicaSet { target: target(name), from: 4, to, annotations: BTreeMap::new() }
}

fn select(service: &str, hash: &str) -> Write {
    Write::SelectService { target: target(service), hash: Some(hash.to_owned()), managed_by: None }
}

fn route(weight: i32) -> Write {
    let share = |hash: &str, weight| Share { service: String::new(), hash: hash.to_owned(), weight };
    let intent = Intent {
        total: 100,
        canary: share("new", weight),
        stable: share("old", 100 - weight),
        ..Intent::default()
    };
    Write::RouteTraffic { router: "alb", intent }
}

/// The rules of these that the writes break, with a status in which that version is stable.
fn broken_with(world: &World, writes: &[Write], stable: &str) -> Vec<&'static str> {
    let planned = |write: &Write| Planned { write: write.clone(), reason: String::new() };
    let status = world.rollout.status.clone();
    let plan = Plan {
        writes: writes.iter().map(planned).collect(),
        status: status.map(|status| RolloutStatus { stable_rs: stable.to_owned(), ..status }),
        ..Plan::default()
    };
    let faults = check(world, &plan, Time::default()).into_iter().map(|fault| fault.rule);
    faults.filter(|rule| RULES.contains(rule)).collect()
}

fn broken(world: &World, writes: &[Write]) -> Vec<&'static str> {
    broken_with(world, writes, "old")
}

#[test]
fn pods_stay_until_target_groups_have_those_of_the_active_service() {
    for old in ["old", "newest"] {
        let mut world = blue_green();
        for said in [Targets::Unknown, bound(3, 3), bound(0, 0), Targets::Silent("AccessDenied".to_owned())] {
            say(&mut world, "main", said.clone());
            assert_eq!(broken(&world, &[scale(old, 0)]), ["listed_pods_stay"], "{old}: {said:?}");
        }
        for said in [bound(4, 0), Targets::Unbound] {
            say(&mut world, "main", said.clone());
            assert_eq!(broken(&world, &[scale(old, 0)]), [""; 0], "{old}: {said:?}");
        }
    }
    let mut world = blue_green();
    assert_eq!(broken(&world, &[scale("new", 2)]), [""; 0], "it is what the Service selects");
    world.rollout.spec.replicas = Some(3);
    assert_eq!(broken(&world, &[scale("old", 3)]), [""; 0], "people want fewer");
    assert_eq!(broken(&world, &[scale("old", 2)]), ["listed_pods_stay"]);
    world.settings.verifies_targets = false;
    assert_eq!(broken(&world, &[scale("old", 0)]), [""; 0], "nobody is asked");
    world.settings.verifies_targets = true;
    world.replica_sets[1].replicas = 0;
    assert_eq!(broken(&world, &[scale("old", 0)]), [""; 0], "there is nothing to be known");
}

#[test]
fn each_write_is_judged_by_those_before_it() {
    let mut world = blue_green();
    say(&mut world, "main", bound(4, 4));
    let (shrink, switch) = (scale("old", 0), select("main", "newest"));
    assert_eq!(broken(&world, &[shrink.clone(), switch.clone()]), [""; 0]);
    assert_eq!(broken(&world, &[switch, shrink]), ["listed_pods_stay"], "the word was about other pods");
}

#[test]
fn a_canary_keeps_the_older_version_that_its_stable_service_has_left() {
    let mut routed_elsewhere = routed();
    routed_elsewhere.routers[0].abilities.registers = false;
    for (world, faults) in [(canary(), 1), (routed(), 1), (routed_elsewhere, 0)] {
        assert_eq!(broken(&world, &[scale("old", 2)]).len(), faults);
    }
    assert_eq!(broken(&canary(), &[scale("newest", 0)]), [""; 0], "it has never been stable");
    let mut world = canary();
    let deadline = (meta::SCALE_DOWN_DEADLINE_ANNOTATION.to_owned(), String::new());
    world.replica_sets[0].annotations.extend([deadline]);
    assert_eq!(broken(&world, &[scale("old", 0)]), [""; 0], "it has waited");
    let mut world = canary();
    say(&mut world, "main", bound(4, 0));
    assert_eq!(broken(&world, &[scale("old", 0)]), [""; 0]);
}

#[test]
fn an_overtaken_version_stays_while_its_service_is_sent_requests() {
    let mut world = routed();
    assert_eq!(broken(&world, &[scale("newest", 0)]), ["listed_pods_stay"]);
    say(&mut world, "canary", bound(4, 0));
    assert_eq!(broken(&world, &[scale("newest", 0)]), [""; 0]);
    say(&mut world, "canary", Targets::Unknown);
    assert_eq!(broken(&world, &[scale("new", 2)]), [""; 0], "it is what the Service selects");
    world.rollout.status.as_mut().unwrap().current_pod_hash = "newest".to_owned();
    assert_eq!(broken(&world, &[scale("newest", 0)]), [""; 0], "it has not been there yet");
    let mut world = routed();
    world.routers[0].observed.as_mut().unwrap().splits[0] =
        Split { canary: 0, stable: 100, ..Split::default() };
    assert_eq!(broken(&world, &[scale("newest", 0)]), [""; 0], "nobody asks the canary's Service");
}

#[test]
fn a_promotion_waits_for_the_targets_of_the_active_service() {
    let mut world = blue_green();
    assert_eq!(broken_with(&world, &[], "new"), ["promotion_waits_for_targets"]);
    assert_eq!(broken_with(&world, &[], "old"), [""; 0], "nothing is promoted");
    say(&mut world, "main", bound(4, 0));
    assert_eq!(broken_with(&world, &[], "new"), [""; 0]);
    let again = [select("main", "old"), select("main", "new")];
    assert_eq!(broken_with(&world, &again, "new"), ["promotion_waits_for_targets"], "it moves in this plan");
    say(&mut world, "main", bound(3, 3));
    world.settings.verifies_targets = false;
    assert_eq!(broken_with(&world, &[], "new"), [""; 0]);
    world.settings.verifies_targets = true;
    world.rollout.status.as_mut().unwrap().stable_rs = String::new();
    assert_eq!(broken_with(&world, &[], "new"), [""; 0], "the first deploy");
}

#[test]
fn weight_rises_where_targets_are_checked() {
    let mut world = routed();
    for said in [Targets::Unknown, bound(3, 3), bound(4, 3), Targets::Silent("down".to_owned())] {
        say(&mut world, "canary", said.clone());
        assert_eq!(broken(&world, &[route(11)]), ["weight_waits_for_targets"], "{said:?}");
        assert_eq!(broken(&world, &[route(10)]), [""; 0], "it is there");
        assert_eq!(broken(&world, &[route(0)]), [""; 0], "an abort waits for nobody");
    }
    for said in [bound(4, 4), Targets::Unbound] {
        say(&mut world, "canary", said);
        assert_eq!(broken(&world, &[route(11)]), [""; 0]);
        assert_eq!(broken(&world, &[select("canary", "newest"), route(11)]), ["weight_waits_for_targets"]);
    }
    say(&mut world, "canary", bound(0, 0));
    world.routers[0].abilities.registers = false;
    assert_eq!(broken(&world, &[route(11)]), [""; 0], "this one keeps no lists");
}
