//! The label of routes in progress, and the list of Rollouts that are at work on a route.

use super::meta;
use serde_json::Value;
use std::collections::BTreeSet;

/// The plugin's own key and value: policies of GitOps tools name them.
const KEY: &str = "rollouts.argoproj.io/gatewayapi-canary";
const VALUE: &str = "in-progress";
/// The plugin's own key of the list.
const ACTIVE: &str = "rollouts.argoproj.io/gatewayapi-active-rollouts";

/// How a route in progress is marked. Several Rollouts may share a route: the label stays until the last is done.
#[derive(Clone, Debug)]
pub(super) struct Label {
    key: String,
    value: String,
    /// Annotation with the Rollouts that are at work.
    active: String,
}

impl Label {
    /// What is not given is as the plugin has it.
    pub(super) fn new(key: Option<&str>, value: Option<&str>, active: Option<&str>) -> Self {
        let or = |given: Option<&str>, default: &str| given.unwrap_or(default).to_owned();
        Self { key: or(key, KEY), value: or(value, VALUE), active: or(active, ACTIVE) }
    }

    /// The annotation that lists the Rollouts at work on a route.
    pub(super) fn active(&self) -> &str {
        &self.active
    }

    /// Marks a route as in progress by the Rollout `id`, or takes the mark away.
    pub(super) fn mark(&self, object: &mut Value, id: &str, in_progress: bool) {
        let listed = meta::get(object, "annotations", &self.active).unwrap_or_default();
        let before = names(listed);
        let mut after = before.clone();
        if in_progress {
            after.insert(id.to_owned());
        } else {
            after.remove(id);
        }
        if after.is_empty() {
            meta::remove(object, "annotations", &self.active);
            meta::remove(object, "labels", &self.key);
            return;
        }
        if after != before {
            let list: Vec<String> = after.into_iter().collect();
            meta::set(object, "annotations", &self.active, list.join(","));
        }
        meta::set(object, "labels", &self.key, self.value.clone());
    }
}

/// Whether the Rollout `id` is in the list of those at work, in that annotation of a route.
pub(super) fn lists(object: &Value, active: &str, id: &str) -> bool {
    meta::get(object, "annotations", active).is_some_and(|listed| names(listed).contains(id))
}

fn names(list: &str) -> BTreeSet<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
