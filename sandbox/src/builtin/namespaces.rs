//! The namespace controller: a namespace that is deleted is emptied first.

use super::views;
use crate::api::{ApiServer, At, Deletion, Part, kinds, text};
use crds::Time;
use serde_json::Value;
use std::time::Duration;

/// How long until a namespace that is not empty yet is looked at again.
const AGAIN: Duration = Duration::from_millis(200);

/// One look at a namespace.
pub(super) fn look(api: &mut ApiServer, at: &At) -> Option<Time> {
    let namespace = api.get(at).cloned()?;
    if !views::is_deleting(&namespace.value) {
        default_account(api, &at.name);
        return None;
    }
    let mut inside = Vec::new();
    for (id, kind) in api.registry.all().filter(|(_, kind)| kind.namespaced) {
        for object in api.objects(id, Some(&at.name)) {
            let name = text(&object.value, "/metadata/name").to_owned();
            inside.push((At { resource: id, namespace: at.name.clone(), name }, kind.kind == "Pod"));
        }
    }
    if inside.is_empty() {
        let _ = api.change(at, Part::Main, false, |old| {
            let mut new = old.clone();
            if let Some(list) = new.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
                list.retain(|name| name != kinds::NAMESPACE_FINALIZER);
            }
            Ok(new)
        });
        return None;
    }
    for (place, _) in inside {
        let how = Deletion::default();
        let gone = api.get(&place).is_none_or(|object| views::is_deleting(&object.value));
        if !gone {
            let _ = api.delete(&place, &how);
        }
    }
    Some(api.now().plus(AGAIN))
}

/// What every namespace has from its beginning.
fn default_account(api: &mut ApiServer, namespace: &str) {
    let Some(id) = api.resource_of("v1", "ServiceAccount") else { return };
    let account = serde_json::json!({"metadata": {"name": "default"}});
    let _ = api.create(id, namespace, account, false);
    if let Some(id) = api.resource_of("v1", "ConfigMap") {
        let roots = serde_json::json!({"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ""}});
        let _ = api.create(id, namespace, roots, false);
    }
}
