//! The bookkeeping on an Ingress: which Rollout has written which annotations. Several Rollouts may share an Ingress,
//! and when one of them lets it go, what it has written must be found ([`super::release`]).

use super::{ingress, json};
use crate::Problem;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The bookkeeping annotation.
pub(super) const LEDGER: &str = "rollouts.argoproj.io/managed-alb-annotations";
/// Its name in early versions of Argo Rollouts, which knew of actions only.
pub(super) const OLD_LEDGER: &str = "rollouts.argoproj.io/managed-alb-actions";

/// Names of annotations by Rollout. Entries of other Rollouts stay as they are, whatever they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ledger(BTreeMap<String, Value>);

impl Ledger {
    /// The bookkeeping of an Ingress.
    pub(super) fn of(ingress: &Value) -> Result<Self, Problem> {
        let text = ingress::annotation(ingress, LEDGER).unwrap_or_default();
        let text = if text.trim().is_empty() { "{}" } else { text };
        let entries: Result<Option<BTreeMap<String, Value>>, _> = serde_json::from_str(text);
        let unreadable = |error| {
            let what = format!(
                "annotation {LEDGER:?} cannot be read ({error}); it says which Rollout has written which annotations: \
                 mend it, or remove it if no other Rollout uses this Ingress"
            );
            ingress::unfit(ingress, what)
        };
        Ok(Self(entries.map_err(unreadable)?.unwrap_or_default()))
    }

    /// The annotation.
    pub(super) fn text(&self) -> String {
        json::text(&self.0)
    }

    /// Whether no Rollout has written anything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The Rollouts that have written something.
    pub(super) fn rollouts(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The annotations that a Rollout has written.
    pub(super) fn keys(&self, rollout: &str) -> impl Iterator<Item = &str> {
        self.0.get(rollout).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// Another Rollout that has written the annotation.
    pub(super) fn other(&self, rollout: &str, key: &str) -> Option<&str> {
        self.rollouts().find(|other| *other != rollout && self.keys(other).any(|its| its == key))
    }

    /// Adds what a Rollout writes, and takes out what it does not write any more.
    pub(super) fn note(&mut self, rollout: &str, added: &[String], removed: &[String]) {
        let before: Vec<String> = self.keys(rollout).map(str::to_owned).collect();
        let mut after = before.clone();
        after.retain(|key| !removed.contains(key));
        for key in added {
            if !after.contains(key) {
                after.push(key.clone());
            }
        }
        if after != before {
            self.0.insert(rollout.to_owned(), json!(after));
        }
    }

    /// Forgets a Rollout.
    pub(super) fn forget(&mut self, rollout: &str) {
        self.0.remove(rollout);
    }
}
