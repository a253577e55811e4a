//! Rows of nodes, namespaces, and what is configured in them.

use super::read::{NONE, Reader, UNKNOWN, or_none};
use serde_json::Value;
use std::collections::BTreeSet;

/// Name, status, roles, age, version; wide: addresses, operating system, kernel, container runtime.
pub(super) fn node(of: Reader<'_>) -> Vec<Value> {
    let mut status = vec![match of.condition("Ready") {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    }];
    if of.at("/spec/unschedulable") == Some(&Value::Bool(true)) {
        status.push("SchedulingDisabled");
    }
    let address = |kind: &str| -> Value {
        let found = of.items("/status/addresses").find(|address| address.text("/type") == Some(kind));
        found.and_then(|address| address.text("/address")).unwrap_or(NONE).into()
    };
    let info = |field: &str| of.text_or(&format!("/status/nodeInfo/{field}"), UNKNOWN);
    vec![
        of.name(),
        status.join(",").into(),
        roles(of).into(),
        of.age(),
        of.text_or("/status/nodeInfo/kubeletVersion", ""),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

fn roles(of: Reader<'_>) -> String {
    let labels = of.at("/metadata/labels").and_then(Value::as_object);
    let all: BTreeSet<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| match name.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if name == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    or_none(all.into_iter().collect::<Vec<_>>().join(","))
}

/// Name, status, age.
pub(super) fn namespace(of: Reader<'_>) -> Vec<Value> {
    vec![of.name(), of.text_or("/status/phase", ""), of.age()]
}

/// Name, number of entries, age.
pub(super) fn config_map(of: Reader<'_>) -> Vec<Value> {
    vec![of.name(), (of.count("/data") + of.count("/binaryData")).into(), of.age()]
}

/// Name, type, number of entries, age.
pub(super) fn secret(of: Reader<'_>) -> Vec<Value> {
    vec![of.name(), of.text_or("/type", ""), of.count("/data").into(), of.age()]
}

/// Name, requests, limits, age: each as `used/allowed`.
pub(super) fn resource_quota(of: Reader<'_>) -> Vec<Value> {
    let mut columns = [Vec::new(), Vec::new()];
    let allowed = of.at("/status/hard").and_then(Value::as_object);
    let mut allowed: Vec<_> = allowed.into_iter().flatten().collect();
    allowed.sort_by_key(|(name, _)| *name);
    let [requests, limits] = &mut columns;
    for (name, hard) in allowed {
        let used =
            of.at("/status/used").and_then(|used| used.get(name)).and_then(Value::as_str).unwrap_or("0");
        let text = format!("{name}: {used}/{}", hard.as_str().unwrap_or_default());
        if name.starts_with("limits.") { limits.push(text) } else { requests.push(text) }
    }
    let [requests, limits] = columns.map(|column| column.join(", "));
    vec![of.name(), requests.into(), limits.into(), of.age()]
}
