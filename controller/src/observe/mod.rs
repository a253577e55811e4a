//! From the caches to the world of one Rollout: the only place that maps API objects to what the planner sees.

mod objects;

use crate::cache::{Caches, Referenced};
use crate::queue::{Key, Kind};
use crds::rollout::analysis::AnalysisTemplateRef;
use crds::{AnalysisRun, LabelSelector, Rollout, Time, meta};
use kube::ResourceExt;
use planner::traffic::{RouterProblem, RouterView};
use planner::{AnalysisRunView, Owner, Refusal, ReplicaSet, Settings, World, defect};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most templates that one Rollout may reach.
const TEMPLATES_MAX: usize = 1000;

/// Names of the Services that a Rollout refers to.
pub(crate) fn service_names(rollout: &Rollout) -> Vec<String> {
    let strategy = rollout.spec.strategy.as_ref();
    let canary = strategy.and_then(|strategy| strategy.canary.as_ref());
    let blue_green = strategy.and_then(|strategy| strategy.blue_green.as_ref());
    let names = [
        canary.and_then(|canary| canary.canary_service.clone()),
        canary.and_then(|canary| canary.stable_service.clone()),
        blue_green.map(|blue_green| blue_green.active_service.clone()),
        blue_green.and_then(|blue_green| blue_green.preview_service.clone()),
        canary.and_then(|canary| canary.ping_pong.as_ref()).map(|pair| pair.ping_service.clone()),
        canary.and_then(|canary| canary.ping_pong.as_ref()).map(|pair| pair.pong_service.clone()),
    ];
    names.into_iter().flatten().filter(|name| !name.is_empty()).collect()
}

/// All references to templates in a Rollout.
pub(crate) fn template_refs(rollout: &Rollout) -> Vec<AnalysisTemplateRef> {
    let Some(strategy) = rollout.spec.strategy.as_ref() else { return Vec::new() };
    let mut refs = Vec::new();
    if let Some(canary) = &strategy.canary {
        refs.extend(
            canary.analysis.iter().flat_map(|analysis| analysis.templates.clone().unwrap_or_default()),
        );
        let steps = canary.steps.iter().flatten().filter_map(|step| step.analysis.as_ref());
        refs.extend(steps.flat_map(|analysis| analysis.templates.clone().unwrap_or_default()));
    }
    if let Some(blue_green) = &strategy.blue_green {
        let analyses = [&blue_green.pre_promotion_analysis, &blue_green.post_promotion_analysis];
        refs.extend(analyses.into_iter().flatten().flat_map(|a| a.templates.clone().unwrap_or_default()));
    }
    refs
}

