//! What would be done next to a Rollout, without doing it: the same observation and the same planner as the controller's,
//! over lists that are read once. Nothing is written.

use crate::args::RouterApis;
use crate::cache::{Caches, Clients, RawReplicaSet, RawWorkload, Received, Referable, Shelf, Store};
use crate::{observe, rollouts};
use crds::rollout::workload::WorkloadKind;
use crds::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Rollout, Time, meta};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};
use planner::{Plan, Settings, World};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// Objects in one answer of the API server.
const PAGE: u32 = 500;
/// Most answers to one question: more objects of one kind than this stand in no namespace.
const PAGES_MAX: usize = 200;

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// There is no such Rollout.
    #[error("rollouts.argoproj.io {name:?} not found in namespace {namespace:?}")]
    NoRollout {
        /// Namespace that was looked in.
        namespace: String,
        /// Name that was asked for.
        name: String,
    },
    /// The API server did not give what the controller reads.
    #[error("list {what}: {error}")]
    Read {
        /// Which kind, in the plural.
        what: String,
        /// What it said.
        error: Box<kube::Error>,
    },
}

/// What would be done next to the Rollout `name` at `now`, and the world on which that was decided. Reads only, with
/// `get` and `list`. What the API server has refused lately is known to the running controller alone.
///
/// # Errors
/// When there is no such Rollout, or something around it cannot be read.
pub async fn preview(
    client: &Client,
    namespace: &str,
    name: &str,
    now: Time,
) -> Result<(Plan, World), PreviewError> {
    let api: Api<Rollout> = Api::namespaced(client.clone(), namespace);
    let rollout = api
        .get_opt(name)
        .await
        .map_err(unread::<Rollout>)?
        .ok_or_else(|| PreviewError::NoRollout { namespace: namespace.to_owned(), name: name.to_owned() })?;
    let caches = Caches::new(false);
    let sets = ListParams::default().labels(meta::POD_TEMPLATE_HASH_LABEL);
    fill::<RawReplicaSet>(Api::namespaced(client.clone(), namespace), sets, &caches.replica_sets).await?;
    // Our own kinds: those of this instance id only, as the controller's watches have them.
    let instance_id = rollout.labels().get(meta::INSTANCE_ID_LABEL).cloned();
    let own = instance_id.as_ref().map_or_else(
        || format!("!{}", meta::INSTANCE_ID_LABEL),
        |id| format!("{}={id}", meta::INSTANCE_ID_LABEL),
    );
    let own = ListParams::default().labels(&own);
    fill::<AnalysisRun>(Api::namespaced(client.clone(), namespace), own.clone(), &caches.runs).await?;
    if !observe::service_names(&rollout).is_empty() {
        let all = ListParams::default();
        fill::<Service>(Api::namespaced(client.clone(), namespace), all, &caches.services).await?;
    }
    workload(client, &rollout, &caches).await?;
    let references = observe::template_refs(&rollout);
    if !references.is_empty() {
        let api: Api<Received<AnalysisTemplate>> = Api::namespaced(client.clone(), namespace);
        fill(api, own.clone(), &caches.templates).await?;
    }
    if references.iter().any(|reference| reference.cluster_scope == Some(true)) {
        let api: Api<Received<ClusterAnalysisTemplate>> = Api::all(client.clone());
        fill(api, own, &caches.cluster_templates).await?;
    }
    let settings = Settings {
        instance_id,
        reference_grace_seconds: Settings::REFERENCE_GRACE_SECONDS,
        settle_seconds: Settings::SETTLE_SECONDS,
        // Nothing that people have to think about, and Argo Rollouts does not do it.
        gives_back: false,
        // It has no credentials.
        verifies_targets: false,
    };
    let clients = Clients::new(client.clone(), client.clone(), RouterApis::default());
    caches
        .routes
        .read(&clients, &rollout)
        .await
        .map_err(|(what, error)| PreviewError::Read { what, error })?;
    let mut world = observe::world(&caches, &rollout, Vec::new(), &settings, now);
    if rollouts::restart_is_due(&rollout, now) {
        world.pods = pods(client, namespace, &world).await?;
        world.pods_are_known = true;
    }
    let plan = planner::plan(&world, now);
    Ok((plan, world))
}

fn unread<K: Resource<DynamicType = ()>>(error: kube::Error) -> PreviewError {
    PreviewError::Read { what: K::plural(&()).into_owned(), error: Box::new(error) }
}

/// All pages of a list. One object that cannot be read must not hide the others.
async fn pages<K>(
    api: &Api<Received<K>>,
    mut params: ListParams,
    mut each: impl FnMut(K),
) -> Result<(), PreviewError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    params.limit = Some(PAGE);
    for _ in 0..PAGES_MAX {
        let list = api.list(&params).await.map_err(unread::<K>)?;
        list.items.into_iter().filter_map(|guard| guard.0.ok()).for_each(&mut each);
        params.continue_token = list.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            break;
        }
    }
    Ok(())
}

async fn fill<K>(api: Api<Received<K>>, params: ListParams, store: &Store<K>) -> Result<(), PreviewError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    pages(&api, params, |object| {
        store.put(Arc::new(object));
    })
    .await
}

/// The workload that the Rollout refers to, and no other.
async fn workload(client: &Client, rollout: &Rollout, caches: &Caches) -> Result<(), PreviewError> {
    let Some(reference) = &rollout.spec.workload_ref else { return Ok(()) };
    match reference.target() {
        Some(WorkloadKind::Deployment) => look_up(client, rollout, &caches.workloads.deployments).await,
        Some(WorkloadKind::ReplicaSet) => look_up(client, rollout, &caches.workloads.replica_sets).await,
        Some(WorkloadKind::PodTemplate) => look_up(client, rollout, &caches.workloads.pod_templates).await,
        None => Ok(()),
    }
}

async fn look_up<K: Referable>(
    client: &Client,
    rollout: &Rollout,
    shelf: &Shelf<K>,
) -> Result<(), PreviewError> {
    let name = rollout.spec.workload_ref.as_ref().map_or("", |reference| reference.name());
    let api: Api<RawWorkload<K>> = Api::namespaced(client.clone(), &rollout.namespace().unwrap_or_default());
    // Without a name it would be the list.
    if !name.is_empty()
        && let Some(object) = api.get_opt(name).await.map_err(unread::<RawWorkload<K>>)?
    {
        shelf.store.put(Arc::new(object));
    }
    shelf.set_listed();
    Ok(())
}

async fn pods(client: &Client, namespace: &str, world: &World) -> Result<Vec<planner::Pod>, PreviewError> {
    let selector = world.selector().cloned().unwrap_or_default().to_string();
    let api: Api<Received<Pod>> = Api::namespaced(client.clone(), namespace);
    let mut pods = Vec::new();
    pages(&api, ListParams::default().labels(&selector), |pod| pods.push(observe::pod(&pod))).await?;
    pods.retain(|pod| world.replica_sets.iter().any(|set| set.uid == pod.replica_set_uid));
    Ok(pods)
}
