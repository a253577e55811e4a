//! The ReplicaSet controller.

use super::{Known, all, uid, views, write_status};
use crate::Dig;
use crate::api::{ApiServer, At, Deletion, Part, number, stamp, text};
use crate::models::pod::{Owner, PodView};
use crate::models::replica_set::{Failure, FailureReason, SetStatus, SetView, step};
use crds::Time;
use serde_json::{Map, Value, json};

/// Longest part of a ReplicaSet's name in its pods' names: a suffix of five letters has to fit.
const PREFIX_MAX_LETTERS: usize = 57;

fn view(set: &Value) -> SetView {
    let failure = views::condition(set, "ReplicaFailure").map(|condition| Failure {
        reason: match text(condition, "/reason") {
            "FailedDelete" => FailureReason::FailedDelete,
            _ => FailureReason::FailedCreate,
        },
        message: text(condition, "/message").to_owned(),
        since: views::time(condition, "/lastTransitionTime").unwrap_or_default(),
    });
    let small = |pointer: &str| number(set, pointer).and_then(|n| i32::try_from(n).ok());
    SetView {
        replicas: small("/spec/replicas").unwrap_or(1),
        min_ready_seconds: small("/spec/minReadySeconds").unwrap_or(0),
        generation: number(set, "/metadata/generation").unwrap_or(0),
        deleting: views::is_deleting(set),
        failure,
    }
}

fn status(counted: &SetStatus, terminating: usize) -> Value {
    let mut status = Map::new();
    status.insert("replicas".to_owned(), counted.replicas.into());
    let rest = [
        ("fullyLabeledReplicas", counted.fully_labeled),
        ("readyReplicas", counted.ready),
        ("availableReplicas", counted.available),
    ];
    for (key, count) in rest.into_iter().filter(|(_, count)| *count > 0) {
        status.insert(key.to_owned(), count.into());
    }
    status.insert("observedGeneration".to_owned(), counted.observed_generation.into());
    status.insert("terminatingReplicas".to_owned(), terminating.into());
    if let Some(failure) = &counted.failure {
        let condition = json!({
            "type": "ReplicaFailure", "status": "True", "lastTransitionTime": stamp(failure.since),
            "reason": failure.reason.as_str(), "message": failure.message,
        });
        status.insert("conditions".to_owned(), json!([condition]));
    }
    Value::Object(status)
}

/// One look at a ReplicaSet; gives when to look again although nothing changes.
pub(super) fn look(api: &mut ApiServer, known: Known, at: &At, now: Time) -> Option<Time> {
    let set = api.get(at).cloned()?;
    let own = uid(&set).to_owned();
    let selector = views::selector(&set.value);
    let template = set.value.at("/spec/template").cloned().unwrap_or_default();
    let template_labels = views::labels(&template);
    let pods = all(api, known.pods, &at.namespace);
    let seen: Vec<_> = pods.iter().map(|pod| views::pod(pod, &own, &selector, &template_labels)).collect();
    let wanted = view(&set.value);
    let next = step(&wanted, &seen, now);
    let name_of = |index: &usize| {
        let pod = pods.get(*index)?;
        let name = text(&pod.value, "/metadata/name").to_owned();
        Some(At { resource: known.pods, namespace: at.namespace.clone(), name })
    };
    let reference = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": at.name, "uid": own,
        "controller": true, "blockOwnerDeletion": true,
    });
    for pod in next.adopt.iter().filter_map(name_of) {
        own_pod(api, &pod, Some(&reference));
    }
    for pod in next.release.iter().filter_map(name_of) {
        own_pod(api, &pod, None);
    }
    let mut refusal = None;
    for pod in next.delete.iter().filter_map(name_of) {
        if let Err(failure) = api.delete(&pod, &Deletion::default())
            && failure.code != 404
        {
            refusal = Some(failure.message);
        }
    }
    for _ in 0..next.create {
        let pod = new_pod(&at.name, &template, &reference);
        if let Err(failure) = api.create(known.pods, &at.namespace, pod, false) {
            refusal = Some(failure.message);
            break;
        }
    }
    let counted = match &refusal {
        Some(message) => next.refused(&wanted, message, now),
        None => next.status.clone(),
    };
    let own_and_ending = |pod: &&PodView<'_>| pod.owner == Owner::Us && pod.deleting && !pod.phase.is_over();
    let terminating = seen.iter().filter(own_and_ending).count();
    write_status(api, at, status(&counted, terminating));
    // What was refused is tried again.
    let again = refusal.map(|_| now.plus_seconds(RETRY_SECONDS));
    next.wake.into_iter().chain(again).min()
}

/// Seconds until a refused write is tried again.
const RETRY_SECONDS: i64 = 2;

fn new_pod(set: &str, template: &Value, reference: &Value) -> Value {
    let prefix: String = set.chars().take(PREFIX_MAX_LETTERS).collect();
    let mut metadata = Map::new();
    metadata.insert("generateName".to_owned(), format!("{prefix}-").into());
    for key in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.at(&format!("/metadata/{key}")) {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    metadata.insert("ownerReferences".to_owned(), json!([reference]));
    let spec = template.get("spec").cloned().unwrap_or_default();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// Takes a pod, or lets it go.
fn own_pod(api: &mut ApiServer, pod: &At, reference: Option<&Value>) {
    let _ = api.change(pod, Part::Main, false, |old| {
        let mut new = old.clone();
        let mut owners =
            old.at("/metadata/ownerReferences").and_then(Value::as_array).cloned().unwrap_or_default();
        owners.retain(|owner| owner.get("controller") != Some(&Value::Bool(true)));
        owners.extend(reference.cloned());
        if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("ownerReferences".to_owned(), owners.into());
        }
        Ok(new)
    });
}