/// The world of `rollout` at `now`, as far as the caches know it.
pub(crate) fn world(
    caches: &Caches,
    rollout: &Rollout,
    refusals: Vec<Refusal>,
    settings: &Settings,
    now: Time,
) -> World {
    let namespace = rollout.namespace().unwrap_or_default();
    let uid = rollout.uid().unwrap_or_default();
    let mut world = World {
        rollout: rollout.clone(),
        workload: match caches.workloads.of(rollout) {
            Referenced::Found(workload) => Some(*workload),
            Referenced::Unknown | Referenced::Missing => None,
        },
        refusals,
        settings: settings.clone(),
        ..World::default()
    };
    let selector = world.selector().cloned().unwrap_or_default();
    world.replica_sets = replica_sets(caches, &selector, &namespace, &uid);
    let key = Key { namespace: namespace.clone(), kind: Kind::Rollout, name: rollout.name_any() };
    for name in service_names(rollout) {
        if let Some(service) = caches.services.get(&namespace, &name) {
            let (targets, targets_are_news) = caches.targets.said(&key, &service);
            let seen = planner::Service { targets, targets_are_news, ..objects::service(&service) };
            world.services.insert(name, seen);
        }
    }
    world.routers = routers(caches, &key, &world, now);
    templates(caches, &namespace, template_refs(rollout), &mut world);
    let own = caches.runs.find(&namespace, &uid);
    world.analysis_runs = own.iter().map(|run| objects::analysis_run(run)).collect();
    let is_foreign = |run: &&Arc<AnalysisRun>| objects::controller_uid(&run.metadata) != Some(uid.as_str());
    let like_ours = caches.runs.list(&namespace, &rollout.name_any());
    world.foreign_run_names = like_ours.iter().filter(is_foreign).map(|run| run.name_any()).collect();
    world.analysis_runs.sort_by(|a: &AnalysisRunView, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    world
}

/// The routers of the Rollout, and what their objects show.
fn routers(caches: &Caches, key: &Key, world: &World, now: Time) -> Vec<RouterView> {
    let rollout = &world.rollout;
    let is_under_way = is_under_way(world);
    let view = |router: Box<dyn traffic::Router>| {
        let found = caches.routes.find(&router.references(), &router.selections(), now);
        let read = traffic::read(router.as_ref(), &found.objects, found.absent.as_ref());
        let observed = read.map_err(|problem| {
            let traffic::Fault { path, value, message } = traffic::fault(rollout, router.name(), &problem);
            let (name, kind, missing) = (problem.name().to_owned(), problem.kind(), problem.is_missing());
            RouterProblem { path, value, name, kind, message, missing }
        });
        RouterView {
            name: router.name(),
            abilities: router.abilities(),
            observed,
            changed: found.changed,
            authors: found.authors,
            served: caches.targets.served(key, &router.balancers(&found.objects), is_under_way),
            asked: None,
        }
    };
    caches.routes.routers(rollout).into_iter().map(view).collect()
}

/// Whether weights may have to change: an update is not over, or a version before still has pods.
fn is_under_way(world: &World) -> bool {
    let ours = world.replica_sets.iter().filter(|set| set.owner == Owner::Ours && set.replicas > 0);
    let is_healthy = world.rollout.status.as_ref().is_some_and(|status| status.phase == "Healthy");
    !is_healthy || ours.count() > 1
}

fn replica_sets(caches: &Caches, selector: &LabelSelector, namespace: &str, uid: &str) -> Vec<ReplicaSet> {
    let near = if defect!(OwnerByName) {
        caches.replica_sets.list(namespace, "")
    } else {
        // Those that something else controls are nothing to us.
        [caches.replica_sets.find(namespace, uid), caches.replica_sets.find(namespace, "")].concat()
    };
    let mut sets: Vec<ReplicaSet> = near
        .iter()
        .map(|set| objects::replica_set(set, uid))
        .filter(|set| is_seen(set, Some(selector)))
        .collect();
    sets.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    sets
}

/// Whether a ReplicaSet counts: ours, or one that nobody controls and that the selector finds; with a hash.
pub(crate) fn is_seen(set: &ReplicaSet, selector: Option<&LabelSelector>) -> bool {
    let is_found = || selector.is_some_and(|own| !own.is_empty() && own.matches(&set.labels));
    set.labels.contains_key(meta::POD_TEMPLATE_HASH_LABEL)
        && match set.owner {
            Owner::Ours => true,
            Owner::Nobody => is_found(),
            Owner::Other => false,
        }
}

/// Takes in every template that the references reach, nested ones included.
fn templates(caches: &Caches, namespace: &str, refs: Vec<AnalysisTemplateRef>, world: &mut World) {
    let mut open = refs;
    let mut looked: BTreeMap<(bool, String), ()> = BTreeMap::new();
    while let Some(reference) = open.pop() {
        let (cluster, name) =
            (reference.cluster_scope == Some(true), reference.template_name.unwrap_or_default());
        if looked.len() >= TEMPLATES_MAX || looked.insert((cluster, name.clone()), ()).is_some() {
            continue;
        }
        let spec = if cluster {
            caches.cluster_templates.get("", &name).map(|template| template.spec.clone())
        } else {
            caches.templates.get(namespace, &name).map(|template| template.spec.clone())
        };
        let Some(spec) = spec else { continue };
        open.extend(spec.templates.clone().unwrap_or_default());
        let place =
            if cluster { &mut world.cluster_analysis_templates } else { &mut world.analysis_templates };
        place.insert(name, spec);
    }
}

pub(crate) use objects::{analysis_run, controller_uid, own_change, pod, replica_set, time};
