//! Routers that can be asked what they serve: their word counts, and no time has to be waited for. `[traffic.verified]`

use super::pass::Pass;
use super::routed;
use crate::EventType;
use crate::defect;
use crate::traffic::{Intent, RouterView};
use crds::Time;
use crds::rollout::RolloutStatus;
use crds::rollout::status::AlbStatus;

/// How long until a router is asked again, in seconds: as long as Argo Rollouts waits.
pub(super) const ASK_AGAIN: i64 = 10;

/// Whether all routers that are asked serve what is wanted; `None` where none is.
pub(super) fn serve(pass: &Pass<'_>, intent: &Intent) -> Option<bool> {
    let wanted = |router| routed::wanted_of(pass, router, intent);
    let asked = pass.world.routers.iter().filter_map(|router| router.serves(&wanted(router)));
    let asked: Vec<bool> = asked.collect();
    (!asked.is_empty()).then(|| asked.iter().all(|serves| *serves))
}

/// When a router is asked again that does not serve yet what its objects show, or cannot say; `None` once all do.
pub(super) fn awaited(pass: &Pass<'_>) -> Option<Time> {
    let waits = pass.world.routers.iter().any(RouterView::is_behind_its_objects);
    (waits && !defect!(UnservedHasSettled)).then(|| pass.now.plus_seconds(ASK_AGAIN))
}

/// Tells what routers say of the weights that are wanted, when that changes, and asks for the next look.
pub(super) fn tell(pass: &mut Pass<'_>, intent: &Intent) {
    let before = routed::recorded(pass).and_then(|weights| weights.verified);
    let now = serve(pass, intent);
    if now == Some(false) {
        let why = "a router is to serve the weights that its objects show";
        pass.plan.trail.push(why.to_owned());
        pass.plan.wake_at(pass.now.plus_seconds(ASK_AGAIN), why);
    }
    if now == before {
        return;
    }
    let mut errors = pass.world.routers.iter().filter_map(|router| router.served.as_ref()?.as_ref().err());
    let error = errors.next().cloned();
    let weight = intent.canary.weight;
    match (now, error) {
        (_, Some(error)) => pass.tell_of(EventType::Warning, "TargetGroupVerifyError", error),
        (Some(true), None) => {
            pass.tell(
                "TargetGroupVerified",
                format!("Target groups have the weight {weight} for the canary"),
            );
        }
        (Some(false), None) => {
            let message = format!("Target groups do not have the weight {weight} for the canary yet");
            pass.tell_of(EventType::Warning, "TargetGroupUnverified", message);
        }
        (None, None) => {}
    }
}

/// The load balancers in the status: the one, or all of several Ingresses. They stay when nobody asks any more.
pub(super) fn record(pass: &Pass<'_>, status: &mut RolloutStatus) {
    if routed::is_routed(pass) {
        (status.alb, status.albs) = (pass.old.alb.clone(), pass.old.albs.clone());
    }
    let served = pass.world.routers.iter().filter_map(|router| router.served.as_ref()?.as_ref().ok());
    let balancers: Vec<AlbStatus> = served.flat_map(|served| served.balancers.clone()).collect();
    if balancers.is_empty() {
        return;
    }
    let several =
        routed::routing(pass).and_then(|routing| routing.alb.as_ref()?.ingresses.as_ref()).is_some();
    if several {
        status.albs = Some(balancers);
    } else {
        status.alb = balancers.into_iter().next();
    }
}
