#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod choice;
mod laws;
mod managed;
mod subsets;

use super::{DESTINATION_RULE, of, target};
use crate::laws::carry_out;
use crate::{Objects, Reference, Router, Services};
use crds::Rollout;
use planner::traffic::{Abilities, Intent, Share};
use serde_json::{Value, json};
use std::sync::Arc;

/// A router for the Rollout `web` in the namespace `shop`; `more` is merged into `trafficRouting`.
fn router(istio: &Value, more: &Value) -> Box<dyn Router> {
    let mut routing = more.as_object().cloned().unwrap_or_default();
    routing.insert("istio".to_owned(), istio.clone());
    let rollout: Rollout = serde_json::from_value(json!({
        "apiVersion": crds::API_VERSION, "kind": "Rollout", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {}, "template": {}, "strategy": {"canary": {"trafficRouting": routing}}},
    }))
    .unwrap();
    let services = Services { canary: "canary".to_owned(), stable: "stable".to_owned() };
    let mut found = of(&rollout, &services);
    assert_eq!(found.len(), 1);
    found.pop().unwrap()
}

/// Splits by host, in the VirtualService `web`.
fn by_host() -> Box<dyn Router> {
    router(
        &json!({"virtualService": {"name": "web"}}),
        &json!({"managedRoutes": [{"name": "b"}, {"name": "a"}]}),
    )
}

fn reference(name: &str) -> Reference {
    target::reference(name, "shop")
}

fn rule_reference() -> Reference {
    Reference { kind: DESTINATION_RULE, namespace: "shop".to_owned(), name: "rule".to_owned() }
}

fn objects(list: impl IntoIterator<Item = (Reference, Value)>) -> Objects {
    Objects(list.into_iter().map(|(reference, value)| (reference, Arc::new(value))).collect())
}

/// The VirtualService `web` with these HTTP routes.
fn web(http: &Value) -> Objects {
    objects([(reference("web"), json!({"spec": {"hosts": ["web"], "http": http}}))])
}

fn to(host: &str, weight: i64) -> Value {
    json!({"destination": {"host": host}, "weight": weight})
}

fn share(service: &str, hash: &str, weight: i32) -> Share {
    Share { service: service.to_owned(), hash: hash.to_owned(), weight }
}

fn intent(weight: i32) -> Intent {
    Intent {
        total: 100,
        canary: share("canary", "new", weight),
        stable: share("stable", "old", 100 - weight),
        managed: vec!["b".to_owned(), "a".to_owned()],
        ..Intent::default()
    }
}

/// What the object is after the intent was carried out; it then shows it, and nothing more is to do.
fn after(router: &dyn Router, objects: &Objects, intent: &Intent, reference: &Reference) -> Value {
    let after = carry_out(router, objects, intent);
    let observed = router.observe(&after).unwrap();
    assert!(observed.shows(intent), "{observed:?} does not show {intent:?}");
    assert_eq!(router.edit(&after, intent).unwrap(), Vec::new());
    after.get(reference).unwrap().clone()
}

fn http(router: &dyn Router, before: &Value, intent: &Intent) -> Value {
    after(router, &web(before), intent, &reference("web"))["spec"]["http"].clone()
}

#[test]
fn weights_go_to_hosts() {
    let before = json!([{"name": "primary", "timeout": "5s", "route": [
        {"destination": {"host": "stable.shop.svc.cluster.local", "port": {"number": 80}}, "weight": 100},
        {"destination": {"host": "canary"}, "headers": {"request": {"set": {"x-version": "new"}}}},
    ]}]);
    let expected = json!([{"name": "primary", "timeout": "5s", "route": [
        {"destination": {"host": "stable.shop.svc.cluster.local", "port": {"number": 80}}, "weight": 80},
        {"destination": {"host": "canary"}, "headers": {"request": {"set": {"x-version": "new"}}}, "weight": 20},
    ]}]);
    assert_eq!(http(by_host().as_ref(), &before, &intent(20)), expected);
    assert_eq!(http(by_host().as_ref(), &expected, &intent(20)), expected);
    assert_eq!(http(by_host().as_ref(), &before, &intent(0)), before, "a missing weight is none");
}

