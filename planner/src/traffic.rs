//! What routers are asked for, and what they show. `[traffic.intent]`
//!
//! An [`Intent`] is desired state: it is computed in every pass, whole, and each router is edited until it shows it. How
//! its weights become a router's own numbers is the router's business (`traffic`).

use crds::rollout::canary::{HeaderRoutingMatch, RouteMatch};
use crds::rollout::status::AlbStatus;
use crds::{Rollout, Time};
use std::collections::BTreeMap;

/// The weight that stands for all traffic, unless a Rollout says otherwise.
pub const WHOLE_WEIGHT: i32 = 100;
/// Percent of requests that a mirror route copies, unless the step says otherwise.
pub const WHOLE_MIRROR_PERCENT: i32 = 100;

/// What traffic is to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Intent {
    /// What all weights add up to: `maxTrafficWeight`, or 100.
    pub total: i32,
    /// The new version.
    pub canary: Share,
    /// The version that was last promoted.
    pub stable: Share,
    /// What experiments take, by Service.
    pub additional: Vec<Share>,
    /// Managed routes that are wanted, in the order of `managedRoutes`: the first that matches a request counts.
    pub routes: Vec<Route>,
    /// Names of all routes that steps may make; one that is not wanted now is taken out.
    pub managed: Vec<String>,
}

/// Who gets how much.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Name of the Service.
    pub service: String,
    /// Pod template hash of the version; empty where there is none.
    pub hash: String,
    /// Part of [`Intent::total`].
    pub weight: i32,
}

/// A managed route.
#[derive(Clone, Debug, PartialEq)]
pub enum Route {
    /// Requests with certain headers go to the canary. Whether one match is enough, or all are needed, is the router's way.
    Header {
        /// Its name.
        name: String,
        /// What matches.
        matches: Vec<HeaderRoutingMatch>,
    },
    /// Requests are copied to the canary. One match is enough.
    Mirror {
        /// Its name.
        name: String,
        /// What matches.
        matches: Vec<RouteMatch>,
        /// Percent of the matching requests.
        percentage: i32,
    },
}

impl Route {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Header { name, .. } | Self::Mirror { name, .. } => name,
        }
    }
}

/// A router of the Rollout, as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterView {
    /// Its key in `trafficRouting`.
    pub name: &'static str,
    /// What it can do beside weights.
    pub abilities: Abilities,
    /// What its objects show, or why that cannot be told.
    pub observed: Result<ObservedTraffic, RouterProblem>,
    /// When its objects last changed, by the API server's clock; `None` where they do not say. What it does follows
    /// within the settle time.
    pub changed: Option<Time>,
    /// Who has changed them.
    pub authors: Authors,
    /// What it serves by its own word, or why it does not say; `None` where it is not asked. `[traffic.verified]`
    pub served: Option<Result<Served, String>>,
    /// Only inside a plan: what an earlier write of the plan has asked it for.
    pub asked: Option<Intent>,
}

/// What a router serves by its own word.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Served {
    /// Its weights.
    pub traffic: ObservedTraffic,
    /// Where they are.
    pub balancers: Vec<AlbStatus>,
}

impl RouterView {
    /// Whether the router serves these weights by its own word; `None` where it is not asked.
    #[must_use]
    pub fn serves(&self, intent: &Intent) -> Option<bool> {
        let wanted = intent.split();
        self.served.as_ref().map(|served| served.as_ref().is_ok_and(|served| served.traffic.divides(&wanted)))
    }

    /// Whether the router is asked, and does not serve what its objects show, or does not say.
    #[must_use]
    pub fn is_behind_its_objects(&self) -> bool {
        let (Some(served), Ok(observed)) = (&self.served, &self.observed) else { return false };
        let serves = |split: &Split| served.as_ref().is_ok_and(|served| served.traffic.divides(split));
        !observed.splits.iter().all(serves)
    }
}

