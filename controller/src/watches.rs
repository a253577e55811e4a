//! Which watches feed the caches, and whom each change wakes.

use crate::args::Args;
use crate::cache::reads::{self, Reads};
use crate::cache::{self, Caches, RawWorkload, Received, Referable, Shelf, Watches};
use crate::observe;
use crate::queue::{Key, Kind, Queue};
use crate::shadow::Shadow;
use crds::meta::{
    ANALYSIS_RUN_UID_LABEL, INSTANCE_ID_LABEL, POD_TEMPLATE_HASH_LABEL, WORKLOAD_GENERATION_ANNOTATION,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use planner::defect;
use std::sync::Arc;

/// Our own kinds: of this instance id only.
pub(crate) fn own_kinds(args: &Args) -> watcher::Config {
    let selector = if args.instance_id.is_empty() {
        format!("!{INSTANCE_ID_LABEL}")
    } else {
        format!("{INSTANCE_ID_LABEL}={}", args.instance_id)
    };
    watcher::Config::default().labels(&selector)
}

/// Starts all watches. A shadow hears of each state of a Rollout.
pub(crate) fn start(
    watches: &mut Watches,
    client: &Client,
    caches: &Caches,
    queue: &Arc<Queue>,
    args: &Args,
    own: &str,
    shadow: Option<&Shadow>,
) {
    let scope = args.namespaced.then_some(own);
    let keys = |kind: Kind| {
        let queue = queue.clone();
        move |namespace: String, name: String| queue.add(Key { namespace, kind: kind.clone(), name })
    };
    let rollout = keys(Kind::Rollout);
    let service = keys(Kind::Service);
    let wake = rollout_changed(caches.clone(), rollout.clone(), service.clone(), keys(Kind::Route));
    let shadow = shadow.cloned();
    let changed = move |new: &crds::Rollout, old: Option<&crds::Rollout>| {
        if let Some(shadow) = &shadow {
            shadow.passed(old, new);
        }
        wake(new, old);
    };
    cache::start(watches, api(client, scope), own_kinds(args), caches.rollouts.clone(), changed);

    let owner = rollout.clone();
    let config = watcher::Config::default().labels(POD_TEMPLATE_HASH_LABEL);
    cache::start(
        watches,
        api(client, scope),
        config,
        caches.replica_sets.clone(),
        move |set: &cache::RawReplicaSet, _| {
            if !defect!(SetsWakeNobody) {
                enqueue_owner(&set.metadata, &owner);
            }
        },
    );

    let seen = move |new: &k8s_openapi::api::core::v1::Service, _: Option<&_>| {
        service(new.namespace().unwrap_or_default(), new.name_any());
    };
    let config = watcher::Config::default();
    cache::start(watches, api(client, scope), config, caches.services.clone(), seen);

    let (owner, run) = (rollout.clone(), keys(Kind::AnalysisRun));
    cache::start(
        watches,
        api(client, scope),
        own_kinds(args),
        caches.runs.clone(),
        move |new: &crds::AnalysisRun, old| {
            // On every event: a phase of our own writing is in the store before the watch tells of it.
            if !defect!(VerdictWakesNobody) || old.is_some_and(|old| phase(old) != phase(new)) {
                enqueue_owner(&new.metadata, &owner);
            }
            run(new.namespace().unwrap_or_default(), new.name_any());
        },
    );

    let run = keys(Kind::AnalysisRun);
    let config = watcher::Config::default().labels(ANALYSIS_RUN_UID_LABEL);
    cache::start(
        watches,
        api(client, scope),
        config,
        caches.jobs.clone(),
        move |job: &k8s_openapi::api::batch::v1::Job, _| {
            let annotations = job.metadata.annotations.clone().unwrap_or_default();
            let name = annotations.get(crds::meta::ANALYSIS_RUN_NAME_ANNOTATION);
            let namespace = annotations.get(crds::meta::ANALYSIS_RUN_NAMESPACE_ANNOTATION);
            if let (Some(namespace), Some(name)) = (namespace, name) {
                run(namespace.clone(), name.clone());
            }
        },
    );
    start_template_watches(watches, client, caches, queue, args, scope);
}

/// What a change of a Rollout brings about: a look at it and at its Services, and a watch of what it refers to.
fn rollout_changed(
    caches: Caches,
    rollout: impl Fn(String, String),
    service: impl Fn(String, String),
    route: impl Fn(String, String),
) -> impl Fn(&crds::Rollout, Option<&crds::Rollout>) {
    move |new, old| {
        caches.workloads.want(new);
        caches.routes.want(new);
        let namespace = new.namespace().unwrap_or_default();
        // Services that are not referred to any more are released.
        for name in old.into_iter().chain([new]).flat_map(observe::service_names) {
            service(namespace.clone(), name);
        }
        // So is what routers read.
        let named = old.into_iter().chain([new]).flat_map(|one| Reads::of(one).references);
        for object in named {
            if traffic::is_marked(object.kind) {
                let (namespace, key) = reads::key(&object);
                route(namespace, key);
            }
        }
        let left = old.map(|old| caches.left.changed(old, new, &caches.routes)).unwrap_or_default();
        for object in left {
            let (namespace, key) = reads::key(&object);
            route(namespace, key);
        }
        rollout(namespace, new.name_any());
    }
}

/// Prepares the watches of workloads: each begins with the first Rollout that refers to its kind. `scope` is the one
/// namespace that is looked at, if it is one.
pub(crate) fn start_when_wanted(
    watches: &mut Watches,
    client: &Client,
    of_routes: &cache::Clients,
    caches: &Caches,
    queue: &Arc<Queue>,
    scope: Option<&str>,
) {
    let of = &caches.workloads;
    watch_workloads(watches, &of.deployments, api(client, scope), caches, queue);
    watch_workloads(watches, &of.replica_sets, api(client, scope), caches, queue);
    watch_workloads(watches, &of.pod_templates, api(client, scope), caches, queue);
    watch_routes(watches, of_routes, caches, queue, scope);
}

/// Watches what routers read. Whoever changes it, its Rollouts are looked at: weights that a syncer has put back are ours
/// again in that look.
fn watch_routes(
    watches: &mut Watches,
    clients: &cache::Clients,
    caches: &Caches,
    queue: &Arc<Queue>,
    scope: Option<&str>,
) {
    let (known, queue) = (caches.clone(), queue.clone());
    let changed = move |change: &cache::routes::Change| {
        let object = &change.object;
        let rollouts = if object.name.is_empty() {
            let all = known.rollouts.all().into_iter();
            all.filter(|one| Reads::of(one).kinds().contains(&object.kind)).collect()
        } else {
            if traffic::is_marked(object.kind) {
                let (namespace, key) = reads::key(object);
                queue.add(Key { namespace, kind: Kind::Route, name: key });
            }
            reads::concerned(&known.rollouts, change)
        };
        for rollout in rollouts {
            queue.add(Key {
                namespace: rollout.namespace().unwrap_or_default(),
                kind: Kind::Rollout,
                name: rollout.name_any(),
            });
        }
    };
    cache::routes::start(watches.tasks(), clients, &caches.routes, scope, changed);
}

/// Watches one kind of workloads once a Rollout refers to it.
fn watch_workloads<K: Referable>(
    watches: &mut Watches,
    shelf: &Shelf<K>,
    api: Api<Received<RawWorkload<K>>>,
    caches: &Caches,
    queue: &Arc<Queue>,
) {
    let key = |rollout: &crds::Rollout| Key {
        namespace: rollout.namespace().unwrap_or_default(),
        kind: Kind::Rollout,
        name: rollout.name_any(),
    };
    let changed = {
        let (caches, queue) = (caches.clone(), queue.clone());
        move |new: &RawWorkload<K>, before: Option<&RawWorkload<K>>| {
            let generation = new.metadata.generation.unwrap_or(0).to_string();
            let name = new.name_any();
            for rollout in caches.rollouts.list(&new.namespace().unwrap_or_default(), "") {
                // Its pods come and go without a new generation, and are nothing to the Rollout.
                let known = rollout.annotations().get(WORKLOAD_GENERATION_ANNOTATION) == Some(&generation);
                if cache::refers(&rollout, K::TARGET, &name) && (before.is_none() || !known) {
                    queue.add(key(&rollout));
                }
            }
        }
    };
    let filled = {
        let (caches, queue, shelf) = (caches.clone(), queue.clone(), shelf.clone());
        move || {
            shelf.set_listed();
            for rollout in caches.rollouts.all() {
                let reference = rollout.spec.workload_ref.as_ref();
                if reference.is_some_and(|reference| reference.target() == Some(K::TARGET)) {
                    queue.add(key(&rollout));
                }
            }
        }
    };
    cache::start_when(watches, shelf.wanted(), api, shelf.store.clone(), changed, filled);
}

/// A template that appears or changes may mend a Rollout that waits for it.
fn start_template_watches(
    watches: &mut Watches,
    client: &Client,
    caches: &Caches,
    queue: &Arc<Queue>,
    args: &Args,
    scope: Option<&str>,
) {
    let wake = |caches: &Caches, queue: &Arc<Queue>| {
        let (caches, queue) = (caches.clone(), queue.clone());
        move |namespace: Option<String>| {
            for rollout in caches.rollouts.all() {
                let own = rollout.namespace().unwrap_or_default();
                let near = namespace.as_ref().is_none_or(|namespace| *namespace == own);
                if near && !observe::template_refs(&rollout).is_empty() && !defect!(MendingWakesNobody) {
                    queue.add(Key { namespace: own, kind: Kind::Rollout, name: rollout.name_any() });
                }
            }
        }
    };
    let near = wake(caches, queue);
    cache::start(
        watches,
        api(client, scope),
        own_kinds(args),
        caches.templates.clone(),
        move |new: &crds::AnalysisTemplate, _| {
            near(new.namespace());
        },
    );
    if scope.is_none() {
        let all = wake(caches, queue);
        let config = own_kinds(args);
        let api: Api<Received<crds::ClusterAnalysisTemplate>> = Api::all(client.clone());
        cache::start(
            watches,
            api,
            config,
            caches.cluster_templates.clone(),
            move |_: &crds::ClusterAnalysisTemplate, _| all(None),
        );
    }
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<Received<K>>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    Received<K>: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// The phase of a run.
fn phase(run: &crds::AnalysisRun) -> Option<crds::analysis::AnalysisPhase> {
    run.status.as_ref().map(|status| status.phase)
}

/// Tells `add` of the Rollout that controls an object.
pub(crate) fn enqueue_owner(metadata: &ObjectMeta, add: &impl Fn(String, String)) {
    if let Some(owner) = owner(metadata) {
        add(metadata.namespace.clone().unwrap_or_default(), owner.name.clone());
    }
}

/// The Rollout that controls an object.
pub(crate) fn owner(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    let owners = metadata.owner_references.iter().flatten();
    owners.filter(|owner| owner.kind == "Rollout").find(|owner| owner.controller == Some(true))
}
