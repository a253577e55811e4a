//! What the simulation has found: worlds that are seen late or in an unlucky moment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use crds::analysis::AnalysisPhase;
use planner::{Write, plan};
use serde_json::{Value, json};
use std::time::Duration;
use support::Model;
use support::demo::{model, until, until_phase};

fn step(model: &Model) -> Option<i32> {
    model.world.rollout.status.as_ref()?.current_step_index
}

#[test]
fn a_pause_is_not_passed_because_an_undecided_analysis_waits() {
    let steps = json!([{"pause": {"duration": "5s"}}, {"pause": {}}]);
    let analysis = json!({"templates": [{"templateName": "t"}]});
    let mut model = model(1, &json!({"canary": {"steps": steps, "analysis": analysis}}));
    until_phase(&mut model, "Healthy");
    model.scripts.insert("demo-h2-2".to_owned(), vec![(2000, AnalysisPhase::Inconclusive, String::new())]);
    model.set_image("app:2");
    until(&mut model, "at the second pause", |model| step(model) == Some(1));
    model.run_until(Duration::from_secs(30), Duration::from_secs(60), |_| false);
    assert_eq!(step(&model), Some(1), "nobody has resumed it");
}

#[test]
fn the_way_back_to_the_stable_version_keeps_its_size() {
    let analysis = json!({"templates": [{"templateName": "t"}]});
    let strategy =
        json!({"activeService": "main", "previewReplicaCount": 1, "postPromotionAnalysis": analysis});
    let mut model = model(3, &json!({"blueGreen": strategy}));
    until_phase(&mut model, "Healthy");
    let first = model.world.services["main"].hash().to_owned();
    model.set_image("app:2");
    until(&mut model, "switched", |model| model.world.services["main"].hash() != first);
    model.set_image("app:1");
    for _ in 0..10 {
        let plan = plan(&model.world, model.now);
        for planned in &plan.writes {
            let shrinks = matches!(&planned.write, Write::ScaleReplicaSet { target, to, .. }
                if target.name.ends_with(&first) && *to < 3);
            assert!(!shrinks, "{planned:?}");
        }
        model.carry_out(&plan);
    }
    assert_eq!(model.world.services["main"].hash(), first);
}

#[test]
fn a_stable_version_that_is_not_seen_is_no_first_deploy() {
    for strategy in [
        json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}),
        json!({"blueGreen": {"activeService": "main", "autoPromotionEnabled": false}}),
    ] {
        let mut model = model(2, &strategy);
        until_phase(&mut model, "Healthy");
        let stable = model.world.rollout.status.as_ref().unwrap().stable_rs.clone();
        model.set_image("app:2");
        model.reconcile();
        model.world.replica_sets.retain(|set| set.hash() != stable);
        let status = plan(&model.world, model.now).status.unwrap();
        assert_eq!(status.stable_rs, stable, "{strategy}");
    }
}

