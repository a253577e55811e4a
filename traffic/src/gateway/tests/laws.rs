//! The laws, on whatever routes.

use super::*;
use crate::laws::hold;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// A backend of somebody: ours or not, with foreign fields.
fn backend(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    (select(names), option::of(0..200_i64), any::<bool>()).prop_map(|(name, weight, foreign)| {
        let mut backend = json!({"name": name, "port": 80});
        if let Some(weight) = weight {
            backend["weight"] = json!(weight);
        }
        if foreign {
            backend["filters"] = json!([{"type": "ExtensionRef"}]);
            backend["kind"] = json!("ServiceImport");
        }
        backend
    })
}

fn item() -> impl Strategy<Value = Value> {
    let path = option::of((select(&["Exact", "PathPrefix"][..]), select(&["/", "/a", "/a/b"][..])));
    (path, option::of(select(&["GET", "POST"][..])), any::<bool>()).prop_map(|(path, method, header)| {
        let mut item = json!({});
        if let Some((by, value)) = path {
            item["path"] = json!({"type": by, "value": value});
        }
        if let Some(method) = method {
            item["method"] = json!(method);
        }
        if header {
            item["headers"] = json!([{"name": "X-Base", "value": "1"}]);
            item["queryParams"] = json!([{"name": "q", "value": "1"}]);
        }
        item
    })
}

fn rule() -> impl Strategy<Value = Value> {
    let backends = vec(backend(&["canary", "stable", "other", "stable", "canary", "else"]), 0..5);
    (backends, option::of(vec(item(), 0..3)), any::<bool>(), option::of(select(&["theirs", "mine"][..])))
        .prop_map(|(backends, matches, foreign, name)| {
            let mut rule = json!({"backendRefs": backends});
            if let Some(matches) = matches {
                rule["matches"] = json!(matches);
            }
            if foreign {
                rule["timeouts"] = json!({"request": "1s"});
                rule["filters"] = json!([{"type": "RequestMirror", "requestMirror": {
                    "backendRef": {"name": "other", "port": 1},
                }}]);
            }
            if let Some(name) = name {
                rule["name"] = json!(name);
            }
            rule
        })
}

/// A route: one rule takes everything and has both Services, so that every intent can be carried out.
fn object() -> impl Strategy<Value = Value> {
    let both =
        (vec(backend(&["canary"]), 1..3), vec(backend(&["stable"]), 1..3), vec(backend(&["other"]), 0..2));
    let metadata = option::of(select(
        &[
            r#"{"labels": {"a": "b"}}"#,
            r#"{"annotations": {"a": "b"}, "labels": null}"#,
            r#"{"annotations": {"rollouts.argoproj.io/gatewayapi-managed": "{\"shop/pay\":{\"additional\":[\"x\"]}}"}}"#,
            r#"{"annotations": {"rollouts.argoproj.io/gatewayapi-managed": "nonsense"}}"#,
            r#"{"annotations": {"rollouts.argoproj.io/gatewayapi-active-rollouts": "shop/pay"},
                "labels": {"rollouts.argoproj.io/gatewayapi-canary": "in-progress"}}"#,
        ][..],
    ));
    (vec(rule(), 0..3), both, vec(rule(), 0..3), metadata).prop_map(|(before, (c, s, o), after, metadata)| {
        let both: Vec<Value> = [c, s, o].concat();
        let rules: Vec<Value> =
            before.into_iter().chain([json!({"backendRefs": both, "foreign": [1]})]).chain(after).collect();
        let metadata = metadata.map_or(json!({}), |text| serde_json::from_str(text).unwrap());
        json!({"metadata": metadata, "spec": {"hostnames": ["h"], "rules": rules}, "status": {"parents": []}})
    })
}

fn wanted() -> impl Strategy<Value = Intent> {
    let routes = vec![
        header_route("managed-a", &[("X-A", exact("1"))]),
        header_route("managed-b", &[("X-A", prefix("a.b")), ("X-B", regex("c+"))]),
        mirror_route("managed-c", vec![RouteMatch::default()], 100),
        mirror_route(
            "managed-d",
            vec![
                RouteMatch { path: Some(prefix("/a")), ..RouteMatch::default() },
                RouteMatch {
                    headers: Some([("X-C".to_owned(), exact("1"))].into()),
                    ..RouteMatch::default()
                },
            ],
            10,
        ),
        header_route("Managed_E", &[("X-E", exact("1"))]),
    ];
    let routes = subsequence(routes, 0..=2).prop_shuffle();
    let shares = subsequence(std::vec!["experiment-a", "experiment-b"], 0..=2);
    (select(&[100, 1, 1000, 95][..]), 0..=100_i32, shares, 0..=20_i32, routes).prop_map(
        |(total, percent, services, part, routes)| {
            let share =
                |service: &str, weight| Share { service: service.to_owned(), hash: String::new(), weight };
            let weight = total * percent / 100;
            let each = ((total - weight) / 2).min(part);
            let additional: Vec<Share> = services.into_iter().map(|service| share(service, each)).collect();
            let rest = total - weight - additional.iter().map(|share| share.weight).sum::<i32>();
            Intent {
                total,
                canary: share("canary", weight),
                stable: share("stable", rest),
                additional,
                routes,
                managed: Vec::new(),
            }
        },
    )
}

