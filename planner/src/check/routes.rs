//! The law of the gate behind routers: weight goes where pods can carry it, and pods stay where routers may send
//! requests. `[traffic.law]`

use crate::traffic::{Intent, ObservedTraffic, Pairs, Roles, RouterView, WHOLE_WEIGHT};
use crate::{Plan, ReplicaSet, World, Write};
use crds::rollout::RolloutStatus;
use crds::rollout::canary::{CanaryStep, CanaryStrategy};
use crds::{Time, defaults};

fn canary(world: &World) -> Option<&CanaryStrategy> {
    let canary = world.rollout.spec.strategy.as_ref()?.canary.as_ref()?;
    Some(canary).filter(|canary| canary.traffic_routing.is_some())
}

fn steps(world: &World) -> &[CanaryStep] {
    canary(world).and_then(|canary| canary.steps.as_deref()).unwrap_or_default()
}

/// What all weights add up to.
fn total(world: &World) -> i32 {
    let routing = canary(world).and_then(|canary| canary.traffic_routing.as_ref());
    routing.and_then(|routing| routing.max_traffic_weight).filter(|total| *total > 0).unwrap_or(WHOLE_WEIGHT)
}

/// The largest share that a router shows; all of it where one cannot be read, and nothing without routers.
pub(super) fn shown(world: &World, of: impl Fn(&ObservedTraffic, i32) -> i32) -> i32 {
    let total = total(world);
    let share = |view: &RouterView| view.observed.as_ref().map_or(total, |observed| of(observed, total));
    world.routers.iter().map(share).max().unwrap_or(0)
}

fn intents(plan: &Plan) -> impl Iterator<Item = (&'static str, &Intent)> {
    plan.writes.iter().filter_map(|planned| match &planned.write {
        Write::RouteTraffic { router, intent } => Some((*router, intent)),
        _ => None,
    })
}

/// No weight is below 0, and all of them add up to `maxTrafficWeight`, or 100 (argoproj/argo-rollouts#3589).
pub(super) fn weights_add_up(world: &World, plan: &Plan) -> Option<String> {
    let whole = total(world);
    intents(plan).find_map(|(router, intent)| {
        let shares = [&intent.canary, &intent.stable].into_iter().chain(&intent.additional);
        let weights: Vec<i32> = shares.map(|share| share.weight).collect();
        let sum = weights.iter().fold(0_i64, |sum, weight| sum.saturating_add(i64::from(*weight)));
        let wrong =
            weights.iter().any(|weight| *weight < 0) || sum != i64::from(whole) || intent.total != whole;
        wrong
            .then(|| format!("{router} is asked for {weights:?} of {}, which is to be {whole}", intent.total))
    })
}

/// The canary is asked for no more than the weight of the step at which the plan was made, or at which it leaves the
/// Rollout. What routers show, and what the status says that they were asked for, may be asked for again.
pub(super) fn weights_keep_to_the_step(world: &World, plan: &Plan) -> Option<String> {
    let (old, new) = (world.rollout.status.as_ref()?, plan.status.as_ref()?);
    if old.promote_full {
        return None;
    }
    let same = old.current_pod_hash == new.current_pod_hash && old.current_step_hash == new.current_step_hash;
    let of_steps =
        [Some(new), Some(old).filter(|_| same)].into_iter().flatten().map(|at| weight_at(world, at));
    let before = [shown(world, ObservedTraffic::canary), recorded(old)];
    let most = of_steps.chain(before).max().unwrap_or(0);
    intents(plan).find_map(|(router, intent)| {
        let weight = intent.canary.weight;
        (weight > most)
            .then(|| format!("{router} is asked to send {weight} to the canary, its step allows {most}"))
    })
}

/// The weight of the step that a status is at: that of the nearest `setWeight` so far, and everything past the end.
fn weight_at(world: &World, status: &RolloutStatus) -> i32 {
    let steps = steps(world);
    let index = status.current_step_index.map_or(steps.len(), |index| usize::try_from(index).unwrap_or(0));
    if index >= steps.len() {
        return total(world);
    }
    steps.iter().take(index.saturating_add(1)).rev().find_map(|step| step.set_weight).unwrap_or(0)
}

/// The canary's weight in the status.
fn recorded(status: &RolloutStatus) -> i32 {
    let weights = status.canary.as_ref().and_then(|canary| canary.weights.as_ref());
    weights.map_or(0, |weights| weights.canary.weight)
}

/// Whether people have said how many pods there are to be, whatever the weight: then that is what there is.
fn is_sized_apart(world: &World) -> bool {
    steps(world).iter().any(|step| step.set_canary_scale.is_some())
        || canary(world).is_some_and(|canary| canary.replica_progress_threshold.is_some())
}

/// Pods for a share, rounded down as Argo Rollouts counts them.
///
/// Example: 10 replicas, 25 of 100: 2.
fn pods(world: &World, share: i32) -> i64 {
    let product = i64::from(defaults::replicas(&world.rollout)).saturating_mul(i64::from(share.max(0)));
    product / i64::from(total(world).max(1))
}

