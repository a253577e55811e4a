//! `metadata`: what clients may say, and what the server sets itself.

use super::failure::{Cause, Failure};
use super::registry::ResourceType;
use super::text;
use serde_json::{Map, Value};

/// Longest name of an object.
const NAME_MAX_LETTERS: usize = 253;
/// Longest name that must be a DNS label.
const LABEL_MAX_LETTERS: usize = 63;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/// The metadata of an object, made when it is missing.
pub(super) fn of(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let object = object.as_object_mut()?;
    object.entry("metadata").or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

/// Sets a field, or takes it out when there is no value.
pub(super) fn set(metadata: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    match value {
        Some(value) => metadata.insert(key.to_owned(), value),
        None => metadata.remove(key),
    };
}

/// Finalizers of an object.
pub(super) fn finalizers(object: &Value) -> Vec<String> {
    let list = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Replaces the finalizers of an object.
pub(super) fn set_finalizers(object: &mut Value, finalizers: Vec<String>) {
    if let Some(metadata) = of(object) {
        set(metadata, "finalizers", (!finalizers.is_empty()).then(|| finalizers.into()));
    }
}

/// Fields that are as they were, whatever a client says.
const KEPT: [&str; 7] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
];

/// Gives the metadata of `new` what only the server sets, from `old`.
pub(super) fn keep(new: &mut Value, old: &Value) {
    let before = old.get("metadata").and_then(Value::as_object);
    if let Some(metadata) = of(new) {
        for key in KEPT {
            set(metadata, key, before.and_then(|before| before.get(key)).cloned());
        }
        set(metadata, "resourceVersion", before.and_then(|before| before.get("resourceVersion")).cloned());
        clean(metadata);
    }
}

/// Takes out what is not kept, and empty maps and lists, as the server's types do.
pub(super) fn clean(metadata: &mut Map<String, Value>) {
    metadata.remove("managedFields");
    metadata.remove("selfLink");
    metadata.retain(|_, value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    });
    for key in ["labels", "annotations"] {
        if let Some(map) = metadata.get_mut(key).and_then(Value::as_object_mut) {
            // A null is the empty text in Go's maps.
            for value in map.values_mut().filter(|value| value.is_null()) {
                *value = Value::String(String::new());
            }
        }
    }
}

/// Whether name and namespace of the body are those of the address, and kind and version those of the resource.
pub(super) fn fits(
    object: &Value,
    resource: &ResourceType,
    namespace: &str,
    name: Option<&str>,
) -> Result<(), Failure> {
    let (version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    let (own_version, own_kind) = (resource.api_version(), resource.kind.as_str());
    if (!version.is_empty() && version != own_version) || (!kind.is_empty() && kind != own_kind) {
        let full = |version: &str, kind: &str| match version.rsplit_once('/') {
            Some((group, version)) => format!("{group}/{version}, Kind={kind}"),
            None => format!("/{version}, Kind={kind}"),
        };
        let (given, own) = (full(version, kind), full(&own_version, own_kind));
        return Err(Failure::bad_request(format!(
            "the API version in the data ({given}) does not match the expected API version ({own})"
        )));
    }
    if resource.custom.is_some() && (version.is_empty() || kind.is_empty()) {
        return Err(Failure::bad_request(format!(
            "Object 'Kind' is missing in '{}'",
            if object.is_null() { String::new() } else { object.to_string() }
        )));
    }
    let own = text(object, "/metadata/namespace");
    if !own.is_empty() && own != namespace {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let own = text(object, "/metadata/name");
    match name {
        Some(name) if !own.is_empty() && own != name => Err(Failure::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({name})"
        ))),
        _ => Ok(()),
    }
}

/// What is wrong with the name of a new object.
pub(super) fn name_fault(resource: &ResourceType, name: &str) -> Option<Cause> {
    let (rule, max, first) = if resource.is("", "Service") {
        (LABEL_1035, LABEL_MAX_LETTERS, true)
    } else if resource.is("", "Namespace") {
        (LABEL, LABEL_MAX_LETTERS, false)
    } else if resource.group == "rbac.authorization.k8s.io" {
        return None;
    } else {
        (SUBDOMAIN, NAME_MAX_LETTERS, false)
    };
    let invalid = |why: &str| Cause {
        reason: "FieldValueInvalid",
        field: "metadata.name".to_owned(),
        message: format!("Invalid value: {name:?}: {why}"),
    };
    if name.len() > max {
        return Some(invalid(&format!("must be no more than {max} characters")));
    }
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |part: &str| {
        part.starts_with(letter)
            && part.ends_with(letter)
            && part.chars().all(|c| letter(c) || c == '-')
            && !(first && part.starts_with(|c: char| c.is_ascii_digit()))
    };
    let good = if rule == SUBDOMAIN { name.split('.').all(label) } else { label(name) };
    (!good).then(|| invalid(rule))
}