/// What is not ours.
fn foreign(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["labels", "annotations"] {
        if let Some(entries) = metadata.get_mut(field).and_then(Value::as_object_mut) {
            entries.retain(|key, _| !key.starts_with("rollouts.argoproj.io/gatewayapi"));
        }
        metadata.retain(|key, value| key != field || value.as_object().is_some_and(|map| !map.is_empty()));
    }
    let rules = object["spec"]["rules"].as_array_mut().unwrap();
    rules.retain(|rule| {
        let named = rule["name"].as_str().is_some_and(|name| name.starts_with("managed-"));
        let odd = rule["matches"].to_string().contains("X-E");
        !named && !odd
    });
    for backends in rules.iter_mut().filter_map(|rule| rule["backendRefs"].as_array_mut()) {
        backends.retain(|backend| !backend["name"].as_str().unwrap().starts_with("experiment-"));
        for backend in backends {
            if ["canary", "stable"].contains(&backend["name"].as_str().unwrap()) {
                backend.as_object_mut().unwrap().retain(|key, _| key != "weight");
            }
        }
    }
    object
}

/// What the cluster keeps where it does not know names of rules.
fn without_names(objects: &Objects) -> Objects {
    let drop = |object: &Value| {
        let mut object = object.clone();
        for rule in object["spec"]["rules"].as_array_mut().unwrap() {
            rule.as_object_mut().unwrap().retain(|key, _| key != "name");
        }
        Arc::new(object)
    };
    Objects(objects.0.iter().map(|(reference, object)| (reference.clone(), drop(object))).collect())
}

fn any_router() -> impl Strategy<Value = (Value, usize)> {
    select(std::vec![
        (json!({"httpRoute": "web"}), 1),
        (json!({"httpRoutes": [{"name": "web"}], "grpcRoute": "calls"}), 2),
        (json!({"httpRoutes": [{"name": "web", "useHeaderRoutes": true}], "tcpRoute": "bytes"}), 2),
        (json!({"tlsRoute": "bytes", "disableInProgressLabel": true}), 1),
    ])
}

/// JSON in words that the router looks for.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        select(&["canary", "stable", "", "managed-a", "Exact", "/", "{\"shop/cart\":{\"routes\":[{}]}}"][..])
            .prop_map(Value::from),
    ];
    let keys = select(
        &[
            "name",
            "weight",
            "matches",
            "path",
            "headers",
            "type",
            "value",
            "backendRefs",
            "filters",
            "requestMirror",
        ][..],
    );
    leaf.prop_recursive(6, 60, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((keys.clone(), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold(
        (config, count) in any_router(),
        found in vec(object(), 2),
        intents in vec(wanted(), 1..4),
    ) {
        let router = router(&config);
        let found = found.into_iter().take(count).map(Arc::new);
        let start = Objects(router.references().into_iter().zip(found).collect());
        let mut objects = start.clone();
        for intent in intents {
            hold(router.as_ref(), &objects, &intent, foreign);
            objects = carry_out(router.as_ref(), &objects, &intent.within(router.abilities()));
        }
        hold(router.as_ref(), &objects, &intent(0), foreign);
        let end = carry_out(router.as_ref(), &objects, &intent(0));
        for (reference, object) in &end.0 {
            prop_assert_eq!(object["spec"]["rules"].as_array().unwrap().len(),
                start.0[reference]["spec"]["rules"].as_array().unwrap().len());
            prop_assert_eq!(foreign(object), foreign(&start.0[reference]));
            prop_assert!(!object.to_string().contains("shop/cart"), "something is left: {}", object);
        }
    }

    #[test]
    fn the_laws_hold_where_names_are_dropped(
        (config, count) in any_router(),
        found in vec(object(), 2),
        intents in vec(wanted(), 1..4),
    ) {
        let router = router(&config);
        let found = found.into_iter().take(count).map(Arc::new);
        let start = without_names(&Objects(router.references().into_iter().zip(found).collect()));
        let mut objects = start.clone();
        for intent in intents.into_iter().chain([intent(0)]) {
            let intent = intent.within(router.abilities());
            objects = without_names(&carry_out(router.as_ref(), &objects, &intent));
            prop_assert!(shown(router.as_ref(), &objects, &intent));
            prop_assert_eq!(router.edit(&objects, &intent), Ok(Vec::new()));
        }
        for (reference, object) in &objects.0 {
            prop_assert_eq!(foreign(object), foreign(&start.0[reference]));
        }
    }

    #[test]
    fn no_object_is_too_odd(
        metadata in anything(), rules in anything(), rule in anything(), intent in wanted(),
    ) {
        let router = router(&json!({"httpRoute": "web", "grpcRoute": "web"}));
        let both = json!({"backendRefs": [{"name": "canary"}, {"name": "stable"}]});
        for object in [
            json!({"metadata": metadata, "spec": {"rules": rules}}),
            json!({"metadata": {"labels": metadata, "annotations": rule}, "spec": {"rules": [rule, both, rules]}}),
            json!({"metadata": {"annotations": {record::KEY: metadata.to_string()}}, "spec": {"rules": [both, rule]}}),
            rules,
        ] {
            let object = Arc::new(object);
            let references = router.references().into_iter();
            let objects = Objects(references.map(|reference| (reference, object.clone())).collect());
            let _ = router.observe(&objects);
            let _ = router.edit(&objects, &intent);
        }
    }
}
