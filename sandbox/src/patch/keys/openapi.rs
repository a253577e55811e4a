//! From OpenAPI v3 documents to the table of merge keys.

use crate::Dig;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

/// What a reference to a schema begins with.
const REFERENCE: &str = "#/components/schemas/";

/// How many parts of a schema's dotted name tell types apart: group, version, name.
const NAME_PARTS: usize = 3;

/// One field of a type, as the table writes it.
struct Row {
    strategy: String,
    key: String,
    /// The full name of the schema below, and whether it is the value of a map.
    below: Option<(String, bool)>,
}

/// Makes the table of merge keys (`sandbox/data/patch-keys.txt`) from the API server's OpenAPI v3 documents, one for
/// each group version (`/openapi/v3/api/v1`, `/openapi/v3/apis/apps/v1` ...).
///
/// Pure and stable: the same documents in any order give the same text. Leave documents of custom resources out: the
/// kinds in the table are those that take strategic merge patches.
#[must_use]
pub fn from_openapi(documents: &[Value]) -> String {
    let mut types: BTreeMap<String, BTreeMap<String, Row>> = BTreeMap::new();
    let mut kinds: BTreeMap<String, String> = BTreeMap::new();
    for schemas in documents.iter().filter_map(|document| document.at("/components/schemas")?.as_object()) {
        for (name, schema) in schemas {
            types.entry(name.clone()).or_insert_with(|| rows(schema));
            if let Some(kind) = object_kind(schema) {
                kinds.insert(kind, name.clone());
            }
        }
    }
    let telling = telling(&types);
    write_table(&types, &kinds, &telling)
}

/// The types that have a strategy themselves or reach one that has: found by spreading upwards until nothing changes.
fn telling(types: &BTreeMap<String, BTreeMap<String, Row>>) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = types
        .iter()
        .filter(|(_, rows)| rows.values().any(|row| row.strategy != "-"))
        .map(|(name, _)| name.clone())
        .collect();
    loop {
        let more: Vec<String> = types
            .iter()
            .filter(|(name, rows)| !found.contains(*name) && rows.values().any(|row| leads(row, &found)))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

fn leads(row: &Row, telling: &BTreeSet<String>) -> bool {
    row.below.as_ref().is_some_and(|(name, _)| telling.contains(name))
}

fn write_table(
    types: &BTreeMap<String, BTreeMap<String, Row>>,
    kinds: &BTreeMap<String, String>,
    telling: &BTreeSet<String>,
) -> String {
    let mut text = String::from(
        "# Generated from the API server's OpenAPI v3 documents; read by sandbox/src/patch/keys.\n",
    );
    for (kind, name) in kinds.iter().filter(|(_, name)| telling.contains(*name)) {
        let _ = writeln!(text, "kind {kind} {}", short(name));
    }
    for (name, rows) in types.iter().filter(|(name, _)| telling.contains(*name)) {
        let _ = writeln!(text, "type {}", short(name));
        for (field, row) in rows {
            let below = match &row.below {
                Some((below, map)) if telling.contains(below) => {
                    format!("{}{}", if *map { "*" } else { "" }, short(below))
                }
                _ => "-".to_owned(),
            };
            if row.strategy != "-" || below != "-" {
                let _ = writeln!(text, "{field} {} {} {below}", row.strategy, row.key);
            }
        }
    }
    text
}

/// `group/version/Kind` of a schema of whole objects: it names exactly one kind (options and lists of all groups name
/// many) and has ObjectMeta.
fn object_kind(schema: &Value) -> Option<String> {
    let [kind] = schema.get("x-kubernetes-group-version-kind")?.as_array()?.as_slice() else {
        return None;
    };
    let metadata = reference(schema.at("/properties/metadata")?)?;
    if !metadata.ends_with(".ObjectMeta") {
        return None;
    }
    let text = |name: &str| kind.get(name).and_then(Value::as_str);
    Some(match text("group").filter(|group| !group.is_empty()) {
        Some(group) => format!("{group}/{}/{}", text("version")?, text("kind")?),
        None => format!("{}/{}", text("version")?, text("kind")?),
    })
}

fn rows(schema: &Value) -> BTreeMap<String, Row> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return BTreeMap::new();
    };
    properties.iter().map(|(name, property)| (name.clone(), row(property))).collect()
}

fn row(property: &Value) -> Row {
    let text = |name: &str| property.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let strategy = text("x-kubernetes-patch-strategy");
    let merges = strategy.split(',').any(|word| word == "merge");
    let below = match (property.get("items"), property.get("additionalProperties")) {
        // A list without a strategy is replaced: nothing below it matters.
        (Some(items), _) => reference(items).filter(|_| merges).map(|name| (name, false)),
        (None, Some(values)) => reference(values).map(|name| (name, true)),
        (None, None) => reference(property).map(|name| (name, false)),
    };
    Row { strategy, key: text("x-kubernetes-patch-merge-key"), below }
}

/// The schema that a property refers to, directly or (where it has a description of its own) through `allOf`.
fn reference(property: &Value) -> Option<String> {
    let direct = property.get("$ref").or_else(|| property.at("/allOf/0/$ref"))?;
    direct.as_str()?.strip_prefix(REFERENCE).map(str::to_owned)
}

/// The last three parts of a schema's name: `io.k8s.api.core.v1.PodSpec` is `core.v1.PodSpec`.
fn short(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    parts.get(parts.len().saturating_sub(NAME_PARTS)..).unwrap_or_default().join(".")
}
