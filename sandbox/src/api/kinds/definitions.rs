//! CustomResourceDefinitions: their resources are served as soon as they are there.

use super::{default, fault, invalid, object};
use crate::Dig;
use crate::api::failure::Cause;
use crate::api::registry::ResourceType;
use crate::api::store::Stored;
use crate::api::{ApiServer, stamp, text};
use serde_json::{Value, json};

/// Serves what a definition says, and writes its conditions.
pub(super) fn serve(server: &mut ApiServer, definition: &Stored) {
    if definition.value.at("/metadata/deletionTimestamp").is_some() {
        return;
    }
    let (types, faults) = ResourceType::of_definition(&definition.value);
    for new in types {
        let id = server.registry.add(new);
        let Some(schema) = server
            .registry
            .get(id)
            .and_then(|kind| kind.custom.clone())
            .filter(|custom| custom.schema.is_some())
        else {
            continue;
        };
        // Defaults are given to what is read, too.
        server.store.show_anew(id, |object| {
            if let Some(schema) = &schema.schema {
                schema.default(object);
            }
        });
    }
    let established = "/status/conditions";
    if definition.value.at(established).is_some() {
        return;
    }
    let now = stamp(server.now());
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now});
    let mut conditions = vec![
        condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
        condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
    ];
    if !faults.is_empty() {
        conditions.push(condition("NonStructuralSchema", "True", "Violations", &faults.join(", ")));
    }
    let stored: Vec<Value> = definition
        .value
        .at("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|version| version.get("storage") == Some(&Value::Bool(true)))
        .filter_map(|version| version.get("name").cloned())
        .collect();
    let names = definition.value.at("/spec/names").cloned().unwrap_or_default();
    let mut value = definition.value.clone();
    if let Some(map) = value.as_object_mut() {
        let status = json!({"acceptedNames": names, "conditions": conditions, "storedVersions": stored});
        map.insert("status".to_owned(), status);
    }
    let name = text(&value, "/metadata/name").to_owned();
    if let Some(id) = server.resource_of("apiextensions.k8s.io/v1", "CustomResourceDefinition") {
        server.store.put(id, (String::new(), name), value);
    }
}

/// Serves the resources of a definition no more; their objects go with it.
pub(super) fn serve_no_more(server: &mut ApiServer, definition: &str) {
    for id in server.registry.remove(definition) {
        let names: Vec<_> = server.store.list(id, None).map(|(name, _)| name.clone()).collect();
        for name in names {
            server.store.remove(id, &name);
        }
    }
}

/// What a definition that does not say it means.
pub(super) fn defaults(new: &mut Value) {
    let kind = text(new, "/spec/names/kind").to_owned();
    let Some(spec) = object(new, "spec") else { return };
    default(spec, "conversion", json!({"strategy": "None"}));
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        default(names, "singular", kind.to_lowercase());
        default(names, "listKind", format!("{kind}List"));
    }
}

/// What is wrong with a definition.
pub(super) fn faults(new: &Value) -> Vec<Cause> {
    let mut found = Vec::new();
    let name = text(new, "/metadata/name");
    if name != format!("{}.{}", text(new, "/spec/names/plural"), text(new, "/spec/group")) {
        let why = "must be spec.names.plural+\".\"+spec.group";
        found.push(invalid("metadata.name", &name.into(), why));
    }
    let scope = text(new, "/spec/scope");
    if scope != "Namespaced" && scope != "Cluster" {
        let message = format!("Unsupported value: {scope:?}: supported values: \"Cluster\", \"Namespaced\"");
        found.push(fault("FieldValueNotSupported", "spec.scope", message));
    }
    let versions = new.at("/spec/versions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let stored = versions.iter().filter(|version| version.get("storage") == Some(&Value::Bool(true))).count();
    if stored != 1 {
        let shown: Vec<String> = versions.iter().map(as_the_server_writes).collect();
        let why = "must have exactly one version marked as storage version";
        let message = format!("Invalid value: [{}]: {why}", shown.join(","));
        found.push(fault("FieldValueInvalid", "spec.versions", message));
        found.push(invalid("status.storedVersions", &Value::Null, "must have at least one stored version"));
    }
    for (index, version) in versions.iter().enumerate() {
        let own = format!("spec.versions[{index}].schema.openAPIV3Schema");
        match version.at("/schema/openAPIV3Schema") {
            None => found.push(fault("FieldValueRequired", &own, "Required value")),
            // To the server the schema of the only version is that of all.
            Some(schema) if versions.len() == 1 => {
                untyped(schema, "spec.validation.openAPIV3Schema", &mut found)
            }
            Some(schema) => untyped(schema, &own, &mut found),
        }
    }
    found
}

/// A version in the fields of the server's own struct; what all versions have in common stands elsewhere.
fn as_the_server_writes(version: &Value) -> String {
    let flag = |key: &str| version.get(key) == Some(&Value::Bool(true));
    format!(
        "{{\"Name\":{:?},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":null,\"Schema\":null,\"Subresources\":null,\"AdditionalPrinterColumns\":null,\"SelectableFields\":null}}",
        text(version, "/name"),
        flag("served"),
        flag("storage"),
        flag("deprecated"),
    )
}

/// Finds parts of a schema that do not say their type.
fn untyped(schema: &Value, path: &str, found: &mut Vec<Cause>) {
    let free = ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"];
    let typed = |part: &Value| {
        part.get("type").is_some() || free.iter().any(|key| part.get(*key) == Some(&Value::Bool(true)))
    };
    let mut part = |part: &Value, path: String, of: &str| {
        if !typed(part) {
            let message = format!("Required value: must not be empty for specified {of}");
            found.push(fault("FieldValueRequired", &format!("{path}.type"), message));
        }
        untyped(part, &path, found);
    };
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        part(field, format!("{path}.properties[{name}]"), "object fields");
    }
    if let Some(items) = schema.get("items") {
        part(items, format!("{path}.items"), "array items");
    }
    if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
        part(inner, format!("{path}.additionalProperties"), "object fields");
    }
}
