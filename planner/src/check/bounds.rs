//! Rules about how many: pods above the wished ones, versions that wait or are kept. And that notices tell of their own
//! writes.

use crate::{Anchor, OF_ROUTER, Owner, Plan, ReplicaSet, World, Write};
use crds::{Time, defaults};

fn ours(world: &World) -> impl Iterator<Item = &ReplicaSet> {
    world.replica_sets.iter().filter(|set| set.owner != Owner::Other && !set.deleting)
}

/// A canary that goes on beside its stable version asks for no more pods than `replicas + maxSurge`, or than it has.
/// (What comes back to the stable version is made whole at once.)
pub(super) fn surge(world: &World, after: &World) -> Option<String> {
    // Behind routers each version has the pods of its share: there is no common bound.
    world
        .rollout
        .spec
        .strategy
        .as_ref()?
        .canary
        .as_ref()
        .filter(|canary| canary.traffic_routing.is_none())?;
    let status = world.rollout.status.as_ref()?;
    let has = |hash: &str| ours(world).any(|set| !hash.is_empty() && set.hash() == hash);
    if status.stable_rs == status.current_pod_hash
        || !has(&status.stable_rs)
        || !has(&status.current_pod_hash)
    {
        return None;
    }
    let total = |state: &World| ours(state).map(|set| i64::from(set.replicas)).sum::<i64>();
    let most = i64::from(defaults::replicas(&world.rollout)) + i64::from(defaults::max_surge(&world.rollout));
    let (before, then) = (total(world), total(after));
    (then > most.max(before)).then(|| format!("{then} pods are asked for, {most} may be"))
}

/// Of the versions that are neither current nor stable, as many stay as people want, and the oldest go first.
pub(super) fn oldest_go_first(world: &World, plan: &Plan) -> Option<String> {
    let gone: Vec<&str> = plan
        .writes
        .iter()
        .filter_map(|planned| match &planned.write {
            Write::DeleteReplicaSet { target } => Some(target.name.as_str()),
            _ => None,
        })
        .collect();
    if gone.is_empty() {
        return None;
    }
    let status = plan.status.as_ref()?;
    let before = world.rollout.status.as_ref()?;
    let live = [&before.current_pod_hash, &before.stable_rs, &status.current_pod_hash, &status.stable_rs];
    let is_old = |set: &&ReplicaSet| !live.iter().any(|hash| *hash == set.hash());
    let old: Vec<&ReplicaSet> = ours(world).filter(is_old).collect();
    let limit = usize::try_from(defaults::revision_history_limit(&world.rollout)).unwrap_or(0);
    let many = old.len().saturating_sub(limit);
    if gone.len() > many {
        return Some(format!("{} old versions are deleted, but only {many} are too many", gone.len()));
    }
    let is_selected = |set: &ReplicaSet| world.services.values().any(|service| service.hash() == set.hash());
    let is_idle = |set: &&&ReplicaSet| {
        set.replicas == 0 && set.counts.replicas == 0 && set.counts.generation_observed && !is_selected(set)
    };
    let kept = |set: &&&ReplicaSet| !gone.contains(&set.name.as_str());
    let oldest_kept = old.iter().filter(is_idle).filter(kept).min_by_key(|set| set.created)?;
    let deleted = old.iter().filter(|set| gone.contains(&set.name.as_str()));
    let younger = deleted.into_iter().find(|set| set.created > oldest_kept.created)?;
    Some(format!("{} is deleted before the older {}", younger.name, oldest_kept.name))
}

/// A quiet plan leaves no more old versions waiting than `scaleDownDelayRevisionLimit`.
pub(super) fn delays_have_a_limit(world: &World, plan: &Plan, now: Time) -> Option<String> {
    let strategy = world.rollout.spec.strategy.as_ref()?.blue_green.as_ref()?;
    let limit = usize::try_from(strategy.scale_down_delay_revision_limit?).unwrap_or(0);
    let status = plan.status.as_ref()?;
    let quiet = plan.writes.is_empty() && world.rollout.status.as_ref() == Some(status);
    let invalid = status.conditions.iter().flatten().any(|condition| condition.kind == "InvalidSpec");
    let halted = world.rollout.spec.paused == Some(true)
        || status.pause_conditions.iter().flatten().any(|pause| pause.reason == "InconclusiveAnalysisRun");
    // Nothing goes while a load balancer may still send requests to it.
    let asked = plan.asks.contains(&strategy.active_service);
    if !quiet || halted || invalid || asked {
        return None;
    }
    let active = world.services.get(&strategy.active_service).map_or("", |service| service.hash());
    let live = [status.current_pod_hash.as_str(), &status.stable_rs, active];
    let waits = |set: &&ReplicaSet| {
        set.replicas > 0
            && !live.contains(&set.hash())
            && set.scale_down_deadline().is_some_and(|end| end > now)
    };
    let waiting = ours(world).filter(waits).count();
    (waiting > limit).then(|| format!("{waiting} old versions wait, {limit} may"))
}

/// A notice is sent once its anchor has succeeded: that is the write that it tells of.
pub(super) fn notices_fit(plan: &Plan) -> Option<String> {
    plan.notices.iter().find_map(|notice| {
        let Anchor::Write(index) = notice.anchor else { return None };
        let write = plan.writes.get(index).map(|planned| &planned.write);
        let fits = match (notice.reason, write) {
            ("ScalingReplicaSet", Some(Write::ScaleReplicaSet { target, to, .. })) => {
                notice.message.contains(&target.name) && notice.message.ends_with(&format!("to {to}"))
            }
            ("ScalingReplicaSet", Some(Write::CreateReplicaSet { name, replicas, .. })) => {
                notice.message.contains(name) && notice.message.ends_with(&format!("from 0 to {replicas}"))
            }
            ("SwitchService", Some(Write::SelectService { target, hash, .. })) => {
                notice.message.contains(&target.name)
                    && hash.as_ref().is_some_and(|hash| notice.message.contains(hash))
            }
            (OF_ROUTER, write) => matches!(write, Some(Write::RouteTraffic { .. })),
            (_, None) | ("ScalingReplicaSet" | "SwitchService", _) => false,
            ("RolloutUpdated", Some(write)) => {
                matches!(write, Write::AnnotateRollout { .. } | Write::CreateReplicaSet { .. })
            }
            (_, Some(_)) => true,
        };
        (!fits).then(|| format!("{} waits for {write:?}: {}", notice.reason, notice.message))
    })
}
