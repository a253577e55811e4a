//! Canaries: sizes, steps and Services.

use crate::play::{Play, template};
use serde_json::json;

#[test]
pub(crate) fn scaling_event_takes_stable_down() {
    let mut play = Play::new(
        4,
        &json!({"canary": {"stableService": "stable", "canaryService": "canary", "maxSurge": "100%",
            "maxUnavailable": 1}}),
    );
    play.update("app:bad", 10);
    play.model.act("scale", &json!(6));
    play.watch(60, |play| assert!(play.set("h1").counts.available >= 3));
}

#[test]
pub(crate) fn bounds_forgotten_after_the_last_step() {
    let mut play =
        Play::new(5, &json!({"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": [{"setWeight": 20}]}}));
    play.model.set_image("app:2");
    play.watch(60, |play| assert!(play.available() >= 5 && play.asked() <= 6));
    assert_eq!(play.phase(), "Healthy");
}

#[test]
pub(crate) fn bad_stable_holds_a_good_canary() {
    let steps = json!([{"setWeight": 20}, {"pause": {"duration": "2s"}}]);
    let mut play = Play::of_image("app:bad", 10, &json!({"canary": {"steps": steps}}), &json!({}));
    play.update("app:2", 120);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
}

#[test]
pub(crate) fn stable_that_cannot_make_pods() {
    let steps = json!([{"setWeight": 50}, {"pause": {"duration": "2s"}}]);
    let mut play = Play::of_image("app:quota", 4, &json!({"canary": {"steps": steps}}), &json!({}));
    assert_eq!(play.set("h1").counts.replicas, 0);
    play.update("app:2", 120);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
}

#[test]
pub(crate) fn promotion_before_readiness() {
    let mut play =
        Play::new(4, &json!({"canary": {"maxUnavailable": 1, "steps": [{"setWeight": 25}, {"pause": {}}]}}));
    play.update("app:bad", 20);
    play.act("skipAll", 0);
    play.watch(120, |play| assert!(play.available() >= 3 && play.stable() == "h1"));
}

#[test]
pub(crate) fn newest_template_ignored() {
    let steps = json!([{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]);
    let mut play = Play::new(10, &json!({"canary": {"steps": steps}}));
    play.update("app:2", 20);
    play.act("promote", 20);
    assert_eq!(play.status().current_step_index, Some(3));
    play.update("app:3", 30);
    assert_eq!(play.model.plain(&play.status().current_pod_hash), "h3");
    assert_eq!(play.status().current_step_index, Some(1));
    assert_eq!((play.set("h3").replicas, play.set("h2").replicas), (1, 0));
}

#[test]
pub(crate) fn replicas_and_template_in_one_apply() {
    let steps = json!([{"setWeight": 10}, {"pause": {}}]);
    for replicas in [20, 4] {
        let mut play = Play::new(10, &json!({"canary": {"steps": steps}}));
        play.model.patch(&json!({"spec": {"replicas": replicas, "template": template("app:2")}}));
        play.watch(30, |play| {
            let new = play.find("h2").map_or(0, |set| set.replicas);
            assert!(new <= 2, "{new} pods of the new version at a weight of 10");
            assert!(play.set("h1").replicas >= replicas.min(10) - 2, "{}", play.set("h1").replicas);
        });
        assert_eq!(play.phase(), "Paused");
    }
}

/// A syncer that takes the size back with each apply, and an autoscaler that does not have it.
#[test]
pub(crate) fn replicas_from_git_against_the_autoscaler() {
    for router in [false, true] {
        let steps = json!([{"setWeight": 50}, {"pause": {}}]);
        let mut canary = json!({"stableService": "stable", "canaryService": "canary", "steps": steps,
            "maxSurge": 1, "maxUnavailable": 0});
        if router {
            canary["trafficRouting"] = json!({"nginx": {"stableIngress": "web"}});
        }
        let mut play = Play::new(2, &json!({"canary": canary}));
        assert!(play.model.act("scale", &json!(3)));
        play.run(20);
        for (image, seconds) in [("app:2", 1), ("app:2", 4), ("app:2", 60)] {
            play.model.patch(&json!({"spec": {"replicas": 2, "template": template(image)}}));
            play.watch(seconds, |play| assert!(play.available() >= 2, "{} pods", play.available()));
            play.model.act("scale", &json!(3));
            play.watch(seconds, |play| assert!(play.available() >= 2, "{} pods", play.available()));
        }
        assert_eq!(play.phase(), "Paused");
        play.model.act("promote", &json!(null));
        play.watch(120, |play| assert!(play.available() >= 2, "{} pods", play.available()));
        assert_eq!((play.phase().as_str(), play.set("h2").replicas), ("Healthy", 3));
    }
}

#[test]
pub(crate) fn service_narrowed_before_pods_are_there() {
    let mut play = Play::begun("app:1", 3, &json!({"canary": {"stableService": "stable"}}), &json!({}));
    play.watch(30, |play| {
        let version = play.selected("stable");
        assert!(version.is_empty() || play.set(&version).counts.available == 3);
    });
    assert_eq!(play.selected("stable"), "h1");
}

#[test]
pub(crate) fn canary_service_left_on_a_dead_version() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let mut play = Play::new(
        4,
        &json!({"canary": {"stableService": "stable", "canaryService": "canary", "steps": steps}}),
    );
    play.update("app:2", 20);
    assert_eq!(play.selected("canary"), "h2");
    play.act("abort", 30);
    assert_eq!((play.selected("stable").as_str(), play.selected("canary").as_str()), ("h1", "h1"));
    assert_eq!(play.set("h1").counts.available, 4);
}

