//! A Rollout as a scenario and the checker read it.

use sandbox::Dig;
use serde_json::Value;

/// A Rollout.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a>(pub &'a Value);

impl<'a> Look<'a> {
    /// Text at a JSON pointer; empty without one.
    #[must_use]
    pub fn text(self, pointer: &str) -> &'a str {
        self.0.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number at a JSON pointer.
    #[must_use]
    pub fn number(self, pointer: &str) -> Option<i64> {
        self.0.at(pointer).and_then(Value::as_i64)
    }

    /// Whether a flag is true.
    #[must_use]
    pub fn flag(self, pointer: &str) -> bool {
        self.0.at(pointer) == Some(&Value::Bool(true))
    }

    /// Whether the status is about the newest spec.
    #[must_use]
    pub fn is_observed(self) -> bool {
        let generation = self.number("/metadata/generation").unwrap_or(0);
        self.text("/status/observedGeneration").parse::<i64>().is_ok_and(|seen| seen == generation)
    }

    /// `status.phase`, empty while the newest spec was not seen.
    #[must_use]
    pub fn phase(self) -> &'a str {
        if self.is_observed() { self.text("/status/phase") } else { "" }
    }

    /// `status.currentStepIndex`.
    #[must_use]
    pub fn step(self) -> Option<i64> {
        self.number("/status/currentStepIndex")
    }

    /// `status.stableRS`.
    #[must_use]
    pub fn stable(self) -> &'a str {
        self.text("/status/stableRS")
    }

    /// `status.currentPodHash`.
    #[must_use]
    pub fn current(self) -> &'a str {
        self.text("/status/currentPodHash")
    }

    /// Healthy, with the newest version as the stable one.
    #[must_use]
    pub fn is_done(self) -> bool {
        self.phase() == "Healthy" && self.stable() == self.current()
    }

    /// Paused at a step.
    #[must_use]
    pub fn is_paused_at(self, step: i64) -> bool {
        self.phase() == "Paused" && self.step() == Some(step)
    }

    /// Whether the status is about the template of the spec.
    #[must_use]
    pub fn is_newest(self) -> bool {
        let template = self.0.at("/spec/template").cloned().unwrap_or_default();
        let collisions = self.number("/status/collisionCount").and_then(|count| i32::try_from(count).ok());
        crds::hash::pod_template_hash(&crds::PodTemplate(template), collisions) == self.current()
    }

    /// `status.abort`.
    #[must_use]
    pub fn is_aborted(self) -> bool {
        self.flag("/status/abort")
    }

    /// Whether the controller has paused and nobody has lifted the pause.
    #[must_use]
    pub fn has_pause(self) -> bool {
        self.0.at("/status/pauseConditions").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    }

    /// `spec.replicas`.
    #[must_use]
    pub fn replicas(self) -> i64 {
        self.number("/spec/replicas").unwrap_or(1)
    }

    /// Steps of a canary.
    #[must_use]
    pub fn steps(self) -> &'a [Value] {
        let steps = self.0.at("/spec/strategy/canary/steps").and_then(Value::as_array);
        steps.map_or(&[], Vec::as_slice)
    }
}
