//! What Rollouts have stopped using in the middle of an update: objects of routers in which there may be weights of
//! theirs, and managed routes. Nothing in most of these objects tells whose they are, so the change itself is remembered.
//! `[traffic.left]`

use super::routes::Routes;
use super::store::{self, Id};
use crds::Rollout;
use crds::rollout::traffic::{ManagedRoute, RolloutTrafficRouting};
use planner::World;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use traffic::{Reference, Services};

/// How long it counts. Whoever begins to lead later does not know what people have made of the object since.
const KEPT: Duration = Duration::from_secs(600);

/// A Rollout as it was when it still used an object.
#[derive(Clone, Debug)]
pub(crate) struct Former {
    pub(crate) rollout: Arc<Rollout>,
    /// The router that the object was of.
    pub(crate) router: &'static str,
    /// The Services between which that split traffic.
    pub(crate) services: Services,
    since: Instant,
}

impl Former {
    fn is_of(&self, rollout: &Rollout) -> bool {
        self.rollout.metadata.uid == rollout.metadata.uid
    }

    fn counts(&self) -> bool {
        self.since.elapsed() < KEPT
    }
}

/// Managed routes that a Rollout names no more.
#[derive(Clone, Debug)]
struct Dropped {
    uid: Option<String>,
    names: BTreeSet<String>,
    since: Instant,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left {
    /// By object.
    objects: Arc<Mutex<BTreeMap<Reference, Vec<Former>>>>,
    /// By namespace and name of the Rollout.
    routes: Arc<Mutex<BTreeMap<Id, Dropped>>>,
}

impl Left {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Reference, Vec<Former>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_routes(&self) -> MutexGuard<'_, BTreeMap<Id, Dropped>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A Rollout has changed: gives the objects that it has left with this.
    pub(crate) fn changed(&self, old: &Rollout, new: &Rollout, routes: &Routes) -> Vec<Reference> {
        if old.metadata.generation == new.metadata.generation || !may_have_weights(old) {
            return Vec::new();
        }
        self.drop_routes(old, new);
        let used: BTreeSet<Reference> =
            routes.routers(new).iter().flat_map(|router| router.references()).collect();
        let rollout = Arc::new(old.clone());
        let mut left = Vec::new();
        let mut all = self.lock();
        all.retain(|_, formers| formers.iter().any(Former::counts));
        // What its objects say themselves is looked up there.
        for router in routes.routers(old).iter().filter(|router| !router.marks()) {
            for reference in router.references().into_iter().filter(|one| !used.contains(one)) {
                let former = Former {
                    rollout: rollout.clone(),
                    router: router.name(),
                    services: Services::of(old, router.abilities().turns),
                    since: Instant::now(),
                };
                let formers = all.entry(reference.clone()).or_default();
                formers.retain(|former| !former.is_of(old));
                formers.push(former);
                left.push(reference);
            }
        }
        left
    }

    fn drop_routes(&self, old: &Rollout, new: &Rollout) {
        let kept = managed(new);
        let gone: BTreeSet<String> = managed(old).into_iter().filter(|name| !kept.contains(name)).collect();
        if gone.is_empty() || routing(new).is_none() {
            return;
        }
        let uid = new.metadata.uid.clone();
        let mut all = self.lock_routes();
        all.retain(|_, dropped| dropped.since.elapsed() < KEPT);
        let before = all.remove(&store::id(new)).filter(|dropped| dropped.uid == uid);
        let names = before.into_iter().flat_map(|dropped| dropped.names).chain(gone).collect();
        all.insert(store::id(new), Dropped { uid, names, since: Instant::now() });
    }

    /// The Rollout as if it still named the managed routes that it has dropped: no step makes them, and so they go.
    pub(crate) fn with_dropped_routes(&self, rollout: Arc<Rollout>) -> Arc<Rollout> {
        let names = self.dropped_routes(&rollout);
        if names.is_empty() {
            return rollout;
        }
        let mut rollout = rollout.as_ref().clone();
        let strategy = rollout.spec.strategy.as_mut().and_then(|strategy| strategy.canary.as_mut());
        if let Some(routing) = strategy.and_then(|canary| canary.traffic_routing.as_mut()) {
            let routes = names.into_iter().map(|name| ManagedRoute { name });
            routing.managed_routes.get_or_insert_default().extend(routes);
        }
        Arc::new(rollout)
    }

    /// Names of managed routes that it has dropped, and that nothing in it names now.
    fn dropped_routes(&self, rollout: &Rollout) -> Vec<String> {
        let all = self.lock_routes();
        let dropped = all
            .get(&store::id(rollout))
            .filter(|dropped| dropped.uid == rollout.metadata.uid && dropped.since.elapsed() < KEPT);
        let named: BTreeSet<String> = managed(rollout).into_iter().chain(in_steps(rollout)).collect();
        let names = dropped.into_iter().flat_map(|dropped| &dropped.names);
        names.filter(|name| !named.contains(*name)).cloned().collect()
    }

    /// Forgets the managed routes that no router shows any more.
    pub(crate) fn forget_routes(&self, world: &World) {
        let shows = |name: &String| {
            world.routers.iter().any(|router| match &router.observed {
                Ok(observed) => observed.routes.iter().any(|route| route.name() == name),
                Err(_) => true,
            })
        };
        let id = store::id(&world.rollout);
        let mut all = self.lock_routes();
        if let Some(dropped) = all.get_mut(&id) {
            dropped.names.retain(shows);
            if dropped.names.is_empty() {
                all.remove(&id);
            }
        }
    }

