#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
//! A wrong history for each rule about weights.

use super::super::tests::{at, broken, checker, set, web};
use super::super::{Actor, Checker, Kind};
use serde_json::{Value, json};
use std::time::Duration;

fn route(stable: u8, canary: u8) -> Value {
    let backend = |name: &str, weight: u8| json!({"name": name, "weight": weight});
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"rules": [{"backendRefs": [backend("stable", stable), backend("canary", canary)]}]},
    })
}

fn pod(hash: &str) -> Value {
    json!({
        "metadata": {"ownerReferences": [{"uid": hash, "controller": true}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// Four stable pods of `a` and so many of `b`, behind a route; the step gives `b` 25.
fn routed(status: &Value, canary_pods: usize) -> Checker {
    let mut checker = checker(status);
    let mut routed = web(status);
    routed["spec"]["strategy"]["canary"]["trafficRouting"] = json!({"gatewayAPI": {"httpRoute": "web"}});
    checker.saw(&Actor::World, Kind::Rollout, None, Some(&routed), at(0));
    for (hash, count) in [("a", 4), ("b", canary_pods)] {
        let size = i64::try_from(count).unwrap();
        checker.saw(&Actor::World, Kind::Set, None, Some(&set(hash, size)), at(0));
        for number in 0..count {
            let mut pod = pod(hash);
            pod["metadata"]["name"] = format!("{hash}-{number}").into();
            checker.saw(&Actor::World, Kind::Pod, None, Some(&pod), at(0));
        }
    }
    for (name, hash) in [("stable", "a"), ("canary", "b")] {
        let service =
            json!({"metadata": {"name": name}, "spec": {"selector": {"rollouts-pod-template-hash": hash}}});
        checker.saw(&Actor::World, Kind::Service, None, Some(&service), at(0));
    }
    checker.saw(&Actor::World, Kind::Route, None, Some(&route(100, 0)), at(0));
    checker.routers_lag(Duration::from_secs(3));
    checker
}

fn controller() -> Actor {
    Actor::Controller("controller".into())
}

fn writes(checker: &mut Checker, before: &Value, after: &Value, second: i64) {
    checker.saw(&controller(), Kind::Route, Some(before), Some(after), at(second));
}

#[test]
fn a_weight_above_its_step_breaks_s4() {
    for (weight, rule) in [(25, None), (26, Some("S4"))] {
        let mut checker = routed(&json!({}), 2);
        writes(&mut checker, &route(100, 0), &route(100 - weight, weight), 100);
        assert_eq!(broken(&checker), rule, "{weight}");
    }
}

#[test]
fn weights_that_do_not_add_up_break_s4() {
    let mut checker = routed(&json!({}), 1);
    writes(&mut checker, &route(100, 0), &route(75, 20), 100);
    assert_eq!(broken(&checker), Some("S4"));
}

#[test]
fn a_weight_for_missing_pods_breaks_s2() {
    for pods in [0, 1] {
        let mut checker = routed(&json!({}), pods);
        writes(&mut checker, &route(100, 0), &route(75, 25), 100);
        assert_eq!(broken(&checker), (pods == 0).then_some("S2"), "{pods} pods");
    }
}

#[test]
fn a_weight_that_rises_after_an_abort_breaks_v3() {
    let mut checker = routed(&json!({"abort": true}), 1);
    writes(&mut checker, &route(100, 0), &route(90, 10), 100);
    assert_eq!(broken(&checker), Some("V3"));
}

#[test]
fn pods_that_go_while_a_late_router_may_ask_them_break_s3() {
    for (second, rule) in [(102, Some("S3")), (104, None)] {
        let mut checker = routed(&json!({}), 1);
        writes(&mut checker, &route(100, 0), &route(75, 25), 50);
        writes(&mut checker, &route(75, 25), &route(100, 0), 100);
        checker.saw(&controller(), Kind::Set, Some(&set("b", 1)), Some(&set("b", 0)), at(second));
        assert_eq!(broken(&checker), rule, "{second}");
    }
}

#[test]
fn what_is_people_s_in_a_route_stays() {
    let mut checker = routed(&json!({}), 1);
    let mut other = route(75, 25);
    other["spec"]["rules"][0]["backendRefs"][0]["port"] = 80.into();
    writes(&mut checker, &route(100, 0), &other, 100);
    assert_eq!(broken(&checker), Some("S13"));
}

#[test]
fn a_route_that_nobody_names_is_not_ours() {
    let mut checker = routed(&json!({}), 1);
    let mut other = route(75, 25);
    other["metadata"]["name"] = "another".into();
    checker.saw(&controller(), Kind::Route, Some(&other), Some(&other), at(100));
    assert_eq!(broken(&checker), Some("S9"));
}

#[test]
fn a_route_that_is_not_found_by_its_labels_is_not_ours() {
    let labelled = |value: &str| {
        let mut labelled = route(75, 25);
        // What the Rollout has named before is given back, and so would be ours.
        labelled["metadata"]["name"] = "found".into();
        labelled["metadata"]["labels"] = json!({"team": value});
        labelled
    };
    let mut at_work = labelled("other");
    at_work["metadata"]["annotations"] =
        json!({"rollouts.argoproj.io/gatewayapi-active-rollouts": "default/web"});
    for (object, rule) in [(labelled("shop"), None), (labelled("other"), Some("S9")), (at_work, None)] {
        let mut checker = routed(&json!({}), 1);
        let mut found = web(&json!({}));
        let selector = json!({"httpRouteSelector": {"matchLabels": {"team": "shop"}}});
        found["spec"]["strategy"]["canary"]["trafficRouting"] = json!({"gatewayAPI": selector});
        checker.saw(&Actor::World, Kind::Rollout, None, Some(&found), at(50));
        checker.saw(&controller(), Kind::Route, Some(&object), Some(&object), at(100));
        assert_eq!(broken(&checker), rule, "{object}");
    }
}

#[test]
fn requests_that_stray_at_rest_are_seen() {
    let done = json!({"stableRS": "b", "currentPodHash": "b", "phase": "Healthy"});
    let checker = routed(&done, 4);
    assert!(checker.strays_at_rest().is_some(), "the stable Service selects the version before");
}
