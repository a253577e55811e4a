//! Leases, Events, ConfigMaps, Secrets and PodDisruptionBudgets.

use super::{default, fault, invalid};
use crate::Dig;
use crate::api::failure::Cause;
use crate::api::{names, number, text};
use serde_json::{Value, json};

/// Keys that Secrets of a type must have.
const NEEDED: [(&str, &[&str]); 2] = [
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
];

pub(super) fn lease_faults(new: &Value) -> Vec<Cause> {
    let mut found = Vec::new();
    if let Some(seconds) = number(new, "/spec/leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        found.push(invalid("spec.leaseDurationSeconds", &seconds.into(), "must be greater than 0"));
    }
    if let Some(count) = number(new, "/spec/leaseTransitions").filter(|count| *count < 0) {
        found.push(invalid("spec.leaseTransitions", &count.into(), "must be greater than or equal to 0"));
    }
    found
}

pub(super) fn event_faults(new: &Value) -> Vec<Cause> {
    let (own, of) = (text(new, "/metadata/namespace"), text(new, "/involvedObject/namespace"));
    // Events about what is in no namespace are in the one that is always there.
    let fits = own == of || (of.is_empty() && own == "default");
    if fits {
        return Vec::new();
    }
    vec![invalid("involvedObject.namespace", &of.into(), "does not match event.namespace")]
}

/// What is wrong with the keys of a ConfigMap or Secret, and with a change of one that said that it would not change.
pub(super) fn data_faults(new: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut found = Vec::new();
    let keys =
        |field: &str| new.get(field).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key);
    for field in ["data", "binaryData"] {
        for key in keys(field) {
            let why = names::config_key_fault(key);
            found.extend(why.map(|why| invalid(&format!("{field}[{key}]"), &key.as_str().into(), &why)));
        }
    }
    let twice = keys("data").filter(|key| keys("binaryData").any(|other| other == *key));
    found.extend(twice.map(|key| {
        invalid(&format!("data[{key}]"), &key.as_str().into(), "duplicate of key present in binaryData")
    }));
    if old.is_some_and(|old| old.get("immutable") == Some(&Value::Bool(true))) {
        let why = "Forbidden: field is immutable when `immutable` is set";
        let changed = ["immutable", "data", "binaryData"]
            .into_iter()
            .filter(|field| old.is_some_and(|old| new.get(*field) != old.get(*field)));
        found.extend(changed.map(|field| fault("FieldValueForbidden", field, why)));
    }
    found
}

pub(super) fn secret_faults(new: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut found = Vec::new();
    let kind = text(new, "/type");
    if old.is_some_and(|old| text(old, "/type") != kind) {
        found.push(invalid("type", &kind.into(), "field is immutable"));
    }
    let needed = NEEDED.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, keys)| keys);
    for key in needed.iter().filter(|key| new.get("data").is_none_or(|data| data.get(**key).is_none())) {
        found.push(fault("FieldValueRequired", &format!("data[{key}]"), "Required value"));
    }
    found.extend(data_faults(new, old));
    found
}

/// Plain text of a Secret becomes data.
pub(super) fn secret(new: &mut Value) {
    let Some(map) = new.as_object_mut() else { return };
    default(map, "type", "Opaque");
    let Some(Value::Object(plain)) = map.remove("stringData") else { return };
    if let Some(data) = map.entry("data").or_insert_with(|| json!({})).as_object_mut() {
        for (key, value) in plain {
            data.insert(key, base64(value.as_str().unwrap_or_default().as_bytes()).into());
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| {
        let index = usize::try_from(bits & 63).unwrap_or(0);
        LETTERS.get(index).copied().map_or('A', char::from)
    };
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        out.push(letter(bits >> 18));
        out.push(letter(bits >> 12));
        out.push(if chunk.len() > 1 { letter(bits >> 6) } else { '=' });
        out.push(if chunk.len() > 2 { letter(bits) } else { '=' });
    }
    out
}

pub(super) fn budget_faults(new: &Value) -> Vec<Cause> {
    let spec = |key: &str| new.at("/spec").and_then(|spec| spec.get(key)).unwrap_or(&Value::Null);
    let (least, most) = (spec("minAvailable"), spec("maxUnavailable"));
    if least.is_null() || most.is_null() {
        return Vec::new();
    }
    // The fields of the server's own struct, in their order.
    let shown = format!(
        "{{\"MinAvailable\":{least},\"Selector\":{},\"MaxUnavailable\":{most},\"UnhealthyPodEvictionPolicy\":{}}}",
        spec("selector"),
        spec("unhealthyPodEvictionPolicy")
    );
    let message = format!("Invalid value: {shown}: minAvailable and maxUnavailable cannot be both set");
    vec![fault("FieldValueInvalid", "spec", message)]
}

/// An Event as `events.k8s.io/v1` shows it.
pub(in crate::api) fn event_of_its_own_group(event: &Value) -> Value {
    const NAMES: [(&str, &str); 15] = [
        ("metadata", "metadata"),
        ("eventTime", "eventTime"),
        ("series", "series"),
        ("reportingController", "reportingComponent"),
        ("reportingInstance", "reportingInstance"),
        ("action", "action"),
        ("reason", "reason"),
        ("regarding", "involvedObject"),
        ("related", "related"),
        ("note", "message"),
        ("type", "type"),
        ("deprecatedSource", "source"),
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedCount", "count"),
    ];
    let mut shown = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event"});
    if let Some(map) = shown.as_object_mut() {
        let said = NAMES.iter().filter_map(|(name, of)| Some(((*name).to_owned(), event.get(*of)?.clone())));
        map.extend(said.filter(|(_, value)| value != ""));
    }
    shown
}
