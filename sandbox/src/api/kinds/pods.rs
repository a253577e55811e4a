//! Pods as the API server sees them.

use super::{default, fault, invalid, object};
use crate::Dig;
use crate::api::failure::{Cause, Failure};
use crate::api::registry::ResourceType;
use crate::api::{ApiServer, names, text};
use crds::quantity::Quantity;
use crds::template_eq::fill_pod_defaults;
use serde_json::{Map, Value, json};

/// Seconds that a pod stays on a node that is not ready, or cannot be reached.
const TOLERATION_SECONDS: i64 = 300;

pub(super) fn defaults(new: &mut Value) {
    if let Some(map) = new.as_object_mut() {
        default(map, "spec", json!({}));
        if let Some(spec) = map.get_mut("spec") {
            fill_pod_defaults(spec);
        }
    }
    if let Some(spec) = object(new, "spec") {
        default(spec, "enableServiceLinks", true);
        default(spec, "preemptionPolicy", "PreemptLowerPriority");
        default(spec, "priority", 0);
        default(spec, "serviceAccountName", "default");
        default(spec, "serviceAccount", "default");
        let tolerated = |key: &str| json!({"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": TOLERATION_SECONDS});
        let both =
            json!([tolerated("node.kubernetes.io/not-ready"), tolerated("node.kubernetes.io/unreachable")]);
        default(spec, "tolerations", both);
    }
}

/// The status of a pod that nobody has looked at.
pub(super) fn begin(new: &mut Value) {
    if let Some(map) = new.as_object_mut() {
        map.insert("status".to_owned(), json!({"phase": "Pending", "qosClass": "BestEffort"}));
    }
}

/// Whether the quotas of the namespace have room for one more pod. Only the number of pods is counted.
pub(super) fn within_quota(server: &ApiServer, kind: &ResourceType, pod: &Value) -> Result<(), Failure> {
    let namespace = text(pod, "/metadata/namespace");
    let (Some(quotas), Some(pods)) =
        (server.resource_of("v1", "ResourceQuota"), server.resource_of("v1", "Pod"))
    else {
        return Ok(());
    };
    for quota in server.objects(quotas, Some(namespace)) {
        let hard = |key: &str| quota.value.at("/spec/hard").and_then(|hard| hard.get(key));
        let limit = hard("pods").or_else(|| hard("count/pods"));
        let Some(limit) = limit.map(|limit| limit.as_str().map_or_else(|| limit.to_string(), str::to_owned))
        else {
            continue;
        };
        let alive = |pod: &Value| !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
        let used = server.objects(pods, Some(namespace)).filter(|pod| alive(&pod.value)).count();
        if limit.parse::<usize>().is_ok_and(|limit| used >= limit) {
            let why = format!(
                "exceeded quota: {}, requested: pods=1, used: pods={used}, limited: pods={limit}",
                text(&quota.value, "/metadata/name")
            );
            return Err(Failure::forbidden(kind.of(), text(pod, "/metadata/name"), &why));
        }
    }
    Ok(())
}

/// What a pod may use at most is what it asks for when it does not say.
pub(super) fn request_limits(new: &mut Value) {
    let Some(spec) = object(new, "spec") else { return };
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) else {
                continue;
            };
            let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { continue };
            let requests = resources.entry("requests").or_insert_with(|| json!({}));
            if let Some(requests) = requests.as_object_mut() {
                for (name, limit) in limits {
                    requests.entry(name).or_insert(limit);
                }
            }
        }
    }
}

/// What is wrong with a pod.
pub(super) fn faults(new: &Value, old: Option<&Value>) -> Vec<Cause> {
    let Some(old) = old else {
        return new.get("spec").map(|spec| container_faults(spec, "spec")).unwrap_or_default();
    };
    if new.get("spec") == old.get("spec") {
        return Vec::new();
    }
    // Images may change, and few other fields.
    let kept = |pod: &Value| {
        let mut spec = pod.get("spec").cloned().unwrap_or_default();
        let Some(map) = spec.as_object_mut() else { return spec };
        for key in
            ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"]
        {
            map.remove(key);
        }
        for list in ["containers", "initContainers"] {
            for container in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                container.as_object_mut().map(|container| container.remove("image"));
            }
        }
        spec
    };
    if kept(new) == kept(old) {
        return Vec::new();
    }
    let message = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    vec![fault("FieldValueForbidden", "spec", message)]
}

