//! What the simulation has found: acts that cross with a pass that ends early, or with pods that never come.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use crds::analysis::{AnalysisPhase, AnalysisRunStatus};
use planner::{Write, plan};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::Model;
use support::demo::{model, until, until_phase};

fn analysis() -> Value {
    json!({"analysis": {"templates": [{"templateName": "t"}]}})
}

fn step(model: &Model) -> Option<i32> {
    model.world.rollout.status.as_ref().unwrap().current_step_index
}

#[test]
fn pods_that_never_come_are_late_and_not_paused() {
    for seconds in [None, Some(5)] {
        let by_hand = json!({"activeService": "main", "autoPromotionEnabled": false});
        let mut model = model(2, &json!({"blueGreen": by_hand}));
        until_phase(&mut model, "Healthy");
        model.patch(&json!({"spec": {"replicas": 0, "progressDeadlineSeconds": 20}}));
        until_phase(&mut model, "Healthy");
        model.set_image("app:bad");
        until_phase(&mut model, "Paused");
        // Nobody is to promote it any more, but it cannot be promoted.
        let auto = json!({"autoPromotionEnabled": null, "autoPromotionSeconds": seconds});
        model.patch(&json!({"spec": {"replicas": 3, "strategy": {"blueGreen": auto}}}));
        until_phase(&mut model, "Degraded");
    }
}

