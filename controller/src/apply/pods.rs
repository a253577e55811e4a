//! Metadata of running pods: many at a time, and none of them holds the plan up. `[metadata]`
//!
//! The role of Argo Rollouts allows to update pods, not to patch or get them: a pod goes back whole, as the list has
//! given it, and the server refuses it when it has changed since.

use super::{Applier, ApplyError, describe};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use kube::core::TypeMeta;
use kube::{Api, ResourceExt};
use planner::{PodMetadata, Write};
use std::collections::BTreeMap;

/// Most pods of one Rollout whose metadata is looked at.
const PODS_MAX: u32 = 5000;

/// Pods as the API server has listed them, by uid.
pub(crate) type Pods = BTreeMap<String, DynamicObject>;

/// Pods as the planner sees them.
pub(crate) fn metadata(pods: &Pods) -> Vec<PodMetadata> {
    let seen = |(uid, pod): (&String, &DynamicObject)| PodMetadata {
        name: pod.name_any(),
        uid: uid.clone(),
        resource_version: pod.resource_version().unwrap_or_default(),
        replica_set_uid: crate::observe::controller_uid(&pod.metadata).unwrap_or_default().to_owned(),
        deleting: pod.metadata.deletion_timestamp.is_some(),
        labels: pod.metadata.labels.clone().unwrap_or_default(),
        annotations: pod.metadata.annotations.clone().unwrap_or_default(),
    };
    pods.iter().map(seen).collect()
}

/// Whether a write is one to the metadata of a pod: those go out together.
pub(super) fn is_about_pods(write: &Write) -> bool {
    matches!(write, Write::LabelPod { .. })
}

impl Applier {
    fn pods(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &ApiResource::erase::<Pod>(&()))
    }

    /// Pods that a selector matches.
    pub(crate) async fn list_pods(&self, namespace: &str, selector: &str) -> Result<Pods, ApplyError> {
        let params = ListParams::default().labels(selector).limit(PODS_MAX);
        let mut pods = Pods::new();
        self.guard("list pods", async {
            let listed = self.pods(namespace).list(&params).await?.items;
            pods.extend(listed.into_iter().map(|pod| (pod.uid().unwrap_or_default(), pod)));
            Ok(())
        })
        .await?;
        Ok(pods)
    }

    /// Writes to pods, as many at a time as the flag allows; the first failure is told when all were tried.
    pub(super) async fn label_pods<'w>(
        &self,
        namespace: &str,
        pods: &Pods,
        writes: impl Iterator<Item = &'w Write>,
    ) -> Result<(), ApplyError> {
        let requests: Vec<_> = writes.map(|write| self.label_pod(namespace, pods, write)).collect();
        let many = self.pod_threads.max(1);
        let results: Vec<_> = futures::stream::iter(requests).buffered(many).collect().await;
        results.into_iter().collect()
    }

    async fn label_pod(&self, namespace: &str, pods: &Pods, write: &Write) -> Result<(), ApplyError> {
        let Write::LabelPod { target, labels, annotations } = write else { return Ok(()) };
        let Some(mut pod) = pods.get(&target.uid).cloned() else { return Ok(()) };
        merge(pod.metadata.labels.get_or_insert_default(), labels);
        merge(pod.metadata.annotations.get_or_insert_default(), annotations);
        pod.types = Some(TypeMeta { api_version: "v1".to_owned(), kind: "Pod".to_owned() });
        let params =
            PostParams { field_manager: Some(crate::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let what = describe(write);
        let sent = self.guard(&what, async {
            self.pods(namespace).replace(&target.name, &params, &pod).await.map(|_| ())
        });
        match sent.await {
            Ok(()) => {
                self.metrics.wrote(super::words::written(write));
                Ok(())
            }
            // It has gone since, and takes its metadata along.
            Err(ApplyError::Request { source: kube::Error::Api(status), .. }) if status.code == 404 => Ok(()),
            sent => sent,
        }
    }
}

fn merge(into: &mut BTreeMap<String, String>, changes: &BTreeMap<String, Option<String>>) {
    for (key, value) in changes {
        match value {
            Some(value) => into.insert(key.clone(), value.clone()),
            None => into.remove(key),
        };
    }
}
