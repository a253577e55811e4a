//! What is particular to each kind: defaults, what a client may not say, what is immutable, what follows.

mod definitions;
mod pods;
mod services;
mod small;
mod workloads;

use super::failure::{Cause, Failure};
use super::registry::ResourceType;
use super::store::Stored;
use super::write::Part;
use super::{ApiServer, metadata, text};
use crate::Dig;
use serde_json::{Map, Value, json};
pub(super) use small::event_of_its_own_group;

/// What a namespace waits for, in its spec: its controller has to empty it.
pub(crate) const NAMESPACE_FINALIZER: &str = "kubernetes";
/// What a definition waits for: that its objects are gone.
pub(crate) const DEFINITION_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Finalizers that a kind has outside its metadata: those of namespaces.
pub(super) fn own_finalizers(object: &Value) -> impl Iterator<Item = &Value> {
    let namespace = text(object, "/kind") == "Namespace" && text(object, "/apiVersion") == "v1";
    let list = object.at("/spec/finalizers").filter(|_| namespace).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// The object at a key, made when it is missing.
fn object<'v>(value: &'v mut Value, key: &str) -> Option<&'v mut Map<String, Value>> {
    let map = value.as_object_mut()?;
    let inner = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if inner.is_null() {
        *inner = Value::Object(Map::new());
    }
    inner.as_object_mut()
}

fn fault(reason: &'static str, field: &str, message: impl Into<String>) -> Cause {
    Cause { reason, field: field.to_owned(), message: message.into() }
}

/// A fault of a value, shown as JSON.
fn invalid(field: &str, value: &Value, why: &str) -> Cause {
    fault("FieldValueInvalid", field, format!("Invalid value: {value}: {why}"))
}

/// Sets a field that the client left out.
fn default(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    match map.get(key) {
        None | Some(Value::Null) => {
            map.insert(key.to_owned(), value.into());
        }
        Some(_) => {}
    }
}

/// Makes a new object complete.
pub(super) fn prepare_new(server: &mut ApiServer, kind: &ResourceType, new: &mut Value) {
    if kind.status
        && let Some(map) = new.as_object_mut()
    {
        map.remove("status");
    }
    if kind.custom.is_some() {
        return;
    }
    defaults(kind, new);
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") => namespace(new),
        ("", "Service") => services::allocate(server, new),
        ("", "Pod") => {
            pods::request_limits(new);
            pods::begin(new);
        }
        ("batch", "Job") => workloads::select_own_pods(new),
        ("", "Secret") => small::secret(new),
        _ => {}
    }
    if let Some(status) = first_status(kind)
        && let Some(map) = new.as_object_mut()
    {
        map.insert("status".to_owned(), status);
    }
}

/// The status that a new object is answered with.
fn first_status(kind: &ResourceType) -> Option<Value> {
    Some(match kind.kind.as_str() {
        "ReplicaSet" | "ReplicationController" => json!({"replicas": 0}),
        "StatefulSet" => json!({"replicas": 0, "availableReplicas": 0}),
        "Deployment" | "Job" | "CronJob" => json!({}),
        "DaemonSet" => {
            json!({"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0})
        }
        "Service" | "Ingress" => json!({"loadBalancer": {}}),
        "PodDisruptionBudget" => {
            json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0})
        }
        "HorizontalPodAutoscaler" => json!({"currentMetrics": null, "desiredReplicas": 0}),
        _ => return None,
    })
}

fn namespace(new: &mut Value) {
    let name = text(new, "/metadata/name").to_owned();
    if let Some(labels) =
        metadata::of(new).and_then(|data| data.entry("labels").or_insert_with(|| json!({})).as_object_mut())
    {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    }
    if let Some(map) = new.as_object_mut() {
        map.insert("spec".to_owned(), json!({"finalizers": [NAMESPACE_FINALIZER]}));
        map.insert("status".to_owned(), json!({"phase": "Active"}));
    }
}

/// Defaults that every write gets.
fn defaults(kind: &ResourceType, new: &mut Value) {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "ReplicaSet") => workloads::replica_set(new),
        ("apps", "Deployment") => workloads::deployment(new),
        ("batch", "Job") => workloads::job(new),
        ("", "Pod") => pods::defaults(new),
        ("", "Service") => services::defaults(new),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definitions::defaults(new),
        _ => {}
    }
}

/// Makes a changed object complete.
pub(super) fn prepare_change(kind: &ResourceType, part: Part, new: &mut Value, old: &Value) {
    if kind.custom.is_some() || part == Part::Status {
        return;
    }
    if kind.is("", "Service") {
        services::keep_addresses(new, old);
    }
    if kind.is("", "Secret") {
        small::secret(new);
    }
    if kind.is("", "Namespace")
        && let (Some(map), Some(spec)) = (new.as_object_mut(), old.get("spec"))
    {
        map.insert("spec".to_owned(), spec.clone());
    }
    if !is_as_before(new, Some(old)) {
        defaults(kind, new);
    }
}

/// Whether what is wanted has not changed: then it is complete, and in order.
fn is_as_before(new: &Value, old: Option<&Value>) -> bool {
    let spec = new.get("spec");
    spec.is_some() && old.is_some_and(|old| old.get("spec") == spec)
}

/// What is wrong with an object.
pub(super) fn faults(kind: &ResourceType, new: &Value, old: Option<&Value>) -> Vec<Cause> {
    if let Some(custom) = &kind.custom {
        return custom.schema.as_ref().map(|schema| schema.validate(new, old)).unwrap_or_default();
    }
    if is_as_before(new, old) {
        return Vec::new();
    }
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "ReplicaSet" | "Deployment") | ("batch", "Job") => workloads::faults(kind, new, old),
        ("", "Service") => services::faults(new, old),
        ("", "Pod") => pods::faults(new, old),
        ("", "ConfigMap") => small::data_faults(new, old),
        ("", "Secret") => small::secret_faults(new, old),
        ("", "Event") => small::event_faults(new),
        ("coordination.k8s.io", "Lease") => small::lease_faults(new),
        ("policy", "PodDisruptionBudget") => small::budget_faults(new),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definitions::faults(new),
        _ => Vec::new(),
    }
}

/// Whether the cluster's rules let a new object in.
pub(super) fn admit(server: &ApiServer, kind: &ResourceType, new: &Value) -> Result<(), Failure> {
    if !kind.is("", "Pod") {
        return Ok(());
    }
    pods::has_account(server, kind, new)?;
    pods::within_quota(server, kind, new)
}

/// What follows from a new object.
pub(super) fn created(server: &mut ApiServer, kind: &ResourceType, new: &Stored) {
    if kind.kind == "CustomResourceDefinition" {
        definitions::serve(server, new);
    }
    if kind.is("", "Pod") {
        // Admission itself counts what it lets in.
        server.count_quotas(text(&new.value, "/metadata/namespace"));
    }
}

/// What follows from a change.
pub(super) fn changed(server: &mut ApiServer, kind: &ResourceType, new: &Stored) {
    if kind.kind == "CustomResourceDefinition" {
        definitions::serve(server, new);
    }
}

/// What follows from a deletion.
pub(super) fn removed(server: &mut ApiServer, kind: &ResourceType, old: &Stored) {
    if kind.kind == "CustomResourceDefinition" {
        definitions::serve_no_more(server, text(&old.value, "/metadata/name"));
    }
}
