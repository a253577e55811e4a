//! Which version each Service selects. `[services]`

use super::pass::{Pass, target};
use super::{handover, routed, stand_in};
use crate::defect;
use crate::traffic::{Pairs, Roles};
use crate::{EventType, ReplicaSet, Service, Target, Write};
use crds::Time;
use std::collections::BTreeMap;

/// Hashes that the active and the preview Service select; empty where they select none.
pub(super) fn blue_green_hashes(pass: &Pass<'_>) -> (String, String) {
    let hash = |name: Option<&str>| {
        let service = name.and_then(|name| pass.world.services.get(name));
        service.map_or("", Service::hash).to_owned()
    };
    let strategy = pass.blue_green();
    (
        hash(strategy.map(|strategy| strategy.active_service.as_str())),
        hash(strategy.and_then(|strategy| strategy.preview_service.as_deref())),
    )
}

/// Points the Services of a canary at stable and new. After an abort the canary Service goes to stable, too.
///
/// DIFFERS: with `emptied`, the stable Service goes to the new version before the stable one has no pods any more;
/// Argo Rollouts moves it after the promotion, and until then it reaches nobody.
pub(super) fn canary(pass: &mut Pass<'_>, emptied: bool) {
    if pass.is_halted() {
        return;
    }
    let Some(canary) = pass.canary() else { return };
    stand_in::explain(pass);
    if routed::is_routed(pass) {
        let pairs = Pairs::of(&pass.world.rollout);
        pairs.in_use().for_each(|(roles, turns)| routed_canary(pass, roles, turns));
        if let Some(idle) = pairs.idle() {
            plain_canary(pass, (&idle.canary, &idle.stable), stand_in::carrier(pass));
        }
        return;
    }
    let stable = stand_in::carrier(pass);
    let carrier = if emptied || defect!(StableServiceGoesFirst) { pass.new } else { stable };
    let named = |name: &'_ Option<String>| name.clone().unwrap_or_default();
    plain_canary(pass, (&named(&canary.canary_service), &named(&canary.stable_service)), carrier);
}

/// Points Services that no router asks for pods, by the names of the canary's and the stable one.
fn plain_canary(pass: &mut Pass<'_>, (canary, stable): (&str, &str), carrier: Option<&ReplicaSet>) {
    if let Some(set) = carrier {
        ensure(pass, stable, set);
    }
    let to = if pass.is_aborted() && !defect!(CanaryServiceStays) { pass.stable } else { pass.new };
    if let Some(set) = to {
        ensure(pass, canary, set);
    }
}

/// The same behind routers, which ask these Services for their pods. The canary's moves to another version only once
/// that one can carry what the routers show.
fn routed_canary(pass: &mut Pass<'_>, Roles { canary, stable }: &Roles, takes_turns: bool) {
    if let Some(set) = stand_in::carrier(pass) {
        // What turns stays where it is.
        if handover::stable_service_stays(pass) && !takes_turns {
            pass.plan.trail.push(format!("service {stable} stays until routers send nothing there"));
        } else if is_open(pass, stable) && !routed::can_carry_stable(pass, set) {
            pass.plan.trail.push(format!("service {stable} stays open until {} carries its share", set.name));
        } else {
            ensure(pass, stable, set);
        }
    }
    let flaps = defect!(KeptCanaryIsServed)
        && pass.stable.is_some_and(|set| pass.world.available(set) < pass.replicas);
    if pass.is_aborted() && !flaps {
        // Whoever is still sent there is to be answered.
        let Some(set) = pass.stable.filter(|set| pass.world.available(set) > 0) else { return };
        // A stable version that has shrunk cannot carry both shares: first the weight goes.
        if !routed::is_dynamic(pass) || routed::shows_no_canary(pass) {
            let moves = pass.world.services.get(canary).is_some_and(|service| service.hash() != set.hash());
            if moves && routed::is_dynamic(pass) {
                routed::confirm(pass);
            }
            switch(pass, canary, set.hash());
        }
        return;
    }
    let Some(set) = pass.new.filter(|set| routed::can_carry_canary(pass, set)) else { return };
    if handover::awaits_fewer_pods(pass) {
        pass.plan.trail.push(format!("service {canary} waits until {} has no pods too many", set.name));
        return;
    }
    if !takes_turns {
        ensure(pass, canary, set);
    } else if !pass.is_fully_promoted() {
        // Nothing is sent there yet; its targets are to be known before anything is. When the update is over, it stays
        // where it is: requests that are under way there have a place to end.
        let moves = pass.world.services.get(canary).is_some_and(|service| service.hash() != set.hash());
        if let Some(end) = routed::settles_at(pass).filter(|_| moves && pass.world.available(set) == 0) {
            let why = format!("service {canary} stays: routers may still send requests there for a moment");
            pass.plan.trail.push(why.clone());
            pass.plan.wake_at(end, why);
            return;
        }
        if moves {
            routed::confirm(pass);
        }
        switch(pass, canary, set.hash());
    }
}

