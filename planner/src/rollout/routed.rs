//! A canary behind routers: what they are asked for, and what they have to show before anything is taken away.
//! `[canary.routed]`
//!
//! The law of the gate: weight moves to a version only when its available pods can carry it; pods of a version go, and a
//! Service leaves it, only when every router shows that it sends nothing there, and has had the settle time to do so.

use super::pass::Pass;
use super::{handover, put_back, services, stand_in, status, steps, verified, weights};
use crate::arithmetic::{pods_for, weight_for};
use crate::defect;
use crate::traffic::{
    self, Intent, Pairs, Roles, Route, RouterView, Share, WHOLE_MIRROR_PERCENT, WHOLE_WEIGHT,
};
use crate::{EventType, OF_ROUTER, ReplicaSet, Write};
use crds::Time;
use crds::rollout::canary::CanaryStep;
use crds::rollout::status::{TrafficWeights, WeightDestination};
use crds::rollout::traffic::RolloutTrafficRouting;

/// `trafficRouting`, where the Rollout has it.
pub(super) fn routing<'w>(pass: &Pass<'w>) -> Option<&'w RolloutTrafficRouting> {
    pass.canary()?.traffic_routing.as_ref()
}

/// Whether routers split the traffic.
pub(super) fn is_routed(pass: &Pass<'_>) -> bool {
    routing(pass).is_some()
}

/// Whether the stable version shrinks as its weight does.
pub(super) fn is_dynamic(pass: &Pass<'_>) -> bool {
    is_routed(pass) && pass.canary().and_then(|canary| canary.dynamic_stable_scale) == Some(true)
}

/// Whether two Services take turns as the canary's and the stable version's, and no router uses others.
pub(super) fn takes_turns(pass: &Pass<'_>) -> bool {
    let pairs = Pairs::of(&pass.world.rollout);
    is_routed(pass) && pairs.turning.as_ref() == Some(pairs.first())
}

/// What a router is asked for: the intent, as far as it can carry it out. Where there are two pairs of Services, a version
/// may be behind the one and not behind the other, and weight that still goes back by the one is none of the other's: it
/// rises by a pair only where that leads to the new version, and no further than its step.
pub(super) fn wanted_of(pass: &Pass<'_>, router: &RouterView, intent: &Intent) -> Intent {
    let mut wanted = intent.within(router.abilities);
    let pairs = Pairs::of(&pass.world.rollout);
    let pair = pairs.of_router(router.abilities.turns);
    (wanted.canary.service, wanted.stable.service) = (pair.canary.clone(), pair.stable.clone());
    let service = pass.world.services.get(&pair.canary).map_or("", crate::Service::hash);
    let leads = router.abilities.subsets || pass.new.is_some_and(|new| new.hash() == service);
    let rises = leads
        && !pass.is_fully_promoted()
        && !pass.is_aborted()
        && intent.canary.weight <= steps::weight(pass);
    if let (true, Ok(observed)) = (pairs.in_use().count() > 1 && !rises, &router.observed) {
        let others = wanted.canary.weight.saturating_sub(observed.canary(wanted.total)).max(0);
        wanted.canary.weight -= others;
        wanted.stable.weight += others;
    }
    wanted
}

/// What all weights add up to.
pub(super) fn total(pass: &Pass<'_>) -> i32 {
    routing(pass)
        .and_then(|routing| routing.max_traffic_weight)
        .filter(|total| *total > 0)
        .unwrap_or(WHOLE_WEIGHT)
}

