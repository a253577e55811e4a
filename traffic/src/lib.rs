//! Routers: one module for each. A router reads what its objects show ([`Router::observe`]) and says how they are to be
//! edited until they show an intent ([`Router::edit`]). Both are pure, on raw JSON: every field that is not ours stays
//! byte for byte as it was. `[traffic.routers]`
//!
//! A new router is one file here, and one line in [`routers`].

mod alb;
mod fault;
mod gateway;
mod istio;
mod nginx;
mod object;
mod release;
mod selection;
mod traefik;

#[cfg(test)]
mod laws;

pub use fault::{Fault, fault};
pub use gateway::route_keys;
pub use object::{KINDS, Kind, Objects, Reference};
pub use release::{at_rest, is_marked, release, rests_as_it_was, writers};
pub use selection::{Find, Selection};

use crds::Rollout;
use crds::rollout::traffic::RolloutTrafficRouting;
use planner::traffic::{Abilities, Intent, ObservedTraffic, Pairs, Roles, Split};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// A router of one Rollout.
pub trait Router: Debug + Send + Sync {
    /// Its key in `trafficRouting`.
    fn name(&self) -> &'static str;

    /// What it can do beside weights.
    fn abilities(&self) -> Abilities;

    /// The objects that it reads, in the order in which they are edited. What its selections have found is among them.
    fn references(&self) -> Vec<Reference>;

    /// What it finds without names.
    fn selections(&self) -> Vec<Selection> {
        Vec::new()
    }

    /// What the objects show.
    ///
    /// # Errors
    /// When an object is missing or does not say what it must; the sentence is for the user.
    fn observe(&self, objects: &Objects) -> Result<ObservedTraffic, Problem>;

    /// The objects that are to change until they show `intent`, each as it is to be; none when they show it already.
    /// `intent` is within [`Router::abilities`].
    ///
    /// # Errors
    /// As [`Router::observe`].
    fn edit(&self, objects: &Objects, intent: &Intent) -> Result<Vec<Edit>, Problem>;

    /// The load balancers outside the cluster that do what the objects say, where they can be asked.
    fn balancers(&self, objects: &Objects) -> Vec<Balancer> {
        let _ = objects;
        Vec::new()
    }

    /// Whether its objects say themselves which Rollouts have written weights there ([`writers`]).
    fn marks(&self) -> bool {
        false
    }

    /// What to tell people of an edit: the reason and the message of an event.
    fn notice(&self, objects: &Objects, edit: &Edit, intent: &Intent) -> Option<(&'static str, String)> {
        let _ = (objects, edit, intent);
        None
    }
}

/// What a router's objects show, where not all kinds can be read: `absent` is one that cannot, and why.
///
/// # Errors
/// What the Rollout itself does not say comes before what is absent.
pub fn read(
    router: &dyn Router,
    objects: &Objects,
    absent: Option<&(Kind, String)>,
) -> Result<ObservedTraffic, Problem> {
    let read = router.observe(objects);
    match (read, absent) {
        (Err(problem @ (Problem::Choice(_) | Problem::Rollout(_))), _) => Err(problem),
        (_, Some((kind, why))) => {
            Err(Problem::Absent { kind: kind.plural, group: kind.group, why: why.clone() })
        }
        (read, None) => read,
    }
}

/// A load balancer outside the cluster. Its target groups are tagged with what they are made for:
/// `<namespace>/<Ingress>-<Service>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// Name of the Ingress that it does what is said in.
    pub ingress: String,
    /// Its name in DNS; none while the Ingress does not have it yet.
    pub host: Option<String>,
    /// Tag of the canary's target group.
    pub canary: String,
    /// Tag of the stable version's.
    pub stable: String,
    /// Tags of those of experiments, by Service.
    pub additional: BTreeMap<String, String>,
    /// The weights that the Ingress shows.
    pub shown: Split,
}

/// One object as it is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Which; one that was not there is made.
    pub object: Reference,
    /// The whole object.
    pub to: Value,
}

/// Why a router cannot be read or edited, in a sentence for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// An object is not there.
    #[error("{kind} {name:?} not found in namespace {namespace:?}")]
    Missing {
        /// Its kind.
        kind: &'static str,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Nothing is there that a selection finds.
    #[error("{what}")]
    Unselected {
        /// The kind that is looked for.
        kind: &'static str,
        /// The field that says what is looked for.
        field: &'static str,
        /// The labels that are asked for.
        labels: String,
        /// What is missing, of all that is looked for.
        what: String,
    },
    /// Objects of a kind cannot be used at all.
    #[error("{kind}.{group} cannot be used: {why}")]
    Absent {
        /// The kind, in the plural.
        kind: &'static str,
        /// Its API group.
        group: &'static str,
        /// What the API server said.
        why: String,
    },
    /// An object does not say what it must; the sentence names the field.
    #[error("{kind} {name:?}: {what}")]
    Unfit {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// An Ingress leads nowhere near the Service.
    #[error(
        "Ingress {name:?} has no rule with Service {service:?}: add a path with this Service as its backend"
    )]
    NoBackend {
        /// Name of the Ingress.
        name: String,
        /// Name of the Service.
        service: String,
    },
    /// Of fields that exclude each other, none or more than one is set.
    #[error("{0}")]
    Choice(&'static str),
    /// The Rollout does not say what it must.
    #[error("{0}")]
    Rollout(String),
}

impl Problem {
    /// Name of the object that it is about, or the labels that it would have; empty where it is about none.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Missing { name, .. } | Self::Unfit { name, .. } | Self::NoBackend { name, .. } => name,
            Self::Unselected { labels, .. } => labels,
            Self::Absent { .. } | Self::Choice(_) | Self::Rollout(_) => "",
        }
    }

    /// The kind of the object that it is about.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing { kind, .. }
            | Self::Unselected { kind, .. }
            | Self::Unfit { kind, .. }
            | Self::Absent { kind, .. } => kind,
            Self::NoBackend { .. } => "Ingress",
            Self::Choice(_) | Self::Rollout(_) => "router",
        }
    }

    /// Whether something is not there, rather than unfit.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Unselected { .. } | Self::Absent { .. })
    }
}

/// The Services between which a Rollout's traffic is split, by their roles now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// The canary's.
    pub canary: String,
    /// The stable version's.
    pub stable: String,
}

impl Services {
    /// Those of a router, by [`Abilities::turns`].
    #[must_use]
    pub fn of(rollout: &Rollout, turns: bool) -> Self {
        let pairs = Pairs::of(rollout);
        let Roles { canary, stable } = pairs.of_router(turns).clone();
        Self { canary, stable }
    }
}

/// The routers of a Rollout, in the order in which they are asked; none where it uses none. `find` looks up what they find
/// by labels; a look-up that finds nothing gives routers that know only what is named.
#[must_use]
pub fn routers(rollout: &Rollout, find: Find<'_>) -> Vec<Box<dyn Router>> {
    let (named, turning) = (&Services::of(rollout, false), &Services::of(rollout, true));
    let found = [
        istio::of(rollout, named),
        nginx::of(rollout, named),
        alb::of(rollout, turning).into_iter().collect(),
        traefik::of(rollout, named),
        gateway::of(rollout, turning, find).into_iter().collect(),
    ];
    found.into_iter().flatten().collect()
}

/// What the Rollout says of its routers.
pub(crate) fn routing(rollout: &Rollout) -> Option<&RolloutTrafficRouting> {
    rollout.spec.strategy.as_ref()?.canary.as_ref()?.traffic_routing.as_ref()
}
