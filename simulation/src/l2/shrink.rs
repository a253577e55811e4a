//! From a run that broke an invariant to the few faults that it takes.

use super::run::{Outcome, Run, play};
use super::weather::{Fault, Faults};

/// Most runs that are tried.
const TRIES_MAX: usize = 400;

/// The smallest set of faults found that still breaks the same invariant, with its outcome; `None` when the exact places
/// of the faults alone do not give it.
#[must_use]
pub fn shrink(run: &Run<'_>, failed: &Outcome) -> Option<(Vec<Fault>, Outcome)> {
    let invariant = failed.violation.as_ref()?.invariant;
    let mut tries = 0;
    let mut broken = |faults: &[Fault]| {
        tries += 1;
        let faults = Faults { set: faults.to_vec(), swarm: None };
        let outcome = play(&Run { faults, trace: false, ..run.clone() });
        let same = outcome.violation.as_ref().is_some_and(|violation| violation.invariant == invariant);
        (same && tries <= TRIES_MAX).then_some(outcome)
    };
    let mut faults = failed.hits.clone();
    let mut outcome = broken(&faults)?;
    // Halves first, then smaller parts, then single faults.
    let mut size = faults.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < faults.len() {
            let rest: Vec<Fault> = faults
                .iter()
                .enumerate()
                .filter(|(index, _)| *index < from || *index >= from + size)
                .map(|(_, fault)| *fault)
                .collect();
            match broken(&rest) {
                Some(smaller) => {
                    faults = rest;
                    outcome = smaller;
                }
                None => from += size,
            }
        }
        size /= 2;
    }
    Some((faults, outcome))
}
