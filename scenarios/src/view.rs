//! A Rollout as a story reads it.

use serde_json::Value;

/// A Rollout's status, by the words of the field.
#[derive(Debug, Clone)]
pub struct RolloutView(pub Value);

impl RolloutView {
    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// `Healthy`, `Progressing`, `Paused`, `Degraded`; `Progressing` while the controller has not seen the last change.
    #[must_use]
    pub fn phase(&self) -> &str {
        let generation = self.0.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
        if self.text("/status/observedGeneration") == generation.to_string() {
            self.text("/status/phase")
        } else {
            "Progressing"
        }
    }

    /// Why it is in its phase.
    #[must_use]
    pub fn message(&self) -> &str {
        self.text("/status/message")
    }

    /// Index of the current step.
    #[must_use]
    pub fn step(&self) -> Option<i64> {
        self.0.pointer("/status/currentStepIndex").and_then(Value::as_i64)
    }

    /// Whether the update was aborted.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.0.pointer("/status/abort").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Pod hash of the version that carries production.
    #[must_use]
    pub fn stable(&self) -> &str {
        self.text("/status/stableRS")
    }

    /// Pod hash of the version that is wanted.
    #[must_use]
    pub fn current(&self) -> &str {
        self.text("/status/currentPodHash")
    }

    /// Pod hash that the active Service selects.
    #[must_use]
    pub fn active(&self) -> &str {
        self.text("/status/blueGreen/activeSelector")
    }

    /// Paused, at this step, for a pause step.
    #[must_use]
    pub fn is_paused_at(&self, step: i64) -> bool {
        self.phase() == "Paused" && self.step() == Some(step)
    }

    /// Healthy, and nothing of an update is left.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.phase() == "Healthy" && self.stable() == self.current()
    }

    /// Reason of a condition, when it has this status.
    #[must_use]
    pub fn condition(&self, kind: &str, status: &str) -> Option<&str> {
        let conditions = self.0.pointer("/status/conditions").and_then(Value::as_array)?;
        let found = conditions.iter().find(|condition| {
            condition.get("type").and_then(Value::as_str) == Some(kind)
                && condition.get("status").and_then(Value::as_str) == Some(status)
        })?;
        found.get("reason").and_then(Value::as_str)
    }

    /// One line for a log.
    #[must_use]
    pub fn line(&self) -> String {
        let step = self.step().map_or_else(String::new, |step| format!(" step {step}"));
        let number = |name: &str| {
            self.0.pointer(&format!("/status/{name}")).and_then(Value::as_i64).unwrap_or_default()
        };
        let aborted = if self.is_aborted() { " aborted" } else { "" };
        format!(
            "{}{step}{aborted} replicas {} updated {} available {} stable {} current {} {}",
            self.phase(),
            number("replicas"),
            number("updatedReplicas"),
            number("availableReplicas"),
            self.stable(),
            self.current(),
            self.message()
        )
    }
}