#[test]
pub(crate) fn stable_service_without_pods() {
    let steps = json!([{"setWeight": 50}, {"pause": {"duration": "3s"}}, {"setWeight": 100},
        {"pause": {"duration": "60s"}}]);
    let mut play = Play::new(
        4,
        &json!({"canary": {"stableService": "stable", "canaryService": "canary", "steps": steps}}),
    );
    play.model.set_image("app:2");
    play.watch(180, |play| {
        let version = play.selected("stable");
        let set = play.set(&version);
        assert!(set.counts.available.min(set.replicas) > 0, "the stable Service selects {version}");
    });
    assert_eq!((play.phase().as_str(), play.selected("stable").as_str()), ("Healthy", "h2"));
}

#[test]
pub(crate) fn stuck_after_changing_strategy() {
    let mut play = Play::new(3, &json!({"blueGreen": {"activeService": "active"}}));
    let writes = play.model.replica_set_writes;
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    play.model.patch(&json!({"spec": {"strategy": {"blueGreen": null, "canary": {"steps": steps}}}}));
    play.run(60);
    assert_eq!((play.phase().as_str(), play.status().current_step_index), ("Healthy", Some(2)));
    assert_eq!(play.model.replica_set_writes, writes);
}

#[test]
pub(crate) fn pause_begins_again() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}, {"pause": {"duration": "2s"}}]);
    let mut play = Play::new(4, &json!({"canary": {"steps": steps}}));
    play.update("app:2", 20);
    play.act("promote", 30);
    assert_eq!(play.phase(), "Healthy");
}

#[test]
pub(crate) fn next_version_pays_for_an_invalid_one() {
    let deadline = json!({"progressDeadlineSeconds": 30, "progressDeadlineAbort": true});
    let steps = json!([{"setWeight": 34}, {"pause": {"duration": "2s"}}]);
    let mut play = Play::with(3, &json!({"canary": {"steps": steps}}), &deadline);
    let missing = json!({"templates": [{"templateName": "missing"}]});
    play.model.patch(&json!({"spec": {"template": template("app:2"),
        "strategy": {"canary": {"analysis": missing}}}}));
    play.run(100);
    assert_eq!(play.phase(), "Degraded");
    play.model.patch(&json!({"spec": {"strategy": {"canary": {"analysis": null}}}}));
    play.watch(60, |play| assert!(!play.status().abort));
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
}

#[test]
pub(crate) fn old_deadline_hides_the_progress_deadline() {
    let deadline = json!({"progressDeadlineSeconds": 30, "progressDeadlineAbort": true});
    let mut play = Play::with(3, &json!({"canary": {"steps": [{"setWeight": 34}]}}), &deadline);
    play.update("app:2", 60);
    play.leave_deadlines(86_400);
    play.update("app:bad", 40);
    assert!(play.status().abort);
    assert_eq!((play.phase().as_str(), play.set("h2").counts.available), ("Degraded", 3));
}
