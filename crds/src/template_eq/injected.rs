//! What a controller puts into a ReplicaSet's template, and what two spellings mean the same.

use crate::meta::POD_TEMPLATE_HASH_LABEL;
use crate::{PodTemplate, PodTemplateMetadata};
use serde_json::{Map, Value};

/// A copy of a ReplicaSet's template without metadata that a strategy put there.
///
/// `injected` is what the annotation `rollout.argoproj.io/ephemeral-metadata` holds. A key whose value has changed
/// since is not ours any more and stays.
#[must_use]
pub fn without_metadata(rs_template: &PodTemplate, injected: &PodTemplateMetadata) -> PodTemplate {
    let mut template = rs_template.clone();
    for (field, entries) in [("labels", &injected.labels), ("annotations", &injected.annotations)] {
        let pointer = format!("/metadata/{field}");
        let Some(Value::Object(map)) = template.0.pointer_mut(&pointer) else { continue };
        for (key, value) in entries.iter().flatten() {
            if map.get(key).and_then(Value::as_str) == Some(value) {
                map.remove(key);
            }
        }
    }
    template
}

/// A copy of a template without the terms that keep its pods off nodes with pods of one version.
#[must_use]
pub fn without_anti_affinity(template: &PodTemplate) -> PodTemplate {
    let mut template = template.clone();
    if let Some(Value::Object(spec)) = template.0.get_mut("spec") {
        remove_anti_affinity(spec);
    }
    template
}

/// Hashes of the versions that a template keeps its pods away from.
#[must_use]
pub fn anti_affinity_hashes(template: &PodTemplate) -> Vec<String> {
    let lists = ANTI_AFFINITY.into_iter().flat_map(|(list, inner)| {
        let terms = template.0.pointer(&format!("/spec/affinity/podAntiAffinity/{list}"));
        let terms = terms.and_then(Value::as_array).into_iter().flatten();
        terms.filter_map(move |term| term.pointer(inner))
    });
    let values = lists.filter(|term| is_injected(term)).flat_map(|term| {
        let values = term.pointer("/labelSelector/matchExpressions/0/values").and_then(Value::as_array);
        values.into_iter().flatten()
    });
    values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

/// Lists of anti-affinity terms, and where in an entry its term is.
const ANTI_AFFINITY: [(&str, &str); 2] = [
    ("preferredDuringSchedulingIgnoredDuringExecution", "/podAffinityTerm"),
    ("requiredDuringSchedulingIgnoredDuringExecution", ""),
];

/// A copy in one spelling: without the hash label and the injected anti-affinity, with one name for the service
/// account, and with the defaults that need a look at the whole pod.
pub(super) fn prepare(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(Value::Object(labels)) = template.pointer_mut("/metadata/labels") {
        labels.remove(POD_TEMPLATE_HASH_LABEL);
    }
    if let Some(Value::Object(spec)) = template.get_mut("spec") {
        one_service_account(spec);
        remove_anti_affinity(spec);
        let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
        for list in ["initContainers", "containers"] {
            let containers = spec.get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
                if host_network {
                    host_ports(container);
                }
                requests_from_limits(container);
            }
        }
    }
    template
}

/// `serviceAccount` is the deprecated twin of `serviceAccountName`; the API server writes both.
fn one_service_account(spec: &mut Map<String, Value>) {
    let Some(deprecated) = spec.remove("serviceAccount") else { return };
    let named = spec.get("serviceAccountName").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    if !named {
        spec.insert("serviceAccountName".to_owned(), deprecated);
    }
}

/// Older API servers fill the host's port into templates with `hostNetwork`; newer ones only into pods.
fn host_ports(container: &mut Map<String, Value>) {
    let ports = container.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        let unset = port.get("hostPort").is_none_or(|port| port.is_null() || port.as_i64() == Some(0));
        if let (true, Some(number)) = (unset, port.get("containerPort").cloned()) {
            port.insert("hostPort".to_owned(), number);
        }
    }
}

/// A request that is not set equals the limit; whether the template or only the pod says so makes no difference.
fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(Value::Object(resources)) = container.get_mut("resources") else { return };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    let requests = resources.entry("requests").or_insert(Value::Null);
    if requests.is_null() {
        *requests = Value::Object(Map::new());
    }
    let Value::Object(requests) = requests else { return };
    for (name, limit) in limits {
        requests.entry(name).or_insert(limit);
    }
}

/// Removes the terms that keep new pods off nodes with stable ones, and what is empty after that.
fn remove_anti_affinity(spec: &mut Map<String, Value>) {
    let Some(Value::Object(affinity)) = spec.get_mut("affinity") else { return };
    let Some(Value::Object(anti)) = affinity.get_mut("podAntiAffinity") else { return };
    let mut removed = false;
    for (list, inner) in ANTI_AFFINITY {
        let Some(Value::Array(terms)) = anti.get_mut(list) else { continue };
        let before = terms.len();
        terms.retain(|term| !term.pointer(inner).is_some_and(is_injected));
        removed |= terms.len() < before;
        if terms.is_empty() && before > 0 {
            anti.remove(list);
        }
    }
    if removed && anti.is_empty() {
        affinity.remove("podAntiAffinity");
        if affinity.is_empty() {
            spec.remove("affinity");
        }
    }
}

/// A term that selects pods by the hash of one version.
fn is_injected(term: &Value) -> bool {
    let expressions = term.pointer("/labelSelector/matchExpressions").and_then(Value::as_array);
    let Some([expression]) = expressions.map(Vec::as_slice) else { return false };
    expression.get("key").and_then(Value::as_str) == Some(POD_TEMPLATE_HASH_LABEL)
}
