//! A stable version whose ReplicaSet somebody has deleted in the middle of an update, and what serves in its place.
//! `[promotion.deleted]`
//!
//! Its pods are gone, and what routers and the stable Service send there reaches nobody. Gates hold all the same: the new
//! version is not promoted. But one that steps have sent requests to already is made whole, and the stable Service leads
//! to it then.

use super::pass::Pass;
use super::{routed, steps};
use crate::traffic::{ObservedTraffic, Pairs};
use crate::{EventType, ReplicaSet};
use crds::meta;

/// Whether the ReplicaSet of the stable version is deleted, and not only unseen: the newest version is seen with the
/// number that it got when the other one was there, and news of ReplicaSets come in order.
pub(super) fn stable_is_gone(pass: &Pass<'_>) -> bool {
    let stable = pass.old.stable_rs.as_str();
    let annotations = pass.world.rollout.metadata.annotations.as_ref();
    let newest = annotations.and_then(|map| map.get(meta::REVISION_ANNOTATION));
    let is_newest = |new: &ReplicaSet| {
        new.hash() == pass.old.current_pod_hash
            && new.hash() != stable
            && new.annotations.get(meta::REVISION_ANNOTATION) == newest
            && newest.is_some()
    };
    !stable.is_empty()
        && pass.new.is_some_and(is_newest)
        && pass.world.replica_sets.iter().all(|set| set.hash() != stable || set.deleting)
}

/// The version that an update after it finds in the place of the stable one: it has stood in for it.
pub(super) fn predecessor<'w>(pass: &Pass<'w>) -> Option<&'w ReplicaSet> {
    pass.canary().filter(|_| stable_is_gone(pass))?;
    pass.all.iter().copied().find(|set| !pass.is_new(set) && is_served_as_stable(pass, set))
}

/// Whether the stable Service, or the stable subset of a router, leads to a version.
fn is_served_as_stable(pass: &Pass<'_>, set: &ReplicaSet) -> bool {
    let pairs = Pairs::of(&pass.world.rollout);
    let mut services = pairs.in_use().filter_map(|(roles, _)| pass.world.services.get(&roles.stable));
    let routers = pass.world.routers.iter().filter_map(|router| router.observed.as_ref().ok());
    let mut subsets = routers.filter_map(|observed| observed.subsets.as_ref());
    services.any(|service| service.hash() == set.hash()) || subsets.any(|(_, stable)| stable == set.hash())
}

/// The new version is to have all pods, since nothing else has any.
pub(super) fn is_needed_whole(pass: &Pass<'_>) -> bool {
    let stands_in = |new| is_served_as_stable(pass, new) || is_served(pass, new);
    pass.stable.is_none() && stable_is_gone(pass) && pass.new.is_some_and(stands_in)
}

/// Steps, and no abort since, have sent requests to the new version.
fn is_served(pass: &Pass<'_>, new: &ReplicaSet) -> bool {
    let sent = if routed::is_routed(pass) {
        let canary = routed::recorded(pass).map(|weights| &weights.canary);
        canary.is_some_and(|canary| {
            canary.weight > 0 && canary.pod_template_hash.as_deref() == Some(new.hash())
        })
    } else {
        steps::weight(pass) > 0 && pass.world.available(new) > 0
    };
    pass.canary().is_some() && !pass.is_aborted() && sent
}

/// The version that what is sent to the stable one is to reach: itself; while it is deleted, the new one that stands in
/// for it; when it is deployed again, the one that has stood in, until the few pods that it has so far can carry as much.
pub(super) fn carrier<'w>(pass: &Pass<'w>) -> Option<&'w ReplicaSet> {
    let Some(stable) = pass.stable else { return get(pass) };
    let is_sent_all = pass.canary().is_some()
        && pass.is_new(stable)
        && pass.world.available(stable) < pass.replicas
        && (!routed::is_routed(pass) || routed::shown(pass, ObservedTraffic::stable) > 0);
    let carries_more = |set: &&ReplicaSet| {
        pass.world.available(set) > pass.world.available(stable) && is_served_as_stable(pass, set)
    };
    let mut others = pass.others().into_iter().filter(|_| is_sent_all);
    others.find(carries_more).or(Some(stable))
}

/// Says why another version still serves in the place of the stable one.
pub(super) fn explain(pass: &mut Pass<'_>) {
    let (Some(stable), Some(carrier)) = (pass.stable, carrier(pass)) else { return };
    if carrier.hash() != stable.hash() {
        let why = format!("{} serves until {} has as many available pods", carrier.name, stable.name);
        pass.plan.trail.push(why);
    }
}

/// The new version, where it stands in for the stable one.
fn get<'w>(pass: &Pass<'w>) -> Option<&'w ReplicaSet> {
    let is_whole = |new: &&ReplicaSet| {
        new.availability_is_known() && pass.replicas > 0 && pass.world.available(new) >= pass.replicas
    };
    pass.new.filter(is_whole).filter(|_| is_needed_whole(pass))
}

/// Tells that nothing, or another version, serves in the place of the stable one, when availability ends with it.
pub(super) fn tell(pass: &mut Pass<'_>) {
    let stable = &pass.old.stable_rs;
    let active = pass.old.blue_green.as_ref().map(|blue_green| &blue_green.active_selector);
    let is_left = pass.blue_green().is_some() && active != Some(stable);
    if pass.stable.is_some() || is_left || !stable_is_gone(pass) {
        return;
    }
    let new = pass.new.map_or("", |new| new.hash());
    let message = if is_needed_whole(pass) && !pass.is_halted() {
        format!(
            "The ReplicaSet of the stable version {stable} was deleted: version {new} gets all its pods and, \
             once they are available, its requests. It is not promoted"
        )
    } else {
        format!(
            "The ReplicaSet of the stable version {stable} was deleted, and what is sent there reaches nobody: \
             promote version {new}, or deploy {stable} again"
        )
    };
    pass.tell_of(EventType::Warning, "StableReplicaSetDeleted", message);
}
