//! Numbers of pods in a canary behind routers. `[canary.routed-replicas]`

use super::pass::Pass;
use super::scale_down::{self, Delay, DelayLine};
use super::{routed, services, steps, targets, weights};
use crate::arithmetic::{at_least, pods_for};
use crate::traffic::{ObservedTraffic, Pairs};
use crate::{ReplicaSet, defect};
use crds::defaults;

/// Scales stable, then new, then the others. True when a size has changed.
pub(super) fn scale(pass: &mut Pass<'_>, new: &ReplicaSet) -> bool {
    if let Some(stable) = pass.stable.filter(|stable| !pass.is_new(stable)) {
        scale_down::clear_deadline(pass, stable);
        let to = stable_size(pass, stable);
        if pass.scale(stable, to, "the stable version has the pods that its share needs") {
            return true;
        }
    }
    scale_new(pass, new) || scale_others(pass)
}

/// All pods, or as many as its share needs: what it is asked for, and what routers show.
fn stable_size(pass: &mut Pass<'_>, stable: &ReplicaSet) -> i32 {
    if !routed::is_dynamic(pass) {
        return pass.replicas;
    }
    let (replicas, total) = (pass.replicas, routed::total(pass));
    let weight = match pass.is_aborted() {
        true if defect!(AbortWaitsForWeight) => routed::shown(pass, ObservedTraffic::canary),
        true => 0,
        false => steps::weight(pass),
    };
    let wanted = pods_for(replicas, total.saturating_sub(weight), total);
    let least = pass.canary().and_then(|canary| canary.min_pods_per_replica_set);
    let mut wanted = at_least(wanted, least, replicas);
    if routed::routing(pass).is_some_and(|routing| routing.nginx.is_some()) && stable.replicas > 0 {
        // DIFFERS: ingress-nginx answers 503 while the stable Service has no pods, whatever the canary's weight is
        // (argoproj/argo-rollouts#1820). `[canary.one-stable]`
        wanted = wanted.max(1);
    }
    if defect!(StableByWish) {
        return wanted;
    }
    // What it is sent until its weight has gone, and what it is to be sent: the Rollout may have been scaled up since, and
    // weight waits for these pods.
    let sent = routed::known_of_stable(pass).max(total.saturating_sub(weights::canary(pass)));
    let served = pods_for(replicas, sent, total);
    if wanted.max(served) >= stable.replicas {
        return wanted.max(served);
    }
    let is_backed = pass.new.is_some_and(|new| routed::can_carry_canary(pass, new));
    if !is_backed && !defect!(StableGoesUnbacked) {
        // What the new version lacks may have to be served here (argoproj/argo-rollouts#2050).
        pass.plan
            .trail
            .push("the stable version keeps its pods: the new one cannot carry its weight".to_owned());
        return stable.replicas;
    }
    let to = wanted.max(routed::needed(pass, stable).min(stable.replicas));
    let to = confirmed_by_routers(pass, stable, to);
    if let Some(new) = pass.new.filter(|_| to < stable.replicas) {
        // Its pods are counted on for what these give up.
        services::confirm_set(pass, new);
    }
    to
}

fn scale_new(pass: &mut Pass<'_>, new: &ReplicaSet) -> bool {
    if pass.is_aborted() && pass.stable.is_some() && !pass.is_stable(new) {
        return scale_aborted(pass, new);
    }
    scale_down::clear_deadline(pass, new);
    let (wanted, apart) = steps::routed_size(pass);
    let mut to = wanted;
    if wanted < new.replicas && !apart {
        to = wanted.max(routed::needed(pass, new).min(new.replicas));
    }
    to = targets::least(pass, new, to);
    // The only version there is has whatever routers send, and as many pods as people want.
    if !pass.is_fully_promoted() {
        to = confirmed_by_routers(pass, new, to);
    }
    pass.scale(new, to, format!("the new version is to have {wanted} pods"))
}

