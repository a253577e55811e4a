//! The configuration.

use super::*;

fn found(routing: &Value) -> Result<Vec<String>, String> {
    let router = of(&rollout(routing), &services(), &nothing).expect("a router");
    let problem = router.observe(&Objects::default()).unwrap_err();
    let name = |reference: Reference| {
        let Reference { kind, namespace, name } = reference;
        format!("{}/{} {namespace}/{name}", kind.kind, kind.version)
    };
    match problem {
        Problem::Rollout(what) => Err(what),
        _ => Ok(router.references().into_iter().map(name).collect()),
    }
}

#[test]
fn routes_are_taken_as_the_plugin_takes_them() {
    let config = json!({
        "namespace": "edge",
        "httpRoute": "c", "httpRoutes": [{"name": "a", "useHeaderRoutes": true}, {"name": "b"}, {"name": "c"}],
        "grpcRoute": "d", "TCPRoute": "e", "tlsRoutes": [{"name": "f"}],
        "configMap": "books", "whatever": 1,
    });
    let expected = [
        "HTTPRoute/v1 edge/a",
        "HTTPRoute/v1 edge/b",
        "HTTPRoute/v1 edge/c",
        "GRPCRoute/v1 edge/d",
        "TCPRoute/v1alpha2 edge/e",
        "TLSRoute/v1alpha2 edge/f",
    ];
    assert_eq!(found(&json!({"plugins": {PLUGIN: config}})).unwrap(), expected);
    assert_eq!(found(&json!({"gatewayAPI": {"httpRoute": "a"}})).unwrap(), ["HTTPRoute/v1 shop/a"]);
    let both = json!({"gatewayAPI": {"httpRoute": "a"}, "plugins": {PLUGIN: {"httpRoute": "a"}}});
    assert_eq!(found(&both).unwrap(), ["HTTPRoute/v1 shop/a"]);
    assert!(of(&rollout(&json!({"plugins": {"other/plugin": {}}})), &services(), &nothing).is_none());
}

#[test]
fn what_is_wrong_is_told() {
    for (routing, expected) in [
        (json!({"gatewayAPI": {}}), "trafficRouting.gatewayAPI: names no route; set httpRoute"),
        (json!({"gatewayAPI": []}), "gatewayAPI: must be an object"),
        (json!({"gatewayAPI": {"httpRote": "a"}}), "unknown key \"httpRote\""),
        (json!({"gatewayAPI": {"httpRoute": 1}}), "httpRoute: must be text"),
        (json!({"gatewayAPI": {"httpRoutes": ["a"]}}), "httpRoutes[0]: must be an object with a name"),
        (json!({"gatewayAPI": {"httpRoutes": [{}]}}), "httpRoutes[0]: has no name"),
        (
            json!({"gatewayAPI": {"httpRoute": "a", "mirrorMode": "Rule"}}),
            "mirrorMode: must be filter or rule",
        ),
        (
            json!({"gatewayAPI": {"httpRoute": "a"}, "plugins": {PLUGIN: {"httpRoute": "b"}}}),
            "has both gatewayAPI and",
        ),
    ] {
        let problem = found(&routing).unwrap_err();
        assert!(problem.contains(expected), "{problem} for {routing}");
    }
}

#[test]
fn a_mirror_mode_changes_nothing_and_another_is_told() {
    let rules = json!([{"backendRefs": [{"name": "stable"}, {"name": "canary"}]}]);
    let copy = RouteMatch { method: Some(exact("GET")), ..RouteMatch::default() };
    let wanted = Intent { routes: vec![mirror_route("copy", vec![copy], 10)], ..intent(20) };
    let made = |config: Value| {
        let router = router(&config);
        let objects = route(router.as_ref(), &rules);
        super::rules(&carry_out(router.as_ref(), &objects, &wanted)).clone()
    };
    let plain = made(json!({"httpRoute": "web"}));
    assert_eq!(plain[0]["matches"][0]["method"], json!("GET"), "what the step asks for is heeded");
    for mode in ["filter", "rule"] {
        assert_eq!(made(json!({"httpRoute": "web", "mirrorMode": mode})), plain);
    }
    let routing = json!({"plugins": {PLUGIN: {"httpRoute": "web", "mirrorMode": "both"}}});
    assert!(found(&routing).unwrap_err().ends_with("mirrorMode: must be filter or rule, not \"both\""));
}

#[test]
fn abilities_follow_the_routes() {
    let abilities = |config: Value| {
        let Abilities { headers, mirrors, additional, subsets, registers, turns } =
            router(&config).abilities();
        assert!(additional && turns && !subsets && !registers);
        (headers, mirrors)
    };
    assert_eq!(abilities(json!({"httpRoute": "a"})), (true, true));
    assert_eq!(abilities(json!({"httpRoutes": [{"name": "a"}]})), (false, true));
    assert_eq!(abilities(json!({"grpcRoute": "a"})), (true, false));
    assert_eq!(abilities(json!({"tcpRoute": "a", "tlsRoute": "b"})), (false, false));
}
