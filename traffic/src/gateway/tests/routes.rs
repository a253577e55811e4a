//! Managed routes.

use super::*;
use planner::traffic::WHOLE_MIRROR_PERCENT;

fn two_paths(router: &dyn Router) -> Objects {
    let backends = json!([{"name": "stable", "port": 80}, {"name": "canary", "port": 81, "weight": 0}]);
    route(
        router,
        &json!([
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/products"}}],
                "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["a"]}}],
                "timeouts": {"request": "3s"},
                "backendRefs": backends,
            },
            {
                "matches": [{
                    "path": {"type": "Exact", "value": "/orders"},
                    "headers": [{"name": "X-Tenant", "value": "t"}],
                }],
                "backendRefs": backends,
            },
            {"backendRefs": [{"name": "other"}]},
        ]),
    )
}

fn with(routes: Vec<Route>) -> Intent {
    Intent { routes, ..intent(20) }
}

fn edited(router: &dyn Router, objects: &Objects, intent: &Intent) -> Objects {
    let after = carry_out(router, objects, intent);
    assert!(shown(router, &after, intent), "{after:?}");
    assert_eq!(router.edit(&after, intent), Ok(Vec::new()));
    after
}

fn problem(objects: &Objects, router: &dyn Router, routes: Vec<Route>) -> String {
    router.edit(objects, &with(routes)).unwrap_err().to_string()
}

#[test]
fn a_header_route_is_a_rule_for_each_rule_ahead_of_all() {
    let router = router(&json!({"httpRoute": "web"}));
    let objects = two_paths(router.as_ref());
    let wanted =
        with(vec![header_route("qa", &[("X-A", exact("1")), ("X-B", prefix("v1.")), ("X-C", regex("a|b"))])]);
    let after = edited(router.as_ref(), &objects, &wanted);
    let rules = rules(&after).as_array().unwrap();
    assert_eq!(rules.len(), 5);
    let headers = [
        json!({"name": "X-A", "type": "Exact", "value": "1"}),
        json!({"name": "X-B", "type": "RegularExpression", "value": "^v1\\..*"}),
        json!({"name": "X-C", "type": "RegularExpression", "value": "a|b"}),
    ];
    assert_eq!(
        rules[0],
        json!({
            "name": "qa",
            "matches": [{"path": {"type": "PathPrefix", "value": "/products"}, "headers": headers}],
            "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["a"]}}],
            "timeouts": {"request": "3s"},
            "backendRefs": [{"name": "canary", "port": 81, "weight": 1}],
        })
    );
    assert_eq!(rules[1]["name"], json!("qa-1"));
    let tenant = json!({"name": "X-Tenant", "value": "t"});
    assert_eq!(
        rules[1]["matches"],
        json!([{
            "path": {"type": "Exact", "value": "/orders"},
            "headers": [tenant, headers[0], headers[1], headers[2]],
        }])
    );
    let rest = edited(router.as_ref(), &after, &intent(0));
    let split = carry_out(router.as_ref(), &objects, &intent(20));
    let untouched = edited(router.as_ref(), &split, &intent(0));
    assert_eq!(only(&rest), only(&untouched), "all is as if it had never been");
}

#[test]
fn a_mirror_route_copies_what_a_rule_takes_and_changes_nothing_else() {
    let router = router(&json!({"httpRoute": "web"}));
    let objects = two_paths(router.as_ref());
    let item = RouteMatch {
        method: Some(exact("GET")),
        path: Some(prefix("/products/new")),
        headers: Some([("X-A".to_owned(), exact("1"))].into()),
    };
    let after = edited(router.as_ref(), &objects, &with(vec![mirror_route("copy", vec![item], 10)]));
    let found = rules(&after).as_array().unwrap();
    assert_eq!(found.len(), 4, "/orders is not beneath /products/new");
    assert_eq!(
        found[0],
        json!({
            "name": "copy",
            "matches": [{
                "path": {"type": "PathPrefix", "value": "/products/new"},
                "method": "GET",
                "headers": [{"name": "X-A", "type": "Exact", "value": "1"}],
            }],
            "filters": [
                {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["a"]}},
                {"type": "RequestMirror", "requestMirror": {
                    "backendRef": {"name": "canary", "port": 81}, "percent": 10,
                }},
            ],
            "timeouts": {"request": "3s"},
            "backendRefs": [
                {"name": "stable", "port": 80, "weight": 80},
                {"name": "canary", "port": 81, "weight": 20},
            ],
        })
    );
    let everything = vec![mirror_route("copy", vec![RouteMatch::default()], WHOLE_MIRROR_PERCENT)];
    let after = edited(router.as_ref(), &after, &with(everything));
    let found = rules(&after).as_array().unwrap();
    assert_eq!(found.len(), 5);
    assert_eq!(
        found[1]["filters"][0]["requestMirror"],
        json!({"backendRef": {"name": "canary", "port": 81}})
    );
}

