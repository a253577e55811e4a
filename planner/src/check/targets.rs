//! The law of target groups: a load balancer that keeps lists of pods has those of a Service that moved, before anything
//! rests on them. `[traffic.registered]`

use super::routes::shown;
use crate::rollout::fold;
use crate::traffic::{self, ObservedTraffic, Pairs, Roles};
use crate::{Owner, Plan, ReplicaSet, Service, Targets, World, Write};
use crds::defaults;
use std::borrow::Cow;

/// The versions that a Service may have selected before the one of now, and whose pods its target groups may still have.
#[derive(Clone, Copy)]
enum Left {
    /// Any other: a switch goes both ways.
    Any,
    /// Those of an earlier update, and older ones. A deadline is put on them once target groups have said their word.
    Before,
    /// Ones that came after the stable version, and were overtaken.
    Overtaken,
}

/// Whether a version has an earlier update or an earlier birth than the other: one that comes back has the one of both.
fn is_before(set: &ReplicaSet, other: &ReplicaSet) -> bool {
    set.revision() < other.revision() || set.created < other.created
}

/// The Services by which users reach a Rollout's pods, where target groups have a say in which of them go.
fn reached_by(world: &World) -> Vec<(String, Left)> {
    let Some(strategy) = &world.rollout.spec.strategy else { return Vec::new() };
    if let Some(strategy) = &strategy.blue_green {
        return vec![(strategy.active_service.clone(), Left::Any)];
    }
    let Some(canary) = &strategy.canary else { return Vec::new() };
    if canary.traffic_routing.is_none() {
        return vec![(traffic::roles(&world.rollout).stable, Left::Before)];
    }
    let sent = shown(world, ObservedTraffic::canary) > 0;
    let services = world.listed_pairs().into_iter().flat_map(|Roles { canary, stable }| {
        [(Some(stable), Left::Before), (Some(canary).filter(|_| sent), Left::Overtaken)]
    });
    services.filter_map(|(name, left)| Some((name?, left))).collect()
}

fn selected<'w>(world: &'w World, service: &Service) -> Option<&'w ReplicaSet> {
    let is_it = |set: &&ReplicaSet| set.owner == Owner::Ours && set.hash() == service.hash();
    world.replica_sets.iter().find(is_it).filter(|set| !set.hash().is_empty() && set.replicas > 0)
}

/// The Service with the version that it selects, while it is not known that target groups do `enough` with its pods.
fn missing<'w>(
    world: &'w World,
    name: &str,
    enough: fn(&Targets) -> bool,
) -> Option<(&'w Service, &'w ReplicaSet)> {
    let service = world.services.get(name).filter(|service| !enough(&service.targets))?;
    Some((service, selected(world, service)?))
}

/// The first fault of the writes, each in the world that those before it have made.
fn first(world: &World, plan: &Plan, fault: impl Fn(&World, &Write) -> Option<String>) -> Option<String> {
    if !world.settings.verifies_targets {
        return None;
    }
    let mut at = Cow::Borrowed(world);
    plan.writes.iter().find_map(|planned| {
        let found = fault(&at, &planned.write);
        fold::apply(at.to_mut(), &planned.write);
        found
    })
}

/// A version that a Service which requests are sent to may have selected before gives up none of the pods that are wanted,
/// until the target groups of that Service have the pods that it selects now (argoproj/argo-rollouts#1283).
pub(super) fn listed_pods_stay(world: &World, plan: &Plan) -> Option<String> {
    let services = reached_by(world);
    let status = world.rollout.status.as_ref()?;
    first(world, plan, |at, write| {
        let Write::ScaleReplicaSet { target, from, to, .. } = write else { return None };
        let set = at.replica_sets.iter().find(|set| set.name == target.name)?;
        let waits = |(name, left): &(String, Left)| {
            let (service, now) = missing(at, name, Targets::are_registered)?;
            let elsewhere = set.hash() != service.hash();
            let is_new = set.hash() == status.current_pod_hash;
            let is_stable = set.hash() == status.stable_rs;
            let waited = set.is_marked_for_scale_down() && !is_new;
            let may_have_been = match left {
                Left::Any => elsewhere,
                Left::Before => elsewhere && !waited && is_before(set, now),
                Left::Overtaken => {
                    let stable = at.replica_sets.iter().find(|set| set.hash() == status.stable_rs);
                    let passed_by = elsewhere && !waited && !is_new && !is_stable;
                    passed_by && stable.is_some_and(|stable| !is_before(set, stable))
                }
            };
            may_have_been.then(|| name.clone())
        };
        let needed = defaults::replicas(&at.rollout).min(*from);
        let name = services.iter().find_map(waits).filter(|_| *to < needed)?;
        Some(format!(
            "{} goes from {from} to {to} pods, target groups of Service {name} may have them",
            set.name
        ))
    })
}

/// No blue-green version is promoted before the target groups of the active Service have its pods.
pub(super) fn promotion_waits_for_targets(world: &World, plan: &Plan, after: &World) -> Option<String> {
    let strategy = world.rollout.spec.strategy.as_ref()?.blue_green.as_ref()?;
    let (old, new) = (world.rollout.status.as_ref()?, plan.status.as_ref()?);
    let promoted = !old.stable_rs.is_empty() && old.stable_rs != new.stable_rs;
    let (service, _) = missing(after, &strategy.active_service, Targets::are_registered)
        .filter(|_| promoted && world.settings.verifies_targets)?;
    Some(format!("{} is promoted, target groups of Service {} lack its pods", new.stable_rs, service.name))
}

/// The canary's weight rises only where the target groups of its Service have its pods, beyond their first health checks
/// (argoproj/argo-rollouts#2864). `[traffic.targets]`
pub(super) fn weight_waits_for_targets(world: &World, plan: &Plan) -> Option<String> {
    let (pairs, listed) = (Pairs::of(&world.rollout), world.listed_pairs());
    first(world, plan, |at, write| {
        let Write::RouteTraffic { router, intent } = write else { return None };
        let view = at.routers.iter().find(|view| view.name == *router)?;
        let pair = Some(pairs.of_router(view.abilities.turns)).filter(|pair| listed.contains(pair))?;
        let (service, _) = missing(at, &pair.canary, Targets::are_checked)?;
        let shown = view.observed.as_ref().ok()?.canary(intent.total);
        (intent.canary.weight > shown).then(|| {
            format!(
                "{router} is asked for {} of {} after {shown}, target groups of Service {} lack pods",
                intent.canary.weight, intent.total, service.name
            )
        })
    })
}

#[cfg(test)]
#[path = "targets_tests.rs"]
mod tests;
