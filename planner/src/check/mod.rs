//! The lint of plans: a small closed list of rules that every plan keeps. Tests run it after every plan; the rules
//! are explained in `docs/invariants.md`.

mod bounds;
mod gates;
mod routes;
mod targets;
#[cfg(test)]
mod tests;

use crate::rollout::fold;
use crate::traffic::{ObservedTraffic, Pairs};
use crate::{Owner, Plan, ReplicaSet, World, Write};
use crds::{Time, defaults, meta};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A rule that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Name of the rule: that of its function.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
}

/// All rules that `plan`, made for `world` at `now`, breaks; empty for a good plan.
#[must_use]
pub fn check(world: &World, plan: &Plan, now: Time) -> Vec<Fault> {
    let mut after = Cow::Borrowed(world);
    plan.writes.iter().for_each(|planned| fold::apply(after.to_mut(), &planned.write));
    let found = [
        ("only_own_objects", only_own_objects(world, plan)),
        ("one_create_per_hash", one_create_per_hash(world, plan)),
        ("availability", availability(world, plan, &after)),
        ("services_have_pods", services_have_pods(world, plan, &after)),
        ("workload_goes_last", workload_goes_last(world, plan, &after)),
        ("no_skipped_gate", gates::no_skipped_gate(world, plan, now)),
        ("no_ignored_abort", gates::no_ignored_abort(world, plan)),
        ("wake_is_present", gates::wake_is_present(world, plan, now)),
        ("weights_add_up", routes::weights_add_up(world, plan)),
        ("weights_keep_to_the_step", routes::weights_keep_to_the_step(world, plan)),
        ("weights_are_carried", routes::weights_are_carried(world, plan, &after)),
        ("served_pods_stay", routes::served_pods_stay(world, plan, now)),
        ("listed_pods_stay", targets::listed_pods_stay(world, plan)),
        ("promotion_waits_for_targets", targets::promotion_waits_for_targets(world, plan, &after)),
        ("weight_waits_for_targets", targets::weight_waits_for_targets(world, plan)),
        ("surge", bounds::surge(world, &after)),
        ("oldest_go_first", bounds::oldest_go_first(world, plan)),
        ("delays_have_a_limit", bounds::delays_have_a_limit(world, plan, now)),
        ("notices_fit", bounds::notices_fit(plan)),
    ];
    found.into_iter().filter_map(|(rule, what)| Some(Fault { rule, what: what? })).collect()
}

/// Writes go to objects that we control or have just made, and to Services that the Rollout names.
fn only_own_objects(world: &World, plan: &Plan) -> Option<String> {
    let mut own: BTreeSet<&str> = world
        .replica_sets
        .iter()
        .filter(|set| set.owner == Owner::Ours)
        .map(|set| set.name.as_str())
        .collect();
    own.extend(world.analysis_runs.iter().map(|run| run.name.as_str()));
    for planned in &plan.writes {
        let target = match &planned.write {
            Write::CreateReplicaSet { name, .. } | Write::CreateAnalysisRun { name, .. } => {
                own.insert(name);
                continue;
            }
            Write::AdoptReplicaSet { target } => {
                let free = |set: &&ReplicaSet| set.name == target.name && set.owner == Owner::Nobody;
                if !world.replica_sets.iter().any(|set| free(&set)) {
                    return Some(format!("{} is adopted but not free", target.name));
                }
                own.insert(&target.name);
                continue;
            }
            Write::SelectService { .. }
            | Write::ScaleWorkload { .. }
            | Write::RouteTraffic { .. }
            | Write::GiveBackRoutes { .. } => {
                if let Some(what) = not_named(world, &planned.write) {
                    return Some(what);
                }
                continue;
            }
            Write::EvictPod { target } => {
                let of_ours = |uid: &str| {
                    world.replica_sets.iter().any(|set| set.uid == uid && set.owner != Owner::Other)
                };
                let is_it = |pod: &&crate::Pod| pod.name == target.name && pod.uid == target.uid;
                if !world.pods.iter().any(|pod| is_it(&pod) && of_ours(&pod.replica_set_uid)) {
                    return Some(format!("pod {} is not ours", target.name));
                }
                continue;
            }
            Write::LabelPod { target, .. } => {
                if !world.pod_metadata.iter().any(|pod| pod.name == target.name && pod.uid == target.uid) {
                    return Some(format!("pod {} is not ours", target.name));
                }
                continue;
            }
            Write::AnnotateRollout { .. } | Write::SetRolloutReplicas { .. } => continue,
            Write::ReleaseReplicaSet { target }
            | Write::ScaleReplicaSet { target, .. }
            | Write::AnnotateReplicaSet { target, .. }
            | Write::EditTemplate { target, .. }
            | Write::DeleteReplicaSet { target }
            | Write::TerminateAnalysisRun { target }
            | Write::DeleteAnalysisRun { target } => target,
        };
        if !own.contains(target.name.as_str()) {
            return Some(format!("{} is not ours", target.name));
        }
    }
    None
}

