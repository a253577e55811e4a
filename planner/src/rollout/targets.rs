//! Target groups are asked whether they have the pods of a Service, and their word is waited for. `[traffic.registered]`
//!
//! A load balancer that keeps lists of pods hears of a Service that moves after a while only. Until it has the pods that
//! the Service selects now, it sends requests to those that it selected before.

use super::pass::Pass;
use super::routed;
use super::verified::ASK_AGAIN;
use crate::defect;
use crate::traffic::{self, Roles};
use crate::{EventType, ReplicaSet, Service, Targets, Write};

/// The Service, where its target groups are asked and there are pods that they are to have.
fn asked<'w>(pass: &Pass<'w>, name: &str) -> Option<&'w Service> {
    let service = pass
        .world
        .services
        .get(name)
        .filter(|_| pass.world.settings.verifies_targets && !defect!(TargetsUnheard))?;
    let hash = selected(pass, service);
    let wanted = |set: &&ReplicaSet| !hash.is_empty() && set.hash() == hash && set.replicas > 0;
    pass.all.iter().copied().any(|set| wanted(&set)).then_some(service)
}

/// The hash that a Service selects once the writes of this pass are done.
fn selected<'p>(pass: &'p Pass<'_>, service: &'p Service) -> &'p str {
    let planned = pass.plan.writes.iter().rev().find_map(|planned| match &planned.write {
        Write::SelectService { target, hash, .. } if target.name == service.name => hash.as_deref(),
        _ => None,
    });
    planned.unwrap_or_else(|| service.hash())
}

/// What is said of the pods that a Service selects; nothing, where this pass moves it.
fn said(pass: &Pass<'_>, service: &Service) -> Targets {
    if selected(pass, service) == service.hash() { service.targets.clone() } else { Targets::Unknown }
}

/// Whether requests can be sent to the pods of a Service, by the word of its target groups; `None` where none have to say
/// so.
pub(super) fn word(pass: &Pass<'_>, name: &str) -> Option<bool> {
    let service = asked(pass, name).filter(|_| pass.world.routers_list_pods())?;
    let said = said(pass, service);
    (said != Targets::Unbound)
        .then(|| said.are_checked() || (defect!(RisesUnchecked) && said.are_registered()))
}

/// Whether the target groups of a Service have the pods that it selects. Their word counts from here on: it is asked
/// for, told, and waited for.
pub(super) fn are_registered(pass: &mut Pass<'_>, name: &str) -> bool {
    rely_on(pass, name);
    asked(pass, name).is_none_or(|service| said(pass, service).are_registered())
}

/// Whether pods of a version may go that a Service does not select: whoever reaches pods by it reaches others by now.
pub(super) fn may_go(pass: &mut Pass<'_>, name: &str, set: &ReplicaSet) -> bool {
    let hash = pass.world.services.get(name).map_or("", |service| selected(pass, service));
    let reached = hash.is_empty() || hash == set.hash() || are_registered(pass, name);
    if !reached {
        pass.plan
            .trail
            .push(format!("{} stays: target groups of service {name} may have its pods", set.name));
    }
    reached
}

/// The same of a canary's stable Service: gives the size that a version is to have. One that is new since then has had no
/// pods there: it may go at once, as an aborted one has to.
pub(super) fn least(pass: &mut Pass<'_>, set: &ReplicaSet, to: i32) -> i32 {
    let pairs = if routed::is_routed(pass) {
        pass.world.listed_pairs()
    } else {
        vec![traffic::roles(&pass.world.rollout)]
    };
    let stays = |Roles { stable, .. }: &Roles| {
        to < set.replicas && may_have_left(pass, stable, set) && !may_go(pass, stable, set)
    };
    if pairs.iter().any(stays) { set.replicas } else { to }
}

/// Whether pods of a version that is neither new nor stable may go behind routers. One that has been behind the stable
/// Service waits once, and its deadline is put on it then. One that was overtaken has been behind the canary's, and waits
/// while that is sent requests.
pub(super) fn may_go_routed(pass: &mut Pass<'_>, set: &ReplicaSet) -> bool {
    if !pass.world.routers_list_pods() || set.is_marked_for_scale_down() {
        return true;
    }
    pass.world.listed_pairs().iter().all(|Roles { canary, stable }| {
        if may_have_left(pass, stable, set) {
            return may_go(pass, stable, set);
        }
        routed::shows_no_canary(pass) || defect!(OvertakenForgotten) || may_go(pass, canary, set)
    })
}

/// Whether a Service may have come from this version to the one that it selects now: that was updated to later, or is
/// younger. A version that comes back is the one, and not the other.
fn may_have_left(pass: &Pass<'_>, name: &str, set: &ReplicaSet) -> bool {
    let hash = pass.world.services.get(name).map_or("", |service| selected(pass, service));
    let now = pass.all.iter().find(|set| !hash.is_empty() && set.hash() == hash);
    now.is_some_and(|now| set.revision() < now.revision() || set.created < now.created)
        && !defect!(LeftForgotten)
}

/// Notes that this pass rests on what target groups say of a Service, tells what is new of it, and asks for the next look
/// where something is missing.
pub(super) fn rely_on(pass: &mut Pass<'_>, name: &str) {
    let Some(service) = asked(pass, name) else { return };
    if !pass.plan.asks.insert(name.to_owned()) {
        return;
    }
    let said = said(pass, service);
    if !said.are_checked() {
        let why = format!("target groups are to have the pods of service {name}");
        pass.plan.wake_at(pass.now.plus_seconds(ASK_AGAIN), why);
    }
    if service.targets_are_news {
        tell(pass, name, &said);
    }
}

fn tell(pass: &mut Pass<'_>, name: &str, said: &Targets) {
    match said {
        Targets::Unknown | Targets::Unbound => {}
        Targets::Silent(why) => {
            pass.tell_of(EventType::Warning, "TargetGroupVerifyError", format!("Service {name:?}: {why}"));
        }
        Targets::Bound(targets) => {
            let (pods, registered) = (targets.pods, targets.registered);
            let groups = targets.groups.join(", ");
            let message =
                format!("Service {name:?}: {registered} of {pods} ready pods are targets of {groups}");
            let is_there = said.are_registered();
            let (kind, reason) = if is_there {
                (EventType::Normal, "TargetGroupVerified")
            } else {
                (EventType::Warning, "TargetGroupUnverified")
            };
            pass.tell_of(kind, reason, message);
        }
    }
}