    /// Who has left the object.
    pub(crate) fn of(&self, reference: &Reference) -> Vec<Former> {
        let all = self.lock();
        let formers = all.get(reference).into_iter().flatten();
        formers.filter(|former| former.counts()).cloned().collect()
    }

    /// It is waited for: the time counts anew.
    pub(crate) fn keep(&self, reference: &Reference, former: &Former) {
        let mut all = self.lock();
        for one in all.get_mut(reference).into_iter().flatten().filter(|one| one.is_of(&former.rollout)) {
            one.since = Instant::now();
        }
    }

    /// Nothing of that Rollout is there any more.
    pub(crate) fn forget(&self, reference: &Reference, former: &Former) {
        let mut all = self.lock();
        if let Some(formers) = all.get_mut(reference) {
            formers.retain(|one| !(one.is_of(&former.rollout) && one.since <= former.since));
            if formers.is_empty() {
                all.remove(reference);
            }
        }
    }
}

fn routing(rollout: &Rollout) -> Option<&RolloutTrafficRouting> {
    rollout.spec.strategy.as_ref()?.canary.as_ref()?.traffic_routing.as_ref()
}

/// Names of its managed routes.
fn managed(rollout: &Rollout) -> Vec<String> {
    let routes = routing(rollout).and_then(|routing| routing.managed_routes.as_ref());
    routes.into_iter().flatten().map(|route| route.name.clone()).collect()
}

/// Names of the routes that its steps make.
fn in_steps(rollout: &Rollout) -> Vec<String> {
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let steps = canary.and_then(|canary| canary.steps.as_ref()).into_iter().flatten();
    steps
        .flat_map(|step| {
            let header = step.set_header_route.as_ref().and_then(|route| route.name.clone());
            header.into_iter().chain(step.set_mirror_route.as_ref().map(|route| route.name.clone()))
        })
        .collect()
}

/// At rest nothing of a Rollout is in its routers: what is there then is its owners'.
fn may_have_weights(rollout: &Rollout) -> bool {
    let Some(status) = &rollout.status else { return false };
    let weights = status.canary.as_ref().and_then(|canary| canary.weights.as_ref());
    let is_under_way =
        !status.abort && !status.stable_rs.is_empty() && status.stable_rs != status.current_pod_hash;
    is_under_way || weights.is_some_and(|weights| weights.canary.weight > 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rollout(generation: i64, routing: &Value, status: &Value) -> Rollout {
        let metadata = json!({"namespace": "a", "name": "web", "uid": "u", "generation": generation});
        let canary = json!({"canaryService": "c", "stableService": "s", "trafficRouting": routing});
        let value = json!({"metadata": metadata, "spec": {"strategy": {"canary": canary}}, "status": status});
        serde_json::from_value(value).unwrap()
    }

    fn names(left: &[Reference]) -> Vec<&str> {
        left.iter().map(|reference| reference.name.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_in_the_middle_of_an_update_is_known_for_a_while() {
        let (routes, left) = (Routes::new(true), Left::default());
        let both = json!({"gatewayAPI": {"httpRoute": "one"}, "nginx": {"stableIngress": "two"},
            "alb": {"ingress": "marked", "servicePort": 80}});
        let one = json!({"gatewayAPI": {"httpRoute": "one"}});
        let midway = json!({"stableRS": "1", "currentPodHash": "2"});
        let weighted = json!({"stableRS": "1", "currentPodHash": "2", "abort": true,
            "canary": {"weights": {"canary": {"weight": 5}, "stable": {"weight": 95}}}});
        let aborted = json!({"stableRS": "1", "currentPodHash": "2", "abort": true});
        let done = json!({"stableRS": "2", "currentPodHash": "2"});
        for (status, expected) in [
            (&midway, vec!["two", "web-two-canary"]),
            (&weighted, vec!["two", "web-two-canary"]),
            (&aborted, vec![]),
            (&done, vec![]),
        ] {
            let found = left.changed(&rollout(1, &both, status), &rollout(2, &one, status), &routes);
            assert_eq!(names(&found), expected, "{status}");
        }
        let same = left.changed(&rollout(2, &both, &midway), &rollout(2, &one, &midway), &routes);
        assert!(same.is_empty(), "the spec has not changed");
        let found = left.changed(&rollout(1, &one, &midway), &rollout(2, &Value::Null, &midway), &routes);
        let route = found.first().unwrap();
        let former = left.of(route).pop().unwrap();
        assert_eq!((former.router, former.services.clone().stable.as_str()), ("gatewayAPI", "s"));
        tokio::time::advance(KEPT - Duration::from_secs(1)).await;
        assert_eq!(left.of(route).len(), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(left.of(route).is_empty(), "who begins to lead now knows nothing of it");
        left.changed(&rollout(1, &one, &midway), &rollout(2, &Value::Null, &midway), &routes);
        tokio::time::advance(KEPT / 2).await;
        left.keep(route, &left.of(route).pop().unwrap());
        tokio::time::advance(KEPT / 2).await;
        let former = left.of(route).pop().unwrap();
        left.forget(route, &former);
        assert!(left.of(route).is_empty());
    }
}
