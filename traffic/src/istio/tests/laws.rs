//! What holds on generated objects.

use super::managed::{header, mirror};
use super::{objects, reference, router, rule_reference, share};
use crate::laws::{carry_out, hold};
use crate::{Objects, Router};
use planner::traffic::{Intent, Route};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const HASH: &str = "rollouts-pod-template-hash";
const MANAGED: [&str; 3] = ["header-one", "mirror", "header-two"];

/// A router, its objects, and what it is asked for.
#[derive(Clone, Debug)]
struct Scene {
    istio: Value,
    objects: Objects,
    intent: Intent,
}

impl Scene {
    fn router(&self) -> Box<dyn Router> {
        let managed: Vec<Value> = MANAGED.iter().map(|name| json!({"name": name})).collect();
        router(&self.istio, &json!({"managedRoutes": managed}))
    }
}

/// An object with some fields that nobody here knows.
fn with_foreign(value: Value) -> impl Strategy<Value = Value> {
    let fields = [
        ("timeout", json!("5s")),
        ("retries", json!({"attempts": 3})),
        ("x-odd", json!([1, {"a": null}, 0.5])),
    ];
    subsequence(fields.to_vec(), 0..=3).prop_map(move |foreign| {
        let mut value = value.clone();
        value
            .as_object_mut()
            .unwrap()
            .extend(foreign.into_iter().map(|(name, value)| (name.to_owned(), value)));
        value
    })
}

fn destination(subset: Option<&'static str>, host: &'static str) -> impl Strategy<Value = Value> {
    let host = subset.map_or(host, |_| "web");
    let suffix = select(vec!["", ".shop.svc.cluster.local"]);
    let weight = prop_oneof![Just(None), (0_i64..=100).prop_map(Some), Just(Some(0))];
    (suffix, weight, any::<bool>(), with_foreign(json!({}))).prop_map(
        move |(suffix, weight, port, mut value)| {
            value["destination"] = json!({"host": format!("{host}{suffix}")});
            if let Some(subset) = subset {
                value["destination"]["subset"] = json!(subset);
            }
            if port {
                value["destination"]["port"] = json!({"number": 80});
            }
            if let Some(weight) = weight {
                value["weight"] = json!(weight);
            }
            value
        },
    )
}

/// Destinations of both sides, sometimes of more, in any order.
fn destinations(subsets: bool) -> impl Strategy<Value = Vec<Value>> {
    let side = |subset, host| destination(subsets.then_some(subset), host);
    let sides = (side("canary-pods", "canary"), side("stable-pods", "stable"));
    let kept = proptest::option::of(destination(Some("kept"), "web"));
    let stale = proptest::collection::vec(destination(None, "ended").boxed(), 0..2);
    (sides, kept, stale).prop_flat_map(move |((canary, stable), kept, stale)| {
        let mut all = vec![canary, stable];
        all.extend(kept.filter(|_| subsets));
        all.extend(stale);
        Just(all).prop_shuffle()
    })
}

fn route(subsets: bool, name: Option<&'static str>) -> impl Strategy<Value = Value> {
    (destinations(subsets), with_foreign(json!({"match": [{"port": 443}]}))).prop_map(
        move |(route, mut value)| {
            value["route"] = route.into();
            if let Some(name) = name {
                value["name"] = json!(name);
            }
            value
        },
    )
}

/// HTTP routes: one that is split, others where it is named, and managed ones of any shape.
fn http(subsets: bool, named: bool) -> impl Strategy<Value = Vec<Value>> {
    let split = route(subsets, named.then_some("primary"));
    let others = proptest::collection::vec(route(subsets, Some("other")), 0..if named { 3 } else { 1 });
    let managed = select(MANAGED.to_vec()).prop_flat_map(move |name| route(subsets, Some(name)));
    let managed = (managed, any::<bool>()).prop_map(|(mut route, mirrors)| {
        if mirrors {
            route["mirror"] = json!({"host": "canary"});
        }
        route
    });
    (split, others, proptest::collection::vec(managed, 0..3)).prop_flat_map(|(split, others, managed)| {
        Just([vec![split], others, managed].concat()).prop_shuffle()
    })
}

