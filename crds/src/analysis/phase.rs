//! Where a run, a metric or a measurement stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a run, a metric or a measurement stands; the empty text is a run that nobody has looked at yet.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum AnalysisPhase {
    /// Nobody has looked at it yet.
    #[default]
    #[serde(rename = "")]
    New,
    /// It waits for its start.
    Pending,
    /// It measures.
    Running,
    /// It ended well.
    Successful,
    /// Too many measurements failed.
    Failed,
    /// Too many measurements could not be taken.
    Error,
    /// Too many measurements said neither yes nor no.
    Inconclusive,
}

impl AnalysisPhase {
    /// True at the four ends.
    #[must_use]
    pub fn is_completed(self) -> bool {
        matches!(self, Self::Successful | Self::Failed | Self::Error | Self::Inconclusive)
    }

    /// The text on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "",
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Error => "Error",
            Self::Inconclusive => "Inconclusive",
        }
    }
}

impl std::fmt::Display for AnalysisPhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
