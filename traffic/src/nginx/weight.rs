//! Weights as annotations of the canary Ingress.

use super::canary::{annotation, inner};
use crate::Problem;
use planner::traffic::{Intent, Split, WHOLE_WEIGHT};
use serde_json::Value;
use std::collections::BTreeMap;

/// What NGINX takes for all traffic where an Ingress says nothing or less: it ignores a smaller
/// `canary-weight-total`.
const LEAST_TOTAL: i64 = 100;

/// The annotations that say how much the canary gets.
#[derive(Debug)]
pub(super) struct Weight {
    /// `<prefix>/canary`
    pub(super) enabled: String,
    /// `<prefix>/canary-weight`
    weight: String,
    /// `<prefix>/canary-weight-total`
    total: String,
    /// Whether the Rollout has a `maxTrafficWeight`. Then the total is written, though it be 100.
    states_total: bool,
}

impl Weight {
    pub(super) fn of(prefix: &str, states_total: bool) -> Self {
        Self {
            enabled: format!("{prefix}/canary"),
            weight: format!("{prefix}/canary-weight"),
            total: format!("{prefix}/canary-weight-total"),
            states_total,
        }
    }

    /// Whether an annotation is one of these.
    pub(super) fn has(&self, key: &str) -> bool {
        [&self.enabled, &self.weight, &self.total].into_iter().any(|own| own == key)
    }

    /// What NGINX makes of the canary Ingress: without it, or when it is not marked as a canary's, the stable version
    /// gets everything.
    pub(super) fn split(&self, ingress: Option<&Value>) -> Split {
        let text = |key: &str| annotation(ingress?, key);
        let number = |key: &str| text(key).and_then(|text| text.parse::<i64>().ok());
        let total = number(&self.total).unwrap_or(LEAST_TOTAL).clamp(LEAST_TOTAL, i64::from(i32::MAX));
        let weight = number(&self.weight).filter(|_| text(&self.enabled).is_some_and(is_true));
        let canary = weight.unwrap_or(0).clamp(0, total);
        Split { canary, stable: total - canary, additional: BTreeMap::new() }
    }

    /// Writes the weight, and the total where it is not 100 by itself.
    ///
    /// DIFFERS: a total below 100, which NGINX ignores, is written as a multiple, and so is the weight: 5 of 10 becomes
    /// 50 of 100, where Argo Rollouts writes 5 of 10 and 5% arrive. A total that nobody wants any more is taken out; it
    /// would make 50% of 100 into 5% of 1000.
    pub(super) fn write(&self, ingress: &mut Value, intent: &Intent) -> Result<(), Problem> {
        let total = i64::from(intent.total);
        if total < 1 {
            let what =
                "spec.strategy.canary.trafficRouting.maxTrafficWeight is below 1: nothing can be split";
            return Err(Problem::Rollout(what.to_owned()));
        }
        let factor = if total < LEAST_TOTAL { LEAST_TOTAL.saturating_add(total - 1) / total } else { 1 };
        let weight = i64::from(intent.canary.weight).clamp(0, total) * factor;
        let states_total = self.states_total || intent.total != WHOLE_WEIGHT;
        let metadata = ingress.as_object_mut().and_then(|ingress| inner(ingress, "metadata"));
        let Some(annotations) = metadata.and_then(|metadata| inner(metadata, "annotations")) else {
            return Ok(());
        };
        annotations.insert(self.weight.clone(), Value::from(weight.to_string()));
        if states_total {
            annotations.insert(self.total.clone(), Value::from((total * factor).to_string()));
        } else {
            annotations.retain(|key, _| *key != self.total);
        }
        Ok(())
    }
}

/// The spellings that NGINX takes for yes.
fn is_true(text: &str) -> bool {
    ["1", "t", "T", "true", "TRUE", "True"].contains(&text)
}
