//! Runs that once broke an invariant: played again for ever.

use super::run::{Outcome, Run, play};
use super::scenario::Scenario;
use super::weather::{Fault, Faults};
use serde::{Deserialize, Serialize};

/// One such run, as a line of `regressions.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// What was wrong.
    pub was: String,
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Whether the overlay was on.
    pub overlay: bool,
    /// The faults.
    pub faults: Vec<Fault>,
}

/// All of them.
///
/// # Errors
/// When a line cannot be read.
pub fn all() -> Result<Vec<Regression>, serde_json::Error> {
    let lines = include_str!("../../regressions.jsonl").lines().filter(|line| !line.trim().is_empty());
    lines.map(serde_json::from_str).collect()
}

impl Regression {
    /// Plays it; `None` when its scenario is no more.
    #[must_use]
    pub fn play(&self, scenarios: &[Scenario]) -> Option<Outcome> {
        let scenario = scenarios.iter().find(|scenario| scenario.name == self.scenario)?;
        let faults = Faults { set: self.faults.clone(), swarm: None };
        Some(play(&Run { scenario, seed: self.seed, faults, overlay: self.overlay, trace: false }))
    }
}
