//! Pods as the API server sees them.

use super::{default, object};
use crate::api::failure::Failure;
use crate::api::registry::ResourceType;
use crate::api::{ApiServer, text};
use crds::template_eq::fill_pod_defaults;
use serde_json::{Value, json};

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
        let hard = |key: &str| quota.value.pointer("/spec/hard").and_then(|hard| hard.get(key));
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