/// Asks the routers for the weights of now, and remembers them for the status. Nothing is asked for while there is no
/// stable version, or while it has too few pods for its share.
pub(super) fn run(pass: &mut Pass<'_>) {
    if !is_routed(pass) {
        return;
    }
    let Some(intent) = intent(pass) else {
        pass.plan
            .trail
            .push("weights stay: the stable version has too few available pods for its share".to_owned());
        return;
    };
    let wanted = weights::wanted(pass);
    handover::ask(pass, wanted);
    let held = handover::held_weight(pass).and_then(|_| settles_at(pass));
    if let Some(end) = held.or_else(|| handover::held_rise(pass, wanted)) {
        let why = "weight stays: routers may not know yet which pods a Service has now";
        pass.plan.trail.push(why.to_owned());
        pass.plan.wake_at(end, why);
    }
    for router in &pass.world.routers {
        let wanted = wanted_of(pass, router, &intent);
        match &router.observed {
            Err(problem) => {
                let message = problem.message.clone();
                pass.plan.trail.push(format!("router {} cannot be asked: {message}", router.name));
                pass.tell_of(EventType::Warning, "TrafficRoutingError", message);
                return;
            }
            Ok(observed) if observed.shows(&wanted) || router.asked.as_ref() == Some(&wanted) => {}
            Ok(_)
                if defect!(OverwrittenStays) && put_back::overwritten_by(pass, router, &intent).is_some() => {
            }
            Ok(observed) => {
                if let Some(end) = put_back::waits_until(pass, router, &intent) {
                    let why =
                        format!("{}: somebody else writes to it; it is put back in a moment", router.name);
                    pass.plan.trail.push(why.clone());
                    pass.plan.wake_at(end, why);
                    continue;
                }
                if let Some(new) = pass.new.filter(|_| wanted.canary.weight > observed.canary(wanted.total)) {
                    // A write of our own that is not seen yet may have given these pods up.
                    services::confirm_set(pass, new);
                }
                if is_dynamic(pass) && wanted.stable.weight > observed.stable(wanted.total) {
                    // The same for a stable version that shrinks and grows, unless what has the weight is worse: then
                    // that is to be true.
                    let asked = weights::dead_canary(pass).or(pass.stable);
                    asked.into_iter().for_each(|set| services::confirm_set(pass, set));
                }
                let why = format!(
                    "{}: the canary is to have {} of {}",
                    router.name, wanted.canary.weight, wanted.total
                );
                let anchor = pass.write(Write::RouteTraffic { router: router.name, intent: wanted }, why);
                pass.notice(anchor, EventType::Normal, OF_ROUTER, router.name.to_owned());
                if let Some(other) = put_back::overwritten_by(pass, router, &intent) {
                    let weight = intent.canary.weight;
                    let message = format!(
                        "{other} has changed what {} is to do; the canary is to have {weight} of {} again",
                        router.name, intent.total
                    );
                    pass.notice(anchor, EventType::Warning, "TrafficOverwritten", message);
                }
            }
        }
    }
    verified::tell(pass, &intent);
    pass.intent = Some(intent);
    tell(pass);
}

/// Writes that change nothing but fail when a router's objects are not as they were seen: what they show decides which
/// pods may go, and where a Service may lead. What is about to be edited says so itself. False where nothing can be asked
/// of routers, and so nothing be given up: the stable version lacks pods.
pub(super) fn confirm(pass: &mut Pass<'_>) -> bool {
    if !is_routed(pass) {
        return true;
    }
    let weight = weights::canary(pass);
    let can_be_asked =
        |_: &Intent| stand_in::carrier(pass).is_none_or(|stable| !lacks_pods(pass, stable, weight));
    let Some(intent) = intent(pass).filter(can_be_asked) else {
        // A stable version that is not seen, or deleted, is no reason to give up what serves in its place.
        return pass.stable.is_none() && (pass.replicas == 0 || pass.old.stable_rs.is_empty());
    };
    for router in &pass.world.routers {
        let wanted = wanted_of(pass, router, &intent);
        let shows = router.observed.as_ref().is_ok_and(|observed| observed.shows(&wanted));
        let is_it =
            |write: &Write| matches!(write, Write::RouteTraffic { router: name, .. } if *name == router.name);
        let planned = pass.plan.writes.iter().any(|planned| is_it(&planned.write));
        if shows && !planned && router.asked.as_ref() != Some(&wanted) {
            let why = format!("{} is to be as it was seen", router.name);
            pass.write(Write::RouteTraffic { router: router.name, intent: wanted }, why);
        }
    }
    true
}

