//! The Deployment controller.

use super::{Known, all, uid, views, write_status};
use crate::Dig;
use crate::api::store::Stored;
use crate::api::{ApiServer, At, Deletion, Part, number, stamp, text};
use crate::models::condition::{Condition, Truth};
use crate::models::deployment::{
    DeploymentConditionKind, DeploymentStatus, DeploymentStep, DeploymentView, OwnedSet, Strategy, step,
};
use crds::template_eq::equal_ignoring_injected;
use crds::{IntOrString, PodTemplate, Time};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MOST: &str = "deployment.kubernetes.io/max-replicas";
/// Label of a ReplicaSet and its pods with the hash of the template.
const HASH: &str = "pod-template-hash";
/// Annotations that a ReplicaSet does not take over from its Deployment.
const OWN: [&str; 5] = [REVISION, HISTORY, DESIRED, MOST, "kubectl.kubernetes.io/last-applied-configuration"];

fn small(object: &Value, pointer: &str) -> Option<i32> {
    number(object, pointer).and_then(|n| i32::try_from(n).ok())
}

fn annotation<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.at("/metadata/annotations")?.get(name)?.as_str()
}

/// The template, without the hash that the controller itself writes into it.
fn template(object: &Value) -> PodTemplate {
    let mut template = object.at("/spec/template").cloned().unwrap_or_default();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    serde_json::from_value(template).unwrap_or_default()
}

fn strategy(deployment: &Value) -> Strategy {
    if text(deployment, "/spec/strategy/type") == "Recreate" {
        return Strategy::Recreate;
    }
    let bound = |key: &str| {
        let said = deployment.at(&format!("/spec/strategy/rollingUpdate/{key}"));
        let quarter = || IntOrString::String("25%".to_owned());
        said.and_then(|said| serde_json::from_value(said.clone()).ok()).unwrap_or_else(quarter)
    };
    Strategy::RollingUpdate { max_surge: bound("maxSurge"), max_unavailable: bound("maxUnavailable") }
}

fn conditions(deployment: &Value) -> Vec<Condition<DeploymentConditionKind>> {
    let all = deployment.at("/status/conditions").and_then(Value::as_array);
    let read = |condition: &Value| {
        let kind = match text(condition, "/type") {
            "Progressing" => DeploymentConditionKind::Progressing,
            "Available" => DeploymentConditionKind::Available,
            "ReplicaFailure" => DeploymentConditionKind::ReplicaFailure,
            _ => return None,
        };
        Some(Condition {
            kind,
            truth: match text(condition, "/status") {
                "True" => Truth::True,
                "False" => Truth::False,
                _ => Truth::Unknown,
            },
            reason: text(condition, "/reason").to_owned(),
            message: text(condition, "/message").to_owned(),
            updated: views::time(condition, "/lastUpdateTime").unwrap_or_default(),
            changed: views::time(condition, "/lastTransitionTime").unwrap_or_default(),
        })
    };
    all.into_iter().flatten().filter_map(read).collect()
}

fn view(deployment: &Value, name: &str, next_set: String) -> DeploymentView {
    let count = |key: &str| small(deployment, &format!("/status/{key}")).unwrap_or(0);
    DeploymentView {
        name: name.to_owned(),
        generation: number(deployment, "/metadata/generation").unwrap_or(0),
        revision: annotation(deployment, REVISION).and_then(|text| text.parse().ok()).unwrap_or(0),
        deleting: views::is_deleting(deployment),
        replicas: small(deployment, "/spec/replicas").unwrap_or(1),
        strategy: strategy(deployment),
        paused: deployment.at("/spec/paused") == Some(&Value::Bool(true)),
        revision_history_limit: small(deployment, "/spec/revisionHistoryLimit"),
        progress_deadline_seconds: small(deployment, "/spec/progressDeadlineSeconds"),
        next_set,
        status: DeploymentStatus {
            observed_generation: number(deployment, "/status/observedGeneration").unwrap_or(0),
            replicas: count("replicas"),
            updated: count("updatedReplicas"),
            ready: count("readyReplicas"),
            available: count("availableReplicas"),
            unavailable: count("unavailableReplicas"),
            conditions: conditions(deployment),
        },
    }
}

