//! One write as one request, with the uid and the resource version that the decision was made on as preconditions.

use super::Applier;
use super::doubts::Subject;
use super::status::difference;
use crate::FIELD_MANAGER;
use crate::cache::{Deployment, RawReplicaSet, RawWorkload};
use crate::observe;
use crds::rollout::RolloutStatus;
use crds::{AnalysisRun, Rollout, meta};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, EvictParams, Patch, PatchParams, PostParams, Preconditions,
    PropagationPolicy,
};
use kube::{Api, Resource, ResourceExt};
use planner::defect;
use planner::{ReplicaSet, Target, Write};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Requests of one plan. Answers go into the caches at once, and their resource versions into the next preconditions.
pub(super) struct Requests<'a> {
    pub(super) applier: &'a Applier,
    pub(super) rollout: &'a Rollout,
    /// Newest resource version of what this plan has written, by name: of ReplicaSets, and of the Rollout.
    sets: BTreeMap<String, (String, String)>,
    rollout_version: Option<String>,
    /// What the last router that was written has to tell: reasons and messages.
    pub(super) told: Vec<(&'static str, String)>,
}

/// An answer as if the server had said "conflict": the plan is stale.
pub(super) fn conflict(message: &str) -> kube::Error {
    kube::Error::Api(Box::new(kube::core::Status::failure(message, "AlreadyExists").with_code(409)))
}

fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn post_params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

impl<'a> Requests<'a> {
    pub(super) fn new(applier: &'a Applier, rollout: &'a Rollout) -> Self {
        Self {
            applier,
            rollout,
            sets: BTreeMap::new(),
            rollout_version: rollout.resource_version(),
            told: Vec::new(),
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.applier.client.clone(), &self.rollout.namespace().unwrap_or_default())
    }

    pub(super) async fn send(&mut self, write: &Write) -> kube::Result<()> {
        match write {
            Write::CreateReplicaSet { .. } => self.create_replica_set(write).await,
            Write::AdoptReplicaSet { target } => {
                let owners = json!({"metadata": {"ownerReferences": [self.owner()]}});
                self.patch_replica_set(target, owners).await
            }
            Write::ReleaseReplicaSet { target } => {
                self.patch_replica_set(target, json!({"metadata": {"ownerReferences": null}})).await
            }
            Write::ScaleReplicaSet { target, to, annotations, .. } => {
                let patch = json!({"metadata": {"annotations": annotations}, "spec": {"replicas": to}});
                self.patch_replica_set(target, patch).await
            }
            Write::AnnotateReplicaSet { target, annotations, min_ready_seconds } => {
                let mut patch = json!({"metadata": {"annotations": annotations}});
                self.fence(&self.of_set(&target.name), &mut patch, &self.preconditions(target).1);
                if let (Some(seconds), Some(patch)) = (min_ready_seconds, patch.as_object_mut()) {
                    patch.insert("spec".to_owned(), json!({"minReadySeconds": seconds}));
                }
                self.patch_replica_set(target, patch).await
            }
            Write::EditTemplate { target, from, to, annotations } => {
                let mut patch = json!({"metadata": {"annotations": annotations}});
                if let (Some(changed), Some(patch)) = (difference(&from.0, &to.0), patch.as_object_mut()) {
                    patch.insert("spec".to_owned(), json!({"template": changed}));
                }
                self.patch_replica_set(target, patch).await
            }
            // Sent together with the others, when all else is done.
            Write::LabelPod { .. } => Ok(()),
            Write::DeleteReplicaSet { target } => {
                let (uid, version) = self.preconditions(target);
                self.api::<RawReplicaSet>()
                    .delete(&target.name, &delete_params(uid, Some(version)))
                    .await
                    .map(|_| ())
            }
            Write::SelectService { target, hash, managed_by } => self.select(target, hash, managed_by).await,
            Write::RouteTraffic { router, intent } => {
                let mut told = std::mem::take(&mut self.told);
                let sent = super::routes::carry_out(self, router, intent, &mut told).await;
                self.told = told;
                sent
            }
            Write::GiveBackRoutes { router } => super::routes::give_back(self, router).await,
            Write::AnnotateRollout { annotations } => {
                let mut patch = json!({"metadata": {"annotations": annotations}});
                if let (true, Some(patch)) = (defect!(WritesTheSpec), patch.as_object_mut()) {
                    patch.insert("spec".to_owned(), json!({"paused": false}));
                }
                self.patch_rollout(patch).await
            }
            Write::SetRolloutReplicas { replicas } => {
                self.patch_rollout(json!({"spec": {"replicas": replicas}})).await
            }
            Write::ScaleWorkload { target, from, to } => self.scale_workload(target, *from, *to).await,
            Write::CreateAnalysisRun { .. }
            | Write::TerminateAnalysisRun { .. }
            | Write::DeleteAnalysisRun { .. } => self.send_run(write).await,
            Write::EvictPod { target } => {
                let delete_options = Some(delete_params(target.uid.clone(), None));
                let params = EvictParams { delete_options, ..EvictParams::default() };
                let namespace = self.rollout.namespace().unwrap_or_default();
                let pods = Api::<Pod>::namespaced(self.applier.evictions.clone(), &namespace);
                pods.evict(&target.name, &params).await.map(|_| ())
            }
        }
    }

