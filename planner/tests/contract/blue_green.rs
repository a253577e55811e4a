//! Blue-green. `[blue-green]`

use crate::play::{Play, analysis};
use crds::analysis::AnalysisPhase;
use serde_json::{Value, json};

fn blue_green(more: &Value) -> Value {
    let mut strategy = json!({"activeService": "active", "previewService": "preview"});
    strategy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"blueGreen": strategy})
}

#[test]
fn the_preview_is_shown_at_once_and_the_active_version_when_it_is_all_there() {
    let mut play = Play::new(3, &blue_green(&json!({})));
    play.model.set_image("app:2");
    let mut seen = Vec::new();
    play.watch(20, |play| {
        let available = play.find("h2").map_or(0, |set| set.counts.available);
        seen.push((play.selected("preview"), play.selected("active"), available));
    });
    assert!(seen.contains(&("h2".to_owned(), "h1".to_owned(), 0)), "{seen:?}");
    assert!(seen.iter().all(|(_, active, available)| active == "h1" || *available == 3), "{seen:?}");
    assert_eq!((play.selected("active").as_str(), play.phase().as_str()), ("h2", "Healthy"));
}

#[test]
fn seconds_do_not_promote_where_a_person_is_to() {
    let by_hand = json!({"autoPromotionEnabled": false, "autoPromotionSeconds": 5});
    let mut play = Play::new(2, &blue_green(&by_hand));
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), play.status().message.as_str()), ("Paused", "BlueGreenPause"));
    assert_eq!(play.selected("active"), "h1");
    play.act("promote", 10);
    assert_eq!((play.selected("active").as_str(), play.stable().as_str()), ("h2", "h2"));
}

#[test]
fn as_many_old_versions_wait_as_the_limit_says() {
    let limited = json!({"scaleDownDelaySeconds": 600, "scaleDownDelayRevisionLimit": 1});
    let mut play = Play::new(2, &blue_green(&limited));
    play.update("app:2", 20);
    assert_eq!(play.set("h1").replicas, 2);
    play.update("app:3", 20);
    assert_eq!((play.set("h1").replicas, play.set("h2").replicas), (0, 2), "the newest of them waits");
}

#[test]
fn a_delay_of_zero_is_none() {
    let mut play = Play::new(2, &blue_green(&json!({"scaleDownDelaySeconds": 0})));
    play.update("app:2", 10);
    assert_eq!((play.set("h1").replicas, play.set("h1").scale_down_deadline()), (0, None));
}

#[test]
fn the_old_version_is_kept_for_thirty_seconds_where_nothing_is_said() {
    let mut play = Play::new(2, &blue_green(&json!({})));
    play.update("app:2", 20);
    assert_eq!(play.set("h1").replicas, 2);
    play.run(20);
    assert_eq!((play.set("h1").replicas, play.set("h1").scale_down_deadline()), (0, None));
}

#[test]
fn an_aborted_preview_goes_after_its_delay_or_never() {
    let by_hand = json!({"autoPromotionEnabled": false});
    for (delay, after_20, after_60) in [(None, 2, 0), (Some(0), 2, 2), (Some(10), 0, 0)] {
        let mut strategy = blue_green(&by_hand);
        if let Some(delay) = delay {
            strategy["blueGreen"]["abortScaleDownDelaySeconds"] = json!(delay);
        }
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 20);
        play.act("abort", 20);
        assert_eq!(play.set("h2").replicas, after_20, "{delay:?}");
        assert_eq!((play.selected("active").as_str(), play.selected("preview").as_str()), ("h1", "h2"));
        play.run(40);
        assert_eq!(play.set("h2").replicas, after_60, "{delay:?}");
        assert_eq!(play.phase(), "Degraded");
    }
}

