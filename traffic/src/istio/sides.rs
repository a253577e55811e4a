//! Whose a destination of a route is.

use crate::Services;
use crds::rollout::canary::CanaryStrategy;
use crds::rollout::traffic::{IstioDestinationRule, IstioTrafficRouting, RolloutTrafficRouting};
use planner::traffic::{Intent, WHOLE_WEIGHT};
use serde_json::Value;
use std::collections::BTreeSet;

/// Whose a destination is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// The canary's.
    Canary,
    /// The stable version's.
    Stable,
    /// A subset that the user keeps a share for.
    Kept,
    /// Of an experiment, or foreign: by the Service's name.
    Other(String),
}

/// What tells the sides apart.
#[derive(Clone, Debug)]
pub(super) struct Sides {
    services: Services,
    rule: Option<IstioDestinationRule>,
    managed: BTreeSet<String>,
    /// What all weights of a route add up to when we write them.
    pub(super) whole: i64,
}

impl Sides {
    /// The sides of a Rollout.
    pub(super) fn of(
        canary: &CanaryStrategy,
        routing: &RolloutTrafficRouting,
        istio: &IstioTrafficRouting,
        services: &Services,
    ) -> Self {
        let listed = routing.managed_routes.iter().flatten().map(|route| route.name.clone());
        let steps = canary.steps.iter().flatten().flat_map(|step| {
            let header = step.set_header_route.as_ref().and_then(|route| route.name.clone());
            header.into_iter().chain(step.set_mirror_route.as_ref().map(|route| route.name.clone()))
        });
        Self {
            services: services.clone(),
            rule: istio.destination_rule.clone(),
            managed: listed.chain(steps).collect(),
            whole: i64::from(routing.max_traffic_weight.unwrap_or(WHOLE_WEIGHT)),
        }
    }

    /// The same, where an intent may know more managed routes.
    pub(super) fn knowing(&self, intent: &Intent) -> Self {
        let mut sides = self.clone();
        sides.managed.extend(intent.managed.iter().cloned());
        sides.managed.extend(intent.routes.iter().map(|route| route.name().to_owned()));
        sides
    }

    /// Whether a route of this name is ours. A route without a name never is.
    pub(super) fn is_managed(&self, name: &str) -> bool {
        !name.is_empty() && self.managed.contains(name)
    }

    /// Whose a destination is.
    ///
    /// DIFFERS: a subset decides before the host. Argo Rollouts looks at both at once, and takes the stable subset of
    /// the canary Service's host for the canary. PARITY: of a host only the part before its first dot counts.
    pub(super) fn role(&self, destination: &Value) -> Role {
        let host = host(destination).split('.').next().unwrap_or_default();
        if let Some(role) = self.role_of_subset(subset(destination)) {
            role
        } else if !host.is_empty() && host == self.services.canary {
            Role::Canary
        } else if !host.is_empty() && host == self.services.stable {
            Role::Stable
        } else {
            Role::Other(host.to_owned())
        }
    }

    fn role_of_subset(&self, subset: &str) -> Option<Role> {
        let rule = self.rule.as_ref().filter(|_| !subset.is_empty())?;
        if subset == rule.canary_subset_name {
            Some(Role::Canary)
        } else if subset == rule.stable_subset_name {
            Some(Role::Stable)
        } else {
            let kept = rule.additional_subset_names.iter().flatten().any(|name| name == subset);
            kept.then_some(Role::Kept)
        }
    }

    /// The first destination of a side; with a DestinationRule it is one that names a subset.
    pub(super) fn find<'a>(&self, destinations: &'a [Value], role: &Role) -> Option<&'a Value> {
        let by_subset = |destination: &Value| self.role_of_subset(subset(destination)).as_ref() == Some(role);
        destinations.iter().find(|destination| {
            if self.rule.is_some() { by_subset(destination) } else { self.role(destination) == *role }
        })
    }

    /// Whether both sides are there; the sentence says which is not.
    pub(super) fn check(&self, destinations: &[Value]) -> Result<(), String> {
        for (role, who) in [(Role::Canary, "Canary"), (Role::Stable, "Stable")] {
            if self.find(destinations, &role).is_some() {
                continue;
            }
            let canary = role == Role::Canary;
            return Err(match &self.rule {
                Some(rule) => {
                    let name = if canary { &rule.canary_subset_name } else { &rule.stable_subset_name };
                    format!(
                        "{who} DestinationRule subset '{name}' not found in route: add a destination with it"
                    )
                }
                None => {
                    let name = if canary { &self.services.canary } else { &self.services.stable };
                    format!("{who} Service '{name}' not found in route: add a destination for it")
                }
            });
        }
        Ok(())
    }
}

/// Name of a route; empty where it has none.
pub(super) fn name(route: &Value) -> &str {
    route.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Host of a destination; empty where it has none.
pub(super) fn host(destination: &Value) -> &str {
    destination.pointer("/destination/host").and_then(Value::as_str).unwrap_or_default()
}

fn subset(destination: &Value) -> &str {
    destination.pointer("/destination/subset").and_then(Value::as_str).unwrap_or_default()
}
