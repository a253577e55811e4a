//! The status of a pod, from its life.

use super::views;
use crate::Dig;
use crate::api::{stamp, text};
use crate::models::kubelet::{PodLife, Stage};
use crds::Time;
use serde_json::{Map, Value, json};

/// Address of the node.
const NODE_ADDRESS: &str = "10.0.0.1";

/// The status that the kubelet writes.
pub(super) fn of(pod: &Value, life: &PodLife, address: &str) -> Value {
    let mut status = Map::new();
    status.insert("phase".to_owned(), life.phase().as_str().into());
    let quality = pod.at("/status/qosClass").cloned().unwrap_or_else(|| "BestEffort".into());
    status.insert("qosClass".to_owned(), quality);
    if let (Some(generation), Some(_)) = (pod.at("/metadata/generation"), life.scheduled) {
        status.insert("observedGeneration".to_owned(), generation.clone());
    }
    status.insert("conditions".to_owned(), conditions(pod, life).into());
    let Some(scheduled) = life.scheduled else { return Value::Object(status) };
    status.insert("hostIP".to_owned(), NODE_ADDRESS.into());
    status.insert("hostIPs".to_owned(), json!([{"ip": NODE_ADDRESS}]));
    status.insert("startTime".to_owned(), stamp(scheduled));
    if life.has_address() && !matches!(life.stage, Stage::Pulling { .. } | Stage::PullFailed { .. }) {
        status.insert("podIP".to_owned(), address.into());
        status.insert("podIPs".to_owned(), json!([{"ip": address}]));
    }
    let containers = pod.at("/spec/containers").and_then(Value::as_array);
    let statuses: Vec<Value> =
        containers.into_iter().flatten().map(|container| container_status(container, pod, life)).collect();
    status.insert("containerStatuses".to_owned(), statuses.into());
    Value::Object(status)
}

fn conditions(pod: &Value, life: &PodLife) -> Vec<Value> {
    let condition = |kind: &str, since: Option<Time>, otherwise: Time, why: Option<(&str, String)>| {
        let mut condition = json!({
            "type": kind,
            "status": if since.is_some() { "True" } else { "False" },
            "lastProbeTime": null,
            "lastTransitionTime": stamp(since.unwrap_or(otherwise)),
        });
        if let (None, Some((reason, message)), Some(map)) = (since, why, condition.as_object_mut()) {
            map.insert("reason".to_owned(), reason.into());
            map.insert("message".to_owned(), message.into());
        }
        condition
    };
    let own = ["PodScheduled", "Initialized", "ContainersReady", "Ready", "PodReadyToStartContainers"];
    let before = pod.at("/status/conditions").and_then(Value::as_array);
    // Conditions of others, such as readiness gates, stay.
    let mut all: Vec<Value> = before
        .into_iter()
        .flatten()
        .filter(|condition| !own.contains(&text(condition, "/type")))
        .cloned()
        .collect();
    let Some(scheduled) = life.scheduled else {
        let why = ("Unschedulable", "0/1 nodes are available: no node has room.".to_owned());
        all.push(condition("PodScheduled", None, life.created, Some(why)));
        return all;
    };
    let name = text(pod, "/spec/containers/0/name");
    let over = life.phase().is_over();
    let succeeded = life.phase().as_str() == "Succeeded";
    let ended = if succeeded { "PodCompleted" } else { "PodFailed" };
    let why = || {
        if over {
            (ended, String::new())
        } else {
            ("ContainersNotReady", format!("containers with unready status: [{name}]"))
        }
    };
    // An image that does not come keeps containers away, not the pod's network.
    let started = !over;
    all.push(condition("PodReadyToStartContainers", started.then_some(scheduled), scheduled, None));
    let mut initialized = condition("Initialized", Some(scheduled), scheduled, None);
    if let (true, Some(map)) = (succeeded, initialized.as_object_mut()) {
        map.insert("reason".to_owned(), ended.into());
    }
    all.push(initialized);
    let containers = life.container_ready;
    all.push(condition("Ready", life.ready_since(), life.unready, Some(gate(pod).unwrap_or_else(why))));
    all.push(condition("ContainersReady", containers, life.unready, Some(why())));
    all.push(condition("PodScheduled", Some(scheduled), scheduled, None));
    all
}

/// The first readiness gate that is closed.
fn gate(pod: &Value) -> Option<(&'static str, String)> {
    let gates = pod.at("/spec/readinessGates").and_then(Value::as_array)?;
    let closed = gates.iter().map(|gate| text(gate, "/conditionType")).find(|kind| {
        views::condition(pod, kind).is_none_or(|condition| text(condition, "/status") != "True")
    })?;
    let message = match views::condition(pod, closed) {
        None => format!("corresponding condition of pod readiness gate {closed:?} does not exist."),
        Some(condition) => {
            let status = text(condition, "/status");
            format!("the status of pod readiness gate {closed:?} is not \"True\", but {status}")
        }
    };
    Some(("ReadinessGatesNotReady", message))
}

fn container_status(container: &Value, pod: &Value, life: &PodLife) -> Value {
    let image = text(container, "/image");
    let started = matches!(life.stage, Stage::Running { .. });
    let mut status = json!({
        "name": text(container, "/name"),
        "image": image,
        "imageID": if started { image } else { "" },
        "ready": life.container_ready.is_some(),
        "started": started,
        "restartCount": life.restarts,
        "state": state(life, pod),
        "lastState": last_state(life),
    });
    if let (true, Some(map)) = (started, status.as_object_mut()) {
        let uid: String = text(pod, "/metadata/uid").chars().filter(char::is_ascii_hexdigit).collect();
        map.insert("containerID".to_owned(), format!("sandbox://{uid}{:04x}", life.restarts).into());
    }
    status
}

fn terminated(started: Time, at: Time, exit: crate::models::kubelet::Exit) -> Value {
    json!({"terminated": {
        "exitCode": exit.code(), "reason": exit.reason(), "startedAt": stamp(started), "finishedAt": stamp(at),
    }})
}

fn state(life: &PodLife, pod: &Value) -> Value {
    if let Stage::Running { since, .. } = life.stage {
        return json!({"running": {"startedAt": stamp(since)}});
    }
    if let Stage::Finished { at, exit } = life.stage {
        return terminated(life.scheduled.unwrap_or(life.created), at, exit);
    }
    let reason = life.waiting_reason().unwrap_or("ContainerCreating");
    let image = text(pod, "/spec/containers/0/image");
    let message = match reason {
        "ErrImagePull" => Some(format!("failed to pull and unpack image \"{image}\": not found")),
        "ImagePullBackOff" => Some(format!("Back-off pulling image \"{image}\"")),
        "CrashLoopBackOff" => Some("back-off restarting failed container".to_owned()),
        _ => None,
    };
    let mut waiting = json!({"reason": reason});
    if let (Some(message), Some(map)) = (message, waiting.as_object_mut()) {
        map.insert("message".to_owned(), message.into());
    }
    json!({ "waiting": waiting })
}

fn last_state(life: &PodLife) -> Value {
    life.last.map_or_else(|| json!({}), |last| terminated(last.started, last.at, last.exit))
}