#[test]
fn routes_come_and_go_in_their_order() {
    let router = router(&json!({"httpRoute": "web"}));
    let [a, b] = ["a", "b"].map(|name| header_route(name, &[("X", exact(name))]));
    let mut objects = two_paths(router.as_ref());
    for routes in [
        vec![a.clone()],
        vec![b.clone(), a.clone()],
        vec![a.clone(), b.clone()],
        vec![b],
        vec![header_route("b", &[("Y", exact("y"))])],
        Vec::new(),
    ] {
        objects = edited(router.as_ref(), &objects, &with(routes));
    }
    assert_eq!(rules(&objects).as_array().unwrap().len(), 3);
}

#[test]
fn what_was_changed_by_hand_is_mended() {
    let router = router(&json!({"httpRoute": "web"}));
    let wanted = with(vec![header_route("qa", &[("X", exact("1"))])]);
    let right = edited(router.as_ref(), &two_paths(router.as_ref()), &wanted);
    let changes: [fn(&mut Value); 5] = [
        |object| object["spec"]["rules"][0]["matches"][0]["method"] = json!("GET"),
        |object| object["spec"]["rules"][0]["backendRefs"][0]["weight"] = json!(0),
        |object| object["spec"]["rules"].as_array_mut().unwrap().rotate_left(1),
        |object| {
            object["spec"]["rules"].as_array_mut().unwrap().remove(0);
        },
        |object| {
            object["metadata"]["annotations"].as_object_mut().unwrap().remove(record::KEY);
        },
    ];
    for change in changes {
        let mut object = only(&right).clone();
        change(&mut object);
        let changed = Objects([(reference(router.as_ref()), Arc::new(object))].into());
        assert!(!shown(router.as_ref(), &changed, &wanted));
        let mended = edited(router.as_ref(), &changed, &wanted);
        assert_eq!(rules(&mended), rules(&right));
    }
}

#[test]
fn rules_of_the_plugin_are_taken_over() {
    let routing = json!({"plugins": {PLUGIN: {"httpRoute": "web"}}, "managedRoutes": [{"name": "qa"}]});
    let router = of(&rollout(&routing), &services(), &nothing).unwrap();
    let objects = route(
        router.as_ref(),
        &json!([
            {"backendRefs": [{"name": "stable", "weight": 100}, {"name": "canary", "weight": 0}]},
            {"name": "qa", "matches": [{"headers": [{"name": "X", "value": "1"}]}], "backendRefs": [{"name": "canary"}]},
        ]),
    );
    assert!(!shown(router.as_ref(), &objects, &intent(0)));
    let after = edited(router.as_ref(), &objects, &intent(0));
    assert_eq!(rules(&after).as_array().unwrap().len(), 1);
}

#[test]
fn a_cluster_that_drops_names_keeps_routes_apart() {
    let router = router(&json!({"httpRoute": "web"}));
    let routes = vec![
        header_route("qa", &[("X", exact("1"))]),
        mirror_route("copy", vec![RouteMatch::default()], WHOLE_MIRROR_PERCENT),
    ];
    let after = carry_out(router.as_ref(), &two_paths(router.as_ref()), &with(routes.clone()));
    let mut object = only(&after).clone();
    for rule in object["spec"]["rules"].as_array_mut().unwrap() {
        rule.as_object_mut().unwrap().remove("name");
    }
    let dropped = Objects([(reference(router.as_ref()), Arc::new(object))].into());
    assert!(shown(router.as_ref(), &dropped, &with(routes.clone())));
    assert_eq!(router.edit(&dropped, &with(routes)), Ok(Vec::new()));
    let after = edited(router.as_ref(), &dropped, &intent(0));
    assert_eq!(rules(&after).as_array().unwrap().len(), 3);
}

#[test]
fn a_cluster_that_drops_percent_is_told() {
    let router = router(&json!({"httpRoute": "web"}));
    let wanted = with(vec![mirror_route("copy", vec![RouteMatch::default()], 10)]);
    let after = carry_out(router.as_ref(), &two_paths(router.as_ref()), &wanted);
    let mut object = only(&after).clone();
    let mirror = &mut object["spec"]["rules"][0]["filters"][1]["requestMirror"];
    mirror.as_object_mut().unwrap().remove("percent");
    let dropped = Objects([(reference(router.as_ref()), Arc::new(object))].into());
    assert!(!shown(router.as_ref(), &dropped, &wanted));
    let told = router.edit(&dropped, &wanted).unwrap_err().to_string();
    assert!(told.contains("the cluster has dropped `percent`"), "{told}");
    edited(router.as_ref(), &dropped, &intent(0));
}

