//! Annotations and paths of an Ingress, as raw JSON of whatever shape.

use crate::Problem;
pub(super) use crate::object::INGRESS;
use serde_json::{Map, Value, json};

/// The name of a port which says that annotations tell where the path leads; the backend's name is then the name of an
/// action, and not of a Service.
const BY_ANNOTATION: &str = "use-annotation";
/// The path of a route for every request.
const EVERY_PATH: &str = "/*";

/// Something is wrong with the Ingress.
pub(super) fn unfit(ingress: &Value, what: String) -> Problem {
    let name = ingress.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    Problem::Unfit { kind: INGRESS.kind, name: name.to_owned(), what }
}

/// An annotation.
pub(super) fn annotation<'a>(ingress: &'a Value, key: &str) -> Option<&'a str> {
    ingress.pointer("/metadata/annotations")?.get(key)?.as_str()
}

/// All annotations, to be edited.
pub(super) fn annotations_mut(ingress: &mut Value) -> Option<&mut Map<String, Value>> {
    let annotations =
        ingress.pointer_mut("/metadata")?.as_object_mut()?.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = json!({});
    }
    annotations.as_object_mut()
}

/// The paths of each rule that has any.
pub(super) fn rules(ingress: &Value) -> impl Iterator<Item = &Vec<Value>> {
    let rules = ingress.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
    rules.filter_map(|rule| rule.pointer("/http/paths")?.as_array())
}

/// As [`rules`], to be edited.
pub(super) fn rules_mut(ingress: &mut Value) -> impl Iterator<Item = &mut Vec<Value>> {
    let rules = ingress.pointer_mut("/spec/rules").and_then(Value::as_array_mut).into_iter().flatten();
    rules.filter_map(|rule| rule.pointer_mut("/http/paths")?.as_array_mut())
}

/// Where a path leads: the Service's name, or the action's.
pub(super) fn backend(path: &Value) -> Option<&str> {
    path.pointer("/backend/service/name")?.as_str()
}

/// The action to which a path leads, if it leads to one.
pub(super) fn action(path: &Value) -> Option<&str> {
    let port = path.pointer("/backend/service/port/name")?.as_str()?;
    backend(path).filter(|_| port == BY_ANNOTATION)
}

/// Whether every request takes the path, as far as the path goes.
pub(super) fn is_for_all(path: &Value) -> bool {
    path.get("path").and_then(Value::as_str) == Some(EVERY_PATH)
}

/// The path of a route: every request that fulfils the route's conditions.
pub(super) fn path(route: &str) -> Value {
    json!({
        "path": EVERY_PATH,
        "pathType": "ImplementationSpecific",
        "backend": {"service": {"name": route, "port": {"name": BY_ANNOTATION}}},
    })
}
