//! Dropping what the schema does not know.

use serde_json::{Map, Value};

use super::node::{Additional, Node};
use super::path::Path;

/// The members that every resource has.
pub(super) const RESOURCE_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// The members of ObjectMeta.
const META_FIELDS: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Drops unknown members of `value` and below; their paths go to `unknown`.
pub(super) fn prune(node: &Node, value: &mut Value, path: &Path<'_>, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => prune_object(node, fields, path, unknown),
        Value::Array(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                let place = Path::Index(path, index);
                match &node.items {
                    Some(items) => prune(items, element, &place, unknown),
                    None if node.preserves => {}
                    None => prune_all(element, &place, unknown),
                }
            }
        }
        _ => {}
    }
}

fn prune_object(node: &Node, fields: &mut Map<String, Value>, path: &Path<'_>, unknown: &mut Vec<String>) {
    fields.retain(|name, value| {
        let place = Path::Field(path, name);
        if node.resource && RESOURCE_FIELDS.contains(&name.as_str()) {
            // The root's own metadata is the caller's.
            if name == "metadata" && !matches!(path, Path::Root) {
                prune_meta(value, &place, unknown);
            }
            return true;
        }
        match (node.member(name), &node.additional) {
            (Some((member, _)), _) => prune(member, value, &place, unknown),
            (None, _) if node.preserves => {}
            (None, Additional::Any) => prune_all(value, &place, unknown),
            (None, _) => {
                unknown.push(place.dotted());
                return false;
            }
        }
        true
    });
}

/// Drops every member of every object: nothing is known of this value.
fn prune_all(value: &mut Value, path: &Path<'_>, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            unknown.extend(fields.keys().map(|name| Path::Field(path, name).dotted()));
            fields.clear();
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                prune_all(element, &Path::Index(path, index), unknown);
            }
        }
        _ => {}
    }
}

/// The metadata of an embedded resource: only ObjectMeta's members, and no nulls.
fn prune_meta(value: &mut Value, path: &Path<'_>, unknown: &mut Vec<String>) {
    let Value::Object(fields) = value else {
        return;
    };
    fields.retain(|name, value| {
        let known = META_FIELDS.contains(&name.as_str());
        if !known {
            unknown.push(Path::Field(path, name).dotted());
        }
        known && !value.is_null()
    });
}