/// What traffic is to do now; `None` while nothing can be asked for.
fn intent(pass: &Pass<'_>) -> Option<Intent> {
    let first = || pass.new.filter(|_| defect!(RoutesBeforeStable));
    let stable = stand_in::carrier(pass).or_else(first)?;
    let total = total(pass);
    let weight = weights::canary(pass);
    let Roles { canary, stable: stable_service } = traffic::roles(&pass.world.rollout);
    if lacks_pods(pass, stable, weight) && !relieves(pass, stable, weight) {
        return None;
    }
    let share = |service: String, hash: &str, weight: i32| Share { service, hash: hash.to_owned(), weight };
    Some(Intent {
        total,
        canary: share(canary, canary_hash(pass), weight),
        stable: share(stable_service, stable.hash(), total.saturating_sub(weight)),
        additional: Vec::new(),
        routes: if sends_to_canary(pass) { routes(pass) } else { Vec::new() },
        managed: managed(pass),
    })
}

/// Whether the stable version lacks pods for what the canary leaves it, and the canary is in order.
fn lacks_pods(pass: &Pass<'_>, stable: &ReplicaSet, weight: i32) -> bool {
    let total = total(pass);
    // One that has shrunk to nothing gets nothing before it has a pod, however small its share.
    let least = i32::from(is_dynamic(pass) && weight < total && pass.replicas > 0);
    let needed = weight_to_pods_down(pass.replicas, total - weight, total).max(least);
    let available = pass.world.available(handover::behind_stable_service(pass).unwrap_or(stable));
    let reaches = |threshold| crate::arithmetic::reaches(threshold, available, needed);
    let is_short = available < needed && !steps::threshold(pass).is_some_and(reaches);
    is_short && (available == 0 || is_canary_fit(pass)) && !defect!(RoutesBeforeStable)
}

/// Whether a stable version that has some pods gets no more than it has: what the canary carries beside it goes on.
/// DIFFERS: Argo Rollouts leaves routers alone then. `[traffic.relief]`
fn relieves(pass: &Pass<'_>, stable: &ReplicaSet, weight: i32) -> bool {
    let total = total(pass);
    let gets_no_more = |router: &RouterView| {
        router.observed.as_ref().is_ok_and(|observed| {
            let is_it = observed.subsets.as_ref().is_none_or(|(_, known)| known == stable.hash());
            is_it && !observed.splits.is_empty() && observed.stable(total) >= total.saturating_sub(weight)
        })
    };
    let has_some = pass.world.available(handover::behind_stable_service(pass).unwrap_or(stable)) > 0;
    has_some && recorded(pass).is_some() && pass.world.routers.iter().all(gets_no_more)
}

/// Whether the version that the stable Service leads to has no pods at all: no weight can do it good or harm, and the
/// version that mends it is not to wait for it.
fn is_stable_dead(pass: &Pass<'_>) -> bool {
    let stable = handover::behind_stable_service(pass).or_else(|| stand_in::carrier(pass));
    stable.is_some_and(|stable| pass.world.available(stable) == 0)
}

/// The canary is wanted, and its pods carry what routers send there: it may go on while the stable version is short of
/// pods. DIFFERS: in Argo Rollouts, an aborted or a dead canary is sent requests until every stable pod is available.
/// `[traffic.away-at-once]`
fn is_canary_fit(pass: &Pass<'_>) -> bool {
    let carries = |new: &ReplicaSet| pass.world.available(new) > 0 && can_carry_canary(pass, new);
    !pass.is_aborted() && pass.new.is_some_and(carries)
}

/// PARITY: rounded down, as Argo Rollouts counts what the stable version needs.
pub(super) fn weight_to_pods_down(replicas: i32, weight: i32, total: i32) -> i32 {
    let product = i64::from(replicas).saturating_mul(i64::from(weight));
    i32::try_from(product / i64::from(total.max(1))).unwrap_or(replicas)
}

