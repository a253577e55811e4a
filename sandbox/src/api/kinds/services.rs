//! Services: addresses and defaults.

use super::{default, fault, invalid, object};
use crate::Dig;
use crate::api::failure::Cause;
use crate::api::{ApiServer, text};
use serde_json::{Value, json};

/// Seconds for which a client stays with its pod.
const AFFINITY_SECONDS: i64 = 10_800;
/// Types of Services.
const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
/// First of the ports of nodes.
const NODE_PORT: i64 = 30_000;
/// How many ports of nodes there are.
const NODE_PORTS: i64 = 2_768;

pub(super) fn defaults(new: &mut Value) {
    let Some(spec) = object(new, "spec") else { return };
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    if spec.get("sessionAffinity") == Some(&json!("ClientIP")) {
        default(spec, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}}));
    }
    let kind = spec.get("type").cloned().unwrap_or_default();
    if kind == "NodePort" || kind == "LoadBalancer" {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind != "ExternalName" {
        default(spec, "internalTrafficPolicy", "Cluster");
        default(spec, "ipFamilies", json!(["IPv4"]));
        default(spec, "ipFamilyPolicy", "SingleStack");
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(port) = port.as_object_mut() else { continue };
        default(port, "protocol", "TCP");
        let target = port.get("port").cloned().unwrap_or_default();
        default(port, "targetPort", target);
    }
}

/// Gives a new Service its address.
pub(super) fn allocate(server: &mut ApiServer, new: &mut Value) {
    let (third, fourth) = (server.random.u8(..), server.random.u8(1..=254));
    let Some(spec) = object(new, "spec") else { return };
    if spec.get("type") == Some(&json!("ExternalName")) {
        return;
    }
    default(spec, "clusterIP", format!("10.96.{third}.{fourth}"));
    let own = spec.get("clusterIP").cloned().unwrap_or_default();
    default(spec, "clusterIPs", json!([own]));
    let kind = spec.get("type").cloned().unwrap_or_default();
    if kind == "NodePort" || kind == "LoadBalancer" {
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(port) = port.as_object_mut() {
                default(port, "nodePort", NODE_PORT + server.random.i64(..NODE_PORTS));
            }
        }
    }
}

/// What the server gave stays when a client does not say it again.
pub(super) fn keep_addresses(new: &mut Value, old: &Value) {
    let Some(spec) = object(new, "spec") else { return };
    for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if let Some(before) = old.at(&format!("/spec/{key}")) {
            default(spec, key, before.clone());
        }
    }
}

pub(super) fn faults(new: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut found = Vec::new();
    let kind = text(new, "/spec/type");
    if !TYPES.contains(&kind) {
        let known = TYPES.map(|kind| format!("{kind:?}")).join(", ");
        let message = format!("Unsupported value: {kind:?}: supported values: {known}");
        found.push(fault("FieldValueNotSupported", "spec.type", message));
    }
    let ports = new.at("/spec/ports").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let headless = text(new, "/spec/clusterIP") == "None";
    if ports.is_empty() && kind != "ExternalName" && !headless {
        found.push(fault("FieldValueRequired", "spec.ports", "Required value"));
    }
    for (index, port) in ports.iter().enumerate() {
        if ports.len() > 1 && text(port, "/name").is_empty() {
            found.push(fault("FieldValueRequired", &format!("spec.ports[{index}].name"), "Required value"));
        }
        let number = port.get("port").and_then(Value::as_i64).unwrap_or(0);
        if !(1..=65_535).contains(&number) {
            let why = "must be between 1 and 65535, inclusive";
            found.push(invalid(&format!("spec.ports[{index}].port"), &number.into(), why));
        }
    }
    if let Some(old) = old {
        let (now, before) = (text(new, "/spec/clusterIP"), text(old, "/spec/clusterIP"));
        if now != before && !before.is_empty() {
            found.push(invalid("spec.clusterIPs[0]", &json!([now]), "may not change once set"));
        }
    }
    found
}
