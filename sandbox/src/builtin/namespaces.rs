//! The namespace controller: a namespace that is deleted is emptied first.

use super::views;
use crate::api::{ApiServer, At, Deletion, text};
use crds::Time;
use std::time::Duration;

/// How long until a namespace that is not empty yet is looked at again.
const AGAIN: Duration = Duration::from_millis(200);

/// What the server says of the certificates that each namespace has.
const ROOT_CA: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

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
        api.finish_namespace(at);
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
        let roots = serde_json::json!({"metadata": {"name": "kube-root-ca.crt", "annotations": {"kubernetes.io/description": ROOT_CA}}, "data": {"ca.crt": ""}});
        let _ = api.create(id, namespace, roots, false);
    }
}
