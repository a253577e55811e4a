//! How a pod's process answers: from its environment as the demo server reads it, its annotations, and the rules of a
//! simulation.

use crate::builtin::{annotation, environment};
use crds::GoDuration;
use serde_json::Value;
use std::time::Duration;

/// A share of requests that fail, decided by count and not by chance, as the demo server does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ErrorShare {
    failing: u64,
    of: u64,
}

impl ErrorShare {
    const NONE: Self = Self { failing: 0, of: 1 };

    fn every(nth: u64) -> Self {
        if nth == 0 { Self::NONE } else { Self { failing: 1, of: nth } }
    }

    fn percent(percent: u8) -> Self {
        Self { failing: u64::from(percent.min(100)), of: 100 }
    }

    /// Whether request number `nth` (from 1) fails: when the number of failures owed grows with it.
    ///
    /// Worked example, 2 of 5: owed after requests 1..5 are 0, 0, 1, 1, 2, so the third and the fifth fail.
    pub(super) fn fails(self, nth: u64) -> bool {
        let owed = |count: u64| u128::from(count) * u128::from(self.failing) / u128::from(self.of);
        self.failing > 0 && owed(nth) > owed(nth.saturating_sub(1))
    }
}

/// How a process answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) errors: ErrorShare,
    pub(super) latency: Duration,
}

impl Answers {
    /// What a pod says of itself. An annotation goes before the environment, and of that `ERROR_PERCENT` before
    /// `ERROR_EVERY`; what cannot be read counts as not said.
    pub(super) fn said_by(pod: &Value) -> Self {
        let number = |name: &str| environment(pod, name).and_then(|text| text.parse::<u64>().ok());
        let annotated = annotation(pod, "error-percent").and_then(|text| text.parse::<u8>().ok());
        let percent = || environment(pod, "ERROR_PERCENT").and_then(|text| text.parse::<u8>().ok());
        let errors = match annotated.or_else(percent) {
            Some(percent) => ErrorShare::percent(percent),
            None => ErrorShare::every(number("ERROR_EVERY").unwrap_or(0)),
        };
        let latency = annotation(pod, "latency")
            .and_then(|text| GoDuration::parse(text).ok())
            .and_then(GoDuration::to_std)
            .unwrap_or_else(|| Duration::from_millis(number("LATENCY_MS").unwrap_or(0)));
        Self { errors, latency }
    }

    /// The same under these rules, of which the last one that fits counts.
    pub(super) fn under(mut self, rules: &[AnswerRule], version: &str) -> Self {
        for rule in rules.iter().filter(|rule| rule.fits(version)) {
            match rule.change {
                AnswerChange::ErrorPercent(percent) => self.errors = ErrorShare::percent(percent),
                AnswerChange::Latency(latency) => self.latency = latency,
            }
        }
        self
    }
}

/// A rule of a simulation about how a version answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRule {
    /// Value of the variable `VERSION` of the pods that it is about; all pods when it is empty.
    pub version: String,
    /// What changes.
    pub change: AnswerChange,
}

/// What a rule changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerChange {
    /// This percentage of the requests fails with status 500; more than 100 counts as 100.
    ErrorPercent(u8),
    /// Each request takes so long.
    Latency(Duration),
}

impl AnswerRule {
    fn fits(&self, version: &str) -> bool {
        self.version.is_empty() || self.version == version
    }

    /// Whether it says something else of the same: it takes the other's place then.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.version == other.version
            && std::mem::discriminant(&self.change) == std::mem::discriminant(&other.change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn failures(share: ErrorShare) -> Vec<u64> {
        (1..=200).filter(|nth| share.fails(*nth)).collect()
    }

    #[test]
    fn failures_are_spread_by_count() {
        assert_eq!(failures(ErrorShare::every(50)), [50, 100, 150, 200]);
        assert_eq!(failures(ErrorShare::every(0)), [0; 0]);
        assert_eq!(failures(ErrorShare::percent(5)).len(), 10);
        assert_eq!(failures(ErrorShare::percent(200)).len(), 200);
    }

    #[test]
    fn annotations_go_before_the_environment_and_rules_before_both() {
        let pod = |annotations: Value, env: Value| json!({"metadata": {"annotations": annotations}, "spec": {"containers": [{"env": env}]}});
        let env = json!([{"name": "ERROR_EVERY", "value": "4"}, {"name": "LATENCY_MS", "value": "20"}]);
        let plain = Answers::said_by(&pod(json!({}), env.clone()));
        assert_eq!(plain, Answers { errors: ErrorShare::every(4), latency: Duration::from_millis(20) });
        let annotations =
            json!({"sandbox.stepgate.dev/error-percent": "7", "sandbox.stepgate.dev/latency": "1.5s"});
        let annotated = Answers::said_by(&pod(annotations, env));
        assert_eq!(
            annotated,
            Answers { errors: ErrorShare::percent(7), latency: Duration::from_millis(1500) }
        );
        let rule = |version: &str, percent| AnswerRule {
            version: version.to_owned(),
            change: AnswerChange::ErrorPercent(percent),
        };
        let ruled = plain.under(&[rule("", 1), rule("v2", 9), rule("v3", 90)], "v2");
        assert_eq!(ruled.errors, ErrorShare::percent(9));
        assert_eq!(ruled.latency, plain.latency);
    }
}
