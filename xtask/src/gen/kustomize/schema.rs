//! The schema: `openapi:` of a kustomization, which takes the place of the one that kustomize has built in. So it has
//! the built-in kinds, too. It says by which keys lists merge and nothing else: what it does not have is merged if it is
//! an object, and replaced if it is a list.

use super::places::{is_pod_template, kinds};
use sandbox::kubectl::openapi;
use sandbox::patch::keys;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Which of our lists merge, by the key that their elements have: those that Argo Rollouts has told kustomize of. Steps
/// have none: a patch brings all of them.
pub(super) const LISTS: [(&str, &str); 8] = [
    ("templates", "templateName"),
    ("templates", "name"),
    ("analyses", "name"),
    ("args", "name"),
    ("metrics", "name"),
    ("dryRun", "metricName"),
    ("measurementRetention", "metricName"),
    ("headers", "key"),
];
const POD_TEMPLATE: &str = "core.v1.PodTemplateSpec";
const OBJECT_META: &str = "meta.v1.ObjectMeta";
const GVK: &str = "x-kubernetes-group-version-kind";
const STRATEGY: &str = "x-kubernetes-patch-strategy";
const KEY: &str = "x-kubernetes-patch-merge-key";
const KEYS: &str = "x-kubernetes-list-map-keys";
/// Nobody writes it into a manifest.
const STATUS: &str = "status";
/// Kustomize takes every kind that it does not know for one of a namespace, and learns better from a path without one.
const CLUSTER_WIDE: &str = "ClusterAnalysisTemplate";

/// The file: one definition on each line, so that a change reads as a change of lines.
pub(super) fn text() -> String {
    let (group, version) = (crds::GROUP, crds::VERSION);
    let path = format!("/apis/{group}/{version}/{}s", CLUSTER_WIDE.to_lowercase());
    let list = json!({"get": {"x-kubernetes-action": "list", GVK: gvk(group, version, CLUSTER_WIDE), "responses": {}}});
    let mut lines = Vec::new();
    for (name, definition) in definitions() {
        lines.push(format!("{}:{}", Value::from(name), sorted(definition)));
    }
    let info = sorted(
        json!({"title": "Kinds for kustomize; made by `cargo xtask gen`, do not edit", "version": version}),
    );
    let list = sorted(list);
    format!(
        "{{\n\"swagger\":\"2.0\",\n\"info\":{info},\n\"paths\":{{{}:{list}}},\n\"definitions\":{{\n{}\n}}\n}}\n",
        Value::from(path),
        lines.join(",\n")
    )
}

/// The definitions by name: those of kinds, and those that they refer to.
pub(super) fn definitions() -> BTreeMap<String, Value> {
    let mut found = built_in();
    for (kind, schema) in kinds() {
        let mut definition = merging(&schema).unwrap_or_else(|| json!({"type": "object"}));
        if let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("metadata".to_owned(), reference(OBJECT_META));
        }
        set(&mut definition, GVK, json!([gvk(crds::GROUP, crds::VERSION, &kind)]));
        found.insert(kind, definition);
    }
    reachable(found)
}

/// The order of a JSON map depends on the build.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> =
                fields.into_iter().map(|(name, field)| (name, sorted(field))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        scalar => scalar,
    }
}

fn gvk(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

fn set(definition: &mut Value, key: &str, value: Value) {
    if let Some(fields) = definition.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

/// What of a schema of ours says how lists merge; none where nothing does.
fn merging(schema: &Value) -> Option<Value> {
    if is_pod_template(schema) {
        return Some(reference(POD_TEMPLATE));
    }
    let mut found = Map::new();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let below = match property.get("items") {
            Some(items) => list_key(name, items).map(|key| {
                let items = merging(items).unwrap_or_else(|| json!({"type": "object"}));
                json!({"type": "array", "items": items, STRATEGY: "merge", KEY: key})
            }),
            None => merging(property),
        };
        if let Some(below) = below.filter(|_| name != STATUS) {
            found.insert(name.clone(), below);
        }
    }
    (!found.is_empty()).then(|| json!({"type": "object", "properties": found}))
}

/// By which key the list of that name merges.
fn list_key(name: &str, items: &Value) -> Option<&'static str> {
    let properties = items.get("properties")?;
    LISTS.iter().find(|(list, key)| *list == name && properties.get(key).is_some()).map(|(_, key)| *key)
}

/// The kinds of the table of merge keys, and their types.
fn built_in() -> BTreeMap<String, Value> {
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    let mut current = String::new();
    for line in keys::table().lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["kind", kind, name] => {
                // `v1/Pod`, or `apps/v1/Deployment`.
                let parts: Vec<&str> = kind.rsplitn(3, '/').collect();
                let part = |at: usize| parts.get(at).copied().unwrap_or_default();
                let definition = found.entry((*name).to_owned()).or_insert_with(empty);
                set(definition, GVK, json!([gvk(part(2), part(1), part(0))]));
            }
            ["type", name] => (*name).clone_into(&mut current),
            [field, strategy, key, below] if *field != STATUS => {
                let value = property((strategy, key, below), several(&current, field));
                let definition = found.entry(current.clone()).or_insert_with(empty);
                if let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) {
                    properties.insert((*field).to_owned(), value);
                }
            }
            _ => {}
        }
    }
    found
}

fn empty() -> Value {
    json!({"type": "object", "properties": {}})
}

/// A field of the table.
fn property((strategy, key, below): (&str, &str, &str), keys: Option<&Value>) -> Value {
    let mut found = match (below.strip_prefix('*'), strategy.starts_with("merge")) {
        (_, true) => {
            let kind = if key == "-" { "string" } else { "object" };
            let items = if below == "-" { json!({"type": kind}) } else { reference(below) };
            json!({"type": "array", "items": items})
        }
        (Some(values), false) => json!({"type": "object", "additionalProperties": reference(values)}),
        (None, false) if below == "-" => json!({"type": "object"}),
        (None, false) => reference(below),
    };
    for (name, text) in [(STRATEGY, strategy), (KEY, key)].into_iter().filter(|(_, text)| *text != "-") {
        set(&mut found, name, text.into());
    }
    if let Some(keys) = keys {
        set(&mut found, KEYS, keys.clone());
    }
    found
}

/// The keys of a list whose elements need more than one: ports of the same number and another protocol are two.
fn several(name: &str, field: &str) -> Option<&'static Value> {
    let end = format!(".{name}");
    let (_, schema) = openapi::built_in_schemas().iter().find(|(full, _)| full.ends_with(&end))?;
    let keys = schema.get("properties")?.get(field)?.get(KEYS)?;
    keys.as_array().filter(|keys| keys.len() > 1).map(|_| keys)
}

/// What kinds have, or refer to.
fn reachable(all: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut wanted: Vec<String> =
        all.iter().filter(|(_, one)| one.get(GVK).is_some()).map(|(name, _)| name.clone()).collect();
    let mut seen = BTreeSet::new();
    // Ends because each name is looked into once.
    while let Some(name) = wanted.pop() {
        if let Some(definition) = all.get(&name).filter(|_| !seen.contains(&name)) {
            referred(definition, &mut wanted);
            seen.insert(name);
        }
    }
    all.into_iter().filter(|(name, _)| seen.contains(name)).collect()
}

fn referred(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(Value::as_str);
            found.extend(name.and_then(|text| text.strip_prefix("#/definitions/")).map(str::to_owned));
            fields.values().for_each(|field| referred(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, found)),
        _ => {}
    }
}