/// What a write goes to is a Service, a workload or a router that the Rollout names.
fn not_named(world: &World, write: &Write) -> Option<String> {
    match write {
        Write::SelectService { target, .. } if !named_services(world).contains(&target.name.as_str()) => {
            Some(format!("the Rollout does not name Service {}", target.name))
        }
        Write::ScaleWorkload { target, .. } => {
            let named = world.workload.as_ref().is_some_and(|workload| workload.name == target.name);
            (!named).then(|| format!("the Rollout does not refer to {}", target.name))
        }
        Write::RouteTraffic { router, .. } | Write::GiveBackRoutes { router } => {
            let used = world.routers.iter().any(|view| view.name == *router);
            (!used).then(|| format!("the Rollout does not use router {router}"))
        }
        _ => None,
    }
}

fn named_services(world: &World) -> Vec<&str> {
    let Some(strategy) = &world.rollout.spec.strategy else { return Vec::new() };
    let canary = strategy.canary.as_ref();
    let blue_green = strategy.blue_green.as_ref();
    [
        canary.and_then(|canary| canary.canary_service.as_deref()),
        canary.and_then(|canary| canary.stable_service.as_deref()),
        blue_green.map(|blue_green| blue_green.active_service.as_str()),
        blue_green.and_then(|blue_green| blue_green.preview_service.as_deref()),
        canary.and_then(|canary| canary.ping_pong.as_ref()).map(|pair| pair.ping_service.as_str()),
        canary.and_then(|canary| canary.ping_pong.as_ref()).map(|pair| pair.pong_service.as_str()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A hash gets one ReplicaSet: not a second one beside ours, nor two in one plan.
fn one_create_per_hash(world: &World, plan: &Plan) -> Option<String> {
    let ours = world.replica_sets.iter().filter(|set| set.owner == Owner::Ours && !set.deleting);
    let mut seen: BTreeSet<&str> = ours.map(ReplicaSet::hash).collect();
    plan.writes.iter().find_map(|planned| match &planned.write {
        Write::CreateReplicaSet { labels, name, .. } => {
            let hash = labels.get(meta::POD_TEMPLATE_HASH_LABEL)?;
            (!seen.insert(hash)).then(|| format!("{name} is a second ReplicaSet of {hash}"))
        }
        _ => None,
    })
}

/// What a plan evicts and scales down leaves the pods that must be available, as far as there are that many: for a canary
/// all versions together, for blue-green those of the version that the active Service selects. A restart may always take
/// one pod, but scaling counts on none that it takes (argoproj/argo-rollouts#4221).
fn availability(world: &World, plan: &Plan, after: &World) -> Option<String> {
    let rollout = &world.rollout;
    let active = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.blue_green.as_ref());
    let active = active.map(|strategy| after.services.get(&strategy.active_service).map_or("", |s| s.hash()));
    let serves = |set: &&ReplicaSet| {
        set.owner == Owner::Ours && !set.deleting && active.is_none_or(|hash| set.hash() == hash)
    };
    // Evictions are decided on the pods, which are read afresh; sizes on what the ReplicaSets say, too.
    let pods = |state: &World| {
        let sets: BTreeSet<&str> =
            state.replica_sets.iter().filter(serves).map(|set| set.uid.as_str()).collect();
        let stays = |pod: &&crate::Pod| pod.available && !pod.deleting;
        let pods = state.pods.iter().filter(stays);
        i64::try_from(pods.filter(|pod| sets.contains(pod.replica_set_uid.as_str())).count()).unwrap_or(0)
    };
    let available = |state: &World| {
        let sets = state.replica_sets.iter().filter(serves);
        sets.map(|set| i64::from(state.available(set).min(set.replicas).max(0))).sum::<i64>()
    };
    let mut evicted = Cow::Borrowed(world);
    let evictions = plan.writes.iter().filter(|planned| matches!(planned.write, Write::EvictPod { .. }));
    evictions.for_each(|planned| fold::apply(evicted.to_mut(), &planned.write));
    let shortage = |before: i64, left: i64, missing: i32| {
        let bound = i64::from(defaults::replicas(rollout)) - i64::from(missing);
        (left < bound.min(before))
            .then(|| format!("{left} pods stay available, {bound} are needed of {before}"))
    };
    let unavailable = defaults::max_unavailable(rollout);
    let missing = if active.is_some() { 0 } else { unavailable };
    shortage(pods(world), pods(&evicted), unavailable.max(1))
        .or_else(|| shortage(available(&evicted), available(after), missing))
}

/// What a plan takes from the Deployment that the Rollout refers to is there as available pods of the Rollout: together
/// they are as many as are wanted, or as the Deployment was to have.
fn workload_goes_last(world: &World, plan: &Plan, after: &World) -> Option<String> {
    let own = after.replica_sets.iter().filter(|set| set.owner == Owner::Ours && !set.deleting);
    let available: i32 = own.map(|set| after.available(set).min(set.replicas).max(0)).sum();
    let wanted = defaults::replicas(&world.rollout);
    plan.writes.iter().find_map(|planned| match &planned.write {
        Write::ScaleWorkload { from, to, .. } if to < from => {
            let left = to.saturating_add(available);
            (left < wanted.min(*from)).then(|| {
                format!("Deployment goes from {from} to {to} while the Rollout has {available} pods")
            })
        }
        _ => None,
    })
}

/// No Service moves from a version with available pods to one without, but for the preview, for one that waits for its turn
/// and is sent nothing, and where no pods are wanted.
/// And no version that a Service of production selects loses its last available pod (argoproj/argo-rollouts#1760),
/// unless all pods may be missing.
fn services_have_pods(world: &World, plan: &Plan, after: &World) -> Option<String> {
    let strategy = world.rollout.spec.strategy.as_ref()?;
    if defaults::replicas(&world.rollout) == 0 {
        return None;
    }
    let preview = strategy.blue_green.as_ref().and_then(|strategy| strategy.preview_service.as_deref());
    let unsent = routes::shown(world, ObservedTraffic::canary) == 0;
    let turning = Pairs::of(&world.rollout).turning.filter(|_| unsent).map(|roles| roles.canary);
    let spared = [preview, turning.as_deref()];
    let available = |world: &World, hash: &str| {
        let sets = world.replica_sets.iter().filter(|set| !hash.is_empty() && set.hash() == hash);
        sets.map(|set| set.counts.available.min(set.replicas)).max().unwrap_or(0)
    };
    let moved = plan.writes.iter().find_map(|planned| {
        let Write::SelectService { target, hash: Some(to), .. } = &planned.write else { return None };
        let from = world.services.get(&target.name)?.hash();
        let empty = !spared.contains(&Some(target.name.as_str()))
            && available(world, to) <= 0
            && available(world, from) > 0;
        empty
            .then(|| format!("Service {} goes from {from} to {to}, which has no available pods", target.name))
    });
    let stable = strategy.canary.as_ref().and_then(|canary| canary.stable_service.as_deref());
    let active = strategy.blue_green.as_ref().map(|blue_green| blue_green.active_service.as_str());
    let (wanted, unavailable) =
        (defaults::replicas(&world.rollout), defaults::max_unavailable(&world.rollout));
    moved.or_else(|| {
        let name = stable.filter(|_| unavailable < wanted).or(active)?;
        let hash = after.services.get(name)?.hash();
        // Routers that send nothing there do not ask it.
        let idle = !world.routers.is_empty() && routes::shown(world, ObservedTraffic::stable) == 0;
        if idle {
            return None;
        }
        let emptied = available(world, hash) > 0 && available(after, hash) <= 0;
        emptied.then(|| format!("Service {name} selects {hash}, which is scaled down to no available pods"))
    })
}