/// The version that routers with subsets of their own take for the canary. While the new one has no pods, and another
/// one still gets traffic, it stays that one.
pub(super) fn canary_hash<'p>(pass: &'p Pass<'_>) -> &'p str {
    let Some(new) = pass.new else { return "" };
    let subset = |router: &'p RouterView| router.observed.as_ref().ok()?.subsets.as_ref();
    let kept = pass.world.routers.iter().filter_map(subset).map(|(canary, _)| canary.as_str());
    let is_kept = !can_carry_canary(pass, new) && !defect!(SubsetMovesFirst);
    // On the way back to a stable version that has shrunk, the canary's Service stays with the version that it has.
    let service = pass.world.services.get(&traffic::roles(&pass.world.rollout).canary);
    let service = service.map(crate::Service::hash).filter(|_| is_dynamic(pass) && pass.is_stable(new));
    let kept = kept.chain(service).find(|hash| !hash.is_empty()).filter(|_| is_kept);
    kept.unwrap_or(new.hash())
}

/// The update goes on, and the new version has pods: managed routes may lead there.
fn sends_to_canary(pass: &Pass<'_>) -> bool {
    (!pass.is_fully_promoted() || defect!(RoutesOutlive))
        && !pass.old.stable_rs.is_empty()
        && !pass.is_aborted()
        && !pass.old.promote_full
        && pass.new.is_some_and(|new| pass.world.available(new) > 0)
}

/// Weights in the status.
pub(super) fn recorded<'p>(pass: &'p Pass<'_>) -> Option<&'p TrafficWeights> {
    pass.old.canary.as_ref()?.weights.as_ref()
}

/// Managed routes that the steps so far have made, in the order of `managedRoutes`; the last word on each counts.
fn routes(pass: &Pass<'_>) -> Vec<Route> {
    let done = status::step_index(pass).and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
    let steps = pass.steps();
    let last = |name: &str| {
        let so_far = steps.iter().take(done.saturating_add(1)).rev();
        so_far.into_iter().find_map(|step| route_of(step, name))
    };
    managed(pass).iter().filter_map(|name| last(name).flatten()).collect()
}

/// What a step says of the route of that name: nothing, that it goes, or what it is.
fn route_of(step: &CanaryStep, name: &str) -> Option<Option<Route>> {
    if let Some(route) = step.set_header_route.as_ref().filter(|route| route.name.as_deref() == Some(name)) {
        let matches = route.matches.clone().unwrap_or_default();
        return Some((!matches.is_empty()).then(|| Route::Header { name: name.to_owned(), matches }));
    }
    let route = step.set_mirror_route.as_ref().filter(|route| route.name == name)?;
    let matches = route.matches.clone().unwrap_or_default();
    let percentage = route.percentage.unwrap_or(WHOLE_MIRROR_PERCENT);
    Some((!matches.is_empty()).then(|| Route::Mirror { name: name.to_owned(), matches, percentage }))
}

/// Names of the routes that steps may make, by precedence.
fn managed(pass: &Pass<'_>) -> Vec<String> {
    let listed = routing(pass).and_then(|routing| routing.managed_routes.as_ref());
    listed.into_iter().flatten().map(|route| route.name.clone()).collect()
}

/// Whether every router shows what this pass wants of it, or an earlier write of the plan has asked for it: a step may
/// be recorded as done then, because nothing is recorded unless that write has succeeded. PARITY: nothing is wanted, and
/// so nothing waited for, while the stable version is dead.
pub(super) fn is_shown(pass: &Pass<'_>) -> bool {
    if pass.intent.is_none() && is_stable_dead(pass) {
        return true;
    }
    let Some(intent) = pass.intent.as_ref().filter(|_| !weights::is_held(pass)) else {
        return false;
    };
    pass.world.routers.iter().all(|router| {
        let wanted = wanted_of(pass, router, intent);
        if wanted.canary.weight != intent.canary.weight {
            return false;
        }
        let shows = router.asked.as_ref() == Some(&wanted)
            || router.observed.as_ref().is_ok_and(|observed| observed.shows(&wanted));
        shows && (router.serves(&wanted) != Some(false) || defect!(UnservedIsShown))
    })
}

