//! What a Rollout has put into a route beside weights, written down in an annotation of the route.
//!
//! DIFFERS: older plugins keep positions of rules in a ConfigMap, which anything that moves the rules makes wrong; newer
//! ones know their rules by name alone. A cluster with older CRDs drops the names. So the route itself says what is ours,
//! in words that hold wherever the rules are: what they match and do. The annotation is there only as long as the rules are.

use super::meta;
use crds::rollout::canary::{CanaryStep, SetHeaderRoute, SetMirrorRoute};
use planner::traffic::{Route, WHOLE_MIRROR_PERCENT};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The annotation: a JSON object with an entry for each Rollout, by `namespace/name`.
pub(super) const KEY: &str = "rollouts.argoproj.io/gatewayapi-managed";

/// One Rollout's entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    /// Managed routes, in order; also those that this route does not take, because their order counts.
    pub(super) routes: Vec<Route>,
    /// What every managed rule is known by.
    pub(super) rules: Vec<Value>,
    /// Services of experiments.
    pub(super) additional: BTreeSet<String>,
}

/// The entry as it is written: routes as the steps that make them.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    routes: Vec<CanaryStep>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<Value>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    additional: BTreeSet<String>,
}

impl Record {
    /// The entry of the Rollout `id`; empty where there is none that can be read.
    pub(super) fn read(object: &Value, id: &str) -> Self {
        let entry = entries(object).and_then(|mut entries| entries.remove(id));
        let written: Written = entry.and_then(|entry| serde_json::from_value(entry).ok()).unwrap_or_default();
        Self {
            routes: written.routes.into_iter().filter_map(route).collect(),
            rules: written.rules,
            additional: written.additional,
        }
    }

    /// Writes the entry of the Rollout `id`; the entries of others stay.
    pub(super) fn write(&self, object: &mut Value, id: &str) {
        let found = entries(object);
        let before = found.clone().unwrap_or_default();
        let mut after = before.clone();
        let is_empty = *self == Self::default();
        let written = Written {
            routes: self.routes.iter().map(step).collect(),
            rules: self.rules.clone(),
            additional: self.additional.clone(),
        };
        match serde_json::to_value(&written) {
            Ok(written) if !is_empty => after.insert(id.to_owned(), written),
            _ => after.remove(id),
        };
        if after == before && (found.is_some() || is_empty) {
            return;
        }
        match serde_json::to_string(&after) {
            Ok(text) if !after.is_empty() => meta::set(object, "annotations", KEY, text),
            _ => meta::remove(object, "annotations", KEY),
        }
    }
}

/// Whether the Rollout `id` has an entry.
pub(super) fn is_there(object: &Value, id: &str) -> bool {
    entries(object).is_some_and(|entries| entries.contains_key(id))
}

/// The entries of all Rollouts; none where the annotation is missing or is not ours.
fn entries(object: &Value) -> Option<BTreeMap<String, Value>> {
    meta::get(object, "annotations", KEY).and_then(|text| serde_json::from_str(text).ok())
}

fn step(route: &Route) -> CanaryStep {
    match route {
        Route::Header { name, matches } => CanaryStep {
            set_header_route: Some(SetHeaderRoute {
                name: Some(name.clone()),
                matches: Some(matches.clone()),
            }),
            ..CanaryStep::default()
        },
        Route::Mirror { name, matches, percentage } => CanaryStep {
            set_mirror_route: Some(SetMirrorRoute {
                name: name.clone(),
                matches: Some(matches.clone()),
                percentage: Some(*percentage),
            }),
            ..CanaryStep::default()
        },
    }
}

fn route(step: CanaryStep) -> Option<Route> {
    let header = step.set_header_route.map(|header| Route::Header {
        name: header.name.unwrap_or_default(),
        matches: header.matches.unwrap_or_default(),
    });
    let mirror = step.set_mirror_route.map(|mirror| Route::Mirror {
        name: mirror.name,
        matches: mirror.matches.unwrap_or_default(),
        percentage: mirror.percentage.unwrap_or(WHOLE_MIRROR_PERCENT),
    });
    header.or(mirror)
}