/// Whether a Service still reaches the pods of all versions.
fn is_open(pass: &Pass<'_>, name: &str) -> bool {
    pass.world.services.get(name).is_some_and(|service| service.hash().is_empty())
}

/// Points a Service at a version that can carry it. A Service that nobody managed so far reaches all pods: it is
/// narrowed only to a version that is there in full. One that is managed moves once a pod is available.
fn ensure(pass: &mut Pass<'_>, name: &str, set: &ReplicaSet) {
    let Some(service) = pass.world.services.get(name) else { return };
    if service.hash() == set.hash() {
        return;
    }
    let available = pass.world.available(set);
    let ready = match service.managed_by() {
        _ if defect!(SelectsWithoutPods) => true,
        Some(_) => available >= 1 && set.replicas > 0 && set.availability_is_known(),
        None => {
            set.replicas > 0
                && set.availability_is_known()
                && (available >= set.replicas || defect!(NarrowedEarly))
        }
    };
    if ready {
        confirm_set(pass, set);
        routed::confirm(pass);
        switch(pass, name, set.hash());
    } else {
        pass.plan.trail.push(format!("service {name} waits: {} has too few available pods", set.name));
    }
}

/// A write that changes nothing but fails when the ReplicaSet is not as it was seen: its pods may have been given up by
/// a write of our own that the cache does not show yet, and a Service is not to go there.
pub(super) fn confirm_set(pass: &mut Pass<'_>, set: &ReplicaSet) {
    let write = Write::AnnotateReplicaSet {
        target: target(set),
        annotations: BTreeMap::new(),
        min_ready_seconds: None,
    };
    pass.write(write, format!("{} is to be as it was seen", set.name));
}

/// A write that changes nothing but fails when the Service is not as it was seen: what it selects decides which version
/// may be given up, and which is recorded as stable.
pub(super) fn confirm(pass: &mut Pass<'_>, name: &str) {
    let service = pass.world.services.get(name).filter(|service| !service.hash().is_empty());
    let Some(service) = service else { return };
    let write = select(pass, service, service.hash());
    if !pass
        .plan
        .writes
        .iter()
        .any(|planned| matches!(&planned.write, Write::SelectService { target, .. } if target.name == name))
    {
        pass.write(write, format!("service {name} is to be as it was seen"));
    }
}

fn select(pass: &Pass<'_>, service: &Service, to: &str) -> Write {
    Write::SelectService {
        target: Target {
            name: service.name.clone(),
            uid: service.uid.clone(),
            resource_version: service.resource_version.clone(),
        },
        hash: Some(to.to_owned()),
        managed_by: (!defect!(ManagedNotRecorded)).then(|| pass.name().to_owned()),
    }
}

/// When a Service last came to select another version: now, where this pass has moved it.
pub(super) fn moved_at(pass: &Pass<'_>, name: &str) -> Option<Time> {
    let service = pass.world.services.get(name)?;
    let moves = |write: &Write| {
        matches!(write, Write::SelectService { target, hash, .. }
            if target.name == name && hash.as_deref() != Some(service.hash()))
    };
    let moved = pass.plan.writes.iter().any(|planned| moves(&planned.write));
    if moved { Some(pass.now) } else { service.changed }
}

/// Points a Service at a version.
pub(super) fn switch(pass: &mut Pass<'_>, name: &str, to: &str) {
    let Some(service) = pass.world.services.get(name).filter(|service| service.hash() != to) else { return };
    let from = service.hash().to_owned();
    let write = select(pass, service, to);
    let anchor = pass.write(write, format!("service {name} is to select {to}"));
    let message = format!("Switched selector for service '{name}' from '{from}' to '{to}'");
    pass.notice(anchor, EventType::Normal, "SwitchService", message);
}

/// The update goes back to a version that can be had at once: without steps, pauses and analyses.
pub(super) fn is_fast_rollback(pass: &Pass<'_>) -> bool {
    let (Some(new), Some(stable)) = (pass.new, pass.stable) else { return false };
    if pass.is_new(stable) || super::rollback::passes_by_steps(pass) {
        return true;
    }
    let delayed =
        new.scale_down_deadline().is_some_and(|deadline| pass.now < deadline || defect!(StaleDeadlineIsFast));
    pass.blue_green().is_some() && new.created < stable.created && delayed
}