/// The weights for the status: those of this pass, or those from before.
pub(super) fn weights(pass: &Pass<'_>) -> Option<TrafficWeights> {
    match &pass.intent {
        Some(intent) => {
            let mut weights = in_status(pass, intent);
            let known = recorded(pass).filter(|recorded| ask_the_same(recorded, &weights));
            // What was verified stays so when nobody asks any more.
            weights.verified = verified::serve(pass, intent).or(known.and_then(|known| known.verified));
            Some(weights)
        }
        None => recorded(pass).cloned(),
    }
}

/// An intent as the status tells it.
pub(super) fn in_status(pass: &Pass<'_>, intent: &Intent) -> TrafficWeights {
    let pair = pass.canary().is_some_and(|canary| canary.ping_pong.is_some());
    let destination = |share: &Share| WeightDestination {
        weight: share.weight,
        // PARITY: with a pair that takes turns, Argo Rollouts names none.
        service_name: (!share.service.is_empty() && !pair).then(|| share.service.clone()),
        pod_template_hash: (!share.hash.is_empty()).then(|| share.hash.clone()),
    };
    TrafficWeights {
        canary: destination(&intent.canary),
        stable: destination(&intent.stable),
        additional: None,
        verified: None,
    }
}

/// Whether both ask for the same, whatever is known of how it is served.
pub(super) fn ask_the_same(one: &TrafficWeights, other: &TrafficWeights) -> bool {
    one.canary == other.canary && one.stable == other.stable && one.additional == other.additional
}

/// Tells that weights, or the versions behind them, have changed.
fn tell(pass: &mut Pass<'_>) {
    let Some(new) = weights(pass) else { return };
    let message = match recorded(pass) {
        Some(old) if ask_the_same(old, &new) => return,
        None => format!("Traffic weight updated to {}", new.canary.weight),
        // PARITY: nothing is said where only the versions have changed.
        Some(old) if old.canary.weight == new.canary.weight => "Traffic weight updated ".to_owned(),
        Some(old) => format!("Traffic weight updated from {} to {}", old.canary.weight, new.canary.weight),
    };
    pass.tell("TrafficWeightUpdated", message);
}

/// When the routers, and the Services that they ask, have had the time to do what they show; `None` once they have.
pub(super) fn settles_at(pass: &Pass<'_>) -> Option<Time> {
    let pairs = Pairs::of(&pass.world.rollout);
    let names = pairs.in_use().flat_map(|(roles, _)| [&roles.canary, &roles.stable]);
    let services = names.filter_map(|name| services::moved_at(pass, name));
    // One that says what it serves needs no time.
    let routers = pass.world.routers.iter().filter(|router| router.served.is_none());
    settled(pass, services.chain(routers.filter_map(|router| router.changed))).max(verified::awaited(pass))
}

/// When what was changed then has settled; `None` once it has.
pub(super) fn settled(pass: &Pass<'_>, changes: impl Iterator<Item = Time>) -> Option<Time> {
    // The API server's times have whole seconds, rounded down.
    let seconds = match pass.world.settle_seconds() {
        0 => 0,
        seconds => seconds.saturating_add(1),
    };
    // What an earlier write of this plan has changed is changed now.
    let ends = changes.map(|at| at.min(pass.now).plus_seconds(seconds));
    ends.max().filter(|end| *end > pass.now && !defect!(NothingSettles))
}

/// What every router shows of a version's share, in parts of the total; the largest counts, and all of it where one
/// cannot be read.
pub(super) fn shown(pass: &Pass<'_>, of: impl Fn(&traffic::ObservedTraffic, i32) -> i32) -> i32 {
    let total = total(pass);
    let share = |router: &RouterView| {
        let served = router.served.as_ref().and_then(|served| served.as_ref().ok());
        let served = served.map_or(0, |served| of(&served.traffic, total));
        router.observed.as_ref().map_or(total, |observed| of(observed, total)).max(served)
    };
    pass.world.routers.iter().map(share).max().unwrap_or(0)
}

