//! Labels and annotations of a raw object.

use serde_json::{Map, Value};

/// An entry of `metadata.<field>`.
pub(super) fn get<'a>(object: &'a Value, field: &str, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get(field)?.get(key)?.as_str()
}

/// Sets an entry. What is not an object, and so cannot hold it, is left alone.
pub(super) fn set(object: &mut Value, field: &str, key: &str, value: String) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let entries = metadata.entry(field).or_insert_with(|| Value::Object(Map::new()));
    if entries.is_null() {
        *entries = Value::Object(Map::new());
    }
    if let Some(entries) = entries.as_object_mut() {
        entries.insert(key.to_owned(), Value::String(value));
    }
}

/// Takes an entry out, and the whole field when nothing is left in it.
pub(super) fn remove(object: &mut Value, field: &str, key: &str) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(entries) = metadata.get_mut(field).and_then(Value::as_object_mut) else { return };
    if !entries.contains_key(key) {
        return;
    }
    // Not `remove`: it may put the last entry into the gap.
    entries.retain(|name, _| name != key);
    if entries.is_empty() {
        metadata.retain(|name, _| name != field);
    }
}
