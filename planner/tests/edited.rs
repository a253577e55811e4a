//! What the simulation has found: people apply another manifest while an update is in flight.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use crds::analysis::AnalysisPhase;
use planner::{ReplicaSet, Write, plan};
use serde_json::{Value, json};
use std::time::Duration;
use support::Model;
use support::demo::{model, until, until_phase};

fn set<'m>(model: &'m mut Model, image: &str) -> &'m mut ReplicaSet {
    let of = |set: &&mut ReplicaSet| set.template.0["spec"]["containers"][0]["image"] == image;
    model.world.replica_sets.iter_mut().find(of).unwrap()
}

#[test]
fn a_promotion_that_people_no_longer_wait_for_comes() {
    let mut model = model(5, &json!({"blueGreen": {"activeService": "main", "autoPromotionEnabled": false}}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    until_phase(&mut model, "Paused");
    // A pod is away as the promotion becomes automatic, and the preview smaller.
    model.pods.pop();
    let strategy = json!({"autoPromotionEnabled": null, "previewReplicaCount": 1});
    model.patch(&json!({"spec": {"strategy": {"blueGreen": strategy}}}));
    until_phase(&mut model, "Healthy");
}

#[test]
fn an_analysis_that_people_ask_for_in_a_timed_pause_is_made() {
    let timed = json!({"activeService": "main", "autoPromotionSeconds": 20});
    let mut model = model(2, &json!({"blueGreen": timed}));
    until_phase(&mut model, "Healthy");
    let successful = vec![(0, AnalysisPhase::Successful, String::new())];
    model.scripts.insert("demo-h2-2-pre".to_owned(), successful);
    model.set_image("app:2");
    until(&mut model, "in its pause", |model| {
        model.world.rollout.status.as_ref().unwrap().pause_conditions.is_some()
    });
    let analysis = json!({"templates": [{"templateName": "t"}]});
    model.patch(&json!({"spec": {"strategy": {"blueGreen": {"prePromotionAnalysis": analysis}}}}));
    until_phase(&mut model, "Healthy");
    assert_eq!(model.world.analysis_runs.len(), 1, "its gate was asked");
}

#[test]
fn a_longer_minimum_of_readiness_makes_pods_unavailable() {
    let mut model = model(2, &json!({"blueGreen": {"activeService": "main", "autoPromotionEnabled": false}}));
    until_phase(&mut model, "Healthy");
    let first = model.world.services["main"].hash().to_owned();
    model.set_image("app:2");
    until_phase(&mut model, "Paused");
    model.act("promote", &Value::Null);
    model.patch(&json!({"spec": {"minReadySeconds": 30}}));
    let hasty = plan(&model.world, model.now);
    let switches = |planned: &planner::Planned| matches!(&planned.write, Write::SelectService { hash, .. } if *hash != Some(first.clone()));
    assert!(!hasty.writes.iter().any(switches), "{:#?}", hasty.writes);
    until_phase(&mut model, "Healthy");
    assert_ne!(model.world.services["main"].hash(), first);
}

#[test]
fn stable_pods_stay_while_those_of_the_canary_are_counted_anew() {
    let strategy = json!({"maxSurge": 1, "maxUnavailable": 0, "steps": [{"setWeight": 50}, {"pause": {}}]});
    let mut model = model(2, &json!({"canary": strategy}));
    until_phase(&mut model, "Healthy");
    model.patch(&json!({"spec": {"minReadySeconds": 30}}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    // The canary's pod counts as available, but by a minimum that is none any more.
    until(&mut model, "beside stable", |model| model.world.replica_sets.len() == 2);
    until(&mut model, "with a pod", |model| model.world.replica_sets[1].replicas == 1);
    let name = set(&mut model, "app:2").name.clone();
    let since = model.now.plus_seconds(-40);
    model.pods.iter_mut().filter(|pod| pod.set == name).for_each(|pod| pod.ready = Some(since));
    model.surroundings();
    set(&mut model, "app:2").counts.generation_observed = false;
    let early = plan(&model.world, model.now);
    let shrinks = |planned: &planner::Planned| matches!(&planned.write, Write::ScaleReplicaSet { from, to, .. } if to < from);
    assert!(!early.writes.iter().any(shrinks), "{:#?}", early.writes);
    set(&mut model, "app:2").counts.generation_observed = true;
    let later = plan(&model.world, model.now);
    assert!(later.writes.iter().any(shrinks), "{:#?}", later.trail);
}

#[test]
fn a_frozen_rollback_is_looked_at_when_its_delay_is_over() {
    let analysis = json!({"templates": [{"templateName": "t"}]});
    let strategy =
        json!({"activeService": "main", "scaleDownDelaySeconds": 60, "prePromotionAnalysis": analysis});
    let mut model = model(1, &json!({"blueGreen": strategy}));
    until_phase(&mut model, "Healthy");
    let successful = vec![(0, AnalysisPhase::Successful, String::new())];
    model.scripts.insert("demo-h2-2-pre".to_owned(), successful);
    model.set_image("app:2");
    until(&mut model, "kept", |model| {
        model.world.replica_sets.iter().any(|set| set.scale_down_deadline().is_some())
    });
    let end = model.world.replica_sets.iter().find_map(ReplicaSet::scale_down_deadline).unwrap();
    model.patch(&json!({"spec": {"paused": true}}));
    model.set_image("app:1");
    model.reconcile();
    assert!(model.wake.is_some_and(|wake| wake <= end), "{:?}", model.wake);
}

#[test]
fn a_version_goes_when_those_that_stay_are_as_they_were_seen() {
    let strategy = json!({"maxSurge": 1, "maxUnavailable": 0, "steps": [{"setWeight": 50}, {"pause": {}}]});
    let mut model = model(2, &json!({"canary": strategy}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    until_phase(&mut model, "Paused");
    model.set_image("app:3");
    // All pods of the second version are to go, one after the other: those of the first one are counted on.
    for _ in 0..40 {
        model.surroundings();
        let next = plan(&model.world, model.now);
        let names = |planned: &planner::Planned| match &planned.write {
            Write::ScaleReplicaSet { target, from, to, .. } if to < from => Some((target.name.clone(), true)),
            Write::AnnotateReplicaSet { target, .. } => Some((target.name.clone(), false)),
            _ => None,
        };
        let touched: Vec<(String, bool)> = next.writes.iter().filter_map(names).collect();
        let second = set(&mut model, "app:2").name.clone();
        if let Some(at) = touched.iter().position(|(name, goes)| *goes && *name == second) {
            let stable = set(&mut model, "app:1").name.clone();
            let before = touched[..at].iter().any(|(name, goes)| !goes && *name == stable);
            assert!(before, "{:#?}", next.writes);
            return;
        }
        model.carry_out(&next);
        model.now = model.now.plus(Duration::from_millis(500));
    }
    panic!("the second version never gave up a pod: {:?}", model.world.replica_sets);
}

#[test]
fn a_canary_is_promoted_as_it_was_seen() {
    let mut model = model(2, &json!({"canary": {}}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    for _ in 0..40 {
        model.surroundings();
        let next = plan(&model.world, model.now);
        let hash = set_hash(&model, "app:2");
        let promoted = next.status.as_ref().is_some_and(|status| Some(&status.stable_rs) == hash.as_ref());
        if promoted {
            let name = set(&mut model, "app:2").name.clone();
            let confirmed = next.writes.iter().any(
                |planned| matches!(&planned.write, Write::AnnotateReplicaSet { target, .. } if target.name == name),
            );
            assert!(confirmed, "{:#?}", next.writes);
            return;
        }
        model.carry_out(&next);
        model.now = model.now.plus(Duration::from_millis(500));
    }
    panic!("never promoted: {:?}", model.world.rollout.status);
}

fn set_hash(model: &Model, image: &str) -> Option<String> {
    let of = |set: &&ReplicaSet| set.template.0["spec"]["containers"][0]["image"] == image;
    model.world.replica_sets.iter().find(of).map(|set| set.hash().to_owned())
}

#[test]
fn the_clock_of_the_api_server_decides_nothing_about_a_verdict() {
    let steps =
        json!([{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "t"}]}}, {"pause": {}}]);
    for ahead in [-300, 300] {
        let mut model = model(2, &json!({"canary": {"steps": steps}}));
        let script = |phase| vec![(0, phase, String::new())];
        model.scripts.insert("demo-h2-2-1".to_owned(), script(AnalysisPhase::Failed));
        model.scripts.insert("demo-h2-2-1.1".to_owned(), script(AnalysisPhase::Successful));
        until_phase(&mut model, "Healthy");
        model.set_image("app:2");
        until_phase(&mut model, "Degraded");
        model.world.analysis_runs[0].created = model.now.plus_seconds(ahead);
        model.now = model.now.plus_seconds(1);
        model.act("retry", &Value::Null);
        until_phase(&mut model, "Paused");
        assert_eq!(model.world.analysis_runs.len(), 2, "the old verdict was about the first try: {ahead}");
    }
}
