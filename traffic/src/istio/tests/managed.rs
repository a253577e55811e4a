//! Header routes and mirror routes.

use super::{by_host, http, intent, objects, reference, router, to, web};
use crds::rollout::canary::{HeaderRoutingMatch, RouteMatch, StringMatch};
use planner::traffic::{Intent, Route};
use serde_json::{Value, json};

fn exact(text: &str) -> StringMatch {
    StringMatch { exact: Some(text.to_owned()), ..StringMatch::default() }
}

pub(super) fn header(name: &str) -> Route {
    let matched =
        |header: &str, value| HeaderRoutingMatch { header_name: header.to_owned(), header_value: value };
    let regex = StringMatch { regex: Some(".*Chrome.*".to_owned()), ..StringMatch::default() };
    Route::Header {
        name: name.to_owned(),
        matches: vec![matched("x-user", exact("tester")), matched("agent", regex)],
    }
}

pub(super) fn mirror(name: &str) -> Route {
    let path = StringMatch { prefix: Some("/color".to_owned()), ..StringMatch::default() };
    let headers = Some([("x-user".to_owned(), exact("tester"))].into());
    let matches = vec![
        RouteMatch { method: Some(exact("POST")), path: Some(path), headers: None },
        RouteMatch { method: None, path: None, headers },
    ];
    Route::Mirror { name: name.to_owned(), matches, percentage: 50 }
}

fn with(routes: Vec<Route>, weight: i32) -> Intent {
    Intent { routes, ..intent(weight) }
}

fn plain() -> Value {
    json!([
        {"name": "primary", "route": [
            {"destination": {"host": "stable", "port": {"number": 80}}, "weight": 100},
            {"destination": {"host": "canary", "port": {"number": 8080}}},
        ]},
    ])
}

#[test]
fn as_they_are_written() {
    let wanted = with(vec![mirror("b"), header("a")], 20);
    let written = http(by_host().as_ref(), &plain(), &wanted);
    let canary = json!({"host": "canary", "port": {"number": 8080}});
    let route = json!([
        {"destination": {"host": "stable", "port": {"number": 80}}, "weight": 80},
        {"destination": canary, "weight": 20},
    ]);
    let expected = json!([
        {
            "name": "b",
            "match": [
                {"method": {"exact": "POST"}, "uri": {"prefix": "/color"}},
                {"headers": {"x-user": {"exact": "tester"}}},
            ],
            "route": route,
            "mirror": canary,
            "mirrorPercentage": {"value": 50},
        },
        {
            "name": "a",
            "match": [{"headers": {"x-user": {"exact": "tester"}}}, {"headers": {"agent": {"regex": ".*Chrome.*"}}}],
            "route": [{"destination": canary, "weight": 100}],
        },
        {"name": "primary", "route": route},
    ]);
    assert_eq!(written, expected);
    let observed = by_host().observe(&web(&written)).unwrap();
    assert_eq!((observed.splits.len(), observed.routes), (2, wanted.routes), "a mirror route is split, too");
}

#[test]
fn a_mirror_route_follows_the_weight_and_routes_that_nobody_wants_go() {
    let first = http(by_host().as_ref(), &plain(), &with(vec![mirror("b"), header("a")], 20));
    let second = http(by_host().as_ref(), &first, &with(vec![mirror("b")], 40));
    assert_eq!(second.as_array().unwrap().len(), 2);
    assert_eq!(second[0]["route"], second[1]["route"]);
    assert_eq!(second[0]["route"][1]["weight"], json!(40));
    let end = http(by_host().as_ref(), &second, &intent(0));
    assert_eq!(end.as_array().unwrap().len(), 1);
    assert_eq!(end[0]["route"][1]["weight"], json!(0));
}

#[test]
fn what_somebody_has_changed_is_put_right() {
    let wanted = with(vec![header("b"), mirror("a")], 20);
    let right = http(by_host().as_ref(), &plain(), &wanted);
    let change = |pointer: &str, to: Value| {
        let mut changed = right.clone();
        *changed.pointer_mut(pointer).unwrap() = to;
        changed
    };
    let mut turned = right.clone();
    turned.as_array_mut().unwrap().swap(0, 1);
    let mut behind = right.clone();
    behind.as_array_mut().unwrap().swap(1, 2);
    let mut twice = right.clone();
    twice.as_array_mut().unwrap().push(right[0].clone());
    let mut more = right.clone();
    more[0]["redirect"] = json!({"uri": "/"});
    for changed in [
        change("/0/match/0/headers/x-user/exact", json!("x")),
        change("/0/match", json!([])),
        change("/0/match", json!("every")),
        change("/0/route/0/destination/host", json!("stable")),
        change("/1/mirror/host", json!("stable")),
        change("/1/mirrorPercentage", json!({})),
        change("/1/match/0/uri", json!(7)),
        change("/1/route", json!([to("canary", 100)])),
        change("/1/route/0/weight", json!(1)),
        turned,
        behind,
        twice,
        more,
    ] {
        assert!(!by_host().observe(&web(&changed)).unwrap().shows(&wanted), "{changed}");
        assert_eq!(http(by_host().as_ref(), &changed, &wanted), right);
    }
    let removed = json!([right[1], right[2]]);
    assert_eq!(http(by_host().as_ref(), &removed, &wanted), right);
    assert_eq!(http(by_host().as_ref(), &change("/1/route/0/weight", json!(80)), &wanted), right);
}

#[test]
fn the_weights_of_a_mirror_route_may_be_other_numbers() {
    let wanted = with(vec![mirror("a")], 20);
    let mut same = http(by_host().as_ref(), &plain(), &wanted);
    same[0]["route"][0]["weight"] = json!(4);
    same[0]["route"][1]["weight"] = json!(1);
    assert_eq!(http(by_host().as_ref(), &same, &wanted), same);
}

#[test]
fn they_are_made_in_every_virtual_service_that_has_http_routes() {
    let istio = json!({"virtualServices": [{"name": "web"}, {"name": "edge"}, {"name": "raw"}]});
    let router = router(&istio, &json!({"managedRoutes": [{"name": "a"}]}));
    let route = json!([{"route": [to("stable", 100), to("canary", 0)]}]);
    let list = |edge: &Value| {
        objects([
            (reference("web"), json!({"spec": {"http": route}})),
            (reference("edge"), json!({"spec": {"http": edge}})),
            (reference("raw"), json!({"spec": {"tcp": route}})),
        ])
    };
    let wanted = with(vec![header("a")], 0);
    let edge = super::after(router.as_ref(), &list(&route), &wanted, &reference("edge"));
    assert_eq!(edge["spec"]["http"][0]["name"], json!("a"));
    let observed = router.observe(&list(&edge["spec"]["http"])).unwrap();
    assert!(!observed.shows(&wanted) && !observed.shows(&intent(0)), "only one has it: {observed:?}");
}

#[test]
fn without_http_there_can_be_none() {
    let raw = json!({"spec": {"tcp": [{"route": [to("stable", 100), to("canary", 0)]}]}});
    let problem =
        by_host().edit(&objects([(reference("web"), raw)]), &with(vec![header("a")], 0)).unwrap_err();
    assert!(problem.to_string().contains("need a VirtualService that splits an HTTP route"), "{problem}");
}
