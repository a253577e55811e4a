//! Fields of routers' objects that we have written are given back when an update is over. `[traffic.give-back]`
//!
//! The API server notes us as the owner of what we wrote last, of a whole list of routes where a kind's lists are taken
//! whole. Who tells a syncer to leave our fields alone would else never see a change of Git in them again
//! (argoproj/argo-rollouts#3854).

use super::conditions;
use super::pass::Pass;
use super::routed;
use crate::Write;
use crate::defect;
use crds::Time;

/// How long after an update its last weights may have been written, beside the settle times. What is written later puts
/// something back: whoever wants other weights at rest would win with each giving back, and lose again.
const AFTERWARDS: i64 = 60;
/// As many settle times may pass between the end of an update and its last weight. `[traffic.handover]`
const SETTLE_TIMES: i64 = 4;

/// Gives back what is held, in a pass that has nothing else to write.
pub(super) fn run(pass: &mut Pass<'_>) {
    let held = |pass: &Pass<'_>| {
        let latest = over_since(pass)?.plus_seconds(
            pass.world.settle_seconds().saturating_mul(SETTLE_TIMES).saturating_add(AFTERWARDS),
        );
        let is_held = |own: Time| own <= latest || defect!(GivesBackAgain);
        let routers = pass.world.routers.iter();
        let held = routers.filter(|router| router.authors.shared && router.authors.own.is_some_and(is_held));
        Some(held.map(|router| router.name).collect::<Vec<_>>())
    };
    if !pass.world.settings.gives_back || !rests(pass) || defect!(KeepsFields) {
        return;
    }
    let held = held(pass).unwrap_or_default();
    if held.is_empty() {
        return;
    }
    if let Some(end) = routed::settles_at(pass).filter(|_| !defect!(GivesBackUnsettled)) {
        return pass.plan.wake_at(end, "fields of routers' objects are given back");
    }
    for router in held {
        let why = format!("what {router} has is as it was before the update: its fields are given back");
        pass.write(Write::GiveBackRoutes { router }, why);
    }
}

/// Nothing is under way: all goes to the stable version, every router shows it, and nothing is to be written.
fn rests(pass: &Pass<'_>) -> bool {
    let over = pass.is_fully_promoted() || pass.is_aborted();
    let to_stable =
        pass.intent.as_ref().is_some_and(|intent| intent.canary.weight == 0 && intent.routes.is_empty());
    over && to_stable && pass.plan.writes.is_empty() && routed::is_shown(pass)
}

/// When the update was promoted or aborted.
fn over_since(pass: &Pass<'_>) -> Option<Time> {
    if pass.is_aborted() {
        return pass.old.aborted_at;
    }
    let completed = conditions::get(&pass.old, conditions::COMPLETED)?;
    (completed.status == "True").then_some(completed.last_transition_time)
}
