//! What Rollouts have left on objects that they do not use any more. `[traffic.release]`
//!
//! Two kinds say who has written to them: an Ingress of a load balancer keeps a ledger, a DestinationRule a mark. The
//! other routers' objects have nothing that tells our numbers from their owner's: who takes one out of a Rollout in the
//! middle of an update is to be seen doing so ([`at_rest`]).

use crate::object::{DESTINATION_RULE, INGRESS};
use crate::{Kind, Problem, Reference, Services, alb, istio, routing};
use crds::Rollout;
use planner::traffic::{Intent, Share, WHOLE_WEIGHT};
use serde_json::Value;
use std::collections::BTreeSet;

/// Whether objects of this kind say which Rollouts have written to them.
#[must_use]
pub fn is_marked(kind: Kind) -> bool {
    kind == INGRESS || kind == DESTINATION_RULE
}

/// Whether objects of this kind are again as their owners have them when no update is under way. The subsets of a
/// DestinationRule always have the hash of a version.
#[must_use]
pub fn rests_as_it_was(kind: Kind) -> bool {
    kind != DESTINATION_RULE
}

/// The Rollouts that have written to the object, as it says itself.
///
/// # Errors
/// When what it says cannot be read.
pub fn writers(object: &Reference, value: &Value) -> Result<BTreeSet<String>, Problem> {
    match object.kind {
        INGRESS => alb::writers(value),
        DESTINATION_RULE => Ok(istio::writer(value).map(str::to_owned).into_iter().collect()),
        _ => Ok(BTreeSet::new()),
    }
}

/// The object as it is to be once every Rollout that is not in `referring` has let it go; none where nothing is to be done.
///
/// # Errors
/// As [`writers`].
pub fn release(
    object: &Reference,
    value: &Value,
    referring: &BTreeSet<String>,
) -> Result<Option<Value>, Problem> {
    match object.kind {
        INGRESS => alb::release(value, referring),
        DESTINATION_RULE => Ok(istio::release(value, referring)),
        _ => Ok(None),
    }
}

/// What a Rollout's routers are asked for when no update is under way: everything goes to the stable Service, and no
/// managed route is there.
#[must_use]
pub fn at_rest(rollout: &Rollout, services: &Services) -> Intent {
    let routing = routing(rollout);
    let total = routing.and_then(|routing| routing.max_traffic_weight).unwrap_or(WHOLE_WEIGHT);
    let managed = routing.and_then(|routing| routing.managed_routes.as_ref());
    let share = |service: &String, weight| Share { service: service.clone(), hash: String::new(), weight };
    Intent {
        total,
        canary: share(&services.canary, 0),
        stable: share(&services.stable, total),
        managed: managed.into_iter().flatten().map(|route| route.name.clone()).collect(),
        ..Intent::default()
    }
}
