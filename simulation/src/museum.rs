//! The museum of outages at the rung of the whole controller: each piece is played, and must pass; with the switch of its
//! rule seeded it must fail, for a play that cannot fail shows nothing.

use crate::l2::scenarios::outages::{self, Piece};
use crate::l2::{Faults, Outcome, Run, play};
use anyhow::bail;
use std::time::Instant;

/// What is wrong with a run of a piece; `None` when it stands.
fn fault(piece: &Piece, outcome: &Outcome) -> Option<String> {
    let broken = outcome.violation.as_ref().map(ToString::to_string);
    broken.or_else(|| (piece.judge)(outcome))
}

fn run_of(piece: &Piece) -> Run<'_> {
    Run { scenario: &piece.scenario, seed: 1, faults: Faults::default(), overlay: true, trace: false }
}

/// Plays the pieces whose name contains `only`, with their traces when they are to be told.
///
/// # Errors
/// When a piece fails, or does not fail although its rule is switched off.
pub fn run(only: &str, tell: bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut wrong = 0;
    let pieces: Vec<Piece> =
        outages::all().into_iter().filter(|piece| piece.scenario.name.contains(only)).collect();
    for piece in &pieces {
        let name = piece.scenario.name;
        let outcome = play(&Run { trace: tell, ..run_of(piece) });
        outcome.trace.iter().for_each(|line| println!("{line}"));
        if let Some(what) = fault(piece, &outcome) {
            println!("  {name} does not stand: {}", short(&what));
            wrong += 1;
        }
        match switched_off(piece)? {
            Some(None) => {
                println!("  {name} passes although {} is on", piece.switch);
                wrong += 1;
            }
            Some(Some(what)) if tell => println!("  {name} without its rule: {}", short(&what)),
            _ => {}
        }
    }
    let switches =
        if cfg!(feature = "defects") { "with and without their rules" } else { "with their rules" };
    println!(
        "museum: {} plays {switches} in {:.1} s, {wrong} wrong",
        pieces.len(),
        begun.elapsed().as_secs_f64()
    );
    if wrong > 0 {
        bail!("{wrong} pieces of the museum do not stand");
    }
    Ok(())
}

fn short(what: &str) -> String {
    what.chars().take(400).collect()
}

/// What a piece says without its rule; nothing in a build without the switches.
#[cfg(feature = "defects")]
fn switched_off(piece: &Piece) -> anyhow::Result<Option<Option<String>>> {
    use planner::defects::Defect;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let defect = Defect::ALL.iter().copied().find(|defect| defect.about().name == piece.switch);
    let Some(defect) = defect else {
        bail!("{} names the switch {}, which is none", piece.name(), piece.switch)
    };
    Defect::seed(Some(defect));
    let outcome = catch_unwind(AssertUnwindSafe(|| play(&run_of(piece))));
    Defect::seed(None);
    Ok(Some(match outcome {
        Ok(outcome) => fault(piece, &outcome),
        Err(_) => Some("the controller's code panicked".to_owned()),
    }))
}

/// What a piece says without its rule; nothing in a build without the switches.
#[cfg(not(feature = "defects"))]
fn switched_off(_: &Piece) -> anyhow::Result<Option<Option<String>>> {
    Ok(None)
}
