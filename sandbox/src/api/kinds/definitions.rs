//! CustomResourceDefinitions: their resources are served as soon as they are there.

use crate::api::registry::ResourceType;
use crate::api::store::Stored;
use crate::api::{ApiServer, stamp, text};
use serde_json::{Value, json};

/// Serves what a definition says, and writes its conditions.
pub(super) fn serve(server: &mut ApiServer, definition: &Stored) {
    let (types, faults) = ResourceType::of_definition(&definition.value);
    for new in types {
        server.registry.add(new);
    }
    let established = "/status/conditions";
    if definition.value.pointer(established).is_some() {
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
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|version| version.get("storage") == Some(&Value::Bool(true)))
        .filter_map(|version| version.get("name").cloned())
        .collect();
    let names = definition.value.pointer("/spec/names").cloned().unwrap_or_default();
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
