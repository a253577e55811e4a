//! What a scenario waits for.

use crate::seen::{Seen, annotation, text};
use serde_json::Value;

/// Seconds that nothing may change before a phase counts.
const SETTLED: f64 = 0.8;
/// Seconds after which a wait is given up.
const LIMIT: f64 = 60.0;

/// Something that is waited for.
#[derive(Debug)]
pub(crate) struct Wait<'v>(pub(crate) &'v Value);

impl Wait<'_> {
    /// Seconds for which nothing may have changed.
    pub(crate) fn settle(&self) -> f64 {
        let implied = if self.0["phase"].is_null() { 0.0 } else { SETTLED };
        self.0["settle"].as_f64().unwrap_or(implied)
    }

    /// Seconds that pass in any case.
    pub(crate) fn length(&self) -> f64 {
        self.0["seconds"].as_f64().unwrap_or(0.0)
    }

    /// Seconds after which it is given up.
    pub(crate) fn limit(&self) -> f64 {
        self.0["timeout"].as_f64().unwrap_or(LIMIT)
    }

    /// Whether what was seen is so.
    pub(crate) fn holds(&self, seen: &Seen) -> bool {
        self.status_holds(seen) && self.sets_hold(seen) && self.runs_hold(seen) && self.deployments_hold(seen)
    }

    fn status_holds(&self, seen: &Seen) -> bool {
        let wait = self.0;
        let about = ["phase", "message", "step", "revision"].iter().any(|key| !wait[*key].is_null());
        if !about {
            return true;
        }
        let Some(rollout) = seen.rollout() else { return false };
        let status = &rollout["status"];
        let generation = rollout.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
        let is_observed = text(rollout, "/status/observedGeneration") == generation.to_string();
        let same = |key: &str| {
            wait[key].as_str().is_none_or(|want| seen.plain_text(text(status, &format!("/{key}"))) == want)
        };
        let step = wait["step"].as_i64().is_none_or(|want| status["currentStepIndex"].as_i64() == Some(want));
        let revision = annotation(rollout, "rollout.argoproj.io/revision").unwrap_or_default();
        (is_observed || wait["unobserved"] == true)
            && same("phase")
            && same("message")
            && step
            && wait["revision"].as_i64().is_none_or(|want| want.to_string() == revision)
    }

    fn sets_hold(&self, seen: &Seen) -> bool {
        self.0["rs"].as_object().into_iter().flatten().all(|(revision, want)| {
            let Some(set) = seen.set_of_revision(revision) else { return false };
            counts(
                want,
                set,
                &[
                    ("spec", "/spec/replicas"),
                    ("replicas", "/status/replicas"),
                    ("available", "/status/availableReplicas"),
                ],
            )
        })
    }

    fn deployments_hold(&self, seen: &Seen) -> bool {
        let want = &self.0["deployment"];
        want.is_null()
            || seen.all("Deployment").any(|deployment| {
                counts(
                    want,
                    deployment,
                    &[
                        ("spec", "/spec/replicas"),
                        ("replicas", "/status/replicas"),
                        ("available", "/status/availableReplicas"),
                    ],
                )
            })
    }

    fn runs_hold(&self, seen: &Seen) -> bool {
        self.0["analysis"].as_object().into_iter().flatten().all(|(role, want)| {
            let field = match role.as_str() {
                "Step" => "/status/canary/currentStepAnalysisRunStatus/status",
                "Background" => "/status/canary/currentBackgroundAnalysisRunStatus/status",
                "PrePromotion" => "/status/blueGreen/prePromotionAnalysisRunStatus/status",
                _ => "/status/blueGreen/postPromotionAnalysisRunStatus/status",
            };
            seen.rollout().is_some_and(|rollout| want.as_str() == Some(text(rollout, field)))
        })
    }
}

fn counts(want: &Value, object: &Value, fields: &[(&str, &str)]) -> bool {
    let have = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    fields.iter().all(|(key, pointer)| want[*key].as_i64().is_none_or(|want| want == have(pointer)))
}
