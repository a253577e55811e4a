//! Each rule finds a plan that breaks it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::{Fault, check};
use crate::{Owner, Plan, Planned, ReplicaSet, ReplicaSetCounts, Service, Target, World, Write};
use crds::analysis::{AnalysisPhase, AnalysisRunStatus};
use crds::rollout::RolloutStatus;
use crds::rollout::status::PauseCondition;
use crds::{Time, meta};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn set(name: &str, pods: i32, available: i32) -> ReplicaSet {
    ReplicaSet {
        name: name.to_owned(),
        owner: Owner::Ours,
        labels: hash(name),
        replicas: pods,
        counts: ReplicaSetCounts {
            replicas: pods,
            ready: available,
            available,
            generation_observed: true,
            resized_here: false,
        },
        ..ReplicaSet::default()
    }
}

fn hash(hash: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(meta::POD_TEMPLATE_HASH_LABEL.to_owned(), hash.to_owned())])
}

fn world(strategy: &Value) -> World {
    let rollout = json!({"metadata": {"name": "demo"}, "spec": {"replicas": 4, "strategy": strategy}});
    let service = Service { name: "active".to_owned(), selector: hash("old"), ..Service::default() };
    World {
        rollout: serde_json::from_value(rollout).unwrap(),
        replica_sets: vec![set("old", 4, 4), set("new", 1, 0)],
        services: BTreeMap::from([("active".to_owned(), service)]),
        ..World::default()
    }
}

fn target(name: &str) -> Target {
    Target { name: name.to_owned(), ..Target::default() }
}

fn broken(world: &World, write: Write) -> Vec<&'static str> {
    let planned = Planned { write, reason: String::new() };
    let plan = Plan { writes: vec![planned], ..Plan::default() };
    check(world, &plan, Time::default()).into_iter().map(|fault: Fault| fault.rule).collect()
}

fn scale(name: &str, from: i32, to: i32) -> Write {
    Write::ScaleReplicaSet { target: target(name), from, to, annotations: BTreeMap::new() }
}

#[test]
fn sizes_keep_their_bound() {
    let world = world(&json!({"canary": {"maxUnavailable": 1}}));
    assert_eq!(broken(&world, scale("old", 4, 3)), Vec::<&str>::new());
    assert_eq!(broken(&world, scale("old", 4, 2)), ["availability"]);
}

#[test]
fn evicted_pods_are_not_counted_on() {
    let pod = |name: &str, set: &str| crate::Pod {
        name: name.to_owned(),
        replica_set_uid: set.to_owned(),
        available: true,
        ..crate::Pod::default()
    };
    let mut world = world(&json!({"canary": {"maxUnavailable": 0, "maxSurge": 1}}));
    world.rollout.spec.replicas = Some(2);
    world.replica_sets = vec![set("old", 2, 2), set("new", 1, 1)];
    world.replica_sets.iter_mut().for_each(|set| set.uid.clone_from(&set.name));
    world.pods = vec![pod("a", "old"), pod("b", "old"), pod("c", "new")];
    let evict = |name: &str| Write::EvictPod { target: target(name) };
    let faults = |writes: &[Write]| {
        let planned = |write: &Write| Planned { write: write.clone(), reason: String::new() };
        rules(&world, &Plan { writes: writes.iter().map(planned).collect(), ..Plan::default() })
    };
    assert_eq!(faults(&[evict("a")]), [""; 0]);
    assert_eq!(faults(&[evict("a"), evict("b"), evict("c")]), ["availability"]);
    assert_eq!(faults(&[scale("old", 2, 1)]), [""; 0]);
    assert_eq!(faults(&[evict("a"), scale("old", 2, 1)]), [""; 0], "one of them goes anyway");
    assert_eq!(faults(&[evict("c"), scale("old", 2, 1)]), ["availability"]);
}

#[test]
fn strangers_are_left_alone() {
    let mut world = world(&json!({"canary": {}}));
    world.replica_sets[1].owner = Owner::Other;
    assert_eq!(broken(&world, scale("new", 1, 2)), ["only_own_objects"]);
}

#[test]
fn a_hash_has_one_set() {
    let create = Write::CreateReplicaSet {
        name: "again".to_owned(),
        labels: hash("new"),
        annotations: BTreeMap::new(),
        selector: crds::LabelSelector::default(),
        template: Arc::default(),
        replicas: 0,
        min_ready_seconds: 0,
    };
    assert_eq!(broken(&world(&json!({"canary": {}})), create), ["one_create_per_hash"]);
}