fn virtual_service(subsets: bool, named: bool) -> impl Strategy<Value = Value> {
    let section = move || proptest::option::of(route(subsets, None));
    (http(subsets, named), section(), section(), with_foreign(json!({"hosts": ["web"]}))).prop_map(
        |(http, tls, tcp, mut spec)| {
            spec["http"] = http.into();
            for (name, route) in [("tls", tls), ("tcp", tcp)] {
                if let Some(route) = route {
                    spec[name] = json!([route]);
                }
            }
            json!({"kind": "VirtualService", "metadata": {"name": "web", "resourceVersion": "7"}, "spec": spec})
        },
    )
}

fn rule() -> impl Strategy<Value = Value> {
    let labels =
        select(vec![json!(null), json!({}), json!({"app": "web"}), json!({"app": "web", HASH: "aaa"})]);
    let subset = move |name: &'static str| {
        (with_foreign(json!({"name": name})), labels.clone()).prop_map(|(mut subset, labels)| {
            if !labels.is_null() {
                subset["labels"] = labels;
            }
            subset
        })
    };
    let sides = (subset("canary-pods"), subset("stable-pods"));
    let more = subsequence(vec!["kept", "foreign", "exp-a"], 0..=3);
    let annotations = select(vec![json!(null), json!({}), json!({"team": "a"})]);
    (sides, more, annotations).prop_flat_map(|((canary, stable), more, annotations)| {
        let mut subsets = vec![canary, stable];
        subsets.extend(more.into_iter().map(|name| json!({"name": name, "labels": {"version": name}})));
        subsets.push(json!({"name": "gone", "labels": {HASH: "zzz"}}));
        Just(subsets).prop_shuffle().prop_map(move |subsets| {
            let mut metadata = json!({"name": "rule"});
            if !annotations.is_null() {
                metadata["annotations"] = annotations.clone();
            }
            json!({"kind": "DestinationRule", "metadata": metadata, "spec": {"host": "web", "subsets": subsets}})
        })
    })
}

fn intents() -> impl Strategy<Value = Intent> {
    let hash = || select(vec!["", "aaa", "bbb", "ccc"]);
    let routes: Vec<Route> = vec![header(MANAGED[0]), mirror(MANAGED[1]), header(MANAGED[2])];
    let experiments = subsequence(vec!["exp-a", "exp-b"], 0..=2);
    (0..=100_i32, hash(), hash(), experiments, 0..=50_i32, subsequence(routes, 0..=3)).prop_map(
        |(weight, canary, stable, experiments, each, routes)| {
            let mut left = 100 - weight;
            let additional = experiments.into_iter().map(|service| {
                let weight = each.min(left);
                left -= weight;
                share(service, "eee", weight)
            });
            let additional = additional.collect();
            Intent {
                total: 100,
                canary: share("canary", canary, weight),
                stable: share("stable", stable, left),
                additional,
                routes,
                managed: MANAGED.map(str::to_owned).to_vec(),
            }
        },
    )
}

fn scenes() -> impl Strategy<Value = Scene> {
    (any::<bool>(), any::<bool>()).prop_flat_map(|(subsets, named)| {
        let virtual_services = proptest::collection::vec(virtual_service(subsets, named), 1..3);
        (virtual_services, rule(), intents()).prop_map(move |(virtual_services, rule, intent)| {
            let names = ["web", "edge.gateways"];
            let entries: Vec<Value> =
                names
                    .iter()
                    .take(virtual_services.len())
                    .map(|name| {
                        if named {
                            json!({"name": name, "routes": ["primary"]})
                        } else {
                            json!({"name": name})
                        }
                    })
                    .collect();
            let mut istio = json!({"virtualServices": entries});
            let mut objects = objects(names.into_iter().map(reference).zip(virtual_services));
            if subsets {
                istio["destinationRule"] = json!({"name": "rule", "canarySubsetName": "canary-pods",
                    "stableSubsetName": "stable-pods", "additionalSubsetNames": ["kept"]});
                objects.0.insert(rule_reference(), Arc::new(rule));
            }
            Scene { istio, objects, intent }
        })
    })
}

