//! A ReplicaSet whose template travels as raw JSON.

use crds::{LabelSelector, PodTemplate};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A ReplicaSet: what the controller reads and writes of it, the template untouched.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RawReplicaSet {
    #[serde(rename = "apiVersion", default)]
    pub(crate) api_version: String,
    #[serde(default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(crate) spec: RawReplicaSetSpec,
    #[serde(default, skip_serializing)]
    pub(crate) status: RawReplicaSetStatus,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RawReplicaSetSpec {
    #[serde(default)]
    pub(crate) replicas: i32,
    #[serde(default)]
    pub(crate) min_ready_seconds: i32,
    #[serde(default)]
    pub(crate) selector: LabelSelector,
    #[serde(default)]
    pub(crate) template: std::sync::Arc<PodTemplate>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RawReplicaSetStatus {
    #[serde(default)]
    pub(crate) replicas: i32,
    #[serde(default)]
    pub(crate) ready_replicas: i32,
    #[serde(default)]
    pub(crate) available_replicas: i32,
    #[serde(default)]
    pub(crate) observed_generation: i64,
    #[serde(default)]
    pub(crate) conditions: Vec<RawCondition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct RawCondition {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) message: String,
}

impl kube::Resource for RawReplicaSet {
    type DynamicType = ();
    type Scope = k8s_openapi::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "ReplicaSet".into()
    }
    fn group((): &()) -> Cow<'_, str> {
        "apps".into()
    }
    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }
    fn plural((): &()) -> Cow<'_, str> {
        "replicasets".into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
