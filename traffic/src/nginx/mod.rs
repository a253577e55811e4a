//! Ingress NGINX: the canary's share stands in the annotations of a second Ingress beside the stable one.
//!
//! The stable Ingress is the user's and is never edited. The canary Ingress is ours, one for each stable Ingress: it is
//! made when it is not there, also for weight 0, follows the stable Ingress, and stays after the update with weight 0.

mod canary;
mod weight;

#[cfg(test)]
mod tests;

use crate::object::INGRESS;
use crate::{Edit, Objects, Problem, Reference, Router, Services};
use canary::CanaryIngress;
use crds::Rollout;
use crds::rollout::traffic::NginxTrafficRouting;
use planner::traffic::{Abilities, Intent, ObservedTraffic};
use serde_json::Value;
use std::collections::BTreeSet;

/// How the names of canary Ingresses end.
const SUFFIX: &str = "-canary";
/// How much of the Rollout's and the stable Ingress's names goes before [`SUFFIX`]: a name has at most 253 characters.
const PREFIX_LENGTH: usize = 253 - SUFFIX.len();

/// The router of a Rollout that names stable Ingresses.
pub(crate) fn of(rollout: &Rollout, services: &Services) -> Vec<Box<dyn Router>> {
    let Some(routing) = crate::routing(rollout) else { return Vec::new() };
    let Some(nginx) = &routing.nginx else { return Vec::new() };
    let canary = CanaryIngress::of(rollout, nginx, services, routing.max_traffic_weight.is_some());
    vec![Box::new(Nginx { pairs: pairs(rollout, nginx), canary })]
}

/// The router.
#[derive(Debug)]
struct Nginx {
    /// The Ingresses, or why they are not known.
    pairs: Result<Vec<Pair>, Problem>,
    canary: CanaryIngress,
}

/// A stable Ingress and ours beside it.
#[derive(Clone, Debug)]
struct Pair {
    stable: Reference,
    canary: Reference,
}

/// A pair as it is there, once it is known to be fit.
struct Found<'a> {
    stable: &'a Value,
    /// The canary's rules, as they are to be.
    rules: Vec<Value>,
    /// Our Ingress, where there is one yet.
    canary: Option<&'a Value>,
}

/// The Ingresses of a Rollout, in its order; one that is named twice counts once.
fn pairs(rollout: &Rollout, nginx: &NginxTrafficRouting) -> Result<Vec<Pair>, Problem> {
    let one = nginx.stable_ingress.as_ref().filter(|name| !name.is_empty());
    let several = nginx.stable_ingresses.as_deref().unwrap_or_default();
    match (one, several) {
        (Some(_), [_, ..]) => {
            let what = "Either StableIngress or StableIngresses must be configured. Both are configured.";
            return Err(Problem::Choice(what));
        }
        (None, []) => {
            let what = "Either StableIngress or StableIngresses must be configured. Neither are configured.";
            return Err(Problem::Choice(what));
        }
        _ => {}
    }
    if several.iter().any(String::is_empty) {
        let what = "spec.strategy.canary.trafficRouting.nginx: name either one stableIngress or stableIngresses, and \
                    no empty name";
        return Err(Problem::Rollout(what.to_owned()));
    }
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    let own = rollout.metadata.name.as_deref().unwrap_or_default();
    let ingress = |name: String| Reference { kind: INGRESS, namespace: namespace.to_owned(), name };
    let (mut seen, mut taken, mut pairs) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for stable in one.into_iter().chain(several).filter(|name| seen.insert(*name)) {
        let canary = canary_name(own, stable);
        if !taken.insert(canary.clone()) {
            return Err(Problem::Rollout(format!(
                "the canary Ingress of the Ingress {stable:?} would have the name of another one, {canary:?}: names \
                 are cut, so shorten the names of the Ingresses"
            )));
        }
        pairs.push(Pair { stable: ingress(stable.clone()), canary: ingress(canary) });
    }
    Ok(pairs)
}

/// Example: `demo` and `web` give `demo-web-canary`.
fn canary_name(rollout: &str, stable: &str) -> String {
    format!("{rollout}-{stable}").chars().take(PREFIX_LENGTH).chain(SUFFIX.chars()).collect()
}

impl Nginx {
    fn pairs(&self) -> Result<&[Pair], Problem> {
        self.pairs.as_deref().map_err(Clone::clone)
    }

    fn found<'a>(&self, objects: &'a Objects, pair: &Pair) -> Result<Found<'a>, Problem> {
        let stable = objects.require(&pair.stable)?;
        let rules = self.canary.rules(&pair.stable, stable)?;
        let canary = objects.get(&pair.canary);
        if let Some(canary) = canary {
            self.canary.own(&pair.canary, canary)?;
        }
        Ok(Found { stable, rules, canary })
    }
}

impl Router for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    fn references(&self) -> Vec<Reference> {
        let pairs = self.pairs.iter().flatten();
        pairs.flat_map(|pair| [pair.stable.clone(), pair.canary.clone()]).collect()
    }

    fn observe(&self, objects: &Objects) -> Result<ObservedTraffic, Problem> {
        let mut observed = ObservedTraffic::default();
        for pair in self.pairs()? {
            let found = self.found(objects, pair)?;
            let existing = found.canary;
            observed.splits.push(self.canary.weight.split(existing));
            observed.behind |= existing != Some(&self.canary.follow(&pair.canary, found));
        }
        Ok(observed)
    }

    /// An Ingress whose weights are right is edited, too, where it no longer follows the stable one.
    fn edit(&self, objects: &Objects, intent: &Intent) -> Result<Vec<Edit>, Problem> {
        let mut edits = Vec::new();
        for pair in self.pairs()? {
            let found = self.found(objects, pair)?;
            let existing = found.canary;
            let mut to = self.canary.follow(&pair.canary, found);
            // As followed, not as it is there: the mark of a canary may have just made an old weight count.
            let split = self.canary.weight.split(Some(&to));
            let shown = ObservedTraffic { splits: vec![split], ..ObservedTraffic::default() };
            if existing.is_none() || !shown.shows(intent) {
                self.canary.weight.write(&mut to, intent)?;
            }
            if existing != Some(&to) {
                edits.push(Edit { object: pair.canary.clone(), to });
            }
        }
        Ok(edits)
    }

    fn notice(&self, objects: &Objects, edit: &Edit, intent: &Intent) -> Option<(&'static str, String)> {
        let (name, weight) = (&edit.object.name, intent.canary.weight);
        Some(match objects.get(&edit.object) {
            None => {
                ("CreatingCanaryIngress", format!("Creating canary ingress `{name}` with weight `{weight}`"))
            }
            Some(_) => {
                ("PatchingCanaryIngress", format!("Updating Ingress `{name}` to desiredWeight '{weight}'"))
            }
        })
    }
}
