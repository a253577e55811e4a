//! Traefik: a `TraefikService` that weighs its entries. The entries named like the canary's and the stable version's
//! Services are ours, and of these only `weight`; every other entry stays as it is.

#[cfg(test)]
mod tests;

use crate::object::TRAEFIK_SERVICE;
use crate::{Edit, Objects, Problem, Reference, Router, Services};
use crds::Rollout;
use planner::traffic::{Abilities, Intent, ObservedTraffic, Split};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where the entries stand, as a JSON pointer.
const ENTRIES: &str = "/spec/weighted/services";

/// What Traefik takes for an entry without a weight: freshly written entries split traffic in halves.
const UNSET_WEIGHT: i64 = 1;

/// The router of a Rollout that names a `TraefikService`.
pub(crate) fn of(rollout: &Rollout, services: &Services) -> Vec<Box<dyn Router>> {
    let Some(traefik) = crate::routing(rollout).and_then(|routing| routing.traefik.as_ref()) else {
        return Vec::new();
    };
    let object = Reference {
        kind: TRAEFIK_SERVICE,
        namespace: rollout.metadata.namespace.clone().unwrap_or_default(),
        name: traefik.weighted_traefik_service_name.clone(),
    };
    vec![Box::new(Traefik { object, services: services.clone() })]
}

/// The router.
#[derive(Debug)]
struct Traefik {
    object: Reference,
    services: Services,
}

/// The two entries that are ours.
struct Entries<'a> {
    /// The whole object.
    object: &'a Value,
    canary: Entry,
    stable: Entry,
    /// Whether there is any other entry.
    shared: bool,
}

/// One entry.
struct Entry {
    index: usize,
    weight: i64,
}

impl Traefik {
    fn entries<'a>(&self, objects: &'a Objects) -> Result<Entries<'a>, Problem> {
        if self.object.name.is_empty() {
            let what = "spec.strategy.canary.trafficRouting.traefik.weightedTraefikServiceName is empty: name the \
                        TraefikService that splits the traffic";
            return Err(Problem::Rollout(what.to_owned()));
        }
        if self.services.canary == self.services.stable {
            let what =
                "canaryService and stableService are the same: Traefik needs two Services to split traffic";
            return Err(Problem::Rollout(what.to_owned()));
        }
        let object = objects.require(&self.object)?;
        let entries = object.pointer(ENTRIES).and_then(Value::as_array).ok_or_else(|| {
            let what = format!(
                "it has no spec.weighted.services: list {:?} and {:?} there",
                self.services.stable, self.services.canary
            );
            self.object.unfit(what)
        })?;
        let canary = self.entry(entries, &self.services.canary)?;
        let stable = self.entry(entries, &self.services.stable)?;
        Ok(Entries { object, canary, stable, shared: entries.len() > 2 })
    }

    /// The entry of a Service. PARITY: its name alone decides, whatever its `kind` and `namespace` are: a
    /// `TraefikService` of the same name may stand in front of a Service.
    fn entry(&self, entries: &[Value], service: &str) -> Result<Entry, Problem> {
        let is_of = |entry: &Value| entry.get("name").and_then(Value::as_str) == Some(service);
        let mut found = entries.iter().enumerate().filter(|(_, entry)| is_of(entry));
        let Some((index, entry)) = found.next() else {
            return Err(self.object.unfit(format!(
                "spec.weighted.services has no entry named {service:?}: add one for that Service"
            )));
        };
        // DIFFERS: Argo Rollouts weighs the first of several entries of one name; the others keep sending traffic, also
        // to a canary that was aborted.
        if found.next().is_some() {
            return Err(self.object.unfit(format!(
                "spec.weighted.services has several entries named {service:?}: leave one, its weight is to be its share"
            )));
        }
        let weight = match entry.get("weight") {
            None | Some(Value::Null) => UNSET_WEIGHT,
            Some(weight) => weight.as_i64().ok_or_else(|| {
                self.object.unfit(format!(
                    "spec.weighted.services[{index}].weight of {service:?} is not a whole number"
                ))
            })?,
        };
        Ok(Entry { index, weight: weight.max(0) })
    }
}

impl Entries<'_> {
    fn observed(&self) -> ObservedTraffic {
        let split =
            Split { canary: self.canary.weight, stable: self.stable.weight, additional: BTreeMap::new() };
        ObservedTraffic { splits: vec![split], ..ObservedTraffic::default() }
    }

    /// Whether nothing is to be written. Proportions are enough as long as ours are the only entries; beside others the
    /// numbers count, because they say what is left for the others.
    fn show(&self, intent: &Intent) -> bool {
        let exactly = self.canary.weight == i64::from(intent.canary.weight)
            && self.stable.weight == i64::from(intent.stable.weight);
        self.observed().shows(intent) && (exactly || !self.shared)
    }
}

impl Router for Traefik {
    fn name(&self) -> &'static str {
        "traefik"
    }

    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    fn references(&self) -> Vec<Reference> {
        Some(self.object.clone()).filter(|object| !object.name.is_empty()).into_iter().collect()
    }

    fn observe(&self, objects: &Objects) -> Result<ObservedTraffic, Problem> {
        Ok(self.entries(objects)?.observed())
    }

    /// DIFFERS: Argo Rollouts writes the object in every pass; here it is written when it is to change.
    ///
    /// DIFFERS: Argo Rollouts always gives the stable version 100 less the canary's weight, and so less than nothing
    /// where `maxTrafficWeight` (for another router of the Rollout) is larger.
    fn edit(&self, objects: &Objects, intent: &Intent) -> Result<Vec<Edit>, Problem> {
        let entries = self.entries(objects)?;
        if entries.show(intent) {
            return Ok(Vec::new());
        }
        let mut to = entries.object.clone();
        let weights = [(&entries.canary, intent.canary.weight), (&entries.stable, intent.stable.weight)];
        for (entry, weight) in weights {
            let entry = to.pointer_mut(&format!("{ENTRIES}/{}", entry.index)).and_then(Value::as_object_mut);
            if let Some(entry) = entry {
                entry.insert("weight".to_owned(), Value::from(weight));
            }
        }
        let changed = to != *entries.object;
        Ok(changed.then(|| Edit { object: self.object.clone(), to }).into_iter().collect())
    }
}
