//! One API object as the planner sees it.

use crate::cache::RawReplicaSet;
use crds::{AnalysisRun, Time};
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use planner::{AnalysisRunView, Owner, Pod, ReplicaSet, ReplicaSetCounts, Service, Targets};
use std::sync::Arc;

/// A time of Kubernetes as one of ours.
pub(crate) fn time(time: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time) -> Time {
    Time::from_unix_seconds(time.0.as_second()).unwrap_or_default()
}

fn created(metadata: &ObjectMeta) -> Time {
    metadata.creation_timestamp.as_ref().map(time).unwrap_or_default()
}

/// Uid of the controller of an object.
pub(crate) fn controller_uid(metadata: &ObjectMeta) -> Option<&str> {
    let owners = metadata.owner_references.iter().flatten();
    owners.filter(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str()).next()
}

/// A ReplicaSet as seen by the Rollout with that uid.
pub(crate) fn replica_set(set: &RawReplicaSet, rollout_uid: &str) -> ReplicaSet {
    let metadata = &set.metadata;
    let failure = set.status.conditions.iter().find(|c| c.kind == "ReplicaFailure" && c.status == "True");
    ReplicaSet {
        name: set.name_any(),
        uid: set.uid().unwrap_or_default(),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
        created: created(metadata),
        deleting: metadata.deletion_timestamp.is_some(),
        owner: match controller_uid(metadata) {
            None => Owner::Nobody,
            Some(uid) if uid == rollout_uid => Owner::Ours,
            Some(_) if planner::defect!(OwnerByName) => Owner::Ours,
            Some(_) => Owner::Other,
        },
        labels: metadata.labels.clone().unwrap_or_default(),
        annotations: metadata.annotations.clone().unwrap_or_default(),
        selector: set.spec.selector.clone(),
        template: set.spec.template.clone(),
        replicas: set.spec.replicas,
        min_ready_seconds: set.spec.min_ready_seconds,
        counts: ReplicaSetCounts {
            replicas: set.status.replicas,
            ready: set.status.ready_replicas,
            available: set.status.available_replicas,
            generation_observed: metadata
                .generation
                .is_none_or(|generation| set.status.observed_generation >= generation),
            resized_here: false,
        },
        failure: failure.map(|condition| (condition.reason.clone(), condition.message.clone())),
    }
}

/// A Service.
pub(crate) fn service(service: &v1::Service) -> Service {
    Service {
        name: service.name_any(),
        uid: service.uid().unwrap_or_default(),
        resource_version: service.resource_version().unwrap_or_default(),
        selector: service.spec.as_ref().and_then(|spec| spec.selector.clone()).unwrap_or_default(),
        annotations: service.metadata.annotations.clone().unwrap_or_default(),
        changed: own_change(&service.metadata),
        targets: Targets::Unknown,
        targets_are_news: false,
    }
}

/// When we last changed an object; `None` where it does not say.
pub(crate) fn own_change(metadata: &ObjectMeta) -> Option<Time> {
    let own = metadata.managed_fields.iter().flatten();
    let own = own.filter(|entry| entry.manager.as_deref() == Some(crate::FIELD_MANAGER));
    own.filter_map(|entry| entry.time.as_ref()).map(time).max()
}

/// An AnalysisRun.
pub(crate) fn analysis_run(run: &AnalysisRun) -> AnalysisRunView {
    AnalysisRunView {
        name: run.name_any(),
        uid: run.uid().unwrap_or_default(),
        resource_version: run.resource_version().unwrap_or_default(),
        created: created(&run.metadata),
        deleting: run.metadata.deletion_timestamp.is_some(),
        labels: run.metadata.labels.clone().unwrap_or_default(),
        annotations: run.metadata.annotations.clone().unwrap_or_default(),
        spec: Arc::new(run.spec.clone()),
        status: run.status.clone().map(Arc::new),
    }
}

/// A pod of one of our ReplicaSets.
pub(crate) fn pod(pod: &v1::Pod) -> Pod {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
    Pod {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        replica_set_uid: controller_uid(&pod.metadata).unwrap_or_default().to_owned(),
        created: created(&pod.metadata),
        deleting: pod.metadata.deletion_timestamp.is_some(),
        available: ready,
        eviction: None,
    }
}
