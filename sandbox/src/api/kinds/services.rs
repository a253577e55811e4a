//! Services: addresses and defaults.

use super::{default, object};
use crate::api::failure::Cause;
use crate::api::{ApiServer, text};
use serde_json::{Value, json};

pub(super) fn defaults(new: &mut Value) {
    let Some(spec) = object(new, "spec") else { return };
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    default(spec, "internalTrafficPolicy", "Cluster");
    if spec.get("type") != Some(&json!("ExternalName")) {
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
}

/// What the server gave stays when a client does not say it again.
pub(super) fn keep_addresses(new: &mut Value, old: &Value) {
    let Some(spec) = object(new, "spec") else { return };
    for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if let Some(before) = old.pointer(&format!("/spec/{key}")) {
            default(spec, key, before.clone());
        }
    }
}

pub(super) fn faults(new: &Value, old: Option<&Value>) -> Vec<Cause> {
    let cause = |reason: &'static str, field: &str, message: String| Cause {
        reason,
        field: field.to_owned(),
        message,
    };
    let mut found = Vec::new();
    let kind = text(new, "/spec/type");
    let ports = new.pointer("/spec/ports").and_then(Value::as_array);
    let headless = text(new, "/spec/clusterIP") == "None";
    if ports.is_none_or(Vec::is_empty) && kind != "ExternalName" && !headless {
        found.push(cause("FieldValueRequired", "spec.ports", "Required value".to_owned()));
    }
    if let Some(old) = old {
        let (now, before) = (text(new, "/spec/clusterIP"), text(old, "/spec/clusterIP"));
        if now != before && !before.is_empty() {
            let list = format!("Invalid value: {}: may not change once set", json!([now]));
            found.push(cause("FieldValueInvalid", "spec.clusterIPs[0]", list));
        }
    }
    found
}
