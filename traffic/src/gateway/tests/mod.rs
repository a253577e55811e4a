//! Worked examples: weights, labels, shared routes. Managed routes are in `routes`, properties in `properties`.

mod config;
mod laws;
mod routes;
mod selected;

use super::*;
use crate::laws::carry_out;
use crds::rollout::canary::{HeaderRoutingMatch, RouteMatch, StringMatch};
use planner::traffic::{Share, Split};
use serde_json::json;
use std::sync::Arc;

pub(super) const NAMESPACE: &str = "shop";

pub(super) fn rollout(routing: &Value) -> Rollout {
    serde_json::from_value(json!({
        "metadata": {"name": "cart", "namespace": NAMESPACE},
        "spec": {"strategy": {"canary": {
            "canaryService": "canary", "stableService": "stable", "trafficRouting": routing,
        }}},
    }))
    .expect("a Rollout")
}

pub(super) fn services() -> Services {
    Services { canary: "canary".to_owned(), stable: "stable".to_owned() }
}

/// The router with this configuration.
pub(super) fn router(config: &Value) -> Box<dyn Router> {
    of(&rollout(&json!({"plugins": {PLUGIN: config}})), &services(), &nothing).expect("a router")
}

/// A look-up where no route has any labels.
pub(super) fn nothing(_: &Selection) -> Vec<String> {
    Vec::new()
}

pub(super) fn reference(router: &dyn Router) -> Reference {
    router.references().first().cloned().expect("a route")
}

/// A route with these rules, under the first reference of the router.
pub(super) fn route(router: &dyn Router, rules: &Value) -> Objects {
    let reference = reference(router);
    let object = json!({
        "apiVersion": format!("{}/{}", reference.kind.group, reference.kind.version),
        "kind": reference.kind.kind,
        "metadata": {"name": reference.name, "namespace": reference.namespace, "uid": "u"},
        "spec": {"parentRefs": [{"name": "gateway"}], "rules": rules},
        "status": {"parents": []},
    });
    Objects([(reference, Arc::new(object))].into())
}

pub(super) fn only(objects: &Objects) -> &Value {
    objects.0.values().next().expect("an object")
}

pub(super) fn rules(objects: &Objects) -> &Value {
    &only(objects)["spec"]["rules"]
}

pub(super) fn intent(canary: i32) -> Intent {
    let share = |service: &str, weight| Share { service: service.to_owned(), hash: String::new(), weight };
    Intent {
        total: 100,
        canary: share("canary", canary),
        stable: share("stable", 100 - canary),
        ..Intent::default()
    }
}

pub(super) fn exact(value: &str) -> StringMatch {
    StringMatch { exact: Some(value.to_owned()), ..StringMatch::default() }
}

pub(super) fn prefix(value: &str) -> StringMatch {
    StringMatch { prefix: Some(value.to_owned()), ..StringMatch::default() }
}

pub(super) fn regex(value: &str) -> StringMatch {
    StringMatch { regex: Some(value.to_owned()), ..StringMatch::default() }
}

pub(super) fn header_route(name: &str, headers: &[(&str, StringMatch)]) -> Route {
    let item = |(name, value): &(&str, StringMatch)| HeaderRoutingMatch {
        header_name: (*name).to_owned(),
        header_value: value.clone(),
    };
    Route::Header { name: name.to_owned(), matches: headers.iter().map(item).collect() }
}

pub(super) fn mirror_route(name: &str, matches: Vec<RouteMatch>, percentage: i32) -> Route {
    Route::Mirror { name: name.to_owned(), matches, percentage }
}

pub(super) fn weights(objects: &Objects) -> Vec<(String, Value)> {
    let rules = rules(objects).as_array().expect("rules").clone();
    let backends = rules.iter().flat_map(|rule| rule["backendRefs"].as_array().cloned().unwrap_or_default());
    backends
        .map(|backend| (backend["name"].as_str().unwrap_or_default().to_owned(), backend["weight"].clone()))
        .collect()
}

fn shown(router: &dyn Router, objects: &Objects, intent: &Intent) -> bool {
    router.observe(objects).expect("it can be read").shows(intent)
}

