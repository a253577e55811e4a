#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod edits;
mod laws;
mod problems;
mod releases;
mod routes;

use super::{LEDGER, Ledger, OLD_LEDGER, ingress};
use crate::laws::carry_out;
use crate::{Objects, Reference, Router, Services};
use crds::Rollout;
use crds::rollout::canary::{HeaderRoutingMatch, StringMatch};
use planner::traffic::{Intent, Route, Share};
use serde_json::{Value, json};
use std::sync::Arc;

const ACTION: &str = "alb.ingress.kubernetes.io/actions.root";

/// A Rollout, with these fields of `alb` beside the usual ones, and header routes `fast`, `slow` and `wide`.
fn rollout(alb: &Value) -> Rollout {
    let mut router = json!({"ingress": "web", "servicePort": 80, "rootService": "root"});
    for (key, value) in alb.as_object().unwrap() {
        router[key] = value.clone();
    }
    let step = |name: &str, headers: &[(&str, &str)]| {
        let matches: Vec<Value> = headers
            .iter()
            .map(|(header, value)| json!({"headerName": header, "headerValue": {"exact": value}}))
            .collect();
        json!({"setHeaderRoute": {"name": name, "match": matches}})
    };
    let steps = DECLARED.map(|(name, headers)| step(name, headers));
    let managed = DECLARED.map(|(name, _)| json!({"name": name}));
    serde_json::from_value(json!({
        "metadata": {"name": "guestbook", "namespace": "shop"},
        "spec": {"strategy": {"canary": {
            "canaryService": "canary", "stableService": "stable", "steps": steps,
            "trafficRouting": {"alb": router, "managedRoutes": managed},
        }}},
    }))
    .unwrap()
}

/// The routes of [`rollout`].
const DECLARED: [(&str, &[(&str, &str)]); 3] = [
    ("fast", &[("Lane", "fast")]),
    ("slow", &[("Lane", "slow"), ("Agent", "old"), ("Lane", "slower")]),
    ("wide", &[("Text", "<a&b>")]),
];

fn services() -> Services {
    Services { canary: "canary".to_owned(), stable: "stable".to_owned() }
}

fn router(alb: &Value) -> Box<dyn Router> {
    super::of(&rollout(alb), &services()).unwrap()
}

fn plain() -> Box<dyn Router> {
    router(&json!({}))
}

/// An Ingress that leads to the root Service.
fn web() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "web", "annotations": {"kubernetes.io/ingress.class": "alb"}},
        "spec": {"rules": [{"host": "shop.example", "http": {"paths": [path_to("root", "use-annotation")]}}]},
    })
}

fn path_to(service: &str, port: &str) -> Value {
    json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"name": port}}}})
}

fn annotated(mut ingress: Value, annotations: &[(&str, &str)]) -> Value {
    for (key, text) in annotations {
        ingress["metadata"]["annotations"][*key] = json!(text);
    }
    ingress
}

fn reference(name: &str) -> Reference {
    Reference { kind: ingress::INGRESS, namespace: "shop".to_owned(), name: name.to_owned() }
}

fn objects(ingresses: &[Value]) -> Objects {
    let entry = |ingress: &Value| {
        (reference(ingress["metadata"]["name"].as_str().unwrap()), Arc::new(ingress.clone()))
    };
    Objects(ingresses.iter().map(entry).collect())
}

fn share(service: &str, weight: i32) -> Share {
    Share { service: service.to_owned(), hash: String::new(), weight }
}

fn intent(weight: i32) -> Intent {
    Intent {
        total: 100,
        canary: share("canary", weight),
        stable: share("stable", 100 - weight),
        managed: DECLARED.map(|(name, _)| name.to_owned()).to_vec(),
        ..Intent::default()
    }
}

/// One of the routes of [`rollout`].
fn route(name: &str) -> Route {
    let (name, headers) = DECLARED.into_iter().find(|(declared, _)| *declared == name).unwrap();
    let matches = headers.iter().map(|(header, value)| HeaderRoutingMatch {
        header_name: (*header).to_owned(),
        header_value: StringMatch { exact: Some((*value).to_owned()), ..StringMatch::default() },
    });
    Route::Header { name: name.to_owned(), matches: matches.collect() }
}

fn with_routes(weight: i32, names: &[&str]) -> Intent {
    Intent { routes: names.iter().map(|name| route(name)).collect(), ..intent(weight) }
}

/// The one Ingress after an edit.
fn edited(router: &dyn Router, ingress: &Value, intent: &Intent) -> Value {
    let after = carry_out(router, &objects(std::slice::from_ref(ingress)), intent);
    after.get(&reference("web")).unwrap().clone()
}

fn text<'a>(ingress: &'a Value, key: &str) -> &'a str {
    ingress::annotation(ingress, key).unwrap_or("nothing")
}

/// The actions and Services to which the paths of each rule lead.
fn backends(ingress: &Value) -> Vec<Vec<&str>> {
    ingress::rules(ingress).map(|paths| paths.iter().filter_map(ingress::backend).collect()).collect()
}
