//! Rows of what makes pods.

pub(super) mod autoscaler;

use super::read::{NONE, Reader};
use serde_json::Value;

const CONTAINERS: &str = "/spec/template/spec/containers";

/// Name, ready, up-to-date, available, age; wide: containers, images, selector.
pub(super) fn deployment(of: Reader<'_>) -> Vec<Value> {
    let [containers, images] = of.containers(CONTAINERS);
    vec![
        of.name(),
        ready(of),
        of.number("/status/updatedReplicas").into(),
        of.number("/status/availableReplicas").into(),
        of.age(),
        containers,
        images,
        of.selector("/spec/selector").into(),
    ]
}

/// Name, desired, current, ready, age; wide: containers, images, selector. Of ReplicationControllers too, whose
/// selector is a plain map.
pub(super) fn replica_set(of: Reader<'_>) -> Vec<Value> {
    let [containers, images] = of.containers(CONTAINERS);
    let is_plain = of.at("/spec/selector/matchLabels").or(of.at("/spec/selector/matchExpressions")).is_none();
    let selector = if is_plain { of.labels("/spec/selector") } else { of.selector("/spec/selector") };
    vec![
        of.name(),
        of.number("/spec/replicas").into(),
        of.number("/status/replicas").into(),
        of.number("/status/readyReplicas").into(),
        of.age(),
        containers,
        images,
        selector.into(),
    ]
}

/// Name, ready, age; wide: containers, images.
pub(super) fn stateful_set(of: Reader<'_>) -> Vec<Value> {
    let [containers, images] = of.containers(CONTAINERS);
    vec![of.name(), ready(of), of.age(), containers, images]
}

/// Name, desired, current, ready, up-to-date, available, node selector, age; wide: containers, images, selector.
pub(super) fn daemon_set(of: Reader<'_>) -> Vec<Value> {
    let [containers, images] = of.containers(CONTAINERS);
    vec![
        of.name(),
        of.number("/status/desiredNumberScheduled").into(),
        of.number("/status/currentNumberScheduled").into(),
        of.number("/status/numberReady").into(),
        of.number("/status/updatedNumberScheduled").into(),
        of.number("/status/numberAvailable").into(),
        of.labels("/spec/template/spec/nodeSelector").into(),
        of.age(),
        containers,
        images,
        of.selector("/spec/selector").into(),
    ]
}

/// Name, controller, revision, age.
pub(super) fn controller_revision(of: Reader<'_>) -> Vec<Value> {
    let owner =
        of.items("/metadata/ownerReferences").find(|owner| owner.at("/controller") == Some(&true.into()));
    let controller = owner.map_or(NONE.to_owned(), |owner| {
        let kind = owner.text("/kind").unwrap_or_default().to_lowercase();
        let name = owner.text("/name").unwrap_or_default();
        match owner.text("/apiVersion").unwrap_or_default().split_once('/') {
            Some((group, _)) => format!("{kind}.{group}/{name}"),
            None => format!("{kind}/{name}"),
        }
    });
    vec![of.name(), controller.into(), of.number("/revision").into(), of.age()]
}

/// Name, containers, images, labels.
pub(super) fn pod_template(of: Reader<'_>) -> Vec<Value> {
    let [containers, images] = of.containers("/template/spec/containers");
    vec![of.name(), containers, images, of.labels("/template/metadata/labels").into()]
}

fn ready(of: Reader<'_>) -> Value {
    format!("{}/{}", of.number("/status/readyReplicas"), of.number("/spec/replicas")).into()
}