#[test]
fn every_rule_with_both_services_is_split_and_the_others_are_left_alone() {
    let router = router(&json!({"httpRoute": "web"}));
    let objects = route(
        router.as_ref(),
        &json!([
            {"backendRefs": [{"name": "stable", "port": 80}, {"name": "canary", "port": 80}]},
            {"backendRefs": [{"name": "canary", "port": 80}], "matches": [{"path": {"value": "/always"}}]},
            {"backendRefs": [
                {"name": "stable", "port": 80, "weight": 95},
                {"name": "other", "port": 80, "weight": 5},
                {"name": "canary", "port": 80, "weight": 0},
            ]},
            {"backendRefs": [{"name": "other"}]},
        ]),
    );
    let before = router.observe(&objects).unwrap();
    let split = |canary, stable| Split { canary, stable, ..Split::default() };
    assert_eq!(before.splits, [split(1, 1), split(0, 95)], "a missing weight is 1");
    let after = carry_out(router.as_ref(), &objects, &intent(20));
    let expected = [
        ("stable", json!(80)),
        ("canary", json!(20)),
        ("canary", Value::Null),
        ("stable", json!(80)),
        ("other", json!(5)),
        ("canary", json!(20)),
        ("other", Value::Null),
    ];
    assert_eq!(weights(&after), expected.map(|(name, weight)| (name.to_owned(), weight)));
}

#[test]
fn nothing_is_written_when_the_proportions_are_right() {
    let router = router(&json!({"httpRoute": "web"}));
    let rules = json!([{"backendRefs": [{"name": "stable"}, {"name": "canary", "weight": 0}]}]);
    let objects = route(router.as_ref(), &rules);
    assert_eq!(router.edit(&objects, &intent(0)), Ok(Vec::new()));
    assert!(shown(router.as_ref(), &objects, &intent(0)));
}

#[test]
fn a_service_that_is_there_twice_gets_its_share_in_all() {
    let router = router(&json!({"tcpRoute": "web"}));
    let backend = |name: &str, port: i64| json!({"name": name, "port": port});
    let cases = [
        (
            vec![backend("canary", 1), backend("canary", 2), backend("stable", 1), backend("stable", 2)],
            vec![20, 20, 80, 80],
        ),
        (vec![backend("canary", 1), backend("canary", 2), backend("stable", 1)], vec![20, 20, 160]),
    ];
    for (backends, expected) in cases {
        let objects = route(router.as_ref(), &json!([{"backendRefs": backends}]));
        let after = carry_out(router.as_ref(), &objects, &intent(20));
        let found: Vec<i64> = weights(&after).iter().filter_map(|(_, weight)| weight.as_i64()).collect();
        assert_eq!(found, expected);
        assert!(shown(router.as_ref(), &after, &intent(20)));
    }
}

#[test]
fn a_route_without_both_services_is_told_what_to_add() {
    for (config, rules) in [
        (
            json!({"httpRoute": "web"}),
            json!([{"backendRefs": [{"name": "stable"}]}, {"backendRefs": [{"name": "canary"}]}]),
        ),
        (json!({"tlsRoute": "web"}), json!([])),
        (json!({"grpcRoute": "web"}), json!("rules")),
        (
            json!({"httpRoute": "web", "httpRouteRuleName": "live"}),
            json!([{"name": "dead", "backendRefs": [{"name": "stable"}, {"name": "canary"}]}]),
        ),
        // A Service of the same name somewhere else.
        (
            json!({"httpRoute": "web"}),
            json!([{"backendRefs": [{"name": "stable"}, {"name": "canary", "namespace": "elsewhere"}]}]),
        ),
    ] {
        let router = router(&config);
        let objects = route(router.as_ref(), &rules);
        let problem = router.observe(&objects).unwrap_err().to_string();
        assert!(problem.contains("\"web\": no rule in spec.rules has backendRefs to both"), "{problem}");
        assert_eq!(router.edit(&objects, &intent(0)).unwrap_err().to_string(), problem);
    }
    let router = router(&json!({"httpRoute": "web"}));
    let problem = router.observe(&Objects::default()).unwrap_err().to_string();
    assert_eq!(problem, "HTTPRoute \"web\" not found in namespace \"shop\"");
}

#[test]
fn only_named_rules_are_split_where_they_are_named() {
    let router = router(&json!({"httpRoutes": [{"name": "web", "ruleName": "argo"}]}));
    let both = json!([{"name": "stable", "weight": 95}, {"name": "canary", "weight": 5}]);
    let objects =
        route(router.as_ref(), &json!([{"backendRefs": both}, {"name": "argo", "backendRefs": both}]));
    let after = carry_out(router.as_ref(), &objects, &intent(50));
    assert_eq!(rules(&after)[0]["backendRefs"], both);
    assert_eq!(rules(&after)[1]["backendRefs"][1]["weight"], json!(50));
}

