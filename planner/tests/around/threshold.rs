//! `[canary.threshold]`

use crate::play::Play;
use serde_json::{Value, json};

fn strategy(threshold: &Value) -> Value {
    json!({"canary": {"maxSurge": 0, "maxUnavailable": 4, "replicaProgressThreshold": threshold,
        "steps": [{"setWeight": 50}, {"pause": {"duration": 1}}]}})
}

/// The new version gets a few pods of those that it wants; the rest waits for a node.
fn scarce(threshold: &Value, pods: usize) -> Play {
    let mut play = Play::new(8, &strategy(threshold));
    play.model.set_image("app:2");
    for _ in 0..120 {
        play.run(1);
        let there = play.model.pods.iter().filter(|pod| play.model.plain(&pod.set) == "demo-h2");
        let last: Vec<String> = there.skip(pods).map(|pod| pod.name.clone()).collect();
        for pod in play.model.pods.iter_mut().filter(|pod| last.contains(&pod.name)) {
            pod.ready = None;
        }
    }
    play
}

#[test]
fn a_step_goes_on_with_enough_pods() {
    for threshold in [json!({"type": "Percent", "value": 75}), json!({"type": "Pods", "value": 3})] {
        let play = scarce(&threshold, 3);
        assert_eq!(play.status().current_step_index, Some(2), "{threshold}");
    }
    for threshold in [
        json!({"type": "Percent", "value": 76}),
        json!({"type": "Pods", "value": 4}),
        json!({"type": "Percent", "value": -1}),
    ] {
        let play = scarce(&threshold, 3);
        assert_eq!(play.status().current_step_index, Some(0), "{threshold}");
    }
}

#[test]
fn a_version_is_promoted_with_enough_pods_and_healthy_with_all() {
    let mut play = scarce(&json!({"type": "Percent", "value": 75}), 6);
    assert_eq!((play.stable().as_str(), play.phase().as_str()), ("h2", "Progressing"));
    assert!(play.available() >= 4, "maxUnavailable holds: {}", play.available());
    let duration = play.status().duration.unwrap();
    assert_eq!((duration.completion_status.as_deref(), duration.finished_at), (Some("Promoted"), None));
    let now = play.model.now;
    play.model.pods.iter_mut().for_each(|pod| pod.ready = Some(now));
    play.run(30);
    assert_eq!(play.phase(), "Healthy");
    assert!(play.status().duration.unwrap().finished_at.is_some());
}

#[test]
fn a_threshold_beyond_what_is_wanted_does_not_hold_the_update() {
    for threshold in [json!({"type": "Percent", "value": 200}), json!({"type": "Pods", "value": 100})] {
        let mut play = Play::new(8, &strategy(&threshold));
        play.update("app:2", 120);
        assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"), "{threshold}");
    }
}
