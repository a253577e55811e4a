//! The cluster as the verbs use it, and the terminal that they print on.

use crate::terminal::Terminal;
use anyhow::Context;
use crds::{AnalysisRun, Rollout};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;

/// The cluster, the namespace to work in, and the terminal.
pub(crate) struct Cluster<'t> {
    client: Client,
    namespace: String,
    pub(crate) terminal: &'t Terminal,
}

impl<'t> Cluster<'t> {
    pub(crate) fn of(client: Client, namespace: String, terminal: &'t Terminal) -> Self {
        Self { client, namespace, terminal }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn rollouts(&self) -> Api<Rollout> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn all_rollouts(&self) -> Api<Rollout> {
        Api::all(self.client.clone())
    }

    pub(crate) fn replica_sets(&self) -> Api<ReplicaSet> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn analysis_runs(&self) -> Api<AnalysisRun> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) async fn rollout(&self, name: &str) -> anyhow::Result<Rollout> {
        let found = self.rollouts().get_opt(name).await?;
        found.with_context(|| format!("rollouts.argoproj.io {name:?} not found"))
    }

    /// Patches the status; the object itself where there is no status subresource.
    pub(crate) async fn patch_status(&self, name: &str, patch: &Value) -> kube::Result<()> {
        let params = PatchParams::default();
        match self.rollouts().patch_status(name, &params, &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => self.patch(name, patch).await,
            other => other.map(drop),
        }
    }

    pub(crate) async fn patch(&self, name: &str, patch: &Value) -> kube::Result<()> {
        self.rollouts().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
    }
}