#[test]
fn a_pause_that_people_ask_for_again_is_kept() {
    let by_hand = json!({"activeService": "main", "autoPromotionEnabled": false});
    let mut model = model(2, &json!({"blueGreen": by_hand}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    until_phase(&mut model, "Paused");
    let auto = |value: Value| json!({"spec": {"strategy": {"blueGreen": {"autoPromotionEnabled": value}}}});
    model.pods.pop();
    model.patch(&auto(Value::Null));
    until_phase(&mut model, "Progressing");
    model.patch(&auto(json!(false)));
    until_phase(&mut model, "Paused");
    model.run_until(Duration::from_secs(30), Duration::from_secs(60), |_| true);
    assert_ne!(model.world.services["main"].hash(), model.world.rollout.status.unwrap().current_pod_hash);
}

#[test]
fn a_restart_leaves_an_active_version_that_is_too_small() {
    let post = analysis()["analysis"].clone();
    let mut model = model(2, &json!({"blueGreen": {"activeService": "main", "postPromotionAnalysis": post}}));
    until_phase(&mut model, "Healthy");
    let stable = model.world.replica_sets[0].name.clone();
    model.set_image("app:2");
    until(&mut model, "analysed after its promotion", |model| model.world.analysis_runs.len() == 1);
    // Aborted while active, and frozen before the stable version can take over and grow.
    let gone = model.pods.iter().position(|pod| pod.set == stable).unwrap();
    model.pods.remove(gone);
    model.act("abort", &Value::Null);
    model.patch(&json!({"spec": {"replicas": 3}}));
    model.reconcile();
    model.now = model.now.plus_seconds(1);
    model.patch(&json!({"spec": {"paused": true, "restartAt": model.now.to_string()}}));
    let serving = |model: &Model| {
        let names = model.pods.iter().filter(|pod| pod.set != stable).map(|pod| pod.name.clone());
        names.collect::<Vec<_>>()
    };
    let before = serving(&model);
    model.run_until(Duration::from_secs(30), Duration::from_secs(120), |_| true);
    assert_eq!(serving(&model), before, "two of three pods serve: none of them is to go");
    model.act("unpause", &Value::Null);
    until(&mut model, "restarted", |model| {
        let status = model.world.rollout.status.as_ref().unwrap();
        status.restarted_at.is_some() && status.restarted_at == model.world.rollout.spec.restart_at
    });
}

#[test]
fn the_verdict_on_a_skipped_step_says_nothing_of_the_next_one() {
    let steps = json!([analysis(), analysis(), {"pause": {}}]);
    let mut model = model(2, &json!({"canary": {"steps": steps}}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    until(&mut model, "analysed", |model| model.world.analysis_runs.len() == 1);
    let successful = AnalysisRunStatus { phase: AnalysisPhase::Successful, ..AnalysisRunStatus::default() };
    model.world.analysis_runs[0].status = Some(Arc::new(successful));
    model.act("promote", &Value::Null);
    assert_eq!(step(&model), Some(1));
    // A pass that only scales.
    model.patch(&json!({"spec": {"replicas": 5}}));
    let next = plan(&model.world, model.now);
    assert_eq!(next.status.and_then(|status| status.current_step_index), Some(1));
}

#[test]
fn a_retry_is_not_ended_by_its_verdict_when_the_pass_ends_early() {
    let steps = json!([analysis(), {"pause": {}}]);
    for early in [json!({"restartAt": "2030-03-17T18:00:00Z"}), json!({"replicas": 5})] {
        let mut model = model(2, &json!({"canary": {"steps": steps}}));
        let script = |phase| vec![(0, phase, String::new())];
        model.scripts.insert("demo-h2-2-0".to_owned(), script(AnalysisPhase::Failed));
        model.scripts.insert("demo-h2-2-0.1".to_owned(), script(AnalysisPhase::Successful));
        until_phase(&mut model, "Healthy");
        model.set_image("app:2");
        until_phase(&mut model, "Degraded");
        model.now = model.now.plus_seconds(3600);
        // A pass that ends early leaves the run of an aborted step named.
        let name = model.world.analysis_runs[0].name.clone();
        let named = json!({"currentStepAnalysisRunStatus": {"name": name, "status": "Failed"}});
        model.patch(&json!({"status": {"canary": named}}));
        model.act("retry", &Value::Null);
        model.patch(&json!({"spec": early}));
        until_phase(&mut model, "Paused");
        assert_eq!(model.world.analysis_runs.len(), 2, "{early}: the old verdict was about the first try");
    }
}

/// Whether the plan that comes to the step asks that the new ReplicaSet is as it was seen.
fn asks_at(canary: &Value, index: i32) -> bool {
    let mut model = model(2, &json!({"canary": canary}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    for _ in 0..80 {
        model.surroundings();
        let next = plan(&model.world, model.now);
        if next.status.as_ref().is_some_and(|status| status.current_step_index == Some(index)) {
            let new = &next.status.as_ref().unwrap().current_pod_hash;
            let set = model.world.replica_sets.iter().find(|set| set.hash() == new).unwrap();
            let asks = |write: &Write| matches!(write, Write::AnnotateReplicaSet { target, .. } if target.name == set.name);
            return next.writes.iter().any(|planned| asks(&planned.write));
        }
        model.carry_out(&next);
        model.now = model.now.plus(Duration::from_millis(500));
    }
    panic!("step {index} of {canary} was never come to: {:?}", model.world.rollout.status);
}

#[test]
fn what_counts_on_the_pods_of_a_weight_asks_for_them_as_they_were_seen() {
    let (weight, pause) = (json!({"setWeight": 50}), json!({"pause": {"duration": "2s"}}));
    let steps = |steps: &[&Value]| json!({"steps": steps});
    let analysed = analysis();
    assert!(asks_at(&steps(&[&weight, &analysed]), 1), "an analysis");
    assert!(asks_at(&steps(&[&weight, &json!({"setWeight": 60}), &pause]), 1), "another weight");
    assert!(!asks_at(&steps(&[&weight, &pause, &analysed]), 1), "a pause counts on nothing");
    assert!(asks_at(&steps(&[&weight, &pause, &analysed]), 2), "an analysis after a pause");
    assert!(!asks_at(&steps(&[&weight, &pause, &pause]), 2), "a pause after a pause");
    let beside = json!({"templates": [{"templateName": "t"}], "startingStep": 1});
    let beside = json!({"steps": [weight, pause], "analysis": beside});
    assert!(asks_at(&beside, 1), "an analysis that starts beside the pause");
}

#[test]
fn a_promotion_is_recorded_before_the_pods_of_the_old_version_go() {
    let steps = json!([{"setWeight": 50}, {"pause": {"duration": "2s"}}]);
    let mut model = model(1, &json!({"canary": {"steps": steps}}));
    until_phase(&mut model, "Healthy");
    let first = model.world.replica_sets[0].name.clone();
    model.set_image("app:2");
    for _ in 0..80 {
        model.surroundings();
        let next = plan(&model.world, model.now);
        let (before, following) = next.parts();
        if let [planned] = following {
            let goes = matches!(&planned.write, Write::ScaleReplicaSet { target, to: 0, .. } if target.name == first);
            assert!(goes, "{planned:?}");
            // In one write: the end of the last step, and the promotion.
            let (old, new) = (model.world.rollout.status.clone().unwrap(), next.status.clone().unwrap());
            assert_eq!((old.current_step_index, new.current_step_index), (Some(1), Some(2)));
            assert_ne!(old.stable_rs, new.stable_rs);
            assert!(
                matches!(before, [ask] if matches!(&ask.write, Write::AnnotateReplicaSet { target, .. } if target.name != first)),
                "{before:?}"
            );
            let told: Vec<&str> = next.notices.iter().map(|notice| notice.reason).collect();
            assert_eq!(told[told.len() - 2..], ["ScalingReplicaSet", "RolloutCompleted"], "{told:?}");
            return;
        }
        assert!(following.is_empty(), "{following:?}");
        model.carry_out(&next);
        model.now = model.now.plus(Duration::from_millis(500));
    }
    panic!("it was never promoted: {:?}", model.world.rollout.status);
}

#[test]
fn a_preview_shrinks_while_the_active_service_is_as_it_was_seen() {
    let by_hand = json!({"activeService": "main", "autoPromotionEnabled": false, "previewReplicaCount": 1});
    let mut model = model(2, &json!({"blueGreen": by_hand}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    until_phase(&mut model, "Paused");
    let new = model.world.rollout.status.as_ref().unwrap().current_pod_hash.clone();
    model.world.replica_sets.iter_mut().find(|set| set.hash() == new).unwrap().replicas = 2;
    model.surroundings();
    let next = plan(&model.world, model.now);
    let shrinks = |write: &Write| matches!(write, Write::ScaleReplicaSet { to: 1, .. });
    let confirms =
        |write: &Write| matches!(write, Write::SelectService { target, .. } if target.name == "main");
    let at = next.writes.iter().position(|planned| shrinks(&planned.write)).expect("it shrinks");
    assert!(next.writes[..at].iter().any(|planned| confirms(&planned.write)), "{:#?}", next.writes);
}