#[test]
fn the_same_proportions_are_left_alone() {
    let before = json!([{"route": [to("stable", 3), to("canary", 1)]}]);
    assert_eq!(http(by_host().as_ref(), &before, &intent(25)), before);
    let observed = by_host().observe(&web(&before)).unwrap();
    assert_eq!((observed.canary(100), observed.stable(100), observed.subsets), (25, 75, None));
}

#[test]
fn destinations_of_experiments_come_sorted_and_go() {
    let plain = json!([{"route": [to("stable", 100), to("canary", 0)]}]);
    let mut wanted = intent(10);
    wanted.stable.weight = 60;
    wanted.additional = vec![share("exp-b", "hb", 20), share("exp-a", "ha", 10), share("exp-none", "hn", 0)];
    let with = json!([{"route": [to("stable", 60), to("canary", 10), to("exp-a", 10), to("exp-b", 20)]}]);
    assert_eq!(http(by_host().as_ref(), &plain, &wanted), with);
    let gone = json!([{"route": [to("stable", 90), to("canary", 10)]}]);
    assert_eq!(http(by_host().as_ref(), &with, &intent(10)), gone);
    let idle = json!([{"route": [to("stable", 90), to("canary", 10), to("somebody", 0)]}]);
    assert_eq!(http(by_host().as_ref(), &idle, &intent(10)), idle, "who gets nothing may stay");
}

#[test]
fn experiments_are_written_like_the_canary() {
    let before = json!([{"route": [to("stable.shop.svc.cluster.local", 100), to("canary.shop.svc.cluster.local", 0)]}]);
    let mut wanted = intent(10);
    wanted.stable.weight = 60;
    wanted.additional = vec![share("exp", "he", 30)];
    let with = http(by_host().as_ref(), &before, &wanted);
    assert_eq!(with[0]["route"][2], to("exp.shop.svc.cluster.local", 30));
}

#[test]
fn a_side_that_stands_twice_gets_its_weight_once() {
    let before = json!([{"route": [to("stable", 100), to("canary", 0), to("canary", 0)]}]);
    let expected = json!([{"route": [to("stable", 80), to("canary", 20), to("canary", 0)]}]);
    assert_eq!(http(by_host().as_ref(), &before, &intent(20)), expected);
}

#[test]
fn every_virtual_service_is_written() {
    let istio = json!({"virtualServices": [
        {"name": "web"}, {"name": "edge.gateways", "routes": ["x"]}, {"name": "edge.gateways", "routes": ["y"]},
    ]});
    let router = router(&istio, &json!({}));
    let route = |name: &str| json!({"name": name, "route": [to("stable", 100), to("canary", 0)]});
    let value = |http: Value| json!({"spec": {"http": http}});
    let edge = reference("edge.gateways");
    assert_eq!(router.references(), [reference("web"), edge.clone()]);
    let before = objects([
        (reference("web"), value(json!([route("primary")]))),
        (edge.clone(), value(json!([route("x"), route("other"), route("y")]))),
    ]);
    let edge = after(router.as_ref(), &before, &intent(30), &edge);
    let weights: Vec<_> =
        [0, 1, 2].iter().map(|i| edge["spec"]["http"][i]["route"][1]["weight"].clone()).collect();
    assert_eq!(weights, [json!(30), json!(0), json!(30)]);
    let written = carry_out(router.as_ref(), &before, &intent(30));
    assert_eq!(router.observe(&written).unwrap().splits.len(), 3);
    let mut half = before.clone();
    half.0.insert(reference("web"), Arc::clone(&written.0[&reference("web")]));
    assert!(!router.observe(&half).unwrap().shows(&intent(30)), "one VirtualService is behind");
}

#[test]
fn what_it_can_do() {
    let all = Abilities {
        headers: true,
        mirrors: true,
        additional: true,
        subsets: false,
        registers: false,
        turns: false,
    };
    assert_eq!(by_host().abilities(), all);
    assert_eq!(subsets::by_subset().abilities(), Abilities { subsets: true, ..all });
    assert_eq!(by_host().name(), "istio");
}