#[test]
fn a_service_does_not_go_where_nobody_is() {
    let world = world(&json!({"blueGreen": {"activeService": "active"}}));
    let write =
        Write::SelectService { target: target("active"), hash: Some("new".to_owned()), managed_by: None };
    assert!(broken(&world, write).contains(&"services_have_pods"));
}

#[test]
fn nobody_is_sent_to_a_version_that_is_emptied() {
    let mut canary = world(&json!({"canary": {"stableService": "active", "maxUnavailable": 1}}));
    canary.replica_sets = vec![set("old", 4, 4), set("new", 4, 4)];
    assert_eq!(broken(&canary, scale("old", 4, 1)), [""; 0]);
    assert_eq!(broken(&canary, scale("old", 4, 0)), ["services_have_pods"]);
    canary.rollout.spec.replicas = Some(0);
    assert_eq!(broken(&canary, scale("old", 4, 0)), [""; 0], "no pods are wanted");
    let all_may_be_missing = world(&json!({"canary": {"stableService": "active", "maxUnavailable": 4}}));
    assert_eq!(broken(&all_may_be_missing, scale("old", 4, 0)), [""; 0]);
}

#[test]
fn gates_hold_and_timed_pauses_wake() {
    let mut world = world(&json!({"canary": {"steps": [{"pause": {"duration": 10}}]}}));
    let pause = PauseCondition { reason: "CanaryPauseStep".to_owned(), start_time: Time::default() };
    let status = RolloutStatus {
        stable_rs: "old".to_owned(),
        current_pod_hash: "new".to_owned(),
        current_step_index: Some(0),
        pause_conditions: Some(vec![pause]),
        controller_pause: true,
        ..RolloutStatus::default()
    };
    world.rollout.status = Some(status.clone());
    let rules = |status: RolloutStatus| {
        let plan = Plan { status: Some(status), ..Plan::default() };
        check(&world, &plan, Time::default()).into_iter().map(|fault| fault.rule).collect::<Vec<_>>()
    };
    assert_eq!(rules(status.clone()), ["wake_is_present"]);
    assert_eq!(rules(RolloutStatus { current_step_index: Some(1), ..status }), ["no_skipped_gate"]);
}

fn rules(world: &World, plan: &Plan) -> Vec<&'static str> {
    check(world, plan, Time::default()).into_iter().map(|fault| fault.rule).collect()
}

#[test]
fn an_abort_is_heard() {
    let mut world = world(&json!({"canary": {}}));
    let asked = RolloutStatus {
        stable_rs: "old".to_owned(),
        current_pod_hash: "new".to_owned(),
        promote_full: true,
        abort: true,
        ..RolloutStatus::default()
    };
    world.rollout.status = Some(asked.clone());
    let dropped = RolloutStatus { abort: false, ..asked.clone() };
    let rules =
        |status: &RolloutStatus| rules(&world, &Plan { status: Some(status.clone()), ..Plan::default() });
    assert_eq!(rules(&asked), [""; 0]);
    assert_eq!(rules(&dropped), ["no_ignored_abort"]);
    assert_eq!(rules(&RolloutStatus { stable_rs: "new".to_owned(), ..dropped }), [""; 0]);
}

#[test]
fn nothing_is_promoted_past_an_undecided_analysis() {
    let mut world = world(&json!({"canary": {}}));
    let undecided =
        PauseCondition { reason: "InconclusiveAnalysisRun".to_owned(), start_time: Time::default() };
    let waiting = RolloutStatus {
        stable_rs: "old".to_owned(),
        current_pod_hash: "new".to_owned(),
        pause_conditions: Some(vec![undecided]),
        ..RolloutStatus::default()
    };
    let promoted = RolloutStatus { stable_rs: "new".to_owned(), ..waiting.clone() };
    world.rollout.status = Some(waiting.clone());
    let plan = |status: RolloutStatus| Plan { status: Some(status), ..Plan::default() };
    assert_eq!(rules(&world, &plan(waiting.clone())), [""; 0]);
    assert_eq!(rules(&world, &plan(promoted.clone())), ["no_skipped_gate"]);
    world.rollout.status = Some(RolloutStatus { pause_conditions: None, ..waiting });
    assert_eq!(rules(&world, &plan(promoted)), [""; 0]);
}