#[test]
fn experiments_get_backends_like_the_canarys_and_lose_only_their_own() {
    let router = router(&json!({"httpRoute": "web"}));
    let objects = route(
        router.as_ref(),
        &json!([{"backendRefs": [
            {"group": "", "kind": "Service", "name": "stable", "port": 80, "weight": 1},
            {"group": "", "kind": "Service", "name": "canary", "port": 81, "weight": 1},
            {"name": "other", "port": 80, "weight": 7},
        ]}]),
    );
    let mut wanted = intent(20);
    wanted.stable.weight = 65;
    let share = |service: &str, weight| Share { service: service.to_owned(), hash: String::new(), weight };
    wanted.additional = vec![share("baseline", 10), share("candidate", 5)];
    let during = carry_out(router.as_ref(), &objects, &wanted);
    assert_eq!(
        rules(&during)[0]["backendRefs"],
        json!([
            {"group": "", "kind": "Service", "name": "stable", "port": 80, "weight": 65},
            {"group": "", "kind": "Service", "name": "canary", "port": 81, "weight": 20},
            {"name": "other", "port": 80, "weight": 7},
            {"group": "", "kind": "Service", "name": "baseline", "port": 81, "weight": 10},
            {"group": "", "kind": "Service", "name": "candidate", "port": 81, "weight": 5},
        ])
    );
    assert!(shown(router.as_ref(), &during, &wanted));
    let after = carry_out(router.as_ref(), &during, &intent(20));
    let names: Vec<String> = weights(&after).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["stable", "canary", "other"]);
    assert!(only(&after)["metadata"]["annotations"].get(record::KEY).is_none());
}

#[test]
fn the_label_is_there_while_the_canary_is() {
    let key = "rollouts.argoproj.io/gatewayapi-canary";
    let active = "rollouts.argoproj.io/gatewayapi-active-rollouts";
    let rules = json!([{"backendRefs": [{"name": "stable"}, {"name": "canary"}]}]);
    let plain = router(&json!({"httpRoute": "web"}));
    let objects = route(plain.as_ref(), &rules);
    let during = carry_out(plain.as_ref(), &objects, &intent(1));
    let metadata = &only(&during)["metadata"];
    assert_eq!(
        (&metadata["labels"][key], &metadata["annotations"][active]),
        (&json!("in-progress"), &json!("shop/cart"))
    );
    let after = carry_out(plain.as_ref(), &during, &intent(0));
    assert_eq!(only(&after)["metadata"], only(&objects)["metadata"]);

    let own = router(&json!({"httpRoute": "web", "inProgressLabelKey": "a/b", "inProgressLabelValue": "c"}));
    let during = carry_out(own.as_ref(), &objects, &intent(1));
    assert_eq!(only(&during)["metadata"]["labels"], json!({"a/b": "c"}));

    let none = router(&json!({"httpRoute": "web", "disableInProgressLabel": true}));
    let during = carry_out(none.as_ref(), &objects, &intent(1));
    assert_eq!(only(&during)["metadata"], only(&objects)["metadata"]);
}

#[test]
fn the_label_of_a_shared_route_stays_until_the_last_rollout_is_done() {
    let router = router(&json!({"httpRoute": "web"}));
    let mut objects =
        route(router.as_ref(), &json!([{"backendRefs": [{"name": "stable"}, {"name": "canary"}]}]));
    let reference = reference(router.as_ref());
    let mut object = only(&objects).clone();
    object["metadata"]["labels"] = json!({"rollouts.argoproj.io/gatewayapi-canary": "in-progress"});
    object["metadata"]["annotations"] =
        json!({"rollouts.argoproj.io/gatewayapi-active-rollouts": "shop/pay"});
    objects.0.insert(reference, Arc::new(object.clone()));
    let during = carry_out(router.as_ref(), &objects, &intent(10));
    let list = &only(&during)["metadata"]["annotations"]["rollouts.argoproj.io/gatewayapi-active-rollouts"];
    assert_eq!(list, &json!("shop/cart,shop/pay"));
    let after = carry_out(router.as_ref(), &during, &intent(0));
    assert_eq!(only(&after)["metadata"], object["metadata"]);
}