/// What the API server notes about who has changed a router's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authors {
    /// When we last did; `None` where no field is ours, or no more.
    pub own: Option<Time>,
    /// When we last did, also where no field is ours any more, as far as that is known: whoever writes a list of routes
    /// has all of it.
    pub written: Option<Time>,
    /// Whether others have fields in an object in which we have some: only then can ours be given back.
    pub shared: bool,
    /// Who else has changed one since we last did.
    pub other: Option<String>,
}

impl Authors {
    /// Those of this object, too.
    pub fn add(&mut self, object: &Self) {
        self.own = self.own.max(object.own);
        self.written = self.written.max(object.written);
        self.shared |= object.shared;
        if let Some(other) = &object.other {
            self.other.get_or_insert_with(|| other.clone());
        }
    }
}

/// Why a router cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterProblem {
    /// Path of the field that names what is missing or unfit, below `trafficRouting`.
    pub path: String,
    /// That field's value; `None` where fields do not go together.
    pub value: Option<serde_json::Value>,
    /// The object that is missing or unfit; empty where none is.
    pub name: String,
    /// The kind of what is missing or unfit.
    pub kind: &'static str,
    /// A sentence for the user.
    pub message: String,
    /// Whether something is not there, rather than unfit.
    pub missing: bool,
}

/// The Services between which traffic is split, by their roles now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// The canary's Service; empty where there is none.
    pub canary: String,
    /// The stable version's Service; empty where there is none.
    pub stable: String,
}

/// A Rollout's pairs of Services, by their roles now. `[canary.ping-pong]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Those that the strategy names; both names are empty where it names none.
    pub named: Roles,
    /// Those that take turns, where there are any.
    pub turning: Option<Roles>,
    /// Which of the two says how far a promotion has got: the one that is handed over, where a router uses it.
    first: First,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum First {
    #[default]
    Named,
    Turning,
}

impl Pairs {
    /// The pairs of a Rollout.
    #[must_use]
    pub fn of(rollout: &Rollout) -> Self {
        let strategy = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
        let Some(canary) = strategy else { return Self::default() };
        let named = Roles {
            canary: canary.canary_service.clone().unwrap_or_default(),
            stable: canary.stable_service.clone().unwrap_or_default(),
        };
        let Some(pair) = &canary.ping_pong else { return Self { named, ..Self::default() } };
        let status = rollout.status.as_ref().and_then(|status| status.canary.as_ref());
        let (ping, pong) = (pair.ping_service.clone(), pair.pong_service.clone());
        // PARITY: nothing recorded means that pong is the stable one.
        let turning = if status.is_some_and(|status| status.stable_ping_pong == PING) {
            Roles { canary: pong, stable: ping }
        } else {
            Roles { canary: ping, stable: pong }
        };
        let routing = canary.traffic_routing.as_ref();
        let by_name = routing.is_some_and(|routing| {
            routing.istio.is_some() || routing.nginx.is_some() || routing.traefik.is_some()
        });
        let whole = !named.canary.is_empty() && !named.stable.is_empty();
        let first = if by_name && whole { First::Named } else { First::Turning };
        Self { named, turning: Some(turning), first }
    }

    /// The pair that says how far a promotion has got.
    #[must_use]
    pub fn first(&self) -> &Roles {
        match (&self.turning, self.first) {
            (Some(turning), First::Turning) => turning,
            _ => &self.named,
        }
    }

    /// The pair of a router that is one of those that take turns where a Rollout has both, or is not.
    #[must_use]
    pub fn of_router(&self, turns: bool) -> &Roles {
        self.turning.as_ref().filter(|_| turns).unwrap_or_else(|| self.first())
    }

    /// Those between which routers may split traffic, and whether they take turns.
    pub fn in_use(&self) -> impl Iterator<Item = (&Roles, bool)> {
        let named = Some((&self.named, false)).filter(|_| self.first == First::Named);
        named.into_iter().chain(self.turning.iter().map(|turning| (turning, true)))
    }

