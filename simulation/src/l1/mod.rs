//! Rung L1: the planner against the models of the built-in controllers, in virtual time, from a seed.
//!
//! No runtime, no JSON on the way: actors (the controller, the ReplicaSet controller, the kubelet, analysis, people)
//! take turns in an order that the seed decides. The controller sees the cluster through watches that lag kind by
//! kind, its writes carry resource versions and are refused when they are stale, it may die between any two writes.
//! After each write the rules of `docs/invariants.md` are checked on the true state, not on what was seen. At the
//! end inputs and faults stop, and the Rollout has to come to rest.

mod admission;
mod cluster;
mod control;
mod controller;
mod ends;
mod invariants;
mod people;
mod promises;
mod rest;
mod setup;
#[cfg(test)]
mod tests;
mod turns;
mod view;
mod wishes;

use crds::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Seeds that once broke a rule, each far beyond those of the gate, which plays them again: a restart beside an active
/// version that is too small, a promotion whose pods never come, a retry whose verdict outlived it, a weight counted on
/// pods that had gone, the verdict on a skipped step, two pauses that begin in one second, a preview that was active.
pub const REGRESSIONS: [u64; 7] = [40081, 42064, 48531, 49988, 50443, 54138, 60582];

/// How one run is driven.
#[derive(Clone, Debug)]
pub struct Options {
    /// Turns before inputs and faults stop.
    pub turns: u64,
    /// Faults of any kind: stale views, lost answers, crashes, pods that fail.
    pub faults: bool,
    /// Keeps the story of the run. A violation has one in any case: its seed is run again.
    pub trace: bool,
    /// Sends each status through JSON, as the API server would; slow.
    pub wire: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { turns: 400, faults: true, trace: false, wire: false }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Turns of all actors, those until it came to rest included.
    pub turns: u64,
    /// Plans that were made.
    pub plans: u64,
    /// Writes that were accepted, statuses included.
    pub writes: u64,
    /// Virtual time that went by.
    pub time: Duration,
    /// Hash over all turns: equal for equal seeds and options.
    pub hash: u64,
    /// Rare states that were reached, with how often: they prove that the run looks where defects hide.
    pub reached: BTreeMap<&'static str, u64>,
}

/// A rule that does not hold.
#[derive(Clone, Debug, thiserror::Error)]
#[error("seed {seed}, turn {turn}, {at}: {invariant} does not hold: {what}\n{}", trace.join("\n"))]
pub struct Violation {
    /// The seed that shows it.
    pub seed: u64,
    /// The turn at which it shows.
    pub turn: u64,
    /// Virtual time.
    pub at: Time,
    /// Name of the rule in `docs/invariants.md`.
    pub invariant: &'static str,
    /// What is wrong.
    pub what: String,
    /// What led to it, oldest first: turn, virtual time, actor, what, why.
    pub trace: Vec<String>,
}

/// Runs one seed.
///
/// # Errors
/// The first rule that does not hold, with the story of the run.
pub fn run(seed: u64, options: &Options) -> Result<Summary, Box<Violation>> {
    let result = turns::Simulation::new(seed, options).run();
    match result {
        Err(violation) if !options.trace => {
            // The same seed tells the same story, this time aloud.
            turns::Simulation::new(seed, &Options { trace: true, ..options.clone() })
                .run()
                .and(Err(violation))
        }
        result => result,
    }
}
