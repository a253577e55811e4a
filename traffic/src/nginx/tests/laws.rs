//! What holds on whatever Ingresses.

use super::*;
use proptest::prelude::*;

const PREFIX: &str = "nginx.ingress.kubernetes.io";

fn any_json() -> impl Strategy<Value = Value> {
    let keys =
        prop::sample::select(vec!["http", "paths", "backend", "service", "name", "port", "annotations", "x"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec!["canary", "stable", "x"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 20, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}

/// A rule, with a path to the stable Service or without.
fn rule() -> impl Strategy<Value = Value> {
    let service = prop::sample::select(vec!["stable", "other", "canary"]);
    let paths = prop::collection::vec((service, any_json()), 0..3).prop_map(|paths| {
        let paths = paths.into_iter().map(|(service, foreign)| {
            json!({"path": "/", "foreign": foreign, "backend": {"service": {"name": service, "port": 80}}})
        });
        paths.collect::<Vec<_>>()
    });
    prop_oneof![
        3 => paths.prop_map(|paths| json!({"host": "example.com", "http": {"paths": paths}})),
        1 => any_json(),
    ]
}

fn maybe(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Option<Value>> {
    prop::option::of(value)
}

/// The object with the fields that are given.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let given = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(given.collect())
}

fn stable() -> impl Strategy<Value = Value> {
    let class = || maybe(prop::sample::select(vec!["nginx", "internal"]).prop_map(Value::from));
    let rules = (prop::collection::vec(rule(), 0..3), any::<prop::sample::Index>());
    (class(), class(), rules, maybe(any_json()), maybe(any_json())).prop_map(
        |(annotation, class, (mut rules, at), tls, foreign)| {
            let paths = json!([{"backend": {"service": {"name": "stable"}}}]);
            rules.insert(at.index(rules.len() + 1), json!({"http": {"paths": paths}}));
            let fields =
                [("ingressClassName", class), ("tls", tls), ("rules", Some(json!(rules))), ("own", foreign)];
            let annotations = object([("kubernetes.io/ingress.class", annotation)]);
            json!({"metadata": {"name": "web", "annotations": annotations}, "spec": object(fields)})
        },
    )
}

/// A canary Ingress that is ours, in any state.
fn canary() -> impl Strategy<Value = Value> {
    let number = || {
        let texts = prop_oneof![(-5..2000).prop_map(|n: i32| n.to_string()), Just("half".to_owned())];
        maybe(texts.prop_map(Value::from))
    };
    let mark = maybe(prop::sample::select(vec!["true", "false", "T"]).prop_map(Value::from));
    let annotations = (mark, number(), number(), maybe(Just(json!("old"))), maybe(Just(json!("b"))));
    let annotations = annotations.prop_map(|(mark, weight, total, class, foreign)| {
        let [mark_key, weight_key, total_key] =
            ["canary", "canary-weight", "canary-weight-total"].map(|name| format!("{PREFIX}/{name}"));
        object([
            (&mark_key, mark),
            (&weight_key, weight),
            (&total_key, total),
            ("kubernetes.io/ingress.class", class),
            ("example.com/a", foreign),
        ])
    });
    let spec = (maybe(any_json()), maybe(any_json()), maybe(any_json()), maybe(any_json()));
    (maybe(annotations), spec, maybe(any_json())).prop_map(
        |(annotations, (tls, class, rules, own), labels)| {
            let fields = [("tls", tls), ("ingressClassName", class), ("rules", rules), ("own", own)];
            let owner = json!({"uid": "uid-of-demo", "controller": true});
            let metadata =
                [("annotations", annotations), ("labels", labels), ("ownerReferences", Some(json!([owner])))];
            json!({"metadata": object(metadata), "spec": object(fields), "status": {"loadBalancer": {}}})
        },
    )
}

/// The Ingress without what is ours in a canary Ingress; a stable one stays as it is.
fn foreign(ingress: &Value) -> Value {
    let mut ingress = ingress.clone();
    if ingress["metadata"]["name"] == "web" {
        return ingress;
    }
    let spec = ingress["spec"].as_object_mut().unwrap();
    spec.retain(|field, _| !["rules", "tls", "ingressClassName"].contains(&field.as_str()));
    let metadata = ingress["metadata"].as_object_mut().unwrap();
    let mut annotations = metadata.remove("annotations").unwrap_or_else(|| json!({}));
    let ours = |key: &str| key.starts_with(PREFIX) || key == "kubernetes.io/ingress.class";
    annotations.as_object_mut().unwrap().retain(|key, _| !ours(key));
    json!([ingress, annotations])
}

/// A weight; its ends are tried often.
fn weight(total: i32) -> impl Strategy<Value = i32> {
    prop_oneof![Just(0), Just(total), 0..=total]
}

proptest! {
    #[test]
    fn the_laws_hold(
        (web, canary) in (stable(), prop::option::of(canary())),
        header in prop::option::of("[a-z]{1,3}"),
        (weight, total) in prop::sample::select(vec![1, 10, 37, 100, 1000])
            .prop_flat_map(|total| (weight(total), Just(total))),
    ) {
        let max = Some(total).filter(|total| *total != 100);
        let additional = header.map(|header| json!({"canary-by-header": header}));
        let nginx = object([
            ("stableIngresses", Some(json!(["web", "api"]))),
            ("additionalIngressAnnotations", additional),
        ]);
        let mut objects = objects([("web", web.clone()), ("api", web)]);
        if let Some(canary) = canary {
            objects.0.insert(reference("demo-web-canary"), Arc::new(canary));
        }
        crate::laws::hold(router(&nginx, max).as_ref(), &objects, &intent(weight, total), foreign);
    }

    #[test]
    fn no_object_breaks_it(
        (rules, web, canary, owners) in (any_json(), any_json(), any_json(), any_json()),
        weight in 0..=100,
    ) {
        let owner = json!({"uid": "uid-of-demo", "controller": true});
        for objects in [
            objects([("web", web.clone()), ("demo-web-canary", canary.clone())]),
            objects([("web", json!({"spec": {"rules": rules}, "metadata": web})), ("demo-web-canary", canary.clone())]),
            objects([("web", stable_ingress()), ("demo-web-canary", json!({"metadata": {"ownerReferences": owners}}))]),
            objects([("web", stable_ingress()), ("demo-web-canary", json!({
                "spec": rules, "metadata": {"annotations": canary, "ownerReferences": [owner]},
            }))]),
        ] {
            let observed = plain().observe(&objects);
            let edits = plain().edit(&objects, &intent(weight, 100));
            prop_assert_eq!(observed.err(), edits.err());
        }
    }
}
