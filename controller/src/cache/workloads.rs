//! Workloads that Rollouts refer to. A kind is watched from when the first Rollout refers to it: who uses no
//! `workloadRef` pays nothing for it. `[workload-ref.watch]`

use super::store::Store;
use crds::rollout::workload::WorkloadKind;
use crds::{LabelSelector, Rollout};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// A kind that can be referred to.
pub(crate) trait Referable: Clone + Debug + Default + Send + Sync + 'static {
    const TARGET: WorkloadKind;
    const KIND: &'static str;
    const GROUP: &'static str;
    const PLURAL: &'static str;
}

macro_rules! referable {
    ($($name:ident, $group:literal, $plural:literal;)*) => {$(
        #[derive(Clone, Debug, Default)]
        pub(crate) struct $name;

        impl Referable for $name {
            const TARGET: WorkloadKind = WorkloadKind::$name;
            const KIND: &'static str = stringify!($name);
            const GROUP: &'static str = $group;
            const PLURAL: &'static str = $plural;
        }
    )*};
}

referable! {
    Deployment, "apps", "deployments";
    ReplicaSet, "apps", "replicasets";
    PodTemplate, "", "podtemplates";
}

/// What is read of a referenced workload, the template untouched.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct RawWorkload<K> {
    #[serde(default)]
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    spec: RawWorkloadSpec,
    /// A PodTemplate has it beside the metadata.
    #[serde(default)]
    template: Option<Arc<crds::PodTemplate>>,
    #[serde(skip)]
    kind: PhantomData<K>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct RawWorkloadSpec {
    #[serde(default)]
    replicas: Option<i32>,
    #[serde(default)]
    selector: Option<LabelSelector>,
    #[serde(default)]
    template: Option<Arc<crds::PodTemplate>>,
}

impl<K: Referable> RawWorkload<K> {
    /// As the planner sees it.
    pub(crate) fn seen(&self) -> planner::Workload {
        planner::Workload {
            name: self.name_any(),
            uid: self.uid().unwrap_or_default(),
            resource_version: self.resource_version().unwrap_or_default(),
            generation: self.metadata.generation.unwrap_or(0),
            deleting: self.metadata.deletion_timestamp.is_some(),
            template: self.spec.template.as_ref().or(self.template.as_ref()).cloned().unwrap_or_default(),
            selector: self.spec.selector.clone(),
            // The API server fills it in.
            replicas: (K::TARGET == WorkloadKind::Deployment).then(|| self.spec.replicas.unwrap_or(1)),
            ..planner::Workload::default()
        }
    }
}

impl<K: Referable> kube::Resource for RawWorkload<K> {
    type DynamicType = ();
    type Scope = k8s_openapi::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::KIND.into()
    }
    fn group((): &()) -> Cow<'_, str> {
        K::GROUP.into()
    }
    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }
    fn plural((): &()) -> Cow<'_, str> {
        K::PLURAL.into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// One kind: its objects, whether any Rollout refers to it, and whether the objects are known.
pub(crate) struct Shelf<K> {
    pub(crate) store: Arc<Store<RawWorkload<K>>>,
    wanted: Arc<watch::Sender<bool>>,
    listed: Arc<AtomicBool>,
}

// Not derived: the kind itself need not be cloned.
impl<K> Clone for Shelf<K> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), wanted: self.wanted.clone(), listed: self.listed.clone() }
    }
}

impl<K: Referable> Shelf<K> {
    fn new(overlay: bool) -> Self {
        Self {
            store: Arc::new(Store::new(overlay)),
            wanted: Arc::new(watch::channel(false).0),
            listed: Arc::default(),
        }
    }

    /// Becomes true when a Rollout refers to this kind.
    pub(crate) fn wanted(&self) -> watch::Receiver<bool> {
        self.wanted.subscribe()
    }

    /// From here on an object that is not in the store is not there.
    pub(crate) fn set_listed(&self) {
        self.listed.store(true, Ordering::Release);
    }

    fn find(&self, namespace: &str, name: &str) -> Referenced {
        if !self.listed.load(Ordering::Acquire) {
            return Referenced::Unknown;
        }
        match self.store.get(namespace, name) {
            Some(object) => Referenced::Found(Box::new(object.seen())),
            None => Referenced::Missing,
        }
    }
}

/// What is known of the workload of a Rollout.
#[derive(Debug)]
pub(crate) enum Referenced {
    /// The watch has not told yet: nothing can be decided.
    Unknown,
    /// It is not there, or nothing is referred to.
    Missing,
    /// It is there.
    Found(Box<planner::Workload>),
}

/// All kinds.
#[derive(Clone)]
pub(crate) struct Workloads {
    pub(crate) deployments: Shelf<Deployment>,
    pub(crate) replica_sets: Shelf<ReplicaSet>,
    pub(crate) pod_templates: Shelf<PodTemplate>,
}

impl Workloads {
    pub(crate) fn new(overlay: bool) -> Self {
        Self {
            deployments: Shelf::new(overlay),
            replica_sets: Shelf::new(overlay),
            pod_templates: Shelf::new(overlay),
        }
    }

    /// A Rollout has come: the kind that it refers to is to be watched.
    pub(crate) fn want(&self, rollout: &Rollout) {
        let reference = rollout.spec.workload_ref.as_ref();
        let Some(kind) = reference.and_then(crds::rollout::spec::WorkloadRef::target) else { return };
        let wanted = match kind {
            WorkloadKind::Deployment => &self.deployments.wanted,
            WorkloadKind::ReplicaSet => &self.replica_sets.wanted,
            WorkloadKind::PodTemplate => &self.pod_templates.wanted,
        };
        wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
    }

    /// The workload of a Rollout.
    pub(crate) fn of(&self, rollout: &Rollout) -> Referenced {
        let Some(reference) = &rollout.spec.workload_ref else { return Referenced::Missing };
        let namespace = rollout.namespace().unwrap_or_default();
        match reference.target() {
            None => Referenced::Missing,
            Some(WorkloadKind::Deployment) => self.deployments.find(&namespace, reference.name()),
            Some(WorkloadKind::ReplicaSet) => self.replica_sets.find(&namespace, reference.name()),
            Some(WorkloadKind::PodTemplate) => self.pod_templates.find(&namespace, reference.name()),
        }
    }
}

/// Whether the Rollout takes its template from the object of that kind and name, in its namespace.
pub(crate) fn refers(rollout: &Rollout, kind: WorkloadKind, name: &str) -> bool {
    let reference = rollout.spec.workload_ref.as_ref();
    reference.is_some_and(|reference| reference.target() == Some(kind) && reference.name() == name)
}
