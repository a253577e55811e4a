//! Phase, conditions, deadline. `[status.phase]` `[status.conditions]` `[deadline]`

use crate::play::Play;
use serde_json::{Value, json};

fn canary(steps: &Value) -> Value {
    json!({"canary": {"steps": steps}})
}

fn condition(play: &Play, kind: &str) -> Option<(String, String, String)> {
    let conditions = play.status().conditions.unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition.kind == kind)?;
    Some((found.status, found.reason, play.model.plain(&found.message)))
}

fn texts(of: (&str, &str, &str)) -> Option<(String, String, String)> {
    Some((of.0.to_owned(), of.1.to_owned(), of.2.to_owned()))
}

#[test]
fn an_update_that_makes_no_progress_is_told_and_may_still_succeed() {
    let more = json!({"progressDeadlineSeconds": 20});
    let mut play = Play::with(2, &canary(&json!([{"setWeight": 50}])), &more);
    play.update("app:bad", 40);
    let message = "ReplicaSet \"demo-h2\" has timed out progressing.";
    assert_eq!(condition(&play, "Progressing"), texts(("False", "ProgressDeadlineExceeded", message)));
    assert_eq!(
        play.status().message,
        format!("ProgressDeadlineExceeded: {message}").replace("h2", play.set("h2").hash())
    );
    assert_eq!((play.phase().as_str(), play.status().abort), ("Degraded", false));
    play.update("app:3", 60);
    assert_eq!(play.phase(), "Healthy");
}

#[test]
fn the_deadline_does_not_run_in_a_pause_or_an_analysis() {
    let analysis = json!({"analysis": {"templates": [{"templateName": "t"}]}});
    for wait in [json!({"pause": {}}), json!({"pause": {"duration": "10m"}}), analysis] {
        let more = json!({"progressDeadlineSeconds": 20, "progressDeadlineAbort": true});
        let mut play = Play::with(2, &canary(&json!([{"setWeight": 50}, wait])), &more);
        play.update("app:2", 120);
        let status = play.status();
        assert!(status.phase != "Degraded" && !status.abort, "{wait}: {status:?}");
    }
}

#[test]
fn the_deadline_begins_anew_with_each_progress() {
    // One pod after the other: the whole takes longer than the deadline, no part of it does.
    let more = json!({"progressDeadlineSeconds": 10, "minReadySeconds": 5});
    let strategy = json!({"canary": {"maxSurge": 1, "maxUnavailable": 0}});
    let mut play = Play::with(6, &strategy, &more);
    let began = play.model.now;
    play.model.set_image("app:2");
    play.watch(200, |play| assert_ne!(play.phase(), "Degraded"));
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
    let last = play.model.world.rollout.status.as_ref().unwrap().duration.clone().unwrap();
    assert!(last.finished_at.unwrap() > began.plus_seconds(10));
}

#[test]
fn conditions_of_a_pause_and_of_its_end() {
    let mut play = Play::new(2, &canary(&json!([{"setWeight": 50}, {"pause": {}}])));
    assert_eq!(condition(&play, "Paused"), None, "it comes with the first pause");
    play.update("app:2", 20);
    assert_eq!(condition(&play, "Progressing"), texts(("Unknown", "RolloutPaused", "Rollout is paused")));
    assert_eq!(condition(&play, "Paused"), texts(("True", "RolloutPaused", "Rollout is paused")));
    assert_eq!(condition(&play, "Completed"), texts(("False", "RolloutCompleted", "RolloutCompleted")));
    assert_eq!(condition(&play, "Healthy"), texts(("False", "RolloutHealthy", "Rollout is not healthy")));
    play.act("promote", 30);
    let message = "ReplicaSet \"demo-h2\" has successfully progressed.";
    assert_eq!(condition(&play, "Progressing"), texts(("True", "NewReplicaSetAvailable", message)));
    assert_eq!(condition(&play, "Paused"), texts(("False", "RolloutPaused", "Rollout is paused")));
    assert_eq!(condition(&play, "Healthy"), texts(("True", "RolloutHealthy", "Rollout is healthy")));
    assert_eq!(condition(&play, "Completed"), texts(("True", "RolloutCompleted", "RolloutCompleted")));
}