/// `[blue-green.abort-back]`
#[test]
fn an_aborted_rollback_is_not_promoted_where_somebody_sends_it_users() {
    let mut play = Play::new(2, &blue_green(&json!({"scaleDownDelaySeconds": 600})));
    play.update("app:2", 20);
    // Back to a version that waits out its delay, and has just lost a pod.
    play.model.act("deletePod", &json!({"revision": 1, "count": 1}));
    play.update("app:1", 0);
    play.act("abort", 5);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Degraded", "h2"));
    assert!(play.set("h1").scale_down_deadline().is_some());
    let hash = play.set("h1").hash().to_owned();
    let active = play.model.world.services.get_mut("active").unwrap();
    active.selector.insert(crds::meta::POD_TEMPLATE_HASH_LABEL.to_owned(), hash);
    assert_eq!(play.selected("active"), "h1");
    play.run(5);
    assert_eq!((play.selected("active").as_str(), play.stable().as_str()), ("h2", "h2"));
    assert_eq!(play.phase(), "Degraded");
}

#[test]
fn a_retry_within_the_delay_keeps_the_preview() {
    let mut play = Play::new(2, &blue_green(&json!({"autoPromotionEnabled": false})));
    play.update("app:2", 20);
    play.act("abort", 10);
    assert!(play.set("h2").scale_down_deadline().is_some());
    play.act("retry", 60);
    assert_eq!((play.set("h2").replicas, play.set("h2").scale_down_deadline()), (2, None));
    assert_eq!(play.phase(), "Paused");
}

#[test]
fn a_failed_analysis_behind_the_switch_takes_it_back() {
    let mut play = Play::new(2, &blue_green(&json!({"postPromotionAnalysis": analysis()})));
    play.script("demo-h2-2-post", 5_000, AnalysisPhase::Failed);
    play.model.set_image("app:2");
    play.run(4);
    assert_eq!((play.selected("active").as_str(), play.stable().as_str()), ("h2", "h1"));
    assert_eq!(play.status().message, "waiting for analysis to complete");
    play.run(30);
    assert_eq!((play.selected("active").as_str(), play.phase().as_str()), ("h1", "Degraded"));
    assert_eq!(play.set("h1").replicas, 2, "the version to go back to was not scaled down");
}

#[test]
fn an_abandoned_version_goes_though_the_next_one_is_still_analysed() {
    let gated = json!({"autoPromotionEnabled": false, "postPromotionAnalysis": analysis()});
    let mut play = Play::new(2, &blue_green(&gated));
    play.update("app:2", 20);
    play.update("app:3", 60);
    assert_eq!((play.set("h1").replicas, play.set("h2").replicas, play.set("h3").replicas), (2, 0, 2));
    assert_eq!(play.selected("active"), "h1");
}

#[test]
fn a_preview_that_never_starts_is_given_up_at_its_deadline() {
    let more = json!({"progressDeadlineSeconds": 20, "progressDeadlineAbort": true});
    let mut play = Play::with(2, &blue_green(&json!({})), &more);
    play.update("app:bad", 60);
    assert_eq!((play.phase().as_str(), play.selected("active").as_str()), ("Degraded", "h1"));
    let status = play.status();
    assert!(status.abort && status.message.starts_with("RolloutAborted"), "{status:?}");
}

#[test]
fn a_full_promotion_still_waits_for_all_pods() {
    let mut play = Play::new(2, &blue_green(&json!({"autoPromotionEnabled": false})));
    play.update("app:bad", 5);
    play.act("promoteFull", 30);
    assert_eq!((play.selected("active").as_str(), play.stable().as_str()), ("h1", "h1"));
}

#[test]
fn a_preview_of_its_own_size_grows_before_the_switch() {
    let small = json!({"autoPromotionEnabled": false, "previewReplicaCount": 1});
    let mut play = Play::new(3, &blue_green(&small));
    play.update("app:2", 20);
    assert_eq!((play.set("h2").replicas, play.phase().as_str()), (1, "Paused"));
    play.model.act("promote", &Value::Null);
    let mut sizes = Vec::new();
    play.watch(20, |play| sizes.push((play.set("h2").counts.available, play.selected("active"))));
    assert!(sizes.iter().all(|(available, active)| active == "h1" || *available == 3), "{sizes:?}");
    assert_eq!((play.selected("active").as_str(), play.phase().as_str()), ("h2", "Healthy"));
}

