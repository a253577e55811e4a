//! The transformer configuration: `configurations:` of a kustomization.

use super::names::{ELSEWHERE, SELECTORS, TARGETS, Target, VARIABLES, gateways};
use super::places::{Place, kinds, places};
use serde_json::{Map, Value, json};

/// The kind whose pods are labelled and counted.
pub(super) const ROLLOUT: &str = "Rollout";
/// Made where `spec.template` is there, and only there: a field with `[]` is looked up by kustomize and not made.
/// DIFFERS: the configuration of Argo Rollouts makes it, and a Rollout with a `workloadRef` gets a template and a selector
/// of labels alone, which makes it invalid.
pub(super) const TEMPLATE_LABELS: &str = "spec/template[]/metadata/labels";
const TEMPLATE_ANNOTATIONS: &str = "spec/template[]/metadata/annotations";
const SELECTOR_LABELS: &str = "spec/selector[]/matchLabels";

/// The whole configuration.
pub(super) fn configuration() -> Value {
    let all: Vec<(String, Vec<Place>)> =
        kinds().into_iter().map(|(kind, schema)| (kind, places(&schema))).collect();
    json!({
        "nameReference": references(&all),
        "varReference": in_pods(&all, &VARIABLES, |_| true),
        "replicas": [made("spec/replicas")],
        "commonLabels": labels(&all),
        "templateLabels": [made(TEMPLATE_LABELS)],
        "commonAnnotations": [made(TEMPLATE_ANNOTATIONS)],
    })
}

fn field(path: &str, kind: &str) -> Value {
    json!({"path": path, "kind": kind})
}

fn made(path: &str) -> Value {
    json!({"path": path, "kind": ROLLOUT, "create": true})
}

fn references(all: &[(String, Vec<Place>)]) -> Vec<Value> {
    let mut found: Vec<Value> = TARGETS.iter().map(|target| reference(target, fields(target, all))).collect();
    for (kind, one, many) in traffic::route_keys() {
        let paths =
            gateways().into_iter().flat_map(|at| [format!("{at}/{one}"), format!("{at}/{many}/name")]);
        let fields = paths.map(|path| field(&path, ROLLOUT)).collect();
        found.push(reference(&Target { kind: kind.kind, group: kind.group, version: "", ends: &[] }, fields));
    }
    found
}

fn reference(target: &Target, fields: Vec<Value>) -> Value {
    let mut found = Map::new();
    let texts = [("kind", target.kind), ("group", target.group), ("version", target.version)];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        found.insert(name.to_owned(), text.into());
    }
    found.insert("fieldSpecs".to_owned(), fields.into());
    found.into()
}

fn fields(target: &Target, all: &[(String, Vec<Place>)]) -> Vec<Value> {
    let mut found = Vec::new();
    for (kind, places) in all {
        let named =
            places.iter().filter(|place| place.is_text && target.ends.iter().any(|end| place.ends(end)));
        found.extend(named.map(|place| field(&place.path, kind)));
    }
    let others = ELSEWHERE.iter().filter(|(_, named, _)| *named == target.kind);
    found.extend(others.map(|(kind, _, path)| field(path, kind)));
    found
}

fn in_pods(all: &[(String, Vec<Place>)], ends: &[&str], of: impl Fn(&str) -> bool) -> Vec<Value> {
    let mut found = Vec::new();
    for (kind, places) in all.iter().filter(|(kind, _)| of(kind)) {
        let wanted = places.iter().filter(|place| place.in_pod && ends.iter().any(|end| place.ends(end)));
        found.extend(wanted.map(|place| field(&place.path, kind)));
    }
    found
}

/// Pods of experiments and Jobs keep their labels: nothing else selects by them.
fn labels(all: &[(String, Vec<Place>)]) -> Vec<Value> {
    let mut found = vec![made(SELECTOR_LABELS), made(TEMPLATE_LABELS)];
    found.extend(in_pods(all, &SELECTORS, |kind| kind == ROLLOUT));
    found
}
