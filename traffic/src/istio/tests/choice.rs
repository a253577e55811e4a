//! Which objects and routes are meant.

use super::{by_host, intent, objects, reference, router, to, web};
use planner::traffic::Intent;
use serde_json::{Value, json};

#[test]
fn names_of_virtual_services() {
    for (name, expected) in [
        ("web", ("shop", "web")),
        ("web.edge", ("edge", "web")),
        ("web.v1.edge", ("edge", "web.v1")),
        ("web.edge.cluster.local", ("edge", "web")),
        ("web.edge.svc.cluster.local", ("edge", "web")),
    ] {
        let found = reference(name);
        assert_eq!((found.namespace.as_str(), found.name.as_str()), expected, "{name}");
        assert_eq!((found.kind.group, found.kind.version), ("networking.istio.io", "v1alpha3"));
    }
}

/// Indexes of the routes that a weight of 30 is written to, or why none.
fn chosen(entry: &Value, spec: &Value) -> Result<Vec<String>, String> {
    let mut entry = entry.clone();
    entry["name"] = json!("web");
    let router = router(&json!({"virtualService": entry}), &json!({"managedRoutes": [{"name": "managed"}]}));
    let before = objects([(reference("web"), json!({"spec": spec}))]);
    let wanted = Intent { managed: vec!["managed".to_owned()], ..intent(30) };
    let edits = router.edit(&before, &wanted).map_err(|problem| problem.to_string())?;
    let spec = &edits.first().ok_or("nothing was written")?.to["spec"];
    let mut found = Vec::new();
    for section in ["http", "tls", "tcp"] {
        for (index, route) in spec[section].as_array().into_iter().flatten().enumerate() {
            if route["route"][0]["weight"] == json!(70) {
                found.push(format!("{section}{index}"));
            }
        }
    }
    Ok(found)
}

fn routes(heads: &Value) -> Value {
    let with = |head: &Value| {
        let mut route = head.clone();
        route["route"] = json!([to("stable", 100), to("canary", 0)]);
        route
    };
    heads.as_array().unwrap().iter().map(with).collect()
}

#[test]
fn http_routes() {
    let spec = |heads: Value| json!({"http": routes(&heads)});
    let named = spec(json!([{"name": "a"}, {"name": "b"}, {}]));
    assert_eq!(chosen(&json!({"routes": ["b", "a", "b"]}), &named).unwrap(), ["http0", "http1"]);
    assert_eq!(chosen(&json!({}), &spec(json!([{"name": "a"}]))).unwrap(), ["http0"]);
    assert_eq!(chosen(&json!({}), &spec(json!([{}]))).unwrap(), ["http0"]);
    let with_managed = spec(json!([{"name": "managed"}, {"name": "a"}]));
    assert_eq!(
        chosen(&json!({}), &with_managed).unwrap(),
        ["http0"],
        "a managed route does not count, and goes"
    );
    let problem = chosen(&json!({}), &named).unwrap_err();
    assert!(problem.contains("spec.http has 3 routes that could be split"), "{problem}");
    let problem = chosen(&json!({"routes": ["c"]}), &named).unwrap_err();
    assert!(problem.contains("HTTP Route 'c' is not found"), "{problem}");
    let problem = chosen(&json!({"routes": ["managed"]}), &with_managed).unwrap_err();
    assert!(problem.contains("HTTP Route 'managed' stands in managedRoutes, too"), "{problem}");
}

#[test]
fn tls_routes() {
    let conditions = json!([
        {"match": [{"port": 443, "sniHosts": ["a", "b"]}]},
        {"match": [{"port": 443, "sniHosts": ["a"]}]},
        {"match": [{"port": 443, "sniHosts": ["b"]}, {"port": 443, "sniHosts": ["a"]}]},
        {"match": [{"port": 443, "sniHosts": ["a"]}, {"port": 8443, "sniHosts": ["b"]}]},
    ]);
    let spec = json!({"tls": routes(&conditions)});
    let tls =
        |port: i64, hosts: Value| chosen(&json!({"tlsRoutes": [{"port": port, "sniHosts": hosts}]}), &spec);
    assert_eq!(tls(443, json!(["b", "a"])).unwrap(), ["tls0", "tls2"]);
    assert_eq!(tls(443, json!(["a"])).unwrap(), ["tls1"]);
    let problem = tls(8443, json!(["b"])).unwrap_err();
    assert!(
        problem.contains(r#"no route of spec.tls matches port 8443 and SNI hosts {"b"} and no more"#),
        "{problem}"
    );
    assert!(chosen(&json!({}), &spec).unwrap_err().contains("say which in tlsRoutes"));
    let one = json!({"tls": routes(&json!([{"match": [{"port": 443, "sniHosts": ["a"]}]}]))});
    assert_eq!(chosen(&json!({}), &one).unwrap(), ["tls0"]);
}

#[test]
fn tcp_routes() {
    let spec = json!({"tcp": routes(&json!([{"match": [{"port": 3306}]}, {"match": [{"port": 3307}]}, {}]))});
    assert_eq!(chosen(&json!({"tcpRoutes": [{"port": 3307}]}), &spec).unwrap(), ["tcp1"]);
    assert_eq!(chosen(&json!({"tcpRoutes": [{}]}), &spec).unwrap(), ["tcp2"], "any port");
    let problem = chosen(&json!({"tcpRoutes": [{"port": 1}]}), &spec).unwrap_err();
    assert!(problem.contains("no route of spec.tcp matches port 1 and no more"), "{problem}");
}

#[test]
fn all_sections_are_split_and_a_missing_one_is_not_asked_for() {
    let spec =
        json!({"http": routes(&json!([{}])), "tls": routes(&json!([{}])), "tcp": routes(&json!([{}]))});
    assert_eq!(chosen(&json!({}), &spec).unwrap(), ["http0", "tls0", "tcp0"]);
    let entry = json!({"routes": ["primary"], "tcpRoutes": [{"port": 1}]});
    assert_eq!(chosen(&entry, &json!({"tls": routes(&json!([{}]))})).unwrap(), ["tls0"]);
    let problem = chosen(&json!({}), &json!({"hosts": ["web"]})).unwrap_err();
    assert!(problem.contains("has no route to split"), "{problem}");
}

#[test]
fn both_sides_must_be_there() {
    let problem = |route: Value| by_host().observe(&web(&json!([{"route": route}]))).unwrap_err().to_string();
    assert_eq!(
        problem(json!([to("stable", 100)])),
        "VirtualService \"web\": spec.http[0]: Canary Service 'canary' not found in route: add a destination for it"
    );
    assert!(problem(json!([to("canary", 100)])).contains("Stable Service 'stable' not found in route"));
    assert!(problem(json!("what")).contains("Canary Service 'canary' not found in route"));
    let minus = problem(json!([to("stable", 100), to("canary", -1)]));
    assert!(minus.contains("spec.http[0].route[1].weight must be a whole number"), "{minus}");
}

#[test]
fn what_is_missing_is_said() {
    let problem = by_host().observe(&objects([])).unwrap_err().to_string();
    assert_eq!(problem, "VirtualService \"web\" not found in namespace \"shop\"");
    let both = json!({"virtualService": {"name": "a"}, "virtualServices": [{"name": "b"}]});
    for istio in [json!({}), both, json!({"virtualServices": []})] {
        let problem = router(&istio, &json!({})).observe(&objects([])).unwrap_err().to_string();
        assert!(problem.contains("either VirtualService or VirtualServices must be configured"), "{problem}");
    }
}
