//! From what `schemars` says about our types to a structural schema, as the API server demands one.

use super::embed;
use serde_json::{Map, Value, json};

/// Keyword that names the Kubernetes type whose schema belongs there.
const EMBED: &str = "x-stepgate-embed";
/// Keyword for a default that the API server fills in; plain `default` is only what serde does.
const DEFAULT: &str = "x-stepgate-default";

/// The structural schema: no nulls, no unions of objects, embedded Kubernetes types written out.
pub(super) fn structural(schema: &Value) -> Value {
    let Value::Object(schema) = schema else {
        // `true`: anything goes.
        return json!({"x-kubernetes-preserve-unknown-fields": true});
    };
    if let Some(name) = schema.get(EMBED).and_then(Value::as_str) {
        return described(embed::schema_of(name), schema);
    }
    // An optional value that is not a plain type, and a closed set of texts, which the API server keeps open.
    for union in ["anyOf", "oneOf"] {
        let Some(Value::Array(variants)) = schema.get(union) else { continue };
        if variants.iter().all(|variant| variant.get("const").is_some()) {
            return described(json!({"type": "string"}), schema);
        }
        if schema.get("x-kubernetes-int-or-string").is_none() {
            let value = variants.iter().find(|variant| variant.get("type") != Some(&json!("null")));
            return described(value.map(structural).unwrap_or_default(), schema);
        }
    }
    let mut out = Map::new();
    for (key, value) in schema {
        match key.as_str() {
            "type" => _ = out.insert(key.clone(), single_type(value)),
            "properties" => _ = out.insert(key.clone(), properties(value)),
            "items" | "additionalProperties" => _ = out.insert(key.clone(), structural(value)),
            DEFAULT => _ = out.insert("default".to_owned(), value.clone()),
            "required" | "enum" | "format" | "description" | "anyOf" | "minimum" | "maximum" => {
                out.insert(key.clone(), value.clone());
            }
            _ if key.starts_with("x-kubernetes-") => _ = out.insert(key.clone(), value.clone()),
            _ => {}
        }
    }
    // A struct without fields of its own has an empty list.
    if out.get("properties").and_then(Value::as_object).is_some_and(Map::is_empty) {
        out.remove("properties");
    }
    Value::Object(out)
}

fn properties(value: &Value) -> Value {
    let entries = value.as_object().into_iter().flatten();
    Value::Object(entries.map(|(name, schema)| (name.clone(), structural(schema))).collect())
}

/// `["string", "null"]` is an optional text: in a structural schema every property is optional.
fn single_type(value: &Value) -> Value {
    let types = value.as_array().into_iter().flatten();
    types.into_iter().find(|name| name.as_str() != Some("null")).unwrap_or(value).clone()
}

/// The description of the field is nearer than that of its type.
fn described(mut schema: Value, outer: &Map<String, Value>) -> Value {
    if let (Some(description), Value::Object(object)) = (outer.get("description"), &mut schema) {
        object.insert("description".to_owned(), description.clone());
    }
    schema
}