    fn owner(&self) -> OwnerReference {
        OwnerReference {
            api_version: crds::API_VERSION.to_owned(),
            kind: "Rollout".to_owned(),
            name: self.rollout.name_any(),
            uid: self.rollout.uid().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    fn preconditions(&self, target: &Target) -> (String, String) {
        let written = self.sets.get(&target.name).cloned();
        written.unwrap_or_else(|| (target.uid.clone(), target.resource_version.clone()))
    }

    fn wrote(&mut self, set: RawReplicaSet) {
        let version = (set.uid().unwrap_or_default(), set.resource_version().unwrap_or_default());
        self.sets.insert(set.name_any(), version);
        self.applier.caches.replica_sets.wrote(set);
    }

    async fn create_replica_set(&mut self, write: &Write) -> kube::Result<()> {
        let Write::CreateReplicaSet {
            name,
            labels,
            annotations,
            selector,
            template,
            replicas,
            min_ready_seconds,
        } = write
        else {
            return Ok(());
        };
        let set = RawReplicaSet {
            api_version: "apps/v1".to_owned(),
            kind: "ReplicaSet".to_owned(),
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: self.rollout.namespace(),
                labels: Some(labels.clone()),
                annotations: Some(annotations.clone()),
                owner_references: Some(vec![self.owner()]),
                ..ObjectMeta::default()
            },
            spec: crate::cache::RawReplicaSetSpec {
                replicas: *replicas,
                min_ready_seconds: *min_ready_seconds,
                selector: selector.clone(),
                template: template.clone(),
            },
            ..RawReplicaSet::default()
        };
        let made = self.api::<RawReplicaSet>().create(&post_params(), &set).await?;
        self.wrote(made);
        Ok(())
    }

    async fn patch_replica_set(&mut self, target: &Target, patch: Value) -> kube::Result<()> {
        let (uid, version) = self.preconditions(target);
        let patch = with_preconditions(patch, &uid, &version);
        let set =
            self.api::<RawReplicaSet>().patch(&target.name, &patch_params(), &Patch::Merge(patch)).await?;
        if set.metadata.resource_version.as_ref() != Some(&version) {
            self.applier.doubts.fence(self.of_set(&target.name));
        }
        self.wrote(set);
        Ok(())
    }

    fn namespace(&self) -> String {
        self.rollout.namespace().unwrap_or_default()
    }

    pub(super) fn of_set(&self, name: &str) -> Subject {
        ("ReplicaSet", self.namespace(), name.to_owned())
    }

    fn of_service(&self, name: &str) -> Subject {
        ("Service", self.namespace(), name.to_owned())
    }

    /// The object that others count on as it was seen, if the write is to one.
    pub(super) fn subject(&self, write: &Write) -> Option<Subject> {
        match write {
            Write::AdoptReplicaSet { target }
            | Write::ReleaseReplicaSet { target }
            | Write::ScaleReplicaSet { target, .. }
            | Write::AnnotateReplicaSet { target, .. }
            | Write::EditTemplate { target, .. }
            | Write::DeleteReplicaSet { target } => Some(self.of_set(&target.name)),
            Write::SelectService { target, .. } => Some(self.of_service(&target.name)),
            Write::CreateReplicaSet { .. }
            | Write::LabelPod { .. }
            | Write::RouteTraffic { .. }
            | Write::GiveBackRoutes { .. }
            | Write::AnnotateRollout { .. }
            | Write::SetRolloutReplicas { .. }
            | Write::ScaleWorkload { .. }
            | Write::CreateAnalysisRun { .. }
            | Write::TerminateAnalysisRun { .. }
            | Write::DeleteAnalysisRun { .. }
            | Write::EvictPod { .. } => None,
        }
    }

    /// Lets a write that may change nothing change the resource version, where an earlier one may still be carried out.
    /// The version that was seen is a text that the annotation has never had.
    fn fence(&self, subject: &Subject, patch: &mut Value, version: &str) {
        let inherited = self.applier.claim.inherited();
        if !self.applier.doubts.is_open(subject, inherited) || defect!(NoFence) {
            return;
        }
        let annotations = patch.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
        if let Some(annotations) = annotations {
            annotations.insert(meta::FENCE_ANNOTATION.to_owned(), json!(version));
        }
    }

    async fn select(
        &self,
        target: &Target,
        hash: &Option<String>,
        managed_by: &Option<String>,
    ) -> kube::Result<()> {
        let mut patch = json!({
            "metadata": {"annotations": {meta::MANAGED_BY_ANNOTATION: managed_by}},
            "spec": {"selector": {meta::POD_TEMPLATE_HASH_LABEL: hash}},
        });
        self.fence(&self.of_service(&target.name), &mut patch, &target.resource_version);
        let patch = with_preconditions(patch, &target.uid, &target.resource_version);
        let service =
            self.api::<Service>().patch(&target.name, &patch_params(), &Patch::Merge(patch)).await?;
        if service.metadata.resource_version.as_ref() != Some(&target.resource_version) {
            self.applier.doubts.fence(self.of_service(&target.name));
        }
        self.applier.caches.services.wrote(service);
        Ok(())
    }

    /// Read afresh and replaced: the role of Argo Rollouts has no `patch` for Deployments, and their resource version
    /// changes with each pod. What was decided on is the size.
    async fn scale_workload(&self, target: &Target, from: i32, to: i32) -> kube::Result<()> {
        let kind = ApiResource::erase::<RawWorkload<Deployment>>(&());
        let namespace = self.rollout.namespace().unwrap_or_default();
        let api: Api<DynamicObject> = Api::namespaced_with(self.applier.client.clone(), &namespace, &kind);
        let mut object = api.get(&target.name).await?;
        let size = object.data.pointer("/spec/replicas").and_then(Value::as_i64);
        if object.uid().as_ref() != Some(&target.uid) || size != Some(i64::from(from)) {
            return Err(conflict(&format!("Deployment {} is not as it was seen", target.name)));
        }
        if let Some(spec) = object.data.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("replicas".to_owned(), json!(to));
        }
        let scaled = api.replace(&target.name, &post_params(), &object).await?;
        let scaled = serde_json::to_value(scaled).and_then(serde_json::from_value);
        self.applier.caches.workloads.deployments.store.wrote(scaled.map_err(kube::Error::SerdeError)?);
        Ok(())
    }