    /// A pair that is named and that no router uses: its Services follow the versions all the same.
    #[must_use]
    pub fn idle(&self) -> Option<&Roles> {
        (self.first == First::Turning).then_some(&self.named)
    }
}

/// Which Service is the canary's and which is the stable version's: those that the strategy names, or a pair that takes
/// turns. Where there are both, those that are named, if a router uses them.
#[must_use]
pub fn roles(rollout: &Rollout) -> Roles {
    Pairs::of(rollout).first().clone()
}

/// `stablePingPong` of a Rollout whose stable Service is `pingService`.
pub const PING: &str = "ping";
/// `stablePingPong` of a Rollout whose stable Service is `pongService`.
pub const PONG: &str = "pong";

/// What a router can do beside weights. What it cannot do is left out of what it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Route by header.
    pub headers: bool,
    /// Mirror.
    pub mirrors: bool,
    /// Weights of experiments.
    pub additional: bool,
    /// Select versions itself, by pod template hash.
    pub subsets: bool,
    /// Keep lists of pods of its own, which follow those of a Service that moves only after a while, as the target groups
    /// of a load balancer do. Others send what a Service gets to the pods that they last knew of it, and those stay.
    pub registers: bool,
    /// Where a Rollout has both, split traffic between the pair of Services that takes turns, and not between those that
    /// are named. `[canary.ping-pong]`
    pub turns: bool,
}

/// What a router's objects show: what it has been told, by whomever. What it does may lag behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedTraffic {
    /// Each place that splits traffic, such as a rule of a route or an Ingress. They differ while only some are written.
    pub splits: Vec<Split>,
    /// The versions that the router itself selects, where it does: canary and stable, empty for none.
    pub subsets: Option<(String, String)>,
    /// Managed routes, in order.
    pub routes: Vec<Route>,
    /// Something beside all this is to be written, such as an object of ours that is not there, or that no longer follows
    /// the user's.
    pub behind: bool,
}

/// Weights in one place, in its own unit. Only proportions count.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Split {
    /// The canary's.
    pub canary: i64,
    /// The stable version's.
    pub stable: i64,
    /// Those of experiments, by Service.
    pub additional: BTreeMap<String, i64>,
}

impl Intent {
    /// The intent as far as a router with these abilities can carry it out.
    #[must_use]
    pub fn within(&self, abilities: Abilities) -> Self {
        let mut intent = self.clone();
        if !abilities.additional {
            let lost: i32 = intent.additional.drain(..).map(|share| share.weight).sum();
            intent.stable.weight = intent.stable.weight.saturating_add(lost);
        }
        intent.routes.retain(|route| match route {
            Route::Header { .. } => abilities.headers,
            Route::Mirror { .. } => abilities.mirrors,
        });
        intent
    }

    /// The weights as every place is to show them.
    #[must_use]
    pub fn split(&self) -> Split {
        let share = |share: &Share| (share.service.clone(), i64::from(share.weight));
        Split {
            canary: i64::from(self.canary.weight),
            stable: i64::from(self.stable.weight),
            additional: self.additional.iter().map(share).collect(),
        }
    }
}

impl ObservedTraffic {
    /// Whether everything is as it is wanted. `intent` is what [`Intent::within`] gives for the router.
    #[must_use]
    pub fn shows(&self, intent: &Intent) -> bool {
        let subsets = (intent.canary.hash.as_str(), intent.stable.hash.as_str());
        !self.behind
            && self.divides(&intent.split())
            && self
                .subsets
                .as_ref()
                .is_none_or(|(canary, stable)| (canary.as_str(), stable.as_str()) == subsets)
            && self.routes == intent.routes
    }

    /// Whether traffic is divided like this in every place.
    fn divides(&self, wanted: &Split) -> bool {
        !self.splits.is_empty() && self.splits.iter().all(|split| split.is_like(wanted))
    }

