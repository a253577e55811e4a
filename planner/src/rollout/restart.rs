//! Replacing pods that are older than `spec.restartAt`. `[restart]`

use super::pass::Pass;
use crate::defect;
use crate::{Eviction, Pod, ReplicaSet, Target, Write};
use crds::rollout::RolloutStatus;
use crds::{Rollout, Time, defaults};

/// Seconds until pods that could not be evicted are tried again.
const RETRY_SECONDS: i64 = 30;

/// What a pass did about a restart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Restarted {
    /// At least one pod is to be evicted.
    pub(super) evicted: bool,
    /// All pods are younger now: the restart that is done.
    pub(super) done_at: Option<Time>,
}

/// Whether a restart is asked for that is not done yet.
pub(super) fn is_pending(rollout: &Rollout, status: &RolloutStatus) -> bool {
    rollout.spec.restart_at.is_some_and(|at| status.restarted_at != Some(at))
}

/// Evicts as many old pods as may be missing, and waits while a ReplicaSet has still to give up pods of its own: which
/// ones is not known yet. DIFFERS: Argo Rollouts evicts beside it.
///
/// Example: 5 replicas, 1 may be unavailable, 5 available: one pod goes, the next when its successor is available.
///
/// DIFFERS: an active version of a blue-green Rollout that is smaller than wanted gives no pod up, whatever there is
/// beside it. Argo Rollouts counts the pods of all versions together.
pub(super) fn run(pass: &mut Pass<'_>) -> Restarted {
    let Some(at) = pass.world.rollout.spec.restart_at else { return Restarted::default() };
    if !is_pending(&pass.world.rollout, &pass.old) {
        return Restarted::default();
    }
    if pass.now < at && !defect!(RestartBeforeTime) {
        pass.plan.wake_at(at, "the restart");
        return Restarted::default();
    }
    let pods = ours(pass);
    let old: Vec<&Pod> = pods
        .iter()
        .copied()
        .filter(|pod| (pod.created < at || defect!(YoungEvicted)) && !pod.deleting)
        .collect();
    if (old.is_empty() || defect!(RestartDoneEarly))
        && !defect!(RestartNeverDone)
        && !pods.iter().any(|pod| pod.created < at && !defect!(RestartDoneEarly))
    {
        return Restarted { evicted: false, done_at: Some(at) };
    }
    pass.plan.wake_at(pass.now.plus_seconds(RETRY_SECONDS), "pods that wait for their restart");
    let shrinking = pass.all.iter().any(|set| is_shrinking(set)) && !defect!(EvictsBesideScaling);
    let evicted = !shrinking && evict(pass, &old, at);
    Restarted { evicted, done_at: None }
}

/// Pods of our ReplicaSets: somebody else's may match the selector, too.
fn ours<'w>(pass: &Pass<'w>) -> Vec<&'w Pod> {
    let is_ours =
        |pod: &&Pod| defect!(EvictsForeign) || pass.all.iter().any(|set| set.uid == pod.replica_set_uid);
    pass.world.pods.iter().filter(is_ours).collect()
}

/// It has pods that are to go, or may have.
fn is_shrinking(set: &ReplicaSet) -> bool {
    !set.counts.generation_observed || set.counts.replicas > set.replicas
}

/// True when a pod is evicted.
fn evict(pass: &mut Pass<'_>, old: &[&Pod], at: Time) -> bool {
    // Pods above a size that was seen may be going, or come from a size that was not.
    let available = super::status::sum(&pass.all, |set| pass.world.available(set).min(set.replicas));
    let unavailable = defaults::max_unavailable(&pass.world.rollout).max(1);
    let total = super::status::sum(&pass.all, |set| set.replicas).max(pass.replicas);
    let mut budget = available.saturating_sub(total.saturating_sub(unavailable));
    let mut serving = serving_budget(pass, unavailable);
    let mut evicted = false;
    for pod in old.iter().filter(|pod| pod.eviction != Some(Eviction::Blocked)) {
        if budget <= 0 && !defect!(EvictsAll) {
            break;
        }
        let serves = serving.as_mut().filter(|(uid, _)| *uid == pod.replica_set_uid);
        if let Some((_, left)) = serves {
            if *left <= 0 && !defect!(EvictsAll) {
                continue;
            }
            *left -= 1;
        }
        let target = Target { name: pod.name.clone(), uid: pod.uid.clone(), resource_version: String::new() };
        pass.write(Write::EvictPod { target }, format!("pod {} is older than restartAt {at}", pod.name));
        evicted = true;
        budget -= 1;
    }
    evicted
}

/// The ReplicaSet that the active Service selects, by its uid, and how many pods it can spare: those of a version beside
/// it serve nobody. `None` where all pods count alike.
fn serving_budget<'w>(pass: &Pass<'w>, unavailable: i32) -> Option<(&'w str, i32)> {
    let name = pass.blue_green()?.active_service.as_str();
    let hash = pass.world.services.get(name)?.hash();
    let set = pass.all.iter().copied().find(|set| !hash.is_empty() && set.hash() == hash)?;
    let available = pass.world.available(set).min(set.replicas);
    Some((set.uid.as_str(), available.saturating_sub(pass.replicas.saturating_sub(unavailable))))
}
