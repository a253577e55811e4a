//! The weight of a canary behind routers: what its step gives it, as far as pods carry it. `[traffic.weights]`

use super::pass::Pass;
use super::{handover, routed, status, steps};
use crate::arithmetic::weight_for;
use crate::traffic::{self, ObservedTraffic, RouterView};
use crate::{ReplicaSet, defect};

/// The weight of the new version now.
pub(super) fn canary(pass: &Pass<'_>) -> i32 {
    if is_held(pass) { routed::shown(pass, ObservedTraffic::canary) } else { wanted(pass) }
}

/// Whether the canary's weight does not rise to what it is to have yet.
pub(super) fn is_held(pass: &Pass<'_>) -> bool {
    let wanted = wanted(pass);
    handover::held_rise(pass, wanted).is_some() || (wanted > 0 && handover::awaits_fewer_pods(pass))
}

/// The weight that it is to have. It never goes back faster than a stable version that has shrunk can take it: whatever is
/// behind the canary's Service by now, more is there than with the stable version.
pub(super) fn wanted(pass: &Pass<'_>) -> i32 {
    let weight = of_step(pass);
    if routed::is_dynamic(pass) && !defect!(OvertakenLosesAll) {
        weight.max(abort_weight(pass))
    } else {
        weight
    }
}

/// The weight of the current step once its pods are there, and until then that of the step before.
fn of_step(pass: &Pass<'_>) -> i32 {
    let Some(new) = pass.new else { return 0 };
    let available = pass.world.available(new);
    if let Some(weight) = handover::held_weight(pass) {
        return weight;
    }
    if pass.is_fully_promoted() || pass.old.stable_rs.is_empty() || pass.is_aborted() {
        // Back to a stable version that has shrunk, too.
        return if routed::is_dynamic(pass) { abort_weight(pass) } else { 0 };
    }
    if routed::is_dynamic(pass) && handover::is_overtaken(pass) && !defect!(OvertakenLosesAll) {
        return abort_weight(pass);
    }
    if available == 0 {
        return 0;
    }
    if pass.old.promote_full {
        let recorded = routed::recorded(pass).map_or(0, |weights| weights.canary.weight);
        return if routed::is_dynamic(pass) {
            weight_for(pass.replicas, available, routed::total(pass))
        } else {
            recorded
        };
    }
    let Some(index) = status::step_index(pass).and_then(|index| usize::try_from(index).ok()) else {
        return 0;
    };
    if !steps::has_reached_replicas(pass) && !defect!(RoutesBeforePods) {
        return carried(pass, new, steps::weight_before(pass, index).unwrap_or(0));
    }
    if index >= pass.steps().len() { routed::total(pass) } else { steps::weight(pass) }
}

/// As much of a weight as the pods of the new version carry, or as routers show already: a person may have skipped the
/// step that waits for them. Where steps set the size apart, they have said what carries it.
/// `[traffic.skipped]`
fn carried(pass: &Pass<'_>, new: &ReplicaSet, weight: i32) -> i32 {
    let (_, apart) = steps::routed_size(pass);
    if apart {
        return weight;
    }
    let most = weight_for(pass.replicas, pass.world.available(new), routed::total(pass));
    weight.min(most.max(routed::shown(pass, ObservedTraffic::canary)))
}

/// The weight that goes back step by step, as far as the stable version has pods again: after an abort, and when the
/// version that routers know as the canary is overtaken.
fn abort_weight(pass: &Pass<'_>) -> i32 {
    let total = routed::total(pass);
    let Some(stable) = pass.stable.filter(|_| pass.replicas > 0 && !defect!(AllBackAtOnce)) else { return 0 };
    let carried = weight_for(pass.replicas, pass.world.available(stable), total);
    // A dead version keeps nothing. `[traffic.away-at-once]`
    let behind = |set| weight_for(pass.replicas, pass.world.available(set), total);
    let most = next_behind_canary(pass).map_or(total, behind);
    total.saturating_sub(carried).min(routed::shown(pass, ObservedTraffic::canary)).min(most)
}

/// The version behind the canary's weight, if its pods do not carry that: the stable one cannot be waited for.
pub(super) fn dead_canary<'w>(pass: &Pass<'w>) -> Option<&'w ReplicaSet> {
    let shown = routed::shown(pass, ObservedTraffic::canary);
    let carries = |set: &&ReplicaSet| {
        weight_for(pass.replicas, pass.world.available(set), routed::total(pass)) >= shown
    };
    behind_canary(pass).filter(|set| !carries(set))
}

/// The version that gets it once the weights of this pass are written: a router's own subset moves with them.
fn next_behind_canary<'w>(pass: &Pass<'w>) -> Option<&'w ReplicaSet> {
    let now = behind_canary(pass)?;
    let has_subset = |router: &RouterView| {
        router
            .observed
            .as_ref()
            .is_ok_and(|observed| observed.subsets.as_ref().is_some_and(|(canary, _)| canary == now.hash()))
    };
    let moves = pass.world.routers.iter().any(has_subset);
    let next = pass.new.filter(|new| moves && routed::canary_hash(pass) == new.hash());
    Some(next.unwrap_or(now))
}

/// The version that gets the canary's weight now: a router's own subset, or what the canary's Service selects.
fn behind_canary<'w>(pass: &Pass<'w>) -> Option<&'w ReplicaSet> {
    let subset = |router: &'w RouterView| Some(router.observed.as_ref().ok()?.subsets.as_ref()?.0.as_str());
    let subset = pass.world.routers.iter().filter_map(subset).find(|hash| !hash.is_empty());
    let service = pass.world.services.get(&traffic::roles(&pass.world.rollout).canary);
    let hash = subset.or(service.map(crate::Service::hash))?;
    pass.all.iter().copied().find(|set| set.hash() == hash)
}
