//! Views of pods and owners, made from objects.

use crate::Dig;
use crate::api::store::{Change, Stored};
use crate::api::{number, text};
use crate::models::endpoints::Candidate;
use crate::models::pod::{Owner, PodPhase, PodView};
use crds::{LabelSelector, Time};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reference to the controller of an object.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    let owners = object.at("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))
}

/// Kinds and names of the controllers of an object before and after a change.
pub(super) fn owners(change: &Change) -> Vec<(String, String)> {
    let both = change.before.iter().chain([&change.object]);
    let mut found: Vec<(String, String)> = both
        .filter_map(|object| controller(&object.value))
        .map(|owner| (text(owner, "/kind").to_owned(), text(owner, "/name").to_owned()))
        .collect();
    found.dedup();
    found
}

/// Who controls an object, seen from the one with `uid`.
pub(super) fn owner(object: &Value, uid: &str) -> Owner {
    match controller(object) {
        None => Owner::Nobody,
        Some(owner) if text(owner, "/uid") == uid => Owner::Us,
        Some(_) => Owner::Other,
    }
}

/// Labels of an object.
pub(crate) fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = object.at("/metadata/labels").and_then(Value::as_object);
    let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    labels.into_iter().flatten().filter_map(pair).collect()
}

/// A selector of an object's spec.
pub(super) fn selector(object: &Value) -> LabelSelector {
    let selector = object.at("/spec/selector").cloned().unwrap_or_default();
    serde_json::from_value(selector).unwrap_or_default()
}

/// A time at a JSON pointer.
pub(super) fn time(object: &Value, pointer: &str) -> Option<Time> {
    Time::parse(text(object, pointer))
}

/// A phase as it is written.
pub(super) fn phase(pod: &Value) -> PodPhase {
    match text(pod, "/status/phase") {
        "Running" => PodPhase::Running,
        "Succeeded" => PodPhase::Succeeded,
        "Failed" => PodPhase::Failed,
        "Unknown" => PodPhase::Unknown,
        _ => PodPhase::Pending,
    }
}

/// The condition of a type.
pub(super) fn condition<'v>(object: &'v Value, kind: &str) -> Option<&'v Value> {
    let conditions = object.at("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().find(|condition| text(condition, "/type") == kind)
}

/// Since when a pod is ready.
pub(super) fn ready_since(pod: &Value) -> Option<Time> {
    let ready = condition(pod, "Ready").filter(|ready| text(ready, "/status") == "True")?;
    time(ready, "/lastTransitionTime")
}

pub(super) fn is_deleting(object: &Value) -> bool {
    object.at("/metadata/deletionTimestamp").is_some()
}

/// A pod as its controller sees it.
pub(super) fn pod<'a>(
    pod: &'a Arc<Stored>,
    controller_uid: &str,
    selector: &LabelSelector,
    template_labels: &BTreeMap<String, String>,
) -> PodView<'a> {
    let value = &pod.value;
    let labels = labels(value);
    let statuses = value.at("/status/containerStatuses").and_then(Value::as_array);
    let restarts = statuses.into_iter().flatten().filter_map(|status| number(status, "/restartCount")).max();
    let cost = value
        .at("/metadata/annotations")
        .and_then(|annotations| annotations.get("controller.kubernetes.io/pod-deletion-cost"));
    PodView {
        uid: text(value, "/metadata/uid"),
        owner: owner(value, controller_uid),
        selected: !selector.is_empty() && selector.matches(&labels),
        fully_labeled: template_labels.iter().all(|(key, value)| labels.get(key) == Some(value)),
        phase: phase(value),
        deleting: is_deleting(value),
        created: time(value, "/metadata/creationTimestamp").unwrap_or_default(),
        assigned: !text(value, "/spec/nodeName").is_empty(),
        ready_since: ready_since(value),
        deletion_cost: cost.and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(0),
        neighbours: 0,
        restarts: restarts.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
    }
}

/// A pod as a Service sees it.
pub(crate) fn candidate(pod: &Value) -> Candidate {
    Candidate {
        phase: phase(pod),
        has_address: !text(pod, "/status/podIP").is_empty(),
        ready: ready_since(pod).is_some(),
        deleting: is_deleting(pod),
    }
}