#[test]
fn revisions_do_not_go_back() {
    let mut model = model(1, &json!({"canary": {}}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    until_phase(&mut model, "Healthy");
    // The third revision was a rollback, but the ReplicaSets are seen as they were before.
    model.patch(&json!({"metadata": {"annotations": {crds::meta::REVISION_ANNOTATION: "3"}}}));
    let plan = plan(&model.world, model.now);
    let revisions: Vec<_> = plan
        .writes
        .iter()
        .filter_map(|planned| match &planned.write {
            Write::AnnotateRollout { annotations } => annotations.get(crds::meta::REVISION_ANNOTATION),
            _ => None,
        })
        .collect();
    assert_eq!(revisions, ["4"]);
}

#[test]
fn the_stable_service_leaves_before_its_version_is_emptied() {
    let services = json!({"stableService": "main", "canaryService": "next"});
    let mut model = model(2, &json!({"canary": services}));
    until_phase(&mut model, "Healthy");
    let first = model.world.services["main"].hash().to_owned();
    model.set_image("app:2");
    let mut emptied = false;
    for _ in 0..20 {
        model.surroundings();
        let plan = plan(&model.world, model.now);
        for planned in &plan.writes {
            if matches!(&planned.write, Write::ScaleReplicaSet { target, to: 0, .. } if target.name.ends_with(&first))
            {
                assert_ne!(model.world.services["main"].hash(), first);
                emptied = true;
            }
            model.write(&planned.write);
        }
        model.record(&plan);
        model.now = model.now.plus(Duration::from_millis(600));
    }
    assert!(emptied, "{:?}", model.world.replica_sets);
}

#[test]
fn a_promotion_that_waits_for_pods_wakes_nobody() {
    let mut model = model(2, &json!({"blueGreen": {"activeService": "main", "autoPromotionSeconds": 20}}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    until(&mut model, "Paused", |model| {
        model.world.rollout.status.as_ref().is_some_and(|status| status.phase == "Paused")
    });
    let new = model.world.rollout.status.as_ref().unwrap().current_pod_hash.clone();
    model
        .world
        .replica_sets
        .iter_mut()
        .filter(|set| set.hash() == new)
        .for_each(|set| set.counts.available = 1);
    let wake = |seconds| plan(&model.world, model.now.plus_seconds(seconds)).wake.map(|wake| wake.at);
    assert!(wake(1).is_some_and(|at| at > model.now && at <= model.now.plus_seconds(20)));
    assert!(wake(60).is_none_or(|at| at > model.now.plus_seconds(60)), "a wake in the past is a hot loop");
}

#[test]
fn pods_that_we_have_just_evicted_carry_no_switch() {
    let mut model = model(2, &json!({"blueGreen": {"activeService": "main", "autoPromotionEnabled": false}}));
    until_phase(&mut model, "Healthy");
    let first = model.world.services["main"].hash().to_owned();
    model.set_image("app:2");
    until(&mut model, "Paused", |model| {
        model.world.rollout.status.as_ref().is_some_and(|status| status.phase == "Paused")
    });
    model.act("promote", &Value::Null);
    model.patch(&json!({"spec": {"restartAt": model.now.plus_seconds(1).to_string()}}));
    model.surroundings();
    // The API shows the evictions before the ReplicaSet's status does.
    model.world.pods.iter_mut().for_each(|pod| pod.deleting = true);
    let plan = plan(&model.world, model.now.plus_seconds(2));
    let switched = plan.writes.iter().any(
        |planned| matches!(&planned.write, Write::SelectService { hash, .. } if *hash != Some(first.clone())),
    );
    assert!(!switched, "{:#?}", plan.writes);
}

#[test]
fn a_verdict_counts_though_the_status_that_named_its_run_was_lost() {
    let steps =
        json!([{"setWeight": 25}, {"analysis": {"templates": [{"templateName": "t"}]}}, {"pause": {}}]);
    let mut model = model(4, &json!({"canary": {"steps": steps}}));
    let script = |phase| vec![(0, phase, String::new())];
    model.scripts.insert("demo-h2-2-1".to_owned(), script(AnalysisPhase::Failed));
    model.scripts.insert("demo-h2-2-1.1".to_owned(), script(AnalysisPhase::Successful));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    // The controller dies after it has made the run: what nobody names has not begun.
    for _ in 0..60 {
        model.surroundings();
        let plan = plan(&model.world, model.now);
        plan.writes.iter().for_each(|planned| model.write(&planned.write));
        if !model.world.analysis_runs.is_empty() {
            break;
        }
        model.record(&plan);
        model.now = model.now.plus(Duration::from_millis(500));
    }
    until(&mut model, "aborted", |model| model.world.rollout.status.as_ref().unwrap().abort);
    assert_eq!(model.world.analysis_runs.len(), 1, "its verdict is final");
    // After a retry another run decides.
    model.now = model.now.plus_seconds(1);
    model.act("retry", &Value::Null);
    until(&mut model, "past the analysis", |model| step(model) == Some(2));
    assert_eq!(model.world.analysis_runs.len(), 2);
}

#[test]
fn other_steps_ask_for_another_verdict() {
    let analysis = json!({"analysis": {"templates": [{"templateName": "t"}]}});
    let mut model = model(4, &json!({"canary": {"steps": [{"setWeight": 25}, analysis, {"pause": {}}]}}));
    until_phase(&mut model, "Healthy");
    let successful = vec![(0, AnalysisPhase::Successful, String::new())];
    model.scripts.insert("demo-h2-2-1".to_owned(), successful);
    model.set_image("app:2");
    until(&mut model, "past the analysis", |model| step(model) == Some(2));
    model.now = model.now.plus_seconds(1);
    let steps = json!([{"setWeight": 50}, analysis, {"pause": {}}]);
    model.patch(&json!({"spec": {"strategy": {"canary": {"steps": steps}}}}));
    until(&mut model, "at the analysis again", |model| model.world.analysis_runs.len() == 2);
    assert_eq!(step(&model), Some(1));
}

#[test]
fn an_abort_does_not_lead_to_pods_that_we_have_just_evicted() {
    let mut model = model(1, &json!({"blueGreen": {"activeService": "main", "autoPromotionEnabled": false}}));
    until_phase(&mut model, "Healthy");
    let first = model.world.services["main"].hash().to_owned();
    model.set_image("app:2");
    until(&mut model, "paused", |model| {
        model.world.rollout.status.as_ref().is_some_and(|status| status.phase == "Paused")
    });
    let second = model.world.rollout.status.as_ref().unwrap().current_pod_hash.clone();
    // Production is with the second version, which waits for nothing but its promotion to stable.
    let service = model.world.services.get_mut("main").unwrap();
    service.selector.insert(crds::meta::POD_TEMPLATE_HASH_LABEL.to_owned(), second);
    model.act("abort", &Value::Null);
    model.patch(&json!({"spec": {"restartAt": model.now.plus_seconds(1).to_string()}}));
    model.surroundings();
    let away = |name: &str| name.contains(&first);
    model.world.pods.iter_mut().filter(|pod| away(&pod.name)).for_each(|pod| pod.deleting = true);
    let plan = plan(&model.world, model.now.plus_seconds(2));
    let back =
        |write: &Write| matches!(write, Write::SelectService { hash, .. } if *hash == Some(first.clone()));
    assert!(!plan.writes.iter().any(|planned| back(&planned.write)), "{:#?}", plan.writes);
}

/// A gate that decides within a second, and a person who tries again, at once or later, alone or with another change.
#[test]
fn a_retry_is_not_ended_by_the_verdict_before_it() {
    for (wait, scaled) in [(0, false), (0, true), (5, false), (5, true)] {
        let analysis = json!({"analysis": {"templates": [{"templateName": "t"}]}});
        let mut model = model(2, &json!({"canary": {"steps": [analysis]}}));
        until_phase(&mut model, "Healthy");
        model.scripts.insert("demo-h2-2-0".to_owned(), vec![(0, AnalysisPhase::Failed, String::new())]);
        model.scripts.insert("demo-h2-2-0.1".to_owned(), vec![(0, AnalysisPhase::Successful, String::new())]);
        model.set_image("app:2");
        let began = model.now;
        model.reconcile();
        assert_eq!(model.now, began, "all of it in one moment");
        assert_eq!(model.world.rollout.status.as_ref().unwrap().phase, "Degraded");
        model.run_until(Duration::from_secs(wait), Duration::from_secs(wait), |_| false);
        model.now = began.plus(Duration::from_secs(wait));
        model.act("retry", &Value::Null);
        if scaled {
            model.act("scale", &json!(3));
        }
        until_phase(&mut model, "Healthy");
        let names: Vec<&str> = model.world.analysis_runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names.len(), 2, "{wait} {scaled}: {names:?}");
    }
}

#[test]
fn a_run_is_named_by_its_revision_though_a_syncer_has_taken_the_annotation() {
    let steps = json!([{"setWeight": 100}, {"analysis": {"templates": [{"templateName": "t"}]}}]);
    let mut model = model(1, &json!({"canary": {"steps": steps}}));
    until_phase(&mut model, "Healthy");
    model.set_image("app:2");
    model.reconcile();
    assert!(model.world.analysis_runs.is_empty(), "its pod is not ready yet");
    model.now = model.now.plus(Duration::from_secs(3));
    model.patch(&json!({"metadata": {"annotations": {crds::meta::REVISION_ANNOTATION: null}}}));
    model.reconcile();
    let names: Vec<String> = model.world.analysis_runs.iter().map(|run| model.plain(&run.name)).collect();
    assert_eq!(names, ["demo-h2-2-1"]);
}
