//! What the simulation has found where it looked at rest, at other owners' objects and at versions that come back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use planner::{Owner, Pod, Write, plan};
use serde_json::{Value, json};
use std::time::Duration;
use support::Model;

fn model(replicas: i32, strategy: &Value, more: &Value) -> Model {
    let mut model = Model::new();
    let spec = json!({"selector": {"app": "demo"}});
    model.create(&json!({"kind": "Service", "metadata": {"name": "main"}, "spec": spec}));
    let template = json!({"metadata": {"labels": {"app": "demo"}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]}});
    let mut spec = json!({"replicas": replicas, "selector": {"matchLabels": {"app": "demo"}},
        "template": template, "strategy": strategy});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    model.create(
        &json!({"apiVersion": crds::API_VERSION, "kind": "Rollout", "metadata": {"name": "demo"}, "spec": spec}),
    );
    model
}

fn until_phase(model: &mut Model, phase: &str) {
    let there = model.run_until(Duration::from_millis(800), Duration::from_secs(90), |model| {
        let generation = model.world.rollout.metadata.generation.unwrap().to_string();
        let status = model.world.rollout.status.as_ref();
        status.is_some_and(|status| status.phase == phase && status.observed_generation == generation)
    });
    assert!(there, "never {phase}: {:?}", model.world.rollout.status);
}

#[test]
fn a_frozen_rollout_that_is_healthy_is_left_alone() {
    let mut model = model(1, &json!({"canary": {}}), &json!({}));
    until_phase(&mut model, "Healthy");
    model.patch(&json!({"spec": {"paused": true}}));
    until_phase(&mut model, "Paused");
    for minutes in 1..4 {
        let plan = plan(&model.world, model.now.plus_seconds(60 * minutes));
        assert!(plan.writes.is_empty());
        assert_eq!(plan.status, model.world.rollout.status, "{minutes} minutes later");
    }
}

#[test]
fn a_version_that_comes_back_has_a_deadline_of_its_own() {
    let more = json!({"progressDeadlineSeconds": 30, "progressDeadlineAbort": true});
    let mut model = model(1, &json!({"canary": {"steps": [{"pause": {}}]}}), &more);
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    until_phase(&mut model, "Paused");
    model.patch(&json!({"status": {"promoteFull": true}}));
    until_phase(&mut model, "Healthy");
    model.run_until(Duration::from_secs(30), Duration::from_secs(120), |_| false);
    model.set_image("app:1");
    for _ in 0..6 {
        model.reconcile();
        assert!(!model.world.rollout.status.as_ref().unwrap().abort, "it has only begun");
    }
}

#[test]
fn an_aborted_version_that_stays_follows_the_scale() {
    let strategy =
        json!({"activeService": "main", "autoPromotionEnabled": false, "abortScaleDownDelaySeconds": 0});
    let mut model = model(2, &json!({"blueGreen": strategy}), &json!({}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    until_phase(&mut model, "Paused");
    model.patch(&json!({"status": {"abort": true}}));
    until_phase(&mut model, "Degraded");
    model.patch(&json!({"spec": {"replicas": 3}}));
    model.run_until(Duration::from_secs(1), Duration::from_secs(20), |_| false);
    for set in model.world.replica_sets.iter().filter(|set| set.replicas > 0) {
        assert_eq!(set.desired_annotation(), Some(3), "{} would be scaled for ever", set.name);
    }
}

#[test]
fn a_restart_leaves_somebody_elses_pods_alone() {
    let mut model = model(2, &json!({"canary": {}}), &json!({}));
    until_phase(&mut model, "Healthy");
    let mut foreign = model.world.replica_sets[0].clone();
    (foreign.name, foreign.uid, foreign.owner) = ("other".to_owned(), "other".to_owned(), Owner::Other);
    let pod = |name: &str, set: &str| Pod {
        name: name.to_owned(),
        uid: name.to_owned(),
        replica_set_uid: set.to_owned(),
        available: true,
        ..Pod::default()
    };
    let own = model.world.replica_sets[0].uid.clone();
    model.world.pods = vec![pod("a", "other"), pod("b", "other"), pod("c", &own), pod("d", &own)];
    model.world.replica_sets.push(foreign);
    model.world.rollout.spec.restart_at = Some(model.now.plus_seconds(-1));
    let plan = plan(&model.world, model.now);
    let evicted: Vec<_> = plan
        .writes
        .iter()
        .filter_map(|planned| match &planned.write {
            Write::EvictPod { target } => Some(target.name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(evicted, ["c"], "one of ours, as one may be missing");
}

#[test]
fn the_active_service_waits_for_a_size_that_is_observed() {
    let mut model =
        model(2, &json!({"blueGreen": {"activeService": "main", "autoPromotionEnabled": false}}), &json!({}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    until_phase(&mut model, "Paused");
    model.patch(&json!({"status": {"pauseConditions": null}}));
    let switches = |model: &Model| {
        let plan = plan(&model.world, model.now);
        plan.writes.iter().any(|planned| matches!(planned.write, Write::SelectService { .. }))
    };
    let current = model.world.rollout.status.as_ref().unwrap().current_pod_hash.clone();
    let observed = |model: &mut Model, is: bool| {
        let sets = model.world.replica_sets.iter_mut();
        sets.filter(|set| set.hash() == current).for_each(|set| set.counts.generation_observed = is);
    };
    model.reconcile();
    observed(&mut model, false);
    assert!(!switches(&model), "its pods may be about to go");
    observed(&mut model, true);
    let there = model.run_until(Duration::from_secs(1), Duration::from_secs(20), |model| {
        model.world.services["main"].hash() == current
    });
    assert!(there);
}