/// What is wrong with the containers of a pod's spec.
pub(super) fn container_faults(spec: &Value, path: &str) -> Vec<Cause> {
    let mut found = Vec::new();
    let containers = spec.get("containers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if containers.is_empty() {
        found.push(fault("FieldValueRequired", &format!("{path}.containers"), "Required value"));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        let at = |field: &str| format!("{path}.containers[{index}].{field}");
        let name = text(container, "/name");
        if name.is_empty() {
            found.push(fault("FieldValueRequired", &at("name"), "Required value"));
        } else if !names::is_label(name) {
            found.push(invalid(&at("name"), &name.into(), names::LABEL));
        } else if seen.contains(&name) {
            found.push(fault("FieldValueDuplicate", &at("name"), format!("Duplicate value: {name:?}")));
        }
        seen.push(name);
        if text(container, "/image").is_empty() {
            found.push(fault("FieldValueRequired", &at("image"), "Required value"));
        }
        resource_faults(container, &at("resources.requests"), &mut found);
    }
    found
}

fn resource_faults(container: &Value, field: &str, found: &mut Vec<Cause>) {
    let Some(limits) = container.at("/resources/limits").and_then(Value::as_object) else { return };
    let size = |value: &Value| Quantity::parse(value.as_str().unwrap_or_default());
    for (name, limit) in limits {
        let request = container.at("/resources/requests").and_then(|requests| requests.get(name));
        let (Some(request), Some(most)) = (request, size(limit)) else { continue };
        if size(request).is_some_and(|request| request.compare(most).is_gt()) {
            let why = format!(
                "must be less than or equal to {name} limit of {}",
                limit.as_str().unwrap_or_default()
            );
            found.push(invalid(field, request, &why));
        }
    }
}

/// Whether the account that a pod runs as is there. That of the namespace itself will be, soon.
pub(super) fn has_account(server: &ApiServer, kind: &ResourceType, pod: &Value) -> Result<(), Failure> {
    let (namespace, account) = (text(pod, "/metadata/namespace"), text(pod, "/spec/serviceAccountName"));
    if matches!(account, "default" | "") {
        return Ok(());
    }
    let there = server
        .resource_of("v1", "ServiceAccount")
        .is_some_and(|accounts| server.store.get(accounts, namespace, account).is_some());
    if there {
        return Ok(());
    }
    let why = format!(
        "error looking up service account {namespace}/{account}: serviceaccount {account:?} not found"
    );
    Err(Failure::forbidden(kind.of(), text(pod, "/metadata/name"), &why))
}

impl ApiServer {
    /// Counts what the quotas of a namespace are about, and writes it down.
    pub(crate) fn count_quotas(&mut self, namespace: &str) {
        let (Some(quotas), Some(pods)) =
            (self.resource_of("v1", "ResourceQuota"), self.resource_of("v1", "Pod"))
        else {
            return;
        };
        let all: Vec<_> = self.objects(quotas, Some(namespace)).cloned().collect();
        if all.is_empty() {
            return;
        }
        let alive = |pod: &Value| !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
        let count = self.objects(pods, Some(namespace)).filter(|pod| alive(&pod.value)).count().to_string();
        for quota in all {
            let hard = quota.value.at("/spec/hard").cloned().unwrap_or_else(|| json!({}));
            let counted = ["pods", "count/pods"].into_iter().filter(|key| hard.get(*key).is_some());
            let used: Map<String, Value> =
                counted.map(|key| (key.to_owned(), count.as_str().into())).collect();
            let status = json!({"hard": hard, "used": used});
            if quota.value.get("status") != Some(&status) {
                let mut value = quota.value.clone();
                if let Some(map) = value.as_object_mut() {
                    map.insert("status".to_owned(), status);
                }
                let name = text(&value, "/metadata/name").to_owned();
                self.store.put(quotas, (namespace.to_owned(), name), value);
            }
        }
    }
}
