//! `[validation.waiting]`

use crate::play::Play;
use serde_json::json;

/// A Rollout whose Service is missing, before the first look; the grace is 10 s.
fn begun() -> Play {
    let mut play = Play::begun("app:1", 2, &json!({"canary": {"canaryService": "canary"}}), &json!({}));
    play.model.world.services.remove("canary");
    play.model.world.settings.reference_grace_seconds = 10;
    play
}

fn said(play: &Play) -> (String, String) {
    (play.phase(), play.status().message)
}

#[test]
fn what_is_missing_is_waited_for_with_a_planned_end() {
    let mut play = begun();
    let begin = play.model.now;
    play.run(9);
    assert_eq!(said(&play), ("Progressing".to_owned(), "waiting for Service \"canary\"".to_owned()));
    assert_eq!(play.model.wake, Some(begin.plus_seconds(10)));
    assert_eq!(play.model.writes, 0);
    play.run(1);
    let (phase, message) = said(&play);
    assert!(phase == "Degraded" && message.ends_with("service \"canary\" not found"), "{phase} {message}");
    let kinds: Vec<String> =
        play.status().conditions.unwrap().into_iter().map(|condition| condition.kind).collect();
    assert_eq!(kinds, ["InvalidSpec"], "as Argo Rollouts leaves it");
    play.run(100);
    assert_eq!(said(&play), (phase, message), "it does not wait again");
}

#[test]
fn what_comes_ends_the_wait_without_a_trace() {
    let mut play = begun();
    play.run(5);
    let spec = json!({"selector": {"app": "demo"}});
    play.model.create(&json!({"kind": "Service", "metadata": {"name": "canary"}, "spec": spec}));
    play.run(60);
    assert_eq!(said(&play), ("Healthy".to_owned(), String::new()));
    let status = serde_json::to_string(&play.status()).unwrap();
    assert!(!status.contains("WaitingForReference"), "{status}");
}

#[test]
fn a_version_on_its_way_that_loses_its_service_goes_on_with_a_new_deadline() {
    // Here the first version is stable as soon as it is made; another controller may leave one that is not yet.
    let mut play = Play::begun("app:1", 2, &json!({"blueGreen": {"activeService": "active"}}), &json!({}));
    play.model.world.settings.reference_grace_seconds = 10;
    play.model.reconcile();
    assert_eq!(play.set("h1").replicas, 2);
    play.model.world.rollout.status.as_mut().unwrap().stable_rs.clear();
    let service = play.model.world.services.remove("active").unwrap();
    play.run(5);
    assert_eq!(said(&play).1, "waiting for Service \"active\"");
    play.model.world.services.insert("active".to_owned(), service);
    play.model.reconcile();
    let conditions = play.status().conditions.unwrap();
    let progressing = conditions.iter().find(|condition| condition.kind == "Progressing").unwrap();
    assert!(progressing.reason != "WaitingForReference", "{progressing:?}");
    assert_eq!(progressing.last_update_time, play.model.now.whole_seconds(), "its deadline begins anew");
    play.run(60);
    assert_eq!(play.phase(), "Healthy");
}

#[test]
fn what_was_invalid_or_is_stable_does_not_wait() {
    let mut play = begun();
    play.model.world.settings.reference_grace_seconds = 0;
    play.run(1);
    assert_eq!(play.phase(), "Degraded");
    play.model.world.settings.reference_grace_seconds = 10;
    play.run(1);
    assert_eq!(play.phase(), "Degraded", "taken over as it is");
    let mut play = Play::new(2, &json!({"canary": {"canaryService": "canary"}}));
    play.model.world.settings.reference_grace_seconds = 10;
    play.model.world.services.remove("canary");
    play.run(1);
    assert_eq!(play.phase(), "Degraded", "a version is in production");
}

#[test]
fn what_does_not_fit_is_told_before_what_is_missing() {
    let mut play = begun();
    let strategy = json!({"canary": {"canaryService": "canary", "stableService": "stable"}});
    play.model.world.rollout.spec.strategy = serde_json::from_value(strategy).unwrap();
    let wrong = [("app".to_owned(), "another".to_owned())];
    play.model.world.services.get_mut("stable").unwrap().selector = wrong.into();
    play.run(1);
    let (phase, message) = said(&play);
    assert!(phase == "Degraded" && message.contains("has unmatch label"), "{message}");
}
