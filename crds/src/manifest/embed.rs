//! Schemas of Kubernetes types that are embedded in ours.
//!
//! They are what controller-gen makes of the Kubernetes types, with three simplifications that Argo Rollouts has and
//! that objects in the field rely on: see [`special`].

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One line for each struct; printed by `crds/data/gotypes`.
const TYPES: &str = include_str!("../../data/kubernetes.schema.jsonl");
/// What a quantity looks like: a sign, digits, a suffix.
const QUANTITY: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Struct {
    #[serde(rename = "type")]
    name: String,
    #[serde(default)]
    atomic: bool,
    #[serde(default)]
    description: String,
    fields: Vec<Field>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    name: String,
    kind: String,
    #[serde(default)]
    required: bool,
    default: Option<Value>,
    list_type: Option<String>,
    list_map_keys: Option<Vec<String>>,
    map_type: Option<String>,
    #[serde(default)]
    description: String,
}

static STRUCTS: LazyLock<BTreeMap<String, Struct>> = LazyLock::new(|| {
    let parse = |line: &str| serde_json::from_str::<Struct>(line).ok();
    TYPES.lines().filter_map(parse).map(|parsed| (parsed.name.clone(), parsed)).collect()
});

/// The schema of a struct by its Go name; one that the data does not have is left open.
pub(super) fn schema_of(name: &str) -> Value {
    let Some(known) = STRUCTS.get(name) else {
        return json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    };
    let mut properties = Map::new();
    let mut required: Vec<&str> = Vec::new();
    for field in &known.fields {
        properties.insert(field.name.clone(), special(name, field).unwrap_or_else(|| field.schema()));
        if field.required {
            required.push(&field.name);
        }
    }
    required.sort_unstable();
    let mut schema = json!({"type": "object"});
    let object = schema.as_object_mut();
    if let Some(object) = object {
        insert_text(object, "description", &known.description);
        if !properties.is_empty() {
            object.insert("properties".to_owned(), Value::Object(properties));
        }
        if !required.is_empty() {
            object.insert("required".to_owned(), json!(required));
        }
        if known.atomic {
            object.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
        }
    }
    schema
}

/// Fields whose schema is simpler than their type.
fn special(owner: &str, field: &Field) -> Option<Value> {
    let open = json!({"x-kubernetes-preserve-unknown-fields": true});
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    match (owner, field.name.as_str()) {
        // The metadata of a pod template is labels and annotations; a name would only be pruned by surprise.
        ("PodTemplateSpec", "metadata") => {
            Some(json!({"type": "object", "properties": {"annotations": texts, "labels": texts}}))
        }
        // Left open: volumes are more than half of a pod's schema.
        ("PodSpec", "volumes") => Some(open),
        // Left open: both texts and numbers are written, and merged by key.
        ("Container" | "EphemeralContainer", "resources") => {
            let mut resources = field.schema();
            for name in ["limits", "requests"] {
                if let Some(slot) = resources.pointer_mut(&format!("/properties/{name}")) {
                    slot.clone_from(&open);
                }
            }
            Some(resources)
        }
        (_, "metadata") => Some(json!({"type": "object"})),
        _ => None,
    }
}

impl Field {
    fn schema(&self) -> Value {
        let mut schema = of_kind(&self.kind);
        if let Some(object) = schema.as_object_mut() {
            insert_text(object, "description", &self.description);
            let mut insert = |key: &str, value: Option<Value>| {
                if let Some(value) = value {
                    object.insert(key.to_owned(), value);
                }
            };
            insert("default", self.default.clone());
            insert("x-kubernetes-list-type", self.list_type.as_ref().map(|text| json!(text)));
            insert("x-kubernetes-list-map-keys", self.list_map_keys.as_ref().map(|keys| json!(keys)));
            insert("x-kubernetes-map-type", self.map_type.as_ref().map(|text| json!(text)));
        }
        schema
    }
}

fn of_kind(kind: &str) -> Value {
    if let Some(inner) = kind.strip_prefix('*') {
        return of_kind(inner);
    }
    if let Some(inner) = kind.strip_prefix("[]") {
        return json!({"type": "array", "items": of_kind(inner)});
    }
    if let Some(inner) = kind.strip_prefix("map:") {
        return json!({"type": "object", "additionalProperties": of_kind(inner)});
    }
    let number_or_text = json!([{"type": "integer"}, {"type": "string"}]);
    match kind {
        "string" => json!({"type": "string"}),
        "bool" => json!({"type": "boolean"}),
        "int32" | "int64" => json!({"type": "integer", "format": kind}),
        "time" => json!({"type": "string", "format": "date-time"}),
        "intstr" => json!({"anyOf": number_or_text, "x-kubernetes-int-or-string": true}),
        "quantity" => {
            json!({"anyOf": number_or_text, "pattern": QUANTITY, "x-kubernetes-int-or-string": true})
        }
        "raw" => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        name => schema_of(name),
    }
}

fn insert_text(object: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        object.insert(key.to_owned(), json!(text));
    }
}
