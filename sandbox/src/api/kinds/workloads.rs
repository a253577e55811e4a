//! ReplicaSets, Deployments and Jobs.

use super::{default, fault, invalid, object, pods};
use crate::Dig;
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
    default(spec, "template", json!({"spec": {}}));
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
    if new.at("/spec/manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    let (uid, name) = (text(new, "/metadata/uid").to_owned(), text(new, "/metadata/name").to_owned());
    let Some(spec) = object(new, "spec") else { return };
    let labels_of = |holder: &mut Map<String, Value>, key: &str| {
        holder.entry(key).or_insert_with(|| json!({})).as_object_mut().map(std::mem::take)
    };
    let selector = spec.entry("selector").or_insert_with(|| json!({}));
    if let Some(selector) = selector.as_object_mut()
        && let Some(mut wanted) = labels_of(selector, "matchLabels")
    {
        wanted.insert(OWN_PODS.to_owned(), uid.as_str().into());
        selector.insert("matchLabels".to_owned(), wanted.into());
    }
    let mut labels = Map::new();
    if let Some(data) = spec.get_mut("template").and_then(metadata::of) {
        labels = labels_of(data, "labels").unwrap_or_default();
        let own = [
            (OWN_PODS, &uid),
            ("batch.kubernetes.io/job-name", &name),
            ("controller-uid", &uid),
            ("job-name", &name),
        ];
        labels.extend(own.map(|(key, value)| (key.to_owned(), value.as_str().into())));
        data.insert("labels".to_owned(), labels.clone().into());
    }
    if let Some(data) = metadata::of(new) {
        default(data, "labels", labels);
    }
}

/// Label of a Job's pods with its uid.
const OWN_PODS: &str = "batch.kubernetes.io/controller-uid";

/// Fields that must not be negative.
const COUNTS: [&str; 6] =
    ["replicas", "minReadySeconds", "parallelism", "completions", "backoffLimit", "revisionHistoryLimit"];

pub(super) fn faults(kind: &ResourceType, new: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut found = Vec::new();
    for field in COUNTS {
        if let Some(count) = number(new, &format!("/spec/{field}")).filter(|count| *count < 0) {
            let why = "must be greater than or equal to 0";
            found.push(invalid(&format!("spec.{field}"), &count.into(), why));
        }
    }
    if kind.kind == "Job" {
        job_faults(new, old, &mut found);
    } else {
        selector_faults(new, &mut found);
        immutable("selector", new, old, &mut found);
        if kind.kind == "Deployment" {
            strategy_faults(new, &mut found);
        }
    }
    if let Some(spec) = new.at("/spec/template/spec") {
        found.extend(pods::container_faults(spec, "spec.template.spec"));
    }
    let restart = text(new, "/spec/template/spec/restartPolicy");
    let field = "spec.template.spec.restartPolicy";
    if kind.kind == "Job" && restart != "Never" && restart != "OnFailure" {
        let message = "Required value: valid values: \"OnFailure\", \"Never\"";
        found.push(fault("FieldValueRequired", field, message));
    } else if kind.kind != "Job" && restart != "Always" {
        let message = format!("Unsupported value: {restart:?}: supported values: \"Always\"");
        found.push(fault("FieldValueNotSupported", field, message));
    }
    found
}

fn immutable(field: &str, new: &Value, old: Option<&Value>, found: &mut Vec<Cause>) {
    let Some(old) = old else { return };
    let pointer = format!("/spec/{field}");
    let (now, before) = (new.at(&pointer), old.at(&pointer));
    if now != before {
        let shown = now.unwrap_or(&Value::Null);
        found.push(invalid(&format!("spec.{field}"), shown, "field is immutable"));
    }
}

fn job_faults(new: &Value, old: Option<&Value>, found: &mut Vec<Cause>) {
    let selector = new.at("/spec/selector").cloned().unwrap_or_default();
    let manual = new.at("/spec/manualSelector") == Some(&Value::Bool(true));
    if !manual
        && selector.get("matchLabels").and_then(Value::as_object).is_some_and(|labels| labels.len() > 1)
    {
        found.push(invalid("spec.selector", &selector, "`selector` not auto-generated"));
    }
    let labels = new.at("/spec/template/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    unlike_template(&serde_json::from_value(selector).unwrap_or_default(), &labels, found);
    immutable("selector", new, old, found);
    immutable("completions", new, old, found);
    let Some(old) = old else { return };
    let suspended = old.at("/spec/suspend") == Some(&Value::Bool(true));
    let kept = |job: &Value| {
        let mut template = job.at("/spec/template").cloned().unwrap_or_default();
        if suspended {
            // Where it runs may change as long as it does not.
            template.as_object_mut().map(|template| template.remove("metadata"));
            if let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) {
                for key in ["nodeSelector", "affinity", "tolerations", "schedulingGates"] {
                    spec.remove(key);
                }
            }
        }
        template
    };
    if kept(new) != kept(old) {
        immutable("template", new, Some(old), found);
    }
}

fn strategy_faults(new: &Value, found: &mut Vec<Cause>) {
    let strategy = |key: &str| new.at(&format!("/spec/strategy/{key}"));
    if strategy("type").is_some_and(|kind| kind == "Recreate") && strategy("rollingUpdate").is_some() {
        let message = "Forbidden: may not be specified when strategy `type` is 'Recreate'";
        found.push(fault("FieldValueForbidden", "spec.strategy.rollingUpdate", message));
    }
    let rolling = |key: &str| new.at(&format!("/spec/strategy/rollingUpdate/{key}"));
    let none = |value: Option<&Value>| value.is_some_and(|value| value == 0 || value == "0" || value == "0%");
    if none(rolling("maxSurge")) && none(rolling("maxUnavailable")) {
        let shown = rolling("maxUnavailable").cloned().unwrap_or_default();
        let why = "may not be 0 when `maxSurge` is 0";
        found.push(invalid("spec.strategy.rollingUpdate.maxUnavailable", &shown, why));
    }
}

fn unlike_template(selector: &crds::LabelSelector, labels: &Value, found: &mut Vec<Cause>) {
    let own = serde_json::from_value(labels.clone()).unwrap_or_default();
    if !selector.matches(&own) || selector.is_empty() {
        let why = "`selector` does not match template `labels`";
        found.push(invalid("spec.template.metadata.labels", labels, why));
    }
}

fn selector_faults(new: &Value, found: &mut Vec<Cause>) {
    let labels = new.at("/spec/template/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    let Some(selector) = new.at("/spec/selector") else {
        found.push(fault("FieldValueRequired", "spec.selector", "Required value"));
        return unlike_template(&crds::LabelSelector::default(), &labels, found);
    };
    let selector: crds::LabelSelector = serde_json::from_value(selector.clone()).unwrap_or_default();
    if selector.is_empty() {
        let why = "empty selector is invalid for deployment";
        found.push(invalid("spec.selector", &json!({}), why));
        return;
    }
    unlike_template(&selector, &labels, found);
}
