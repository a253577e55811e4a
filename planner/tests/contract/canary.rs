//! Canaries. `[canary.steps]` `[abort.reset]`

use crate::play::Play;
use serde_json::{Value, json};

fn canary(steps: &Value) -> Value {
    json!({"canary": {"steps": steps}})
}

fn count(play: &Play, reason: &str) -> usize {
    play.model.reasons().iter().filter(|seen| **seen == reason).count()
}

#[test]
fn a_pause_of_zero_is_passed_by() {
    for length in [json!(0), json!("0"), json!("10ms")] {
        let mut play = Play::new(2, &canary(&json!([{"setWeight": 50}, {"pause": {"duration": length}}])));
        play.update("app:2", 30);
        assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
        assert_eq!(count(&play, "RolloutPaused"), 1, "it begins, and ends with the next look");
    }
}

#[test]
fn a_pause_can_be_written_in_three_ways() {
    for length in [json!(60), json!("60"), json!("1m")] {
        let mut play = Play::new(2, &canary(&json!([{"setWeight": 50}, {"pause": {"duration": length}}])));
        play.update("app:2", 50);
        assert_eq!(play.phase(), "Paused");
        play.run(20);
        assert_eq!(play.phase(), "Healthy");
    }
}

#[test]
fn text_without_a_percent_sign_is_a_percentage_all_the_same() {
    let mut strategy = canary(&json!([]));
    strategy["canary"]["maxSurge"] = json!("20");
    strategy["canary"]["maxUnavailable"] = json!(0);
    let mut play = Play::new(10, &strategy);
    let mut most = 0;
    play.model.set_image("app:2");
    play.watch(60, |play| most = most.max(play.asked()));
    assert_eq!((most, play.stable().as_str()), (12, "h2"));
}

#[test]
fn before_the_first_weight_the_new_version_has_no_pods() {
    let mut play = Play::new(4, &canary(&json!([{"pause": {}}, {"setWeight": 50}])));
    play.update("app:2", 30);
    assert_eq!((play.phase().as_str(), play.set("h2").replicas, play.set("h1").replicas), ("Paused", 0, 4));
}

#[test]
fn without_steps_it_is_a_rolling_update() {
    let mut play = Play::new(4, &json!({"canary": {}}));
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
    assert_eq!(play.status().current_step_index, None, "there is no index without steps");
    let old = play.set("h1");
    assert_eq!(old.replicas, 0);
}

#[test]
fn an_analysis_without_templates_is_passed_by() {
    let mut play = Play::new(
        2,
        &canary(&json!([{"setWeight": 50}, {"analysis": {"templates": []}}, {"setWeight": 60}])),
    );
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
    assert!(play.model.world.analysis_runs.is_empty());
}

#[test]
fn an_abort_begins_at_the_first_step_again_and_a_retry_goes_through_all() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]);
    let mut play = Play::new(4, &canary(&steps));
    play.update("app:2", 30);
    play.act("promote", 30);
    assert_eq!(play.status().current_step_index, Some(3));
    let resumed = count(&play, "RolloutResumed");
    play.act("abort", 5);
    let status = play.status();
    assert_eq!((status.current_step_index, status.pause_conditions.clone()), (Some(0), None));
    assert!(!status.controller_pause && status.abort && status.aborted_at.is_some());
    assert_eq!(play.set("h2").replicas, 0);
    assert_eq!(count(&play, "RolloutResumed"), resumed, "an abort resumes nothing");
    assert_eq!(play.phase(), "Degraded");
    assert!(status.message.starts_with("RolloutAborted: Rollout aborted update to revision 2"), "{status:?}");
    play.run(60);
    assert_eq!(play.status().aborted_at, status.aborted_at, "it stays while the Rollout is aborted");
    play.act("retry", 30);
    let status = play.status();
    assert_eq!(
        (status.aborted_at, status.current_step_index),
        (None, Some(1)),
        "paused at the first pause again"
    );
    assert_eq!(play.phase(), "Paused");
}

#[test]
fn a_full_promotion_passes_steps_pauses_and_an_abort_by() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]);
    let mut play = Play::new(4, &canary(&steps));
    play.update("app:2", 30);
    play.act("abort", 30);
    play.act("promoteFull", 60);
    let status = play.status();
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
    assert_eq!((status.current_step_index, status.abort, status.promote_full), (Some(4), false, false));
    assert!(play.model.events.iter().any(|(_, text)| text.ends_with(": Full promotion requested")));
}

#[test]
fn promote_at_a_step_without_a_pause_goes_one_step_on() {
    let steps =
        json!([{"setWeight": 25}, {"analysis": {"templates": [{"templateName": "t"}]}}, {"pause": {}}]);
    let mut play = Play::new(4, &canary(&steps));
    play.update("app:2", 30);
    assert_eq!(play.status().current_step_index, Some(1));
    play.act("promote", 30);
    assert_eq!((play.status().current_step_index, play.phase().as_str()), (Some(2), "Paused"));
    assert!(play.model.world.analysis_runs.iter().all(|run| run.spec.terminate == Some(true)));
}

