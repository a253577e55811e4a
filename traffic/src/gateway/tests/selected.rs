//! Routes that are found by their labels.

use super::*;
use crate::object::{GRPC_ROUTE, HTTP_ROUTE};
use crate::{Kind, fault};
use proptest::collection::vec;
use proptest::prelude::*;

fn at(kind: Kind, namespace: &str, name: &str) -> Reference {
    Reference { kind, namespace: namespace.to_owned(), name: name.to_owned() }
}

fn web(name: &str) -> Reference {
    at(HTTP_ROUTE, NAMESPACE, name)
}

/// A route with both Services and these labels.
fn labelled(labels: &Value) -> Arc<Value> {
    let backends = json!([{"name": "stable", "weight": 100}, {"name": "canary", "weight": 0}]);
    Arc::new(json!({"metadata": {"labels": labels}, "spec": {"rules": [{"backendRefs": backends}]}}))
}

fn shop(found: &[(&str, Value)]) -> Objects {
    Objects(found.iter().map(|(name, labels)| (web(name), labelled(labels))).collect())
}

/// The router with what it finds among the objects.
fn selecting(config: &Value, objects: &Objects) -> Box<dyn Router> {
    let rollout = rollout(&json!({"gatewayAPI": config}));
    of(&rollout, &services(), &|selection| objects.select(selection)).expect("a router")
}

fn names(config: &Value, objects: &Objects) -> Vec<String> {
    let references = selecting(config, objects).references().into_iter();
    references.map(|reference| format!("{} {}", reference.kind.kind, reference.name)).collect()
}

