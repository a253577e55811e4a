//! One version takes over from another behind routers: what must not change in the same moment. `[traffic.handover]`

use super::pass::Pass;
use super::routed::weight_to_pods_down;
use super::verified::ASK_AGAIN;
use super::{routed, services, steps, targets};
use crate::traffic::{self, ObservedTraffic, Pairs, Roles};
use crate::{ReplicaSet, defect};
use crds::Time;

/// After a promotion the canary's Service and the stable one are to select the same version. First routers send all to
/// the one, then the other moves, then weight comes back to it, with the settle time between: a load balancer must know
/// the pods of a Service before it sends anything there (argoproj/argo-rollouts#2864). One whose target groups are asked
/// says so itself: it is waited for however long that takes. Other routers are not waited for
/// where the version that a Service leaves can still carry what they send there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Handover {
    /// The stable Service still selects the version before.
    Before,
    /// It has moved a moment ago.
    After,
}

/// How far it is; `None` where it is over, where routers take no time, and while the version lacks pods: then whatever
/// still leads to the one before is a help.
fn handover(pass: &Pass<'_>) -> Option<Handover> {
    let version = pass.stable.filter(|set| pass.world.available(set) >= pass.replicas)?.hash();
    let Roles { canary, stable } = traffic::roles(&pass.world.rollout);
    let stable_service = stable;
    let (canary, stable) = (hash(pass, &canary), hash(pass, &stable_service));
    let listed = are_listed(pass);
    let word = targets::word(pass, &stable_service);
    let both = pass.is_fully_promoted() && !routed::takes_turns(pass) && canary == version;
    let timeless = pass.world.settle_seconds() == 0 && word.is_none();
    if !both || stable.is_empty() || timeless || defect!(SelectorMovesWithTheWeight) {
        return None;
    }
    if stable != version {
        return listed.then_some(Handover::Before);
    }
    let waits = listed || !carried_before(pass, routed::total(pass));
    let settles = routed::settles_at(pass).is_some() || word == Some(false);
    (settles && waits).then_some(Handover::After)
}

/// Whether routers keep lists of the pods of the Services that are handed over.
fn are_listed(pass: &Pass<'_>) -> bool {
    pass.world.listed_pairs().contains(&traffic::roles(&pass.world.rollout))
}

/// Whether each version that a Service may have selected a moment ago can still carry this weight: a router that has
/// heard of the weight and not of the Service sends it there.
fn carried_before(pass: &Pass<'_>, weight: i32) -> bool {
    let needed = weight_to_pods_down(pass.replicas, weight, routed::total(pass)).max(1);
    let before = pass.all.iter().copied().filter(|set| !pass.is_new(set));
    let mut before = before.map(|set| pass.world.available(set)).filter(|pods| *pods > 0);
    let first = before.next();
    first.is_some_and(|pods| pods >= needed) && before.all(|pods| pods >= needed)
}

fn hash<'w>(pass: &Pass<'w>, service: &str) -> &'w str {
    pass.world.services.get(service).map_or("", |service| service.hash())
}

/// The weight that the canary's Service has for the moment: the same version is behind both.
pub(super) fn held_weight(pass: &Pass<'_>) -> Option<i32> {
    match handover(pass)? {
        Handover::Before => Some(routed::total(pass)),
        // What somebody else has written at rest is none of ours.
        Handover::After => {
            Some(routed::shown(pass, ObservedTraffic::canary)).filter(|shown| *shown > 0 && is_ours(pass))
        }
    }
}

/// Whether we have asked for a weight of the canary, as the status says.
fn is_ours(pass: &Pass<'_>) -> bool {
    routed::recorded(pass).is_some_and(|weights| weights.canary.weight > 0)
}

/// Whether the stable Service stays: until routers were asked to send it nothing, and have settled. One that is sent
/// requests again, by whomever, moves.
pub(super) fn stable_service_stays(pass: &Pass<'_>) -> bool {
    let asked = routed::recorded(pass).is_some_and(|weights| weights.canary.weight == routed::total(pass));
    let idle = routed::shown(pass, ObservedTraffic::stable) == 0;
    handover(pass) == Some(Handover::Before) && (!asked || (idle && routed::settles_at(pass).is_some()))
}

/// The version that gets the stable Service's requests, where that has not come to the promoted one yet.
pub(super) fn behind_stable_service<'w>(pass: &Pass<'w>) -> Option<&'w ReplicaSet> {
    let selected = hash(pass, &traffic::roles(&pass.world.rollout).stable);
    pass.others().into_iter().find(|set| pass.is_fully_promoted() && set.hash() == selected)
}

/// Whether the canary's weight is to be more than routers show.
fn rises(pass: &Pass<'_>, wanted: i32) -> bool {
    wanted > routed::shown(pass, ObservedTraffic::canary)
}

/// Asks target groups whose word these weights wait for.
pub(super) fn ask(pass: &mut Pass<'_>, wanted: i32) {
    for Roles { canary, stable } in pass.world.listed_pairs() {
        if rises(pass, wanted) {
            targets::rely_on(pass, &canary);
        }
        if handover(pass) == Some(Handover::After) && held_weight(pass).is_some() {
            targets::rely_on(pass, &stable);
        }
    }
}

/// Until when the canary's weight does not rise to `wanted`: its Service has moved a moment ago, and routers may not know
/// the pods yet that it selects now. Where their target groups are asked, they say when they do.
pub(super) fn held_rise(pass: &Pass<'_>, wanted: i32) -> Option<Time> {
    if !rises(pass, wanted) {
        return None;
    }
    let listed = pass.world.listed_pairs();
    let held = |roles: &Roles| {
        let is_listed = listed.contains(roles);
        if let Some(word) = targets::word(pass, &roles.canary).filter(|_| is_listed) {
            return (!word).then(|| pass.now.plus_seconds(ASK_AGAIN));
        }
        let moved = services::moved_at(pass, &roles.canary)?;
        let waits = is_listed || !carried_before(pass, wanted);
        (waits && !defect!(WeightBeforeTargets)).then(|| routed::settled(pass, std::iter::once(moved)))?
    };
    Pairs::of(&pass.world.rollout).in_use().filter_map(|(roles, _)| held(roles)).max()
}

/// Whether the canary's Service and its weight wait until the new version has given up pods: a retried one, or one that
/// an update goes back to, may still have those of a later step, and a pod that leaves is not to be sent requests.
pub(super) fn awaits_fewer_pods(pass: &Pass<'_>) -> bool {
    let Some(new) = pass.new.filter(|new| !pass.is_stable(new)) else { return false };
    let (wanted, _) = steps::routed_size(pass);
    let goes_on = !pass.is_halted() && !pass.is_aborted();
    goes_on && routed::shows_no_canary(pass) && new.replicas.max(new.counts.replicas) > wanted
}

/// Whether what routers know as the canary is another version than the new one, and still serves.
pub(super) fn is_overtaken(pass: &Pass<'_>) -> bool {
    let canary = traffic::roles(&pass.world.rollout).canary;
    let subsets =
        pass.world.routers.iter().filter_map(|router| router.observed.as_ref().ok()?.subsets.as_ref());
    let known: Vec<&str> = subsets.map(|(subset, _)| subset.as_str()).chain([hash(pass, &canary)]).collect();
    pass.others().iter().any(|set| known.contains(&set.hash()) && pass.world.available(set) > 0)
}