#[test]
fn a_frozen_preview_of_its_own_size_is_at_rest_when_its_time_passes() {
    let timed = json!({"autoPromotionSeconds": 20, "previewReplicaCount": 1});
    let mut play = Play::new(3, &blue_green(&timed));
    play.update("app:2", 10);
    assert_eq!((play.phase().as_str(), play.set("h2").replicas), ("Paused", 1));
    play.model.patch(&json!({"spec": {"paused": true}}));
    play.run(5);
    let frozen = play.status();
    play.model.now = play.model.now.plus_seconds(60);
    let plan = planner::plan(&play.model.world, play.model.now);
    assert_eq!((plan.writes, plan.status), (Vec::new(), Some(frozen)));
    play.model.patch(&json!({"spec": {"paused": false}}));
    play.run(30);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
}

#[test]
fn all_gates_of_blue_green_stand_behind_each_other() {
    let all = json!({"autoPromotionEnabled": false, "previewReplicaCount": 1, "scaleDownDelaySeconds": 5,
        "prePromotionAnalysis": analysis(), "postPromotionAnalysis": analysis()});
    let mut play = Play::new(3, &blue_green(&all));
    play.script("demo-h2-2-pre", 3_000, AnalysisPhase::Successful);
    play.script("demo-h2-2-post", 5_000, AnalysisPhase::Successful);
    play.model.set_image("app:2");
    play.run(3);
    assert_eq!((play.status().pause_conditions, play.set("h2").replicas), (None, 1), "it is analysed first");
    play.run(20);
    assert_eq!((play.phase().as_str(), play.set("h2").replicas), ("Paused", 1));
    play.act("promote", 4);
    assert_eq!((play.selected("active").as_str(), play.stable().as_str()), ("h2", "h1"));
    assert_eq!(play.set("h2").replicas, 3);
    play.run(5);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
    play.run(10);
    assert_eq!(play.set("h1").replicas, 0);
    let runs = play.status().blue_green.unwrap();
    assert!(runs.pre_promotion_analysis_run_status.is_some(), "its verdict stays to be read");
}

/// Each verdict waits for a person of its own, however often one has gone on before.
#[test]
fn an_undecided_gate_is_asked_about_each_time() {
    for more in [json!({}), json!({"autoPromotionEnabled": false}), json!({"previewReplicaCount": 1})] {
        let mut strategy = json!({"prePromotionAnalysis": analysis()});
        strategy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut play = Play::new(2, &blue_green(&strategy));
        for name in ["demo-h2-2-pre", "demo-h2-2-pre.1", "demo-h2-2-pre.2"] {
            play.script(name, 1_000, AnalysisPhase::Inconclusive);
        }
        play.update("app:2", 60);
        for runs in 1..=3 {
            assert_eq!(play.model.world.analysis_runs.len(), runs, "{more}");
            assert_eq!(play.status().message, "InconclusiveAnalysisRun", "{more}");
            assert_eq!(play.selected("active"), "h1");
            play.model.patch(&json!({"status": {"pauseConditions": null}}));
            play.run(60);
        }
    }
}

#[test]
fn after_a_failed_gate_a_retry_asks_again_and_another_version_has_its_own() {
    let mut play = Play::new(2, &blue_green(&json!({"prePromotionAnalysis": analysis()})));
    play.script("demo-h2-2-pre", 2_000, AnalysisPhase::Failed);
    play.script("demo-h2-2-pre.1", 2_000, AnalysisPhase::Failed);
    play.script("demo-h3-3-pre", 2_000, AnalysisPhase::Successful);
    play.update("app:2", 20);
    assert_eq!(play.phase(), "Degraded");
    play.act("retry", 20);
    assert_eq!((play.phase().as_str(), play.model.world.analysis_runs.len()), ("Degraded", 2));
    play.update("app:3", 60);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h3"));
}