    async fn patch_rollout(&mut self, patch: Value) -> kube::Result<()> {
        let version = self.rollout_version.clone().unwrap_or_default();
        let patch = with_preconditions(patch, &self.rollout.uid().unwrap_or_default(), &version);
        let rollout = self
            .api::<Rollout>()
            .patch(&self.rollout.name_any(), &patch_params(), &Patch::Merge(patch))
            .await?;
        self.rollout_version = rollout.resource_version();
        self.applier.caches.rollouts.wrote(rollout);
        Ok(())
    }

    async fn send_run(&self, write: &Write) -> kube::Result<()> {
        let api = self.api::<AnalysisRun>();
        match write {
            Write::CreateAnalysisRun { name, labels, annotations, spec } => {
                let run = AnalysisRun {
                    metadata: ObjectMeta {
                        name: Some(name.clone()),
                        namespace: self.rollout.namespace(),
                        labels: Some(labels.clone()),
                        annotations: Some(annotations.clone()),
                        owner_references: Some(vec![self.owner()]),
                        ..ObjectMeta::default()
                    },
                    spec: (**spec).clone(),
                    status: None,
                };
                self.applier.caches.runs.wrote(api.create(&post_params(), &run).await?);
            }
            Write::TerminateAnalysisRun { target } => {
                // No resource version: ending a run holds whatever was measured in the meantime. The uid, because
                // another run may have its name by now.
                let patch = json!({"metadata": {"uid": target.uid}, "spec": {"terminate": true}});
                let run = api.patch(&target.name, &patch_params(), &Patch::Merge(patch)).await?;
                self.applier.caches.runs.wrote(run);
            }
            Write::DeleteAnalysisRun { target } => {
                api.delete(&target.name, &delete_params(target.uid.clone(), None)).await?;
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn reread_run(&self, name: &str) -> kube::Result<()> {
        if let Some(run) = self.api::<AnalysisRun>().get_opt(name).await? {
            self.applier.caches.runs.put(Arc::new(run));
        }
        Ok(())
    }

    pub(super) async fn reread_replica_set(&self, name: &str) -> kube::Result<Option<ReplicaSet>> {
        let Some(set) = self.api::<RawReplicaSet>().get_opt(name).await? else { return Ok(None) };
        let seen = observe::replica_set(&set, &self.rollout.uid().unwrap_or_default());
        self.applier.caches.replica_sets.put(Arc::new(set));
        Ok(Some(seen))
    }

    /// Sends the difference of the statuses; nothing, and false, when there is none.
    pub(super) async fn status(&self, new: &RolloutStatus) -> kube::Result<bool> {
        let old = self.rollout.status.clone().unwrap_or_default();
        let (old, new) = match (serde_json::to_value(&old), serde_json::to_value(new)) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(error), _) | (_, Err(error)) => return Err(kube::Error::SerdeError(error)),
        };
        let Some(difference) = difference(&old, &new) else { return Ok(false) };
        let version = self.rollout_version.clone().unwrap_or_default();
        let version = Some(version).filter(|_| !defect!(StatusWithoutVersion));
        let metadata = version.map_or_else(|| json!({}), |version| json!({"resourceVersion": version}));
        let patch = json!({"metadata": metadata, "status": difference});
        let rollout = self
            .api::<Rollout>()
            .patch_status(&self.rollout.name_any(), &patch_params(), &Patch::Merge(patch))
            .await?;
        self.applier.caches.rollouts.wrote(rollout);
        Ok(true)
    }
}

/// Adds uid and resource version to a merge patch: the server answers 409 when they are not the object's any more.
fn with_preconditions(mut patch: Value, uid: &str, version: &str) -> Value {
    let metadata = patch.as_object_mut().map(|patch| patch.entry("metadata").or_insert_with(|| json!({})));
    if let Some(metadata) = metadata.and_then(Value::as_object_mut) {
        for (key, value) in [("uid", uid), ("resourceVersion", version)] {
            if !value.is_empty() && !defect!(PatchWithoutVersion) {
                metadata.insert(key.to_owned(), json!(value));
            }
        }
    }
    patch
}

fn delete_params(uid: String, resource_version: Option<String>) -> DeleteParams {
    DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: Some(Preconditions {
            uid: Some(uid).filter(|uid| !uid.is_empty() && !defect!(DeleteWithoutUid)),
            resource_version: resource_version.filter(|version| !version.is_empty()),
        }),
        ..DeleteParams::default()
    }
}
