//! ReplicaSets, Deployments and Jobs.

use super::{default, object};
use crate::api::failure::Cause;
use crate::api::registry::ResourceType;
use crate::api::{metadata, number, text};
use crds::template_eq::fill_template_defaults;
use serde_json::{Map, Value, json};

/// Backoff limit of a Job that does not say its own.
const JOB_BACKOFF_LIMIT: i64 = 6;
/// History that a Deployment keeps.
const REVISION_HISTORY_LIMIT: i64 = 10;
/// Seconds in which a Deployment must progress.
const PROGRESS_DEADLINE_SECONDS: i64 = 600;

fn template(spec: &mut Map<String, Value>) {
    if let Some(template) = spec.get_mut("template") {
        fill_template_defaults(template);
    }
}

pub(super) fn replica_set(new: &mut Value) {
    if let Some(spec) = object(new, "spec") {
        default(spec, "replicas", 1);
        if spec.get("minReadySeconds") == Some(&json!(0)) {
            spec.remove("minReadySeconds");
        }
        template(spec);
    }
}

pub(super) fn deployment(new: &mut Value) {
    let Some(spec) = object(new, "spec") else { return };
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", REVISION_HISTORY_LIMIT);
    default(spec, "progressDeadlineSeconds", PROGRESS_DEADLINE_SECONDS);
    default(spec, "strategy", json!({"type": "RollingUpdate"}));
    if let Some(strategy) = spec.get_mut("strategy").and_then(Value::as_object_mut) {
        default(strategy, "type", "RollingUpdate");
        if strategy.get("type") == Some(&json!("RollingUpdate")) {
            default(strategy, "rollingUpdate", json!({}));
            if let Some(rolling) = strategy.get_mut("rollingUpdate").and_then(Value::as_object_mut) {
                default(rolling, "maxSurge", "25%");
                default(rolling, "maxUnavailable", "25%");
            }
        }
    }
    template(spec);
}

pub(super) fn job(new: &mut Value) {
    let Some(spec) = object(new, "spec") else { return };
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        default(spec, "completions", 1);
    }
    default(spec, "parallelism", 1);
    default(spec, "backoffLimit", JOB_BACKOFF_LIMIT);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    default(spec, "podReplacementPolicy", "TerminatingOrFailed");
    template(spec);
}

/// A new Job selects its pods by its own uid.
pub(super) fn select_own_pods(new: &mut Value) {
    if new.pointer("/spec/manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    let (uid, name) = (text(new, "/metadata/uid").to_owned(), text(new, "/metadata/name").to_owned());
    let labels = [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ];
    let Some(spec) = object(new, "spec") else { return };
    spec.insert("selector".to_owned(), json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
    if let Some(own) = spec
        .get_mut("template")
        .and_then(metadata::of)
        .and_then(|data| data.entry("labels").or_insert_with(|| json!({})).as_object_mut())
    {
        for (key, value) in labels {
            own.insert(key.to_owned(), value.as_str().into());
        }
    }
}

fn cause(reason: &'static str, field: &str, message: impl Into<String>) -> Cause {
    Cause { reason, field: field.to_owned(), message: message.into() }
}

/// A value as Go prints it in an error.
fn shown(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn faults(kind: &ResourceType, new: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut found = Vec::new();
    if let Some(size) = number(new, "/spec/replicas").filter(|size| *size < 0) {
        let message = format!("Invalid value: {size}: must be greater than or equal to 0");
        found.push(cause("FieldValueInvalid", "spec.replicas", message));
    }
    let immutable = |field: &str, pointer: &str, found: &mut Vec<Cause>| {
        let Some(old) = old else { return };
        let (now, before) = (new.pointer(pointer), old.pointer(pointer));
        if now != before {
            let message =
                format!("Invalid value: {}: field is immutable", shown(now.unwrap_or(&Value::Null)));
            found.push(cause("FieldValueInvalid", field, message));
        }
    };
    if kind.kind == "Job" {
        immutable("spec.selector", "/spec/selector", &mut found);
        immutable("spec.completions", "/spec/completions", &mut found);
        if new.pointer("/spec/suspend") != Some(&Value::Bool(true)) {
            immutable("spec.template", "/spec/template", &mut found);
        }
    } else {
        selector_faults(new, &mut found);
        immutable("spec.selector", "/spec/selector", &mut found);
    }
    let containers = new.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    if containers.is_none_or(Vec::is_empty) {
        found.push(cause("FieldValueRequired", "spec.template.spec.containers", "Required value"));
    }
    found
}

fn selector_faults(new: &Value, found: &mut Vec<Cause>) {
    let Some(selector) = new.pointer("/spec/selector") else {
        found.push(cause("FieldValueRequired", "spec.selector", "Required value"));
        return;
    };
    let selector: crds::LabelSelector = serde_json::from_value(selector.clone()).unwrap_or_default();
    let empty = selector.is_empty();
    if empty {
        let message = "Invalid value: {}: empty selector is invalid for deployment".to_owned();
        found.push(cause("FieldValueInvalid", "spec.selector", message));
        return;
    }
    let labels = new.pointer("/spec/template/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    let own = serde_json::from_value(labels.clone()).unwrap_or_default();
    if !selector.matches(&own) {
        let message =
            format!("Invalid value: {}: `selector` does not match template `labels`", shown(&labels));
        found.push(cause("FieldValueInvalid", "spec.template.metadata.labels", message));
    }
}
