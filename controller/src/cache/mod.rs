//! What the cluster was last seen to be: one store for each kind, fed by watches and by the answers to our own
//! writes.

mod clients;
mod left;
mod objects;
pub(crate) mod reads;
mod received;
pub(crate) mod rights;
pub(crate) mod routes;
mod store;
mod watch;
mod workloads;

pub(crate) use clients::Clients;
pub(crate) use left::{Former, Left};
pub(crate) use objects::{RawReplicaSet, RawReplicaSetSpec};
pub(crate) use received::Received;
pub(crate) use store::{Store, version_of};
pub(crate) use watch::{Watches, put, start, start_when};
pub(crate) use workloads::{Deployment, RawWorkload, Referable, Referenced, Shelf, Workloads, refers};

use crate::observe;
use crate::targets::Targets;
use crds::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Rollout};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use kube::{Resource, ResourceExt};
use std::sync::Arc;

/// All stores.
#[derive(Clone)]
pub(crate) struct Caches {
    /// Whether answers to our own writes are in the stores at once.
    pub(crate) overlay: bool,
    /// Found by the Services that they name, and by the objects of their routers.
    pub(crate) rollouts: Arc<Store<Rollout>>,
    /// Found by the uid of their controller; those without one by nothing.
    pub(crate) replica_sets: Arc<Store<RawReplicaSet>>,
    pub(crate) services: Arc<Store<Service>>,
    pub(crate) templates: Arc<Store<AnalysisTemplate>>,
    pub(crate) cluster_templates: Arc<Store<ClusterAnalysisTemplate>>,
    /// Found as ReplicaSets are.
    pub(crate) runs: Arc<Store<AnalysisRun>>,
    pub(crate) jobs: Arc<Store<Job>>,
    pub(crate) workloads: Workloads,
    pub(crate) routes: routes::Routes,
    pub(crate) left: Left,
    /// What load balancers outside the cluster have said.
    pub(crate) targets: Targets,
}

impl Caches {
    /// Empty stores. With `overlay` the answers to our own writes go in at once.
    pub(crate) fn new(overlay: bool) -> Self {
        Self {
            overlay,
            rollouts: Arc::new(Store::indexed(overlay, referred)),
            replica_sets: Arc::new(Store::indexed(overlay, controlled)),
            services: Arc::new(Store::new(overlay)),
            templates: Arc::new(Store::new(overlay)),
            cluster_templates: Arc::new(Store::new(overlay)),
            runs: Arc::new(Store::indexed(overlay, controlled)),
            jobs: Arc::new(Store::new(overlay)),
            workloads: Workloads::new(overlay),
            routes: routes::Routes::new(overlay),
            left: Left::default(),
            targets: Targets::default(),
        }
    }
}

/// What controls an object, for an index: its uid, or nothing.
fn controlled<K: Resource>(object: &K) -> Vec<store::Id> {
    let uid = observe::controller_uid(object.meta()).unwrap_or_default();
    vec![(object.namespace().unwrap_or_default(), uid.to_owned())]
}

/// What a Rollout refers to, for an index.
fn referred(rollout: &Rollout) -> Vec<store::Id> {
    let namespace = rollout.namespace().unwrap_or_default();
    let services = observe::service_names(rollout).into_iter().map(|name| (namespace.clone(), name));
    services.chain(reads::Reads::of(rollout).keys()).collect()
}