#[test]
fn what_is_observed_is_written_as_text() {
    let mut play = Play::new(2, &canary(&json!([{"setWeight": 50}, {"pause": {}}])));
    play.update("app:2", 20);
    let value = serde_json::to_value(play.status()).unwrap();
    let generation = play.model.world.rollout.metadata.generation.unwrap().to_string();
    assert_eq!(value["observedGeneration"], json!(generation));
    assert_eq!(value["canary"], json!({}), "it is there, and empty");
    for absent in ["abort", "promoteFull", "blueGreen", "collisionCount", "restartedAt"] {
        assert!(value.get(absent).is_none(), "{absent}: {value}");
    }
}

#[test]
fn available_is_told_with_all_pods_and_not_with_fewer() {
    let mut play = Play::new(3, &canary(&json!([])));
    let available = |play: &Play| condition(play, "Available").map(|(status, reason, _)| (status, reason));
    assert_eq!(available(&play), Some(("True".to_owned(), "AvailableReason".to_owned())));
    play.model.act("deletePod", &json!({"revision": 1}));
    let mut seen = Vec::new();
    play.watch(20, |play| seen.push((available(play).unwrap().0, play.phase())));
    assert!(seen.contains(&("False".to_owned(), "Progressing".to_owned())), "{seen:?}");
    assert_eq!(available(&play).unwrap().0, "True");
}

#[test]
fn a_restart_shows_until_it_is_done() {
    let mut play = Play::new(3, &canary(&json!([])));
    let at = play.model.now.plus_seconds(30).to_string();
    play.model.patch(&json!({"spec": {"restartAt": at}}));
    play.run(20);
    assert_eq!(play.status().message, "rollout is restarting", "it is told before its time has come, too");
    let pods: Vec<String> = play.model.pods.iter().map(|pod| pod.name.clone()).collect();
    assert_eq!(pods.len(), 3);
    play.run(60);
    assert_eq!(play.phase(), "Healthy");
    assert!(play.model.pods.iter().all(|pod| !pods.contains(&pod.name)));
    assert_eq!(play.status().restarted_at.map(|at| at.to_string()), Some(at));
}

#[test]
fn a_restart_is_no_health_between_two_pods() {
    let blue_green = json!({"blueGreen": {"activeService": "active"}});
    for strategy in [canary(&json!([])), blue_green] {
        let mut play = Play::new(3, &strategy);
        play.model.now = play.model.now.plus_seconds(5);
        play.model.act("restart", &Value::Null);
        let (mut told, mut evictions) = (Vec::new(), 0);
        while play.status().restarted_at.is_none() || play.phase() != "Healthy" {
            play.model.surroundings();
            let plan = planner::plan(&play.model.world, play.model.now);
            let evicts =
                |planned: &planner::Planned| matches!(planned.write, planner::Write::EvictPod { .. });
            evictions += plan.writes.iter().filter(|planned| evicts(planned)).count();
            let quiet = plan.writes.is_empty() && plan.status == play.model.world.rollout.status;
            play.model.carry_out(&plan);
            let healthy = condition(&play, "Healthy").unwrap().0;
            if told.last() != Some(&healthy) {
                told.push(healthy);
            }
            if quiet {
                play.model.now = play.model.next_moment().unwrap();
            }
        }
        assert_eq!((told, evictions), (vec!["False".to_owned(), "True".to_owned()], 3), "{strategy}");
    }
}

#[test]
fn a_new_template_does_the_work_of_a_restart() {
    let mut play = Play::new(3, &canary(&json!([{"setWeight": 50}, {"pause": {}}])));
    let at = play.model.now.plus_seconds(600).to_string();
    play.model.patch(&json!({"spec": {"restartAt": at}}));
    play.update("app:2", 20);
    assert_eq!(play.status().restarted_at.map(|at| at.to_string()), Some(at));
    assert_eq!(play.phase(), "Paused");
}

#[test]
fn a_pause_stays_told_whatever_pods_do() {
    let mut play = Play::new(3, &canary(&json!([{"setWeight": 50}, {"pause": {}}])));
    play.update("app:2", 20);
    play.model.act("deletePod", &json!({"revision": 1}));
    let mut counts = Vec::new();
    play.watch(20, |play| {
        assert_eq!(condition(play, "Progressing").unwrap().1, "RolloutPaused");
        counts.push(play.status().available_replicas);
    });
    assert!(counts.contains(&3) && counts.ends_with(&[4]), "pods came and went: {counts:?}");
}