#[test]
fn a_third_version_takes_the_place_of_the_second_and_begins_at_the_first_step() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]);
    let mut play = Play::new(4, &canary(&steps));
    play.update("app:2", 30);
    play.act("promote", 30);
    play.update("app:3", 30);
    assert_eq!((play.status().current_step_index, play.phase().as_str()), (Some(1), "Paused"));
    let sizes = ["h1", "h2", "h3"].map(|version| play.set(version).replicas);
    assert_eq!(sizes, [3, 0, 1]);
}

#[test]
fn a_frozen_rollout_makes_the_version_but_gives_it_no_pods() {
    let mut play = Play::new(3, &canary(&json!([{"setWeight": 50}])));
    play.act("pause", 5);
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), play.set("h2").replicas), ("Paused", 0));
    assert_eq!(play.status().message, "manually paused");
    play.act("unpause", 60);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
}

#[test]
fn the_first_deploy_is_stable_at_once_and_passes_the_steps_by() {
    let strategy = canary(&json!([{"setWeight": 25}, {"pause": {}}]));
    let mut play = Play::begun("app:bad", 3, &strategy, &json!({}));
    play.run(1);
    let status = play.status();
    assert_eq!((play.stable().as_str(), status.current_step_index), ("h1", Some(2)));
    assert_eq!(status.available_replicas, 0, "before a pod is ready");
    assert_eq!(play.phase(), "Progressing");
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), play.status().current_step_index), ("Paused", Some(1)));
}

#[test]
fn scaling_down_more_than_wanted_does_not_wedge_a_promotion() {
    // More pods are available than are wanted any more: enough is enough.
    let mut play = Play::new(6, &canary(&json!([{"setWeight": 50}, {"pause": {"duration": 5}}])));
    play.update("app:2", 4);
    assert!(play.model.act("scale", &json!(2)));
    play.run(60);
    assert_eq!((play.phase().as_str(), play.stable().as_str(), play.asked()), ("Healthy", "h2", 2));
}

#[test]
fn no_pods_are_wanted_and_the_update_goes_through() {
    let mut play = Play::new(0, &canary(&json!([{"setWeight": 50}, {"pause": {"duration": 5}}])));
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), play.stable().as_str(), play.asked()), ("Healthy", "h2", 0));
}

#[test]
fn an_abort_with_all_weight_on_the_new_version_brings_the_stable_one_back() {
    let mut play = Play::new(4, &canary(&json!([{"setWeight": 100}, {"pause": {}}])));
    play.update("app:2", 30);
    assert_eq!((play.set("h1").replicas, play.set("h2").replicas), (0, 4));
    play.model.act("abort", &Value::Null);
    let (mut least, mut most) = (4, 4);
    play.watch(60, |play| (least, most) = (least.min(play.available()), most.max(play.asked())));
    assert_eq!((play.set("h1").replicas, play.set("h2").replicas), (4, 0));
    assert_eq!((least, most), (3, 5), "a quarter may be missing, and a quarter may be too many");
}

#[test]
fn the_step_is_kept_within_the_list() {
    let mut play = Play::new(2, &canary(&json!([{"setWeight": 50}, {"pause": {}}])));
    play.update("app:2", 20);
    play.model.patch(&json!({"status": {"pauseConditions": null, "currentStepIndex": 7}}));
    play.run(30);
    assert_eq!((play.phase().as_str(), play.status().current_step_index), ("Healthy", Some(2)));
}

#[test]
fn only_one_size_changes_at_a_time_the_stable_one_first() {
    let mut play = Play::new(5, &canary(&json!([{"setWeight": 20}, {"pause": {}}])));
    play.model.set_image("app:2");
    let mut sizes = Vec::new();
    play.watch(20, |play| {
        sizes.push((play.set("h1").replicas, play.find("h2").map_or(0, |set| set.replicas)))
    });
    sizes.dedup();
    assert_eq!(sizes, [(4, 1)], "one pod goes as the new one comes: 2 may be too many, 1 may be missing");
    let scaled: Vec<&str> = play
        .model
        .events
        .iter()
        .filter(|(reason, _)| reason == "ScalingReplicaSet")
        .map(|(_, text)| text.as_str())
        .collect();
    assert_eq!(
        scaled,
        [
            "Scaled up ReplicaSet demo-h1 (revision 1) from 0 to 5",
            "Scaled down ReplicaSet demo-h1 (revision 1) from 5 to 4",
            "Scaled up ReplicaSet demo-h2 (revision 2) from 0 to 1"
        ]
    );
}

#[test]
fn an_empty_list_of_steps_is_none() {
    let hashes = [json!({"canary": {}}), json!({"canary": {"steps": []}})].map(|strategy| {
        let play = Play::new(2, &strategy);
        (play.phase(), play.status().current_step_hash)
    });
    assert_eq!(hashes, ["5ffbfbbd64", "5ffbfbbd64"].map(|hash| ("Healthy".to_owned(), hash.to_owned())));
}