#[test]
fn a_promotion_by_hand_is_waited_for() {
    let strategy = json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false}});
    let mut world = world(&strategy);
    world.replica_sets = vec![set("old", 4, 4), set("new", 4, 4)];
    let pause = PauseCondition { reason: "BlueGreenPause".to_owned(), start_time: Time::default() };
    let waiting = RolloutStatus {
        stable_rs: "old".to_owned(),
        current_pod_hash: "new".to_owned(),
        pause_conditions: Some(vec![pause]),
        controller_pause: true,
        ..RolloutStatus::default()
    };
    let resumed = RolloutStatus { pause_conditions: None, ..waiting.clone() };
    for (status, hash, faults) in [
        (&waiting, Some("old"), 1),
        // Whoever takes the hash out of the Service opens no gate.
        (&waiting, None, 1),
        (&resumed, Some("old"), 0),
        (&resumed, None, 0),
    ] {
        world.rollout.status = Some(status.clone());
        world.services.get_mut("active").unwrap().selector = hash.map(self::hash).unwrap_or_default();
        let write =
            Write::SelectService { target: target("active"), hash: Some("new".to_owned()), managed_by: None };
        let planned = Planned { write, reason: String::new() };
        let plan = Plan { writes: vec![planned], status: Some(status.clone()), ..Plan::default() };
        assert_eq!(rules(&world, &plan).len(), faults, "{status:?} {hash:?}");
    }
}

#[test]
fn a_version_gets_production_only_by_its_own_gate() {
    let analysis = json!({"templates": [{"templateName": "t"}]});
    let mut world =
        world(&json!({"blueGreen": {"activeService": "active", "prePromotionAnalysis": analysis}}));
    world.replica_sets = vec![set("old", 2, 2), set("new", 2, 2)];
    world.rollout.status = Some(RolloutStatus {
        stable_rs: "old".to_owned(),
        current_pod_hash: "new".to_owned(),
        ..RolloutStatus::default()
    });
    let to = |hash: &str| {
        let mut plan = Plan { status: world.rollout.status.clone(), ..Plan::default() };
        let write =
            Write::SelectService { target: target("active"), hash: Some(hash.to_owned()), managed_by: None };
        plan.writes.push(crate::Planned { write, reason: String::new() });
        plan
    };
    let (forward, back) = (to("new"), to("old"));
    assert!(rules(&world, &forward).contains(&"no_skipped_gate"));
    assert!(!rules(&world, &back).contains(&"no_skipped_gate"), "the way back has no gate");
    let run = |hash: &str, phase: AnalysisPhase| crate::AnalysisRunView {
        name: "run".to_owned(),
        uid: String::new(),
        resource_version: String::new(),
        created: Time::default(),
        deleting: false,
        labels: BTreeMap::from([
            (meta::POD_TEMPLATE_HASH_LABEL.to_owned(), hash.to_owned()),
            (meta::ROLLOUT_TYPE_LABEL.to_owned(), "PrePromotion".to_owned()),
        ]),
        annotations: BTreeMap::new(),
        spec: Arc::default(),
        status: Some(Arc::new(AnalysisRunStatus { phase, ..AnalysisRunStatus::default() })),
    };
    for (hash, phase, broken) in [
        ("other", AnalysisPhase::Successful, true),
        ("new", AnalysisPhase::Running, true),
        ("new", AnalysisPhase::Successful, false),
    ] {
        world.analysis_runs = vec![run(hash, phase)];
        assert_eq!(rules(&world, &forward).contains(&"no_skipped_gate"), broken, "{hash} {phase}");
    }
}

#[test]
fn whatever_is_timed_has_a_wake() {
    let mut world = world(&json!({"blueGreen": {"activeService": "active", "autoPromotionSeconds": 30}}));
    let pause = PauseCondition { reason: "BlueGreenPause".to_owned(), start_time: Time::default() };
    let paused = RolloutStatus { pause_conditions: Some(vec![pause]), ..RolloutStatus::default() };
    world.rollout.status = Some(paused.clone());
    let at = |seconds: Option<i64>| Plan {
        status: world.rollout.status.clone(),
        wake: seconds
            .map(|seconds| crate::Wake { at: Time::default().plus_seconds(seconds), why: String::new() }),
        ..Plan::default()
    };
    assert_eq!(rules(&world, &at(None)), ["wake_is_present"]);
    assert_eq!(rules(&world, &at(Some(31))), ["wake_is_present"]);
    assert_eq!(rules(&world, &at(Some(30))), [""; 0]);

    // An old version is kept for ten seconds more: that comes first.
    let mut old = set("older", 2, 2);
    let deadline = Time::default().plus_seconds(10).to_string();
    old.annotations.insert(meta::SCALE_DOWN_DEADLINE_ANNOTATION.to_owned(), deadline);
    let plan = at(Some(30));
    world.replica_sets.push(old);
    assert_eq!(rules(&world, &plan), ["wake_is_present"]);
}