/// The largest share of the stable version that is known of any router. One that cannot be read, or has not answered yet,
/// says nothing: pods are kept for what it may do, and none are made.
pub(super) fn known_of_stable(pass: &Pass<'_>) -> i32 {
    let total = total(pass);
    let says = |router: &RouterView| {
        let served = router.served.as_ref().and_then(|served| served.as_ref().ok());
        let all = router.observed.as_ref().ok().into_iter().chain(served.map(|served| &served.traffic));
        all.filter(|traffic| !traffic.splits.is_empty()).map(|traffic| traffic.stable(total)).max()
    };
    pass.world.routers.iter().filter_map(says).max().unwrap_or(0)
}

/// Fewest pods that a version is to keep for what routers may still send to it. What it has, while they settle.
pub(super) fn needed(pass: &mut Pass<'_>, set: &ReplicaSet) -> i32 {
    let (total, replicas) = (total(pass), pass.replicas);
    let is_new = pass.is_new(set);
    let is_stable = pass.is_stable(set);
    let share = match (is_new, is_stable) {
        (true, true) => total,
        (true, false) => shown(pass, traffic::ObservedTraffic::canary),
        (false, true) => shown(pass, traffic::ObservedTraffic::stable),
        (false, false) => 0,
    };
    if let Some(end) = settles_at(pass) {
        let why = format!("routers may still send requests to {} for a moment", set.name);
        pass.plan.trail.push(why.clone());
        pass.plan.wake_at(end, why);
        return set.replicas;
    }
    pods_for(replicas, share, total)
}

/// Whether something still leads to a version that is neither new nor stable: a Service, a weight of the status, or a
/// router's own subset.
pub(super) fn is_referenced(pass: &Pass<'_>, set: &ReplicaSet) -> bool {
    let hash = Some(set.hash());
    let in_status = recorded(pass).is_some_and(|weights| {
        [&weights.canary, &weights.stable].iter().any(|share| share.pod_template_hash.as_deref() == hash)
    });
    let pairs = Pairs::of(&pass.world.rollout);
    // With a pair that takes turns, the Service stays behind with a version that goes, once nothing is sent to it.
    let sent = !shows_no_canary(pass);
    let selects =
        |name: &str| pass.world.services.get(name).is_some_and(|service| service.hash() == set.hash());
    let in_services = pairs
        .in_use()
        .any(|(roles, turns)| selects(&roles.stable) || ((!turns || sent) && selects(&roles.canary)));
    let in_subsets =
        pass.world.routers.iter().filter_map(|router| router.observed.as_ref().ok()).any(|observed| {
            observed
                .subsets
                .as_ref()
                .is_some_and(|(canary, stable)| canary == set.hash() || stable == set.hash())
        });
    (in_status || in_services || in_subsets) && !defect!(ReferencesForgotten)
}

/// Whether no router shows any share of the canary.
pub(super) fn shows_no_canary(pass: &Pass<'_>) -> bool {
    shown(pass, traffic::ObservedTraffic::canary) == 0
}

/// Whether the available pods of the stable version carry what routers send to its Service. One that does not shrink does
/// so as soon as it is there.
pub(super) fn can_carry_stable(pass: &Pass<'_>, set: &ReplicaSet) -> bool {
    let carries = weight_for(pass.replicas, pass.world.available(set), total(pass));
    !is_dynamic(pass) || carries >= shown(pass, traffic::ObservedTraffic::stable)
}

/// Whether the canary's Service may go to the new version: its pods can carry what routers send there.
pub(super) fn can_carry_canary(pass: &Pass<'_>, set: &ReplicaSet) -> bool {
    let shown = shown(pass, traffic::ObservedTraffic::canary);
    let available = pass.world.available(set);
    if pass.is_stable(set) {
        // It carries both shares then.
        return shown == 0 || available >= pass.replicas;
    }
    shown <= weight_for(pass.replicas, available, total(pass))
}