fn relabel(objects: &mut Objects, name: &str, labels: &Value) {
    let object = objects.0.get_mut(&web(name)).unwrap();
    let mut changed = object.as_ref().clone();
    changed["metadata"]["labels"]["app"] = labels["app"].clone();
    changed["metadata"]["labels"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    *object = Arc::new(changed);
}

fn by_app() -> Value {
    json!({"httpRouteSelector": {"matchLabels": {"app": "web"}}})
}

fn canary_weight(objects: &Objects, name: &str) -> i64 {
    objects.0[&web(name)]["spec"]["rules"][0]["backendRefs"][1]["weight"].as_i64().unwrap()
}

#[test]
fn what_is_found_comes_behind_what_is_named_in_order_of_its_name() {
    let mut objects = shop(&[
        ("c", json!({"app": "web"})),
        ("a", json!({"app": "web"})),
        ("b", json!({"app": "web", "tier": "edge"})),
        ("other", json!({"app": "other"})),
        ("bare", Value::Null),
    ]);
    let web = labelled(&json!({"app": "web"}));
    objects.0.insert(at(HTTP_ROUTE, "elsewhere", "far"), web.clone());
    objects.0.insert(at(GRPC_ROUTE, NAMESPACE, "calls"), web);
    let labels = json!({"matchLabels": {"app": "web"}});
    for (config, expected) in [
        (by_app(), vec!["HTTPRoute a", "HTTPRoute b", "HTTPRoute c"]),
        (json!({"httpRouteSelector": labels, "namespace": "elsewhere"}), vec!["HTTPRoute far"]),
        (
            json!({"grpcRouteSelector": labels, "HTTPROUTESELECTOR": {"MatchLabels": {"tier": "edge"}}}),
            vec!["HTTPRoute b", "GRPCRoute calls"],
        ),
        (
            json!({"httpRoutes": [{"name": "z"}, {"name": "b"}], "httpRoute": "y", "httpRouteSelector": labels}),
            vec!["HTTPRoute z", "HTTPRoute b", "HTTPRoute y", "HTTPRoute a", "HTTPRoute c"],
        ),
        // As with every selector of Kubernetes, what is missing is not in a list either.
        (
            json!({"httpRouteSelector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["edge"]}]}}),
            vec!["HTTPRoute a", "HTTPRoute bare", "HTTPRoute c", "HTTPRoute other"],
        ),
        (
            json!({"httpRouteSelector": {"matchLabels": {"app": "web"}, "matchExpressions": [
                {"key": "app", "operator": "In", "values": ["web", "shop"]}, {"key": "tier", "operator": "DoesNotExist"},
            ]}}),
            vec!["HTTPRoute a", "HTTPRoute c"],
        ),
        (
            json!({"httpRouteSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}}),
            vec!["HTTPRoute b"],
        ),
        // PARITY: a selector that asks for nothing finds all.
        (
            json!({"httpRouteSelector": {}}),
            vec!["HTTPRoute a", "HTTPRoute b", "HTTPRoute bare", "HTTPRoute c", "HTTPRoute other"],
        ),
        (json!({"httpRoute": "y", "httpRouteSelector": null}), vec!["HTTPRoute y"]),
    ] {
        assert_eq!(names(&config, &objects), expected, "{config}");
    }
}

#[test]
fn a_route_that_is_named_and_found_is_as_it_is_named() {
    let mut objects = shop(&[("a", json!({"app": "web"})), ("b", json!({"app": "web"}))]);
    let both = json!([{"name": "stable", "weight": 100}, {"name": "canary", "weight": 0}]);
    let mut ruled = objects.0[&web("a")].as_ref().clone();
    ruled["spec"]["rules"] = json!([{"backendRefs": both}, {"name": "mine", "backendRefs": both}]);
    objects.0.insert(web("a"), Arc::new(ruled));
    let mut config = by_app();
    config["httpRoute"] = json!("a");
    config["httpRouteRuleName"] = json!("mine");
    let router = selecting(&config, &objects);
    let wanted = Intent { routes: vec![header_route("qa", &[("X", exact("1"))])], ..intent(20) };
    let after = carry_out(router.as_ref(), &objects, &wanted);
    let rules = |name: &str| after.0[&web(name)]["spec"]["rules"].as_array().unwrap().clone();
    let found: Vec<Value> = rules("a").iter().map(|rule| rule["name"].clone()).collect();
    assert_eq!(found, [json!("qa"), Value::Null, json!("mine")]);
    assert_eq!(rules("a")[1]["backendRefs"], both, "only the named rule is split");
    assert_eq!(rules("b").len(), 1, "what is found takes no header routes");
    assert_eq!(canary_weight(&after, "b"), 20);
    assert!(shown(router.as_ref(), &after, &wanted));
}

#[test]
fn nothing_found_is_told_like_a_route_that_is_missing() {
    let objects = shop(&[("other", json!({"app": "other"}))]);
    let config = json!({
        "httpRouteSelector": {"matchLabels": {"app": "web"}},
        "grpcRouteSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]},
    });
    let router = selecting(&config, &objects);
    let problem = router.observe(&objects).unwrap_err();
    assert_eq!(router.edit(&objects, &intent(0)).unwrap_err(), problem);
    assert!(problem.is_missing());
    assert_eq!((problem.kind(), problem.name()), ("HTTPRoute", "app=web"));
    let told = fault(&rollout(&json!({"gatewayAPI": config})), router.name(), &problem);
    assert_eq!(told.path, "gatewayAPI.httpRouteSelector");
    assert_eq!(told.value, Some(json!("app=web")));
    assert_eq!(
        told.message,
        "no HTTPRoute in namespace \"shop\" has the labels of httpRouteSelector (app=web); no GRPCRoute in namespace \
         \"shop\" has the labels of grpcRouteSelector (tier)"
    );
    let any =
        selecting(&json!({"tcpRouteSelector": {}}), &objects).observe(&objects).unwrap_err().to_string();
    assert!(any.ends_with("tcpRouteSelector (any)"), "{any}");
    // PARITY: who names a route as well may have none yet that has the labels.
    let mut named = config.clone();
    named["httpRoute"] = json!("other");
    assert!(selecting(&named, &objects).observe(&objects).is_ok());
}

#[test]
fn a_selector_that_is_wrong_is_told_with_its_path() {
    let expression = |item: Value| json!({"matchExpressions": [item]});
    for (selector, expected) in [
        (json!("app=web"), "httpRouteSelector: must be an object"),
        (json!({"matchLabel": {"app": "web"}}), "httpRouteSelector: unknown key \"matchLabel\""),
        (json!({"matchLabels": {"app": 1}}), "httpRouteSelector: invalid type"),
        (json!({"matchLabels": {"a b": "c"}}), "httpRouteSelector.matchLabels: Invalid value: \"a b\""),
        (
            json!({"matchLabels": {"app": "a b"}}),
            "httpRouteSelector.matchLabels[app]: Invalid value: \"a b\"",
        ),
        (expression(json!("app")), "httpRouteSelector.matchExpressions[0]: must be an object"),
        (
            expression(json!({"key": "app", "operator": "Like", "values": ["a"]})),
            "httpRouteSelector.matchExpressions[0].operator: Unsupported value: \"Like\"",
        ),
        (
            expression(json!({"key": "app", "operator": "In"})),
            "httpRouteSelector.matchExpressions[0].values: Required value",
        ),
        (
            expression(json!({"key": "app", "operator": "Exists", "values": ["a"]})),
            "httpRouteSelector.matchExpressions[0].values: Forbidden",
        ),
        (
            expression(json!({"key": "app", "operator": "Exists", "value": "a"})),
            "httpRouteSelector.matchExpressions[0]: unknown key \"value\"",
        ),
    ] {
        for key in ["gatewayAPI", "plugins"] {
            let config = json!({"httpRoute": "a", "httpRouteSelector": selector});
            let config = if key == "plugins" { json!({PLUGIN: config}) } else { config };
            let router = of(&rollout(&json!({key: config})), &services(), &nothing).unwrap();
            let Err(Problem::Rollout(told)) = router.observe(&Objects::default()) else {
                panic!("{selector} was taken");
            };
            let places = ["gatewayAPI", "plugins[\"argoproj-labs/gatewayAPI\"]"];
            let good = places.map(|place| format!("spec.strategy.canary.trafficRouting.{place}: {expected}"));
            assert!(good.iter().any(|good| told.starts_with(good)), "{told} for {selector}");
        }
    }
}

#[test]
fn a_route_that_loses_its_labels_is_followed_until_nothing_is_left_in_it() {
    let web = json!({"app": "web"});
    let mut objects = shop(&[("a", web.clone()), ("b", web.clone())]);
    objects = carry_out(selecting(&by_app(), &objects).as_ref(), &objects, &intent(20));
    relabel(&mut objects, "b", &json!({"app": null}));
    let router = selecting(&by_app(), &objects);
    assert!(shown(router.as_ref(), &objects, &intent(20)));
    objects = carry_out(router.as_ref(), &objects, &intent(50));
    assert_eq!(canary_weight(&objects, "b"), 50, "its users are where all others are");
    let router = selecting(&by_app(), &objects);
    objects = carry_out(router.as_ref(), &objects, &intent(0));
    let left = &objects.0[&self::web("b")];
    assert_eq!((&left["spec"], &left["metadata"]), (&labelled(&web)["spec"], &json!({})));
    assert_eq!(names(&by_app(), &objects), ["HTTPRoute a"]);
    let before = objects.clone();
    objects = carry_out(selecting(&by_app(), &objects).as_ref(), &objects, &intent(70));
    assert_eq!(objects.0[&self::web("b")], before.0[&self::web("b")], "it is nobody's any more");
    assert_eq!(canary_weight(&objects, "a"), 70);
}

#[test]
fn a_route_that_leaves_with_its_backends_is_let_go() {
    let web = json!({"app": "web"});
    let mut objects = shop(&[("a", web.clone()), ("b", web.clone())]);
    objects = carry_out(selecting(&by_app(), &objects).as_ref(), &objects, &intent(20));
    let mut alone = objects.0[&self::web("b")].as_ref().clone();
    alone["spec"]["rules"] = json!([{"backendRefs": [{"name": "stable"}]}]);
    objects.0.insert(self::web("b"), Arc::new(alone.clone()));
    let told = selecting(&by_app(), &objects).observe(&objects).unwrap_err().to_string();
    assert!(told.ends_with("or take off the labels by which it is found"), "{told}");

    relabel(&mut objects, "b", &json!({"app": null}));
    let router = selecting(&by_app(), &objects);
    assert!(!shown(router.as_ref(), &objects, &intent(20)), "its marks are still there");
    objects = carry_out(router.as_ref(), &objects, &intent(20));
    let left = &objects.0[&self::web("b")];
    assert_eq!((&left["spec"], &left["metadata"]), (&alone["spec"], &json!({})));
    let router = selecting(&by_app(), &objects);
    assert_eq!(names(&by_app(), &objects), ["HTTPRoute a"]);
    assert!(shown(router.as_ref(), &objects, &intent(20)));
}

#[test]
fn a_route_that_goes_between_the_look_up_and_the_look_is_no_problem() {
    let web = json!({"app": "web"});
    let mut objects = shop(&[("a", web.clone()), ("b", web)]);
    let router = selecting(&by_app(), &objects);
    objects.0.remove(&self::web("b"));
    assert!(shown(router.as_ref(), &objects, &intent(0)));
    objects.0.remove(&self::web("a"));
    let problem = router.observe(&objects).unwrap_err();
    assert!(matches!(problem, Problem::Unselected { .. }), "{problem}");
}

/// What happens to one of three routes between two edits.
#[derive(Clone, Copy, Debug)]
enum Change {
    Gains(usize),
    Loses(usize),
    Goes(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0..3_usize).prop_map(Change::Gains),
        (0..3_usize).prop_map(Change::Loses),
        (0..3_usize).prop_map(Change::Goes),
    ]
}

fn apply(change: Change, objects: &mut Objects) {
    let name = |index: usize| ["a", "b", "c"][index];
    match change {
        Change::Gains(index) if objects.get(&web(name(index))).is_none() => {
            objects.0.insert(web(name(index)), labelled(&json!({"app": "web"})));
        }
        Change::Gains(index) => relabel(objects, name(index), &json!({"app": "web"})),
        Change::Loses(index) if objects.get(&web(name(index))).is_none() => {}
        Change::Loses(index) => relabel(objects, name(index), &json!({"app": null})),
        Change::Goes(index) => drop(objects.0.remove(&web(name(index)))),
    }
}

proptest! {
    #[test]
    fn whatever_becomes_of_labels_nothing_of_ours_is_left_behind(
        steps in vec((change(), 0..=100_i32, any::<bool>()), 1..12),
    ) {
        let mut objects = shop(&[("a", json!({"app": "web"}))]);
        for (change, weight, mirrors) in steps {
            apply(change, &mut objects);
            let mirror = mirror_route("copy", vec![RouteMatch::default()], 100);
            let routes = if mirrors { vec![mirror] } else { Vec::new() };
            let wanted = Intent { routes, ..intent(weight) };
            let router = selecting(&by_app(), &objects);
            if router.references().is_empty() {
                prop_assert!(router.observe(&objects).is_err());
                continue;
            }
            let after = carry_out(router.as_ref(), &objects, &wanted);
            let followed = router.references();
            for (reference, object) in &objects.0 {
                if !followed.contains(reference) {
                    prop_assert_eq!(object, &after.0[reference]);
                    prop_assert!(!object.to_string().contains("shop/cart"), "{} is left", object);
                }
            }
            objects = after;
            let again = selecting(&by_app(), &objects);
            if !again.references().is_empty() {
                prop_assert!(shown(again.as_ref(), &objects, &wanted));
                prop_assert_eq!(again.edit(&objects, &wanted), Ok(Vec::new()));
            }
        }
        let router = selecting(&by_app(), &objects);
        if !router.references().is_empty() {
            objects = carry_out(router.as_ref(), &objects, &intent(0));
        }
        for object in objects.0.values() {
            prop_assert_eq!(&object["spec"], &labelled(&Value::Null)["spec"]);
            prop_assert!(!object.to_string().contains("shop/cart"), "something is left: {}", object);
        }
    }
}
