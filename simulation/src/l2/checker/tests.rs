#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
//! A wrong history for each rule that no seeded defect breaks.

use super::*;
use serde_json::json;

pub(super) fn at(seconds: i64) -> Time {
    Time::default().plus_seconds(1_000_000 + seconds)
}

fn call(resource: &str) -> Call {
    Call {
        client: "controller".to_owned(),
        verb: "patch",
        resource: resource.to_owned(),
        namespace: "default".to_owned(),
        name: "web-1".to_owned(),
        subresource: String::new(),
        body: r#"{"resourceVersion": "1", "uid": "1"}"#.into(),
    }
}

/// A canary with a stable version `a` and a new one `b`, at step 1 of 25 %, a pause and 50 %.
pub(super) fn web(status: &Value) -> Value {
    let mut web = json!({
        "metadata": {"name": "web", "uid": "web", "generation": 1},
        "spec": {"replicas": 4, "strategy": {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]}}},
        "status": {"observedGeneration": "1", "stableRS": "a", "currentPodHash": "b", "currentStepIndex": 1},
    });
    web["status"].as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    web
}

pub(super) fn set(hash: &str, replicas: i64) -> Value {
    json!({
        "metadata": {"name": format!("web-{hash}"), "uid": hash,
            "labels": {"rollouts-pod-template-hash": hash},
            "ownerReferences": [{"uid": "web", "controller": true}]},
        "spec": {"replicas": replicas},
    })
}

pub(super) fn checker(status: &Value) -> Checker {
    let mut checker = Checker::new(Duration::ZERO, true);
    for hash in ["a", "b"] {
        checker.saw(&Actor::World, Kind::Set, None, Some(&set(hash, 0)), at(0));
    }
    checker.saw(&Actor::World, Kind::Rollout, None, Some(&web(status)), at(0));
    checker
}

pub(super) fn broken(checker: &Checker) -> Option<&'static str> {
    checker.violation.as_ref().map(|violation| violation.invariant)
}

#[test]
fn a_canary_above_its_weight_breaks_s4() {
    let controller = Actor::Controller("controller".into());
    for (size, rule) in [(1, None), (2, Some("S4"))] {
        let mut checker = checker(&json!({}));
        checker.saw(&controller, Kind::Set, Some(&set("b", 0)), Some(&set("b", size)), at(100));
        assert_eq!(broken(&checker), rule, "{size}");
    }
}

#[test]
fn a_wish_that_nobody_hears_breaks_v4() {
    let wishes = [
        json!({"abort": true}),
        json!({"abortedAt": "2026-01-01T00:00:00Z"}),
        json!({"controllerPause": true}),
        json!({"promoteFull": true}),
        json!({"observedGeneration": "0"}),
    ];
    for wish in wishes {
        let mut checker = checker(&wish);
        for second in 0..4 {
            checker.tick(at(second), at(0), false);
            assert_eq!(broken(&checker), None, "{wish}");
        }
        checker.tick(at(10), at(0), false);
        assert_eq!(broken(&checker), Some("V4"), "{wish}");
    }
}

#[test]
fn trouble_gives_a_wish_more_time() {
    let mut checker = checker(&json!({"abort": true}));
    for second in 0..100 {
        checker.tick(at(second), at(second), true);
    }
    assert_eq!(broken(&checker), None);
    checker.tick(at(200), at(100), true);
    assert_eq!(broken(&checker), Some("V4"));
}

#[test]
fn a_mistake_without_a_place_breaks_v7() {
    let invalid = |message: &str| json!({"conditions": [{"type": "InvalidSpec", "status": "True", "reason": "InvalidSpec", "message": message}]});
    let controller = Actor::Controller("controller".into());
    for (message, rule) in [
        ("The Rollout \"web\" is invalid: spec.minReadySeconds: Invalid value: -1", None),
        ("The Rollout is not as it should be", Some("V7")),
    ] {
        let mut checker = checker(&json!({}));
        checker.saw(&controller, Kind::Rollout, Some(&web(&json!({}))), Some(&web(&invalid(message))), at(1));
        assert_eq!(broken(&checker), rule, "{message}");
    }
}

#[test]
fn a_mistake_that_is_mended_and_told_for_ever_breaks_v7() {
    let message = "The Rollout \"web\" is invalid: spec.strategy.canary.stableService: Invalid value: \"later\": service \"later\" not found";
    let status = json!({"conditions": [{"type": "InvalidSpec", "status": "True", "message": message}]});
    let mut checker = checker(&status);
    for second in 0..100 {
        checker.tick(at(second), at(0), false);
    }
    assert_eq!(broken(&checker), None);
    let later = json!({"metadata": {"name": "later"}, "spec": {}});
    checker.saw(&Actor::World, Kind::Service, None, Some(&later), at(100));
    checker.tick(at(101), at(0), false);
    assert_eq!(broken(&checker), None);
    checker.tick(at(110), at(0), false);
    assert_eq!(broken(&checker), Some("V7"));
}

#[test]
fn a_refusal_that_nobody_is_told_breaks_v8() {
    let silent = json!({});
    let told = json!({"conditions": [{"type": "ReplicaFailure", "status": "True"}]});
    for (status, rule) in [(silent, Some("V8")), (told, None)] {
        let mut checker = checker(&status);
        for second in [0, 30, 70] {
            checker.called(&call("replicasets"), 403, at(second));
        }
        checker.tick(at(71), at(0), true);
        assert_eq!(broken(&checker), rule, "{status}");
    }
}

#[test]
fn a_write_that_goes_through_ends_what_was_refused() {
    let mut checker = checker(&json!({}));
    for (second, code) in [(0, 403), (30, 200), (70, 403)] {
        checker.called(&call("replicasets"), code, at(second));
    }
    checker.tick(at(71), at(0), true);
    assert_eq!(broken(&checker), None);
}

#[test]
fn many_writes_in_a_minute_break_v2() {
    let mut checker = checker(&json!({}));
    // The Rollout itself came in this minute.
    for second in 0..30 + WRITES_PER_ACT {
        checker.called(&call("replicasets"), 200, at(i64::try_from(second).unwrap()));
    }
    assert_eq!(broken(&checker), None);
    checker.called(&call("replicasets"), 200, at(59));
    assert_eq!(broken(&checker), Some("V2"));
}