/// An aborted version is kept for a while, so that a retry is quick, and goes when routers send it nothing any more.
fn scale_aborted(pass: &mut Pass<'_>, new: &ReplicaSet) -> bool {
    if new.replicas == 0 {
        return false;
    }
    let explicit = pass.canary().is_some_and(|canary| canary.abort_scale_down_delay_seconds.is_some());
    let delay = defaults::abort_scale_down_delay_seconds(&pass.world.rollout);
    let needed = routed::needed(pass, new).min(new.replicas);
    if (routed::is_dynamic(pass) && !explicit) || delay.is_none() {
        // It goes with its weight, and no sooner than the stable version is there.
        let (wanted, _) = steps::routed_size(pass);
        let to = wanted.max(needed).max(lacking(pass).min(pass.world.available(new)));
        let to = targets::least(pass, new, to);
        let to = confirmed_by_routers(pass, new, to);
        return pass.scale(new, to, "the aborted version has the pods that its share needs");
    }
    let stable_is_whole = pass.stable.is_some_and(|stable| pass.world.available(stable) >= pass.replicas);
    match (new.scale_down_deadline(), delay) {
        (None, Some(seconds)) if stable_is_whole => {
            scale_down::set_deadline(pass, new, i64::from(seconds));
            keeps_size(pass, new)
        }
        (Some(deadline), _) if pass.now < deadline => {
            pass.plan.wake_at(deadline, format!("{} may be scaled down", new.name));
            keeps_size(pass, new)
        }
        (Some(_), _) if stable_is_whole => {
            let to = targets::least(pass, new, needed);
            let to = confirmed(pass, new, to);
            pass.scale(new, to, "the update was aborted and its delay is over")
        }
        _ => keeps_size(pass, new),
    }
}

/// Pods go only while the Services and routers are as they were seen: somebody, or a leader before this one, may have put
/// one back. Gives the size that a version is to have: the one that it has, where nothing can be given up.
fn confirmed(pass: &mut Pass<'_>, set: &ReplicaSet, to: i32) -> i32 {
    let to = confirmed_by_routers(pass, set, to);
    let pairs = Pairs::of(&pass.world.rollout);
    let names = pairs.in_use().flat_map(|(roles, _)| [&roles.canary, &roles.stable]);
    for name in names.filter(|_| to < set.replicas) {
        services::confirm(pass, name);
    }
    to
}

/// The same, of routers alone.
fn confirmed_by_routers(pass: &mut Pass<'_>, set: &ReplicaSet, to: i32) -> i32 {
    if to >= set.replicas || routed::confirm(pass) {
        return to;
    }
    let why = format!("{} keeps its pods: the stable version has too few for its share", set.name);
    pass.plan.trail.push(why);
    set.replicas
}

/// The recorded number of pods follows, or the Rollout would be taken to be scaling for ever.
fn keeps_size(pass: &mut Pass<'_>, set: &ReplicaSet) -> bool {
    pass.scale(set, set.replicas, "it keeps its size")
}

/// Pods that the stable version lacks, or that it and the new one lack together, while others may be reached: while the
/// stable Service has not come to it, and where it shrinks with its weight. A first deploy is called stable before it has
/// pods, and another version may have been there before it; and whoever takes the hash out of a Service makes all pods
/// serve.
fn lacking(pass: &Pass<'_>) -> i32 {
    let pairs = Pairs::of(&pass.world.rollout);
    let mut services = pairs.in_use().filter_map(|(roles, _)| pass.world.services.get(&roles.stable));
    let mut moves = |set: &ReplicaSet| services.any(|service| service.hash() != set.hash());
    let Some(stable) = pass.stable.filter(|set| moves(set) || routed::is_dynamic(pass)) else { return 0 };
    let beside =
        pass.new.filter(|new| routed::is_dynamic(pass) && !pass.is_stable(new) && !pass.is_aborted());
    let have = [Some(stable), beside].into_iter().flatten().map(|set| pass.world.available(set));
    have.fold(pass.replicas, i32::saturating_sub).max(0)
}

/// Versions that are neither new nor stable go once nothing leads to them any more: after a promotion when their delay
/// is over, and in the middle of an update at once.
fn scale_others(pass: &mut Pass<'_>) -> bool {
    if pass.old.stable_rs.is_empty() {
        // No version is stable yet, and Services may reach all pods: they go as the new version comes.
        return scale_down::canary_others(pass);
    }
    let mut others = pass.others();
    others.retain(|set| set.replicas > 0);
    others.sort_by_key(|set| std::cmp::Reverse(set.revision()));
    let promoted = pass.is_fully_promoted();
    let mut line = DelayLine::of_canary(pass);
    let mut scaled = false;
    for set in others {
        let leads = routed::is_referenced(pass, set);
        if leads {
            pass.plan.trail.push(format!("{} stays: something still leads to it", set.name));
        }
        // Where target groups are asked, its time begins with their word, and else with the promotion.
        if (leads && pass.world.settings.verifies_targets) || (!leads && !targets::may_go_routed(pass, set)) {
            continue;
        }
        let waits = (promoted || set.scale_down_deadline().is_some())
            && !routed::is_dynamic(pass)
            && matches!(line.decide(pass, set), Delay::Wait);
        if !waits && !leads {
            let needed = routed::needed(pass, set).max(lacking(pass)).min(set.replicas);
            let to = confirmed(pass, set, needed);
            scaled |= pass.scale(set, to, format!("version {} is neither new nor stable", set.hash()));
        }
    }
    scaled
}