#[test]
fn a_restart_replaces_the_pods_of_blue_green_a_few_at_a_time() {
    let mut play = Play::new(4, &blue_green(&json!({"maxUnavailable": 2})));
    let before: Vec<String> = play.model.pods.iter().map(|pod| pod.name.clone()).collect();
    play.model.act("restart", &Value::Null);
    let mut least = 4;
    play.watch(120, |play| least = least.min(play.set("h1").counts.available));
    assert_eq!((play.phase().as_str(), least), ("Healthy", 2));
    assert!(play.model.pods.iter().all(|pod| !before.contains(&pod.name)));
}

#[test]
fn counts_and_selector_are_those_of_the_active_version() {
    let mut play =
        Play::new(3, &blue_green(&json!({"autoPromotionEnabled": false, "previewReplicaCount": 1})));
    play.update("app:2", 20);
    let status = play.status();
    assert_eq!((status.replicas, status.updated_replicas), (4, 1));
    assert_eq!((status.ready_replicas, status.available_replicas, status.hpa_replicas), (3, 3, 3));
    assert_eq!(play.model.plain(&status.selector), "app=demo,rollouts-pod-template-hash=h1");
    let seen = status.blue_green.unwrap();
    assert_eq!(play.model.plain(&seen.active_selector), "h1");
    assert_eq!(play.model.plain(&seen.preview_selector), "h2");
    assert_eq!(status.current_step_hash, "", "there are no steps");
}

#[test]
fn an_abort_leads_back_at_once_though_the_new_version_is_not_all_there() {
    let mut play = Play::new(3, &blue_green(&json!({"postPromotionAnalysis": analysis()})));
    play.update("app:2", 10);
    assert_eq!((play.selected("active").as_str(), play.stable().as_str()), ("h2", "h1"));
    play.model.act("deletePod", &json!({"revision": 2, "count": 2}));
    play.act("abort", 0);
    assert!(play.set("h2").counts.available < 3);
    assert_eq!(play.selected("active"), "h1");
}

#[test]
fn an_abort_does_not_lead_back_to_a_version_without_pods() {
    let mut play = Play::new(2, &blue_green(&json!({"postPromotionAnalysis": analysis()})));
    play.update("app:2", 10);
    assert_eq!((play.selected("active").as_str(), play.stable().as_str()), ("h2", "h1"));
    for revision in [1, 2] {
        play.model.act("deletePod", &json!({"revision": revision, "count": 2}));
    }
    play.act("abort", 0);
    assert_eq!((play.set("h1").counts.available, play.set("h2").counts.available), (0, 0));
    assert_eq!(play.selected("active"), "h2", "nobody is served by a switch between two that are empty");
    play.run(20);
    assert_eq!((play.selected("active").as_str(), play.phase().as_str()), ("h1", "Degraded"));
}

#[test]
fn at_the_deadline_of_an_old_version_nobody_is_woken_for_it_again() {
    let mut play =
        Play::new(2, &blue_green(&json!({"scaleDownDelaySeconds": 60, "autoPromotionEnabled": false})));
    play.update("app:2", 10);
    play.act("promote", 10);
    let deadline = play.set("h1").scale_down_deadline().unwrap();
    // Back to the old version, which still waits: fast until its deadline.
    play.model.patch(&json!({"spec": {"paused": true}}));
    play.update("app:1", 5);
    let wake = |at| planner::plan(&play.model.world, at).wake.map(|wake| wake.at);
    assert_eq!(wake(deadline.plus_seconds(-1)), Some(deadline));
    assert_ne!(wake(deadline), Some(deadline), "it is over");
}
