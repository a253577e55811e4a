//! `metadata`: what clients may say, and what the server sets itself.

use super::failure::{Cause, Failure};
use super::{names, number, text};
use crate::Dig;
use serde_json::{Map, Value};

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
    let list = object.at("/metadata/finalizers").and_then(Value::as_array);
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

/// Whether name and namespace of the body are those of the address.
pub(super) fn fits(object: &Value, namespace: &str, name: Option<&str>) -> Result<(), Failure> {
    let own = text(object, "/metadata/name");
    if let Some(name) = name.filter(|name| !own.is_empty() && own != *name) {
        return Err(Failure::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({name})"
        )));
    }
    let own = text(object, "/metadata/namespace");
    if !own.is_empty() && own != namespace {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

fn cause(reason: &'static str, field: &str, message: String) -> Cause {
    Cause { reason, field: field.to_owned(), message }
}

fn invalid(field: &str, given: &Value, why: &str) -> Cause {
    cause("FieldValueInvalid", field, format!("Invalid value: {given}: {why}"))
}

/// What is wrong with what a client says in the metadata. What was there before is not judged again.
pub(super) fn faults(new: &Value, old: Option<&Value>, custom: bool) -> Vec<Cause> {
    let mut found = Vec::new();
    let changed = |pointer: &str| {
        let now = new.at(pointer)?;
        (old.and_then(|old| old.at(pointer)) != Some(now)).then_some(now)
    };
    for (pointer, field) in
        [("/metadata/labels", "metadata.labels"), ("/metadata/annotations", "metadata.annotations")]
    {
        for (key, value) in changed(pointer).and_then(Value::as_object).into_iter().flatten() {
            let why = names::qualified_fault(key);
            found.extend(why.map(|why| invalid(field, &Value::from(key.as_str()), &why)));
            if field == "metadata.labels" {
                let why = names::label_value_fault(value.as_str().unwrap_or_default());
                found.extend(why.map(|why| invalid(field, value, &why)));
            }
        }
    }
    let finalizers = changed("/metadata/finalizers").and_then(Value::as_array).into_iter().flatten();
    for (index, finalizer) in finalizers.enumerate() {
        let name = finalizer.as_str().unwrap_or_default();
        if let Some(why) = names::qualified_fault(name) {
            found.push(invalid("metadata.finalizers", finalizer, &why));
        } else if !custom && !name.contains('/') && !names::STANDARD_FINALIZERS.contains(&name) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            found.push(invalid(&format!("metadata.finalizers[{index}]"), finalizer, why));
        }
    }
    if let Some(owners) = changed("/metadata/ownerReferences") {
        owner_faults(owners, &mut found);
    }
    found
}

/// What the server warns of in the metadata of custom objects.
pub(super) fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let before = old.map(finalizers).unwrap_or_default();
    let new = finalizers(new).into_iter().filter(|name| !before.contains(name));
    let bare = new.filter(|name| !name.contains('/') && !names::STANDARD_FINALIZERS.contains(&name.as_str()));
    let warning = |name: String| {
        format!(
            "metadata.finalizers: {name:?}: prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
        )
    };
    bare.map(warning).collect()
}

fn owner_faults(owners: &Value, found: &mut Vec<Cause>) {
    let mut controller: Option<String> = None;
    for owner in owners.as_array().into_iter().flatten() {
        let empty = Value::from("");
        if text(owner, "/apiVersion").is_empty() {
            found.push(invalid("metadata.ownerReferences.apiVersion", &empty, "version must not be empty"));
        }
        for key in ["kind", "name", "uid"] {
            if text(owner, &format!("/{key}")).is_empty() {
                found.push(invalid(&format!("metadata.ownerReferences.{key}"), &empty, "must not be empty"));
            }
        }
        if owner.get("controller") != Some(&Value::Bool(true)) {
            continue;
        }
        let name = format!("{}/{}", text(owner, "/kind"), text(owner, "/name"));
        if let Some(first) = &controller {
            let why = format!(
                "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
            );
            let shown: Vec<String> =
                owners.as_array().into_iter().flatten().map(owner_as_go_writes).collect();
            let message = format!("Invalid value: [{}]: {why}", shown.join(","));
            found.push(cause("FieldValueInvalid", "metadata.ownerReferences", message));
        }
        controller.get_or_insert(name);
    }
}

/// In the order of Go's struct.
fn owner_as_go_writes(owner: &Value) -> String {
    let fields = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let said = fields.iter().filter_map(|key| Some(format!("{key:?}:{}", owner.get(*key)?)));
    format!("{{{}}}", said.collect::<Vec<_>>().join(","))
}

/// What is wrong with a change of the metadata. The server finds each of these faults twice.
pub(super) fn change_faults(new: &Value, old: &Value, custom: bool, uid_is_a_fault: bool) -> Vec<Cause> {
    let mut found = faults(new, Some(old), custom);
    let uid = text(new, "/metadata/uid");
    if uid_is_a_fault && !uid.is_empty() && uid != text(old, "/metadata/uid") {
        found.push(invalid("metadata.uid", &Value::from(uid), "field is immutable"));
    }
    let grace = "/metadata/deletionGracePeriodSeconds";
    if let Some(given) = number(new, grace).filter(|given| number(old, grace) != Some(*given)) {
        found.push(invalid("metadata.deletionGracePeriodSeconds", &Value::from(given), "field is immutable"));
    }
    if old.at("/metadata/deletionTimestamp").is_some() {
        let before = finalizers(old);
        let added: Vec<String> = finalizers(new)
            .into_iter()
            .filter(|name| !before.contains(name))
            .map(|name| format!("{name:?}"))
            .collect();
        if !added.is_empty() {
            let message = format!(
                "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            found.push(cause("FieldValueForbidden", "metadata.finalizers", message));
        }
    }
    let again = found.clone();
    found.extend(again);
    found
}