fn available(world: &World, hash: &str) -> i64 {
    let sets = world.replica_sets.iter().filter(|set| !hash.is_empty() && set.hash() == hash);
    sets.map(|set| i64::from(world.available(set).min(set.replicas))).max().unwrap_or(0)
}

/// The canary's weight rises, and its Service or subset moves to another version than the stable one, only where
/// available pods carry it (argoproj/argo-rollouts#4612).
pub(super) fn weights_are_carried(world: &World, plan: &Plan, after: &World) -> Option<String> {
    let status = world.rollout.status.as_ref().filter(|status| !status.promote_full)?;
    let pairs = canary(world).filter(|_| !is_sized_apart(world)).map(|_| Pairs::of(&world.rollout))?;
    let short = |version: &str, weight: i32, what: &str| {
        let (have, need) = (available(world, version), pods(world, weight).max(i64::from(weight > 0)));
        (have < need).then(|| format!("{what}: {weight} for {version}, which has {have} of {need} pods"))
    };
    let selected = |world: &'_ World, roles: &Roles| {
        world.services.get(&roles.canary).map_or(String::new(), |s| s.hash().to_owned())
    };
    let carried = shown(world, ObservedTraffic::canary);
    let asks = world.routers.iter().any(|view| !view.abilities.subsets);
    let moved = pairs.in_use().filter(|_| asks).find_map(|(roles, _)| {
        let service = selected(after, roles);
        let moved = service != selected(world, roles) && service != status.stable_rs;
        short(&service, carried, &roles.canary).filter(|_| moved)
    });
    if moved.is_some() {
        return moved;
    }
    intents(plan).find_map(|(router, intent)| {
        let view = world.routers.iter().find(|view| view.name == router)?;
        let observed = view.observed.as_ref().ok()?;
        let (weight, before) = (intent.canary.weight, observed.canary(intent.total));
        let service = selected(after, pairs.of_router(view.abilities.turns));
        let version = if view.abilities.subsets { &intent.canary.hash } else { &service };
        let other = observed.subsets.as_ref().is_some_and(|(canary, _)| canary != version);
        let rises = weight > before.max(recorded(status));
        let counts = (rises || other) && !version.is_empty() && *version != status.stable_rs;
        short(version, weight, router).filter(|_| counts)
    })
}

/// A version gives up no pods that it needs for what routers show; nor any of those that are wanted while routers, or
/// the Services that they ask, may still do what they were told before (argoproj/argo-rollouts#4867).
pub(super) fn served_pods_stay(world: &World, plan: &Plan, now: Time) -> Option<String> {
    let canary = canary(world)?;
    let status = world.rollout.status.as_ref()?;
    let settles = settles(world, now);
    plan.writes.iter().find_map(|planned| {
        let Write::ScaleReplicaSet { target, from, to, .. } = &planned.write else { return None };
        let set = world.replica_sets.iter().find(|set| set.name == target.name)?;
        let apart = canary.steps.iter().flatten().any(|step| step.set_canary_scale.is_some());
        if to >= from || (apart && set.hash() == status.current_pod_hash) {
            return None;
        }
        let wanted = i64::from(defaults::replicas(&world.rollout));
        let needed = if settles { wanted } else { pods(world, share(world, set)) };
        (i64::from(*to) < needed.min(i64::from(*from))).then(|| {
            format!("{} goes from {from} to {to} pods, routers may need {needed} of them", target.name)
        })
    })
}

/// The share that routers show for a version: as the canary, as the stable one, or as both.
fn share(world: &World, set: &ReplicaSet) -> i32 {
    let pairs = Pairs::of(&world.rollout);
    let selects = |name: &str| world.services.get(name).is_some_and(|service| service.hash() == set.hash());
    let whole = total(world);
    let of = |view: &RouterView| {
        let Ok(observed) = &view.observed else { return whole };
        let (canary, stable) = match &observed.subsets {
            Some((canary, stable)) => (canary == set.hash(), stable == set.hash()),
            None => {
                let roles = pairs.of_router(view.abilities.turns);
                (selects(&roles.canary), selects(&roles.stable))
            }
        };
        let part = |is_it: bool, part: i32| if is_it { part } else { 0 };
        let both = part(canary, observed.canary(whole)).saturating_add(part(stable, observed.stable(whole)));
        both.min(whole)
    };
    world.routers.iter().map(of).max().unwrap_or(0)
}

/// Whether routers, or the Services that they ask, have changed less than the settle time ago.
fn settles(world: &World, now: Time) -> bool {
    let seconds = world.settle_seconds();
    let pairs = Pairs::of(&world.rollout);
    let names = pairs.in_use().flat_map(|(roles, _)| [&roles.canary, &roles.stable]);
    let services = names.filter_map(|name| world.services.get(name));
    let changes = services.map(|one| one.changed).chain(world.routers.iter().map(|view| view.changed));
    changes.flatten().any(|at| at.min(now).plus_seconds(seconds) > now)
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