/// An object without what is ours: managed routes, weights of routes that are split, and who has no place in them;
/// hashes, the mark, and subsets of experiments.
fn foreign(value: &Value) -> Value {
    let mut value = value.clone();
    if value["kind"] == json!("DestinationRule") {
        let metadata = value["metadata"].as_object_mut().unwrap();
        without(metadata, "annotations", "argo-rollouts.argoproj.io/managed-by-rollouts");
        let subsets = value["spec"]["subsets"].as_array_mut().unwrap();
        subsets.retain(|subset| !["exp-a", "exp-b", "gone"].contains(&subset["name"].as_str().unwrap()));
        for subset in subsets {
            without(subset.as_object_mut().unwrap(), "labels", HASH);
        }
        return value;
    }
    for section in ["http", "tls", "tcp"] {
        let Some(routes) = value["spec"].get_mut(section).and_then(Value::as_array_mut) else { continue };
        routes.retain(|route| !MANAGED.contains(&route["name"].as_str().unwrap_or_default()));
        for route in routes.iter_mut().filter(|route| route.get("name") != Some(&json!("other"))) {
            let destinations = route["route"].as_array_mut().unwrap();
            destinations.retain(|each| {
                let host = each["destination"]["host"].as_str().unwrap();
                !host.starts_with("ended") && !host.starts_with("exp-")
            });
            for each in destinations.iter_mut().filter(|each| each["destination"]["subset"] != json!("kept"))
            {
                each.as_object_mut().unwrap().remove("weight");
            }
        }
    }
    value
}

/// Takes an entry out of a map, and the map if it is empty then.
fn without(fields: &mut Map<String, Value>, map: &str, entry: &str) {
    let Some(entries) = fields.get_mut(map).and_then(Value::as_object_mut) else { return };
    entries.remove(entry);
    if entries.is_empty() {
        fields.remove(map);
    }
}

/// Paths of all values inside.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| paths(value, &format!("{path}/{}", escaped(key)), found))
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, value)| paths(value, &format!("{path}/{i}"), found))
        }
        _ => {}
    }
}

fn junk() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(0.5),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(""),
        json!(".x"),
        json!("mirror"),
        json!([]),
        json!([null, 1]),
        json!({}),
        json!({"host": 1}),
    ])
}

proptest! {
    #[test]
    fn the_laws_hold(scene in scenes()) {
        hold(scene.router().as_ref(), &scene.objects, &scene.intent, foreign);
    }

    #[test]
    fn one_intent_after_another_holds(scene in scenes(), next in intents()) {
        let router = scene.router();
        let between = carry_out(router.as_ref(), &scene.objects, &scene.intent);
        hold(router.as_ref(), &between, &next, foreign);
    }

    #[test]
    fn any_shape_is_borne(
        scene in scenes(),
        next in intents(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), junk()), 1..4),
    ) {
        let router = scene.router();
        let mut objects = carry_out(router.as_ref(), &scene.objects, &scene.intent);
        for (which, place, junk) in changes {
            let reference = which.get(&objects.0.keys().cloned().collect::<Vec<_>>()).clone();
            let mut value = objects.get(&reference).unwrap().clone();
            let mut found = Vec::new();
            paths(&value, "", &mut found);
            *value.pointer_mut(place.get::<String>(&found)).unwrap() = junk;
            objects.0.insert(reference, Arc::new(value));
        }
        let _ = router.observe(&objects);
        for intent in [&scene.intent, &next] {
            if router.edit(&objects, intent).is_ok() {
                let after = carry_out(router.as_ref(), &objects, intent);
                let observed = router.observe(&after).expect("what was edited can be read");
                prop_assert!(observed.shows(intent), "{observed:?} {intent:?}");
                prop_assert_eq!(router.edit(&after, intent).unwrap(), Vec::new());
            }
        }
    }
}