#[test]
fn a_rollout_is_greeted_once() {
    let mut play = Play::new(2, &canary(&json!([{"setWeight": 50}])));
    play.update("app:2", 30);
    play.act("restart", 60);
    let greeted = play.model.reasons().iter().filter(|reason| **reason == "RolloutAddedToInformer").count();
    assert_eq!(greeted, 1);
    assert_eq!(play.model.reasons()[0], "RolloutAddedToInformer");
}

#[test]
fn a_pod_that_may_not_go_is_tried_again_later() {
    let mut play = Play::new(3, &canary(&json!([])));
    play.model.act("restart", &Value::Null);
    let now = play.model.now.plus_seconds(1);
    play.model.surroundings();
    let evicts = |plan: &planner::Plan| {
        plan.writes.iter().filter(|planned| matches!(planned.write, planner::Write::EvictPod { .. })).count()
    };
    assert_eq!(evicts(&planner::plan(&play.model.world, now)), 1);
    for pod in &mut play.model.world.pods {
        pod.eviction = Some(planner::Eviction::Blocked);
    }
    let next = planner::plan(&play.model.world, now);
    assert_eq!(evicts(&next), 0);
    assert_eq!(next.wake.map(|wake| wake.at), Some(now.plus_seconds(30)));
}

/// The ReplicaSet may still count the only pod, which has just been evicted and is gone.
#[test]
fn a_version_whose_pods_are_known_to_be_gone_is_not_promoted() {
    let mut play =
        Play::new(1, &json!({"canary": {"maxSurge": 1, "steps": [{"setWeight": 50}, {"pause": {}}]}}));
    play.update("app:2", 20);
    let world = &mut play.model.world;
    let status = world.rollout.status.as_mut().unwrap();
    (status.current_step_index, status.pause_conditions, status.controller_pause) = (Some(2), None, false);
    let promotes = |world: &planner::World| {
        let plan = planner::plan(world, play.model.now.plus_seconds(1));
        let status = plan.status.unwrap();
        status.stable_rs == status.current_pod_hash
    };
    world.pods.clear();
    (world.pods_are_known, world.rollout.spec.restart_at) = (false, None);
    assert!(promotes(world));
    (world.pods_are_known, world.rollout.spec.restart_at) = (true, Some(play.model.now));
    assert!(!promotes(world));
}

/// Only what is under way can be paused; the condition `Paused` says the rest.
#[test]
fn an_update_that_is_over_keeps_its_condition_when_it_is_frozen() {
    let mut play = Play::new(2, &json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}));
    play.run(10);
    play.model.patch(&json!({"spec": {"paused": true}}));
    play.run(30);
    let reason = |play: &Play, kind: &str| {
        let status = play.status();
        let mut all = status.conditions.unwrap().into_iter();
        all.find(|one| one.kind == kind).map(|one| (one.status, one.reason)).unwrap()
    };
    assert_eq!(play.phase(), "Paused");
    assert_eq!(reason(&play, "Progressing"), ("True".to_owned(), "NewReplicaSetAvailable".to_owned()));
    assert_eq!(reason(&play, "Paused").0, "True");
    play.update("app:2", 10);
    assert_eq!(reason(&play, "Progressing").1, "RolloutPaused");
}

#[test]
fn an_analysis_behind_the_switch_is_waited_for_until_it_is_over() {
    let rollout = |phase: &str| -> crds::Rollout {
        serde_json::from_value(json!({"metadata": {"name": "demo"},
            "spec": {"replicas": 1, "strategy": {"blueGreen": {"activeService": "active",
                "postPromotionAnalysis": {"templates": [{"templateName": "check"}]}}}},
            "status": {"updatedReplicas": 1, "availableReplicas": 1, "currentPodHash": "h2", "stableRS": "h1",
                "blueGreen": {"activeSelector": "h2",
                    "postPromotionAnalysisRunStatus": {"name": "run", "status": phase}}}}))
        .unwrap()
    };
    for (phase, message) in [
        ("Running", "waiting for analysis to complete"),
        ("Successful", "waiting for post-promotion verification to complete"),
    ] {
        let rollout = rollout(phase);
        let (_, told) = planner::rollout::phase_of(&rollout, rollout.status.as_ref().unwrap());
        assert_eq!(told, message, "{phase}");
    }
}