fn owned(set: &Value, wanted: &PodTemplate, pods: &[Arc<Stored>]) -> OwnedSet {
    let own = text(set, "/metadata/uid");
    let said = |name: &str| annotation(set, name).and_then(|text| text.parse().ok());
    let failure = views::condition(set, "ReplicaFailure").filter(|it| text(it, "/status") == "True");
    let alive = |pod: &Arc<Stored>| {
        let owner = views::controller(&pod.value);
        owner.is_some_and(|owner| text(owner, "/uid") == own) && !views::phase(&pod.value).is_over()
    };
    OwnedSet {
        name: text(set, "/metadata/name").to_owned(),
        created: views::time(set, "/metadata/creationTimestamp").unwrap_or_default(),
        is_current: equal_ignoring_injected(&template(set), wanted),
        revision: annotation(set, REVISION).and_then(|text| text.parse().ok()).unwrap_or(0),
        replicas: small(set, "/spec/replicas").unwrap_or(0),
        desired: said(DESIRED),
        most: said(MOST),
        pods: small(set, "/status/replicas").unwrap_or(0),
        ready: small(set, "/status/readyReplicas").unwrap_or(0),
        available: small(set, "/status/availableReplicas").unwrap_or(0),
        observed: number(set, "/status/observedGeneration") >= number(set, "/metadata/generation"),
        deleting: views::is_deleting(set),
        failure: failure.map(|it| (text(it, "/reason").to_owned(), text(it, "/message").to_owned())),
        pods_left: pods.iter().any(alive),
    }
}

/// One look at a Deployment; gives when to look again although nothing changes.
pub(super) fn look(api: &mut ApiServer, known: Known, at: &At, now: Time) -> Option<Time> {
    let deployment = api.get(at).cloned()?;
    let own = uid(&deployment);
    let wanted = template(&deployment.value);
    let hash = crds::hash::pod_template_hash(&wanted, small(&deployment.value, "/status/collisionCount"));
    let next_set = format!("{}-{hash}", at.name);
    let sets: Vec<_> = all(api, known.sets, &at.namespace)
        .into_iter()
        .filter(|set| views::controller(&set.value).is_some_and(|owner| text(owner, "/uid") == own))
        .collect();
    let pods = all(api, known.pods, &at.namespace);
    let seen: Vec<OwnedSet> = sets.iter().map(|set| owned(&set.value, &wanted, &pods)).collect();
    let next = step(&view(&deployment.value, &at.name, next_set.clone()), &seen, now);
    let terminating: i64 =
        sets.iter().filter_map(|set| number(&set.value, "/status/terminatingReplicas")).sum();
    let place = |index: usize| {
        let name = seen.get(index)?.name.clone();
        Some(At { resource: known.sets, namespace: at.namespace.clone(), name })
    };
    if let Some((set, revision)) = next.renumber.and_then(|(index, revision)| Some((place(index)?, revision)))
    {
        renumber(api, &set, revision);
    }
    if let Some(new) = &next.create {
        let set = new_set(&deployment.value, &next_set, &hash, &next, (new.replicas, new.revision));
        let _ = api.create(known.sets, &at.namespace, set, false);
    }
    for scale in &next.scale {
        if let Some(set) = place(scale.set) {
            scale_set(api, &set, scale.to, &next);
        }
    }
    for set in next.delete.iter().filter_map(|index| place(*index)) {
        let _ = api.delete(&set, &Deletion::default());
    }
    if next.revision > 0 {
        annotate(api, at, &[(REVISION, next.revision.to_string())]);
    }
    write_status(api, at, status(&next.status, terminating));
    next.wake
}

