//! What was done to a Rollout between two looks, judged by the laws that every plan keeps. `[shadow.laws]`
//!
//! The shadow does not know what the live controller saw at that moment. So a deed breaks a law only when it breaks it
//! both by what the shadow saw before and by what it sees now.

use crds::{Rollout, Time};
use planner::check::{Fault, check};
use planner::traffic::{Intent, Pairs, RouterView, Share, WHOLE_WEIGHT};
use planner::{Owner, Plan, Planned, Target, World, Write};
use std::collections::BTreeMap;

/// Laws about what is done to pods, Services, weights and gates; the others are about plans.
const LAWS: [&str; 7] = [
    "availability",
    "no_skipped_gate",
    "served_pods_stay",
    "services_have_pods",
    "surge",
    "weights_are_carried",
    "workload_goes_last",
];

/// The laws that are broken by what has been done since `before`; each once.
pub(super) fn broken(before: &World, now: &World, time: Time) -> Vec<Fault> {
    let deeds = deeds(before, now);
    let nothing = deeds.writes.is_empty() && before.rollout.status == now.rollout.status;
    if nothing || is_resumed(&before.rollout, &now.rollout) {
        return Vec::new();
    }
    let known = known_by(before, now);
    let still: Vec<&str> = check(before, &deeds, time).iter().map(|fault| fault.rule).collect();
    let faults = check(&known, &deeds, time).into_iter();
    faults.filter(|fault| LAWS.contains(&fault.rule) && still.contains(&fault.rule)).collect()
}

/// The plan that would have done it.
fn deeds(before: &World, now: &World) -> Plan {
    let writes = sizes(before, now).chain(services(before, now)).chain(workload(before, now));
    let writes = writes.chain(weights(before, now));
    let planned = |write| Planned { write, reason: String::new() };
    Plan { writes: writes.map(planned).collect(), status: now.rollout.status.clone(), ..Plan::default() }
}

fn sizes<'w>(before: &'w World, now: &'w World) -> impl Iterator<Item = Write> + 'w {
    let ours = now.replica_sets.iter().filter(|set| set.owner == Owner::Ours && !set.deleting);
    ours.filter_map(|set| {
        let from = before.replica_sets.iter().find(|old| old.uid == set.uid)?.replicas;
        let target = Target { name: set.name.clone(), uid: set.uid.clone(), ..Target::default() };
        let scale = Write::ScaleReplicaSet { target, from, to: set.replicas, annotations: BTreeMap::new() };
        (from != set.replicas).then_some(scale)
    })
}

fn services<'w>(before: &'w World, now: &'w World) -> impl Iterator<Item = Write> + 'w {
    now.services.values().filter_map(|service| {
        let old = before.services.get(&service.name).filter(|old| old.hash() != service.hash())?;
        Some(Write::SelectService {
            target: Target { name: old.name.clone(), uid: old.uid.clone(), ..Target::default() },
            hash: Some(service.hash().to_owned()).filter(|hash| !hash.is_empty()),
            managed_by: service.managed_by().map(str::to_owned),
        })
    })
}

fn workload(before: &World, now: &World) -> Option<Write> {
    let (old, new) = (before.workload.as_ref()?, now.workload.as_ref()?);
    let (from, to) = (old.replicas?, new.replicas?);
    let target = Target { name: new.name.clone(), uid: new.uid.clone(), ..Target::default() };
    (from != to && old.uid == new.uid).then_some(Write::ScaleWorkload { target, from, to })
}

/// What routers show otherwise than before, as the intent that asks for it.
fn weights<'w>(before: &'w World, now: &'w World) -> impl Iterator<Item = Write> + 'w {
    let pairs = Pairs::of(&now.rollout);
    let canary = now.rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let routing = canary.and_then(|canary| canary.traffic_routing.as_ref());
    let whole = routing.and_then(|routing| routing.max_traffic_weight).unwrap_or(WHOLE_WEIGHT);
    now.routers.iter().filter_map(move |view| {
        let of = |view: &RouterView| {
            let seen = view.observed.as_ref().ok()?;
            Some((seen.canary(whole), seen.stable(whole), seen.subsets.clone()))
        };
        let old = before.routers.iter().find(|old| old.name == view.name)?;
        let (canary, stable, subsets) = of(view)?;
        if of(old)? == (canary, stable, subsets.clone()) {
            return None;
        }
        let hashes = subsets.unwrap_or_default();
        let roles = pairs.of_router(view.abilities.turns);
        let share = |service: &String, hash, weight| Share { service: service.clone(), hash, weight };
        let intent = Intent {
            total: whole,
            canary: share(&roles.canary, hashes.0, canary),
            stable: share(&roles.stable, hashes.1, stable),
            ..Intent::default()
        };
        Some(Write::RouteTraffic { router: view.name, intent })
    })
}

/// A pause is over: by a person, perhaps, and a person is not judged.
pub(super) fn is_resumed(before: &Rollout, now: &Rollout) -> bool {
    let paused = |rollout: &Rollout| {
        let status = rollout.status.as_ref();
        status.and_then(|status| status.pause_conditions.as_ref()).is_some_and(|all| !all.is_empty())
    };
    let promoted = |rollout: &Rollout| rollout.status.as_ref().is_some_and(|status| status.promote_full);
    (paused(before) && !paused(now)) || promoted(before) || promoted(now)
}

/// What was asked for before, with all that has come about since: pods, runs, and what people want.
fn known_by(before: &World, now: &World) -> World {
    let mut known = now.clone();
    known.rollout.status.clone_from(&before.rollout.status);
    known.services.clone_from(&before.services);
    known.routers.clone_from(&before.routers);
    known.workload.clone_from(&before.workload);
    for set in &mut known.replica_sets {
        if let Some(old) = before.replica_sets.iter().find(|old| old.uid == set.uid) {
            set.replicas = old.replicas;
            set.counts.available = set.counts.available.max(old.counts.available);
        }
    }
    known
}