#[test]
fn rules_of_others_are_never_taken_for_ours() {
    let router = router(&json!({"httpRoute": "web"}));
    let mut objects = two_paths(router.as_ref());
    let mut object = only(&objects).clone();
    object["spec"]["rules"][2]["name"] = json!("qa");
    objects.0.insert(reference(router.as_ref()), Arc::new(object.clone()));
    let route = header_route("qa", &[("X", exact("1"))]);
    let told = problem(&objects, router.as_ref(), vec![route]);
    assert!(told.contains("would have two rules named \"qa\""), "{told}");
    let after = edited(router.as_ref(), &objects, &Intent { managed: vec!["qa".to_owned()], ..intent(0) });
    assert_eq!(rules(&after)[2], object["spec"]["rules"][2]);
}

#[test]
fn what_cannot_be_asked_for_is_told() {
    let router = router(&json!({"httpRoute": "web"}));
    let objects = two_paths(router.as_ref());
    let mirror = |item: RouteMatch| vec![mirror_route("m", vec![item], 10)];
    let of = RouteMatch::default;
    for (routes, expected) in [
        (vec![header_route("h", &[("X", exact("1")), ("x", exact("2"))])], "asks for header \"x\" twice"),
        (vec![header_route("h", &[("X", StringMatch::default())])], "without a value"),
        (mirror(RouteMatch { method: Some(prefix("G")), ..of() }), "has only exact methods"),
        (mirror(RouteMatch { path: Some(regex("/a.*")), ..of() }), "is a regular expression"),
        (
            mirror(RouteMatch { path: Some(exact("/elsewhere")), ..of() }),
            "no rule with canary and stable takes",
        ),
        (
            (0..8).map(|number| header_route(&format!("h{number}"), &[("X", exact("1"))])).collect(),
            "would have 19 rules",
        ),
        (
            vec![header_route("h", &[("X", exact("1"))]), header_route("h-1", &[("Y", exact("1"))])],
            "two rules named \"h-1\"",
        ),
    ] {
        let told = problem(&objects, router.as_ref(), routes);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn each_route_takes_what_it_can() {
    let config = json!({
        "httpRoutes": [{"name": "plain"}, {"name": "headers", "useHeaderRoutes": true}],
        "grpcRoute": "calls", "tcpRoute": "bytes",
    });
    let router = router(&config);
    let both = json!([{"name": "stable"}, {"name": "canary"}]);
    let object = |reference: &Reference| json!({"metadata": {"name": reference.name}, "spec": {"rules": [{"backendRefs": both}]}});
    let objects = Objects(
        router
            .references()
            .into_iter()
            .map(|reference| (reference.clone(), Arc::new(object(&reference))))
            .collect(),
    );
    let wanted = with(vec![
        mirror_route("copy", vec![RouteMatch::default()], 50),
        header_route("qa", &[("X", exact("1"))]),
    ]);
    let after = edited(router.as_ref(), &objects, &wanted);
    let count = |name: &str| {
        let found = after.0.iter().find(|(reference, _)| reference.name == name).unwrap().1;
        found["spec"]["rules"].as_array().unwrap().len()
    };
    assert_eq!(["plain", "headers", "calls", "bytes"].map(count), [2, 3, 2, 1]);
    // One of them is written late.
    let mut partly = after.clone();
    let calls = router.references()[2].clone();
    partly.0.insert(calls.clone(), objects.0[&calls].clone());
    assert!(!shown(router.as_ref(), &partly, &wanted));
    partly = objects.clone();
    partly.0.insert(calls.clone(), after.0[&calls].clone());
    assert!(!shown(router.as_ref(), &partly, &intent(20)));
    edited(router.as_ref(), &partly, &intent(20));
}

#[test]
fn a_rule_that_mirrors_by_itself_is_not_ours() {
    let router = router(&json!({"httpRoute": "web"}));
    let copy = json!({"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "canary"}}});
    let objects = route(
        router.as_ref(),
        &json!([{"filters": [copy], "backendRefs": [{"name": "stable"}, {"name": "canary"}]}]),
    );
    let wanted = with(vec![mirror_route("copy", vec![RouteMatch::default()], WHOLE_MIRROR_PERCENT)]);
    let after = edited(router.as_ref(), &objects, &wanted);
    assert_eq!(rules(&after).as_array().unwrap().len(), 2);
    // Someone puts the route back as it was, but for the annotation.
    let mut object = only(&after).clone();
    object["spec"] = only(&objects)["spec"].clone();
    let reset = Objects([(reference(router.as_ref()), Arc::new(object))].into());
    assert!(!shown(router.as_ref(), &reset, &wanted));
    let after = edited(router.as_ref(), &reset, &wanted);
    assert_eq!(rules(&after).as_array().unwrap().len(), 2);
}