fn new_set(
    deployment: &Value,
    name: &str,
    hash: &str,
    next: &DeploymentStep,
    (replicas, revision): (i32, i64),
) -> Value {
    let mut template = deployment.at("/spec/template").cloned().unwrap_or_default();
    let with_hash = |labels: Option<&Value>| {
        let mut labels = labels.and_then(Value::as_object).cloned().unwrap_or_default();
        labels.insert(HASH.to_owned(), hash.into());
        labels
    };
    let labels = with_hash(template.at("/metadata/labels"));
    if let Some(data) = template
        .as_object_mut()
        .and_then(|template| template.entry("metadata").or_insert_with(|| json!({})).as_object_mut())
    {
        data.insert("labels".to_owned(), labels.clone().into());
    }
    let mut selector = deployment.at("/spec/selector").cloned().unwrap_or_else(|| json!({}));
    let matched = with_hash(selector.get("matchLabels"));
    if let Some(map) = selector.as_object_mut() {
        map.insert("matchLabels".to_owned(), matched.into());
    }
    let mut annotations = Map::new();
    let said = deployment.at("/metadata/annotations").and_then(Value::as_object);
    let taken = said.into_iter().flatten().filter(|(key, _)| !OWN.contains(&key.as_str()));
    annotations.extend(taken.map(|(key, value)| (key.clone(), value.clone())));
    for (key, value) in
        [(REVISION, revision.to_string()), (DESIRED, next.desired.to_string()), (MOST, next.most.to_string())]
    {
        annotations.insert(key.to_owned(), value.into());
    }
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "name": text(deployment, "/metadata/name"),
        "uid": text(deployment, "/metadata/uid"), "controller": true, "blockOwnerDeletion": true,
    });
    let mut spec = json!({"replicas": replicas, "selector": selector, "template": template});
    if let (Some(seconds), Some(spec)) = (deployment.at("/spec/minReadySeconds"), spec.as_object_mut()) {
        spec.insert("minReadySeconds".to_owned(), seconds.clone());
    }
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": spec,
        "metadata": {"name": name, "labels": labels, "annotations": annotations, "ownerReferences": [owner]},
    })
}

/// Sets annotations, if they are not so already.
fn annotate(api: &mut ApiServer, at: &At, wanted: &[(&str, String)]) {
    let differs = |object: &Stored| {
        wanted.iter().any(|(key, value)| annotation(&object.value, key) != Some(value.as_str()))
    };
    if api.get(at).is_none_or(|object| !differs(object)) {
        return;
    }
    let _ = api.change(at, Part::Main, false, |old| Ok(annotated(old, wanted)));
}

fn annotated(old: &Value, wanted: &[(&str, String)]) -> Value {
    let mut new = old.clone();
    let annotations = new
        .get_mut("metadata")
        .and_then(Value::as_object_mut)
        .and_then(|data| data.entry("annotations").or_insert_with(|| json!({})).as_object_mut());
    if let Some(annotations) = annotations {
        annotations.extend(wanted.iter().map(|(key, value)| ((*key).to_owned(), value.as_str().into())));
    }
    new
}

fn renumber(api: &mut ApiServer, set: &At, revision: i64) {
    let Some(found) = api.get(set) else { return };
    let mut wanted = vec![(REVISION, revision.to_string())];
    if let Some(before) = annotation(&found.value, REVISION) {
        let history = annotation(&found.value, HISTORY).filter(|history| !history.is_empty());
        let joined = history.map_or_else(|| before.to_owned(), |history| format!("{history},{before}"));
        wanted.push((HISTORY, joined));
    }
    annotate(api, set, &wanted);
}

fn scale_set(api: &mut ApiServer, set: &At, to: i32, next: &DeploymentStep) {
    let sizes = [(DESIRED, next.desired.to_string()), (MOST, next.most.to_string())];
    let _ = api.change(set, Part::Main, false, |old| {
        let mut new = annotated(old, &sizes);
        if let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("replicas".to_owned(), to.into());
        }
        Ok(new)
    });
}

fn status(counted: &DeploymentStatus, terminating: i64) -> Value {
    let mut status = Map::new();
    let counts = [
        ("replicas", counted.replicas),
        ("updatedReplicas", counted.updated),
        ("readyReplicas", counted.ready),
        ("availableReplicas", counted.available),
        ("unavailableReplicas", counted.unavailable),
    ];
    for (key, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        status.insert(key.to_owned(), count.into());
    }
    status.insert("observedGeneration".to_owned(), counted.observed_generation.into());
    status.insert("terminatingReplicas".to_owned(), terminating.into());
    let conditions: Vec<Value> = counted
        .conditions
        .iter()
        .map(|condition| {
            json!({
                "type": condition.kind.as_str(), "status": condition.truth.as_str(),
                "reason": condition.reason, "message": condition.message,
                "lastUpdateTime": stamp(condition.updated), "lastTransitionTime": stamp(condition.changed),
            })
        })
        .collect();
    if !conditions.is_empty() {
        status.insert("conditions".to_owned(), conditions.into());
    }
    Value::Object(status)
}
