//! Who gets how much of a route.

use super::sides::{Role, Sides, host};
use planner::traffic::{Intent, ObservedTraffic, Split};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Sides {
    /// Who gets how much. What kept subsets get is the stable version's share, because it is taken from that.
    pub(super) fn split(&self, destinations: &[Value]) -> Result<Split, String> {
        let mut split = Split::default();
        let mut kept = 0_i64;
        for (index, destination) in destinations.iter().enumerate() {
            let weight = weight(destination)
                .ok_or_else(|| format!("route[{index}].weight must be a whole number, 0 or more"))?;
            let sum = match self.role(destination) {
                Role::Canary => &mut split.canary,
                Role::Stable => &mut split.stable,
                Role::Kept => &mut kept,
                Role::Other(service) => split.additional.entry(service).or_default(),
            };
            *sum = sum.saturating_add(weight);
        }
        split.stable = self.stable_with(kept, &split);
        Ok(split)
    }

    /// The stable version's weight together with what is kept. Where the stable version has given all that it can and
    /// that was not enough, only what it gave counts.
    fn stable_with(&self, kept: i64, split: &Split) -> i64 {
        let others = split.additional.values().fold(split.canary, |sum, weight| sum.saturating_add(*weight));
        let left = self.whole.saturating_sub(others);
        if split.stable == 0 && left >= 0 && kept > left { left } else { split.stable.saturating_add(kept) }
    }

    /// The destinations as they are to be: untouched where they divide traffic alike.
    ///
    /// PARITY: destinations that belong to nobody are taken out: they are those of experiments that have ended.
    /// DIFFERS: of two destinations of one side, one gets its weight and the other none; Argo Rollouts gives it to
    /// both, so that the side gets too much.
    pub(super) fn divided(&self, destinations: &[Value], intent: &Intent) -> Result<Vec<Value>, String> {
        let split = self.split(destinations)?;
        if alike(&split, intent) {
            return Ok(destinations.to_vec());
        }
        let mut due = self.due(destinations, intent);
        let mut divided = Vec::new();
        for destination in destinations {
            let role = self.role(destination);
            match (due.remove(&role), role) {
                (_, Role::Kept) => divided.push(destination.clone()),
                (None, Role::Other(_)) if weight(destination) != Some(0) => {}
                (weight, _) => divided.push(weighted(destination, weight.unwrap_or(0))),
            }
        }
        let canary = self.find(destinations, &Role::Canary).map(host).unwrap_or_default();
        divided.extend(due.into_iter().filter_map(|(role, weight)| match role {
            Role::Other(service) if weight > 0 => {
                Some(json!({"destination": {"host": beside(canary, &service)}, "weight": weight}))
            }
            _ => None,
        }));
        Ok(divided)
    }

    /// The weight of each side. PARITY: kept subsets keep theirs, and the stable version gives it, down to none.
    fn due(&self, destinations: &[Value], intent: &Intent) -> BTreeMap<Role, i64> {
        let kept = destinations.iter().filter(|destination| self.role(destination) == Role::Kept);
        let kept = kept.filter_map(weight).fold(0_i64, i64::saturating_add);
        let split = intent.split();
        let additional = split.additional.into_iter().map(|(service, weight)| (Role::Other(service), weight));
        let stable = split.stable.saturating_sub(kept);
        let due = additional.chain([(Role::Canary, split.canary), (Role::Stable, stable)]);
        due.map(|(role, weight)| (role, weight.max(0))).collect()
    }
}

/// Whether a place divides traffic as it is wanted.
pub(super) fn alike(split: &Split, intent: &Intent) -> bool {
    let place = ObservedTraffic { splits: vec![split.clone()], ..ObservedTraffic::default() };
    place.shows(&Intent { routes: Vec::new(), ..intent.clone() })
}

/// The weight; 0 where none is written.
fn weight(destination: &Value) -> Option<i64> {
    match destination.get("weight") {
        None | Some(Value::Null) => Some(0),
        Some(weight) => weight.as_i64().filter(|weight| *weight >= 0),
    }
}

fn weighted(destination: &Value, due: i64) -> Value {
    let mut weighted = destination.clone();
    if weight(destination) != Some(due)
        && let Some(fields) = weighted.as_object_mut()
    {
        fields.insert("weight".to_owned(), due.into());
    }
    weighted
}

/// The host of a Service in the namespace of another host, written like that one.
///
/// DIFFERS: Argo Rollouts writes the Service's name alone, which means another Service when the VirtualService is in
/// another namespace.
fn beside(host: &str, service: &str) -> String {
    host.split_once('.').map_or_else(|| service.to_owned(), |(_, domain)| format!("{service}.{domain}"))
}