    /// The largest share of the canary in any place, in parts of `total`, rounded up: what its pods have to carry.
    ///
    /// Example: 1 of 3 in one place and 1 of 4 in another, of 100: 34.
    #[must_use]
    pub fn canary(&self, total: i32) -> i32 {
        self.splits.iter().map(|split| split.part(split.canary, total)).max().unwrap_or(0)
    }

    /// The largest share of the stable version in any place, in parts of `total`, rounded up; all of it where nothing is
    /// said.
    #[must_use]
    pub fn stable(&self, total: i32) -> i32 {
        let stable = |split: &Split| if split.sum() == 0 { total } else { split.part(split.stable, total) };
        self.splits.iter().map(stable).max().unwrap_or(total)
    }
}

impl Split {
    fn sum(&self) -> i64 {
        let additional = self.additional.values().fold(0_i64, |sum, weight| sum.saturating_add(*weight));
        self.canary.saturating_add(self.stable).saturating_add(additional)
    }

    /// A weight in parts of `total`, rounded up; 0 where all weights are 0.
    fn part(&self, weight: i64, total: i32) -> i32 {
        let sum = self.sum().max(1);
        let part = weight.saturating_mul(i64::from(total)).saturating_add(sum - 1) / sum;
        i32::try_from(part).unwrap_or(total)
    }

    /// Whether both divide traffic alike: 1 to 0 is 100 to 0.
    fn is_like(&self, other: &Self) -> bool {
        let (own, others) = (self.sum(), other.sum());
        let like = |a: i64, b: i64| a.saturating_mul(others) == b.saturating_mul(own);
        let services = self.additional.keys().chain(other.additional.keys());
        let of = |split: &Self, service: &str| split.additional.get(service).copied().unwrap_or(0);
        (own > 0) == (others > 0)
            && like(self.canary, other.canary)
            && like(self.stable, other.stable)
            && services.into_iter().all(|service| like(of(self, service), of(other, service)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(canary: i64, stable: i64) -> Split {
        Split { canary, stable, additional: BTreeMap::new() }
    }

    fn intent(canary: i32, stable: i32) -> Intent {
        let share =
            |service: &str, weight| Share { service: service.to_owned(), hash: String::new(), weight };
        Intent {
            total: canary + stable,
            canary: share("canary", canary),
            stable: share("stable", stable),
            ..Intent::default()
        }
    }

    #[test]
    fn only_proportions_count() {
        let shows = |splits: Vec<Split>, canary, stable| {
            ObservedTraffic { splits, ..ObservedTraffic::default() }.shows(&intent(canary, stable))
        };
        assert!(shows(vec![split(0, 1)], 0, 100));
        assert!(shows(vec![split(1, 3), split(25, 75)], 25, 75));
        assert!(!shows(vec![split(1, 1)], 0, 100), "a weight that nobody has written");
        assert!(!shows(vec![split(25, 75), split(20, 80)], 25, 75), "one place is behind");
        assert!(!shows(vec![split(0, 0)], 0, 100), "nobody gets anything");
        assert!(!shows(Vec::new(), 0, 100), "no place at all");
    }

    #[test]
    fn the_largest_share_counts_and_is_rounded_up() {
        let observed =
            ObservedTraffic { splits: vec![split(1, 2), split(1, 3)], ..ObservedTraffic::default() };
        assert_eq!(observed.canary(100), 34);
        assert_eq!(observed.stable(100), 75);
    }

    #[test]
    fn what_a_router_cannot_do_goes_to_stable() {
        let mut wanted = intent(20, 70);
        wanted.additional.push(Share { service: "experiment".to_owned(), hash: String::new(), weight: 10 });
        wanted.routes.push(Route::Header { name: "route".to_owned(), matches: Vec::new() });
        let plain = wanted.within(Abilities::default());
        assert_eq!((plain.stable.weight, plain.additional.len(), plain.routes.len()), (80, 0, 0));
        let able = Abilities {
            headers: true,
            mirrors: true,
            additional: true,
            subsets: true,
            registers: true,
            turns: true,
        };
        assert_eq!(wanted.within(able), wanted);
    }
}
