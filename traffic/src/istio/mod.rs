//! Istio: VirtualServices split traffic between the hosts of two Services, or between two subsets of a
//! `DestinationRule`. `[traffic.istio]`
//!
//! Only weights of the chosen routes, managed routes, and the hash labels of our subsets are ours.

mod destination_rule;
mod managed;
mod order;
mod places;
mod sides;
mod target;
mod virtual_service;
mod weights;

#[cfg(test)]
mod tests;

use crate::object::{DESTINATION_RULE, VIRTUAL_SERVICE};
use crate::{Edit, Objects, Problem, Reference, Router, Services};
use crds::rollout::canary::CanaryStrategy;
use crds::rollout::traffic::IstioDestinationRule;
use crds::{ResourceExt, Rollout};
use destination_rule::Rule;
pub(crate) use destination_rule::{release, writer};
use planner::traffic::{Abilities, Intent, ObservedTraffic};
use sides::Sides;
use target::Target;
use virtual_service::VirtualService;

/// Where the VirtualServices are configured.
const FIELD: &str = "spec.strategy.canary.trafficRouting.istio";

/// Istio, as one Rollout uses it.
#[derive(Debug)]
struct Istio {
    rollout: String,
    targets: Vec<Target>,
    rule: Option<(Reference, IstioDestinationRule)>,
    sides: Sides,
}

/// The router, where the Rollout uses it.
pub(crate) fn of(rollout: &Rollout, services: &Services) -> Vec<Box<dyn Router>> {
    let strategy = rollout.spec.strategy.as_ref();
    let canary = strategy.and_then(|strategy| strategy.canary.as_ref());
    canary.and_then(|canary| router(rollout, canary, services)).into_iter().collect()
}

fn router(rollout: &Rollout, canary: &CanaryStrategy, services: &Services) -> Option<Box<dyn Router>> {
    let routing = canary.traffic_routing.as_ref()?;
    let istio = routing.istio.as_ref()?;
    let namespace = rollout.namespace().unwrap_or_default();
    let rule = istio.destination_rule.as_ref().map(|rule| {
        let name = rule.name.clone();
        (Reference { kind: DESTINATION_RULE, namespace: namespace.clone(), name }, rule.clone())
    });
    Some(Box::new(Istio {
        rollout: rollout.name_any(),
        targets: target::targets(istio, &namespace),
        rule,
        sides: Sides::of(canary, routing, istio, services),
    }))
}

impl Istio {
    fn virtual_services<'a>(
        &'a self,
        sides: &'a Sides,
        objects: &'a Objects,
    ) -> Result<Vec<VirtualService<'a>>, Problem> {
        if self.targets.is_empty() {
            return Err(Problem::Choice("either VirtualService or VirtualServices must be configured"));
        }
        self.targets
            .iter()
            .map(|target| VirtualService::of(target, objects.require(&target.reference)?, sides))
            .collect()
    }

    fn rule<'a>(&'a self, objects: &'a Objects) -> Result<Option<Rule<'a>>, Problem> {
        let Some((reference, setting)) = &self.rule else { return Ok(None) };
        Ok(Some(Rule { reference, setting, value: objects.require(reference)? }))
    }
}

impl Router for Istio {
    fn name(&self) -> &'static str {
        "istio"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            headers: true,
            mirrors: true,
            additional: true,
            subsets: self.rule.is_some(),
            registers: false,
            turns: false,
        }
    }

    /// The rule first; [`order`] says when it is edited last.
    fn references(&self) -> Vec<Reference> {
        let rule = self.rule.iter().map(|(reference, _)| reference.clone());
        rule.chain(self.targets.iter().map(|target| target.reference.clone())).collect()
    }

    fn observe(&self, objects: &Objects) -> Result<ObservedTraffic, Problem> {
        let mut splits = Vec::new();
        let mut routes = Vec::new();
        for virtual_service in self.virtual_services(&self.sides, objects)? {
            splits.extend(virtual_service.splits()?);
            routes.extend(virtual_service.routes());
        }
        let subsets = self.rule(objects)?.map(|rule| rule.hashes()).transpose()?;
        Ok(ObservedTraffic { splits, subsets, routes: managed::agreed(routes), ..ObservedTraffic::default() })
    }

    fn edit(&self, objects: &Objects, intent: &Intent) -> Result<Vec<Edit>, Problem> {
        let sides = self.sides.knowing(intent);
        let virtual_services = self.virtual_services(&sides, objects)?;
        if !intent.routes.is_empty() && !virtual_services.iter().any(VirtualService::has_model) {
            let what = "header and mirror routes need a VirtualService that splits an HTTP route; none does";
            return Err(Problem::Rollout(format!("{FIELD}: {what}")));
        }
        let mut edits = Vec::new();
        for virtual_service in &virtual_services {
            let to = virtual_service.edit(intent)?;
            if to != *virtual_service.value {
                edits.push(Edit { object: virtual_service.reference.clone(), to });
            }
        }
        let Some(rule) = self.rule(objects)? else { return Ok(edits) };
        let to = rule.edit(&self.rollout, intent)?;
        if to != *rule.value {
            let first = order::rule_goes_first(&self.observe(objects)?, intent);
            let at = if first { 0 } else { edits.len() };
            edits.insert(at, Edit { object: rule.reference.clone(), to });
        }
        Ok(edits)
    }

    /// PARITY: the reason of the one has a space in it.
    fn notice(&self, _: &Objects, edit: &Edit, intent: &Intent) -> Option<(&'static str, String)> {
        let (name, weight) = (&edit.object.name, intent.canary.weight);
        match &self.rule {
            Some((reference, rule)) if *reference == edit.object => {
                let (canary, stable) = (&rule.canary_subset_name, &rule.stable_subset_name);
                let (to_canary, to_stable) = (&intent.canary.hash, &intent.stable.hash);
                let message = format!(
                    "DestinationRule {name} subset updated ({canary}: {to_canary}, {stable}: {to_stable})"
                );
                Some(("UpdatedDestinationRule", message))
            }
            _ => {
                let message = format!("VirtualService `{name}` set to desiredWeight '{weight}'");
                Some(("Updated VirtualService", message))
            }
        }
    }
}
