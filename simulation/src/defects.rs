//! A check that the checks can fail: each seeded defect is to be caught, within its bound of runs, by an invariant that
//! is named with it.

use crate::l1;
use crate::l2::scenarios::{outages, outages::Piece, traps};
use crate::l2::{self, CALL_FAULTS, Fault, Faults, NEWS_FAULTS, Run, scenario::Scenario};
use anyhow::bail;
use planner::defects::{About, Defect, Rung};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Of the lines of a watch, one in so many meets the faults.
const NEWS_SAMPLED: u32 = 3;
/// Name of the rule that the controller's code itself breaks when it panics.
const PANIC: &str = "panic";

/// What is asked of a piece beside the invariants and its end.
const JUDGE: &str = "judge";

/// Runs for a defect that no invariant is known to see; it is tried only when it is asked for by name.
const OPEN_BOUND: u64 = 4_000;
/// The same for the planner against models, which is faster.
const OPEN_BOUND_L1: u64 = 60_000;

/// What came of a defect.
#[derive(Clone, Debug)]
struct Found {
    about: About,
    /// The invariant and what it said; `None` for a survivor.
    caught: Option<(String, String)>,
    /// Runs until then.
    runs: u64,
    wall: Duration,
}

impl Found {
    fn is_as_named(&self) -> bool {
        self.caught.as_ref().is_some_and(|(rule, _)| self.about.invariants.contains(&rule.as_str()))
    }
}

/// Hunts each defect whose name contains `only` and prints a table; `full` adds what the invariants said.
///
/// # Errors
/// When a defect survives, or another invariant than the named ones has caught it.
pub fn run(only: &str, threads: usize, full: bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    let list: Vec<Defect> = Defect::ALL
        .iter()
        .copied()
        .filter(|defect| defect.about().rung != Rung::Museum)
        .filter(|defect| defect.about().name.contains(only) && (!is_open(defect) || !only.is_empty()))
        .collect();
    let scenarios = l2::scenarios::all();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(defect) = list.get(index) else { break };
                    let one = hunt(*defect, &scenarios);
                    found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(index, one);
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    println!("| Defect | Where | What | Rung | Caught by | After runs |\n|---|---|---|---|---|---|");
    for one in found.values() {
        let About { name, place, what, rung, .. } = one.about;
        let rule = one.caught.as_ref().map_or("**survived**", |(rule, _)| rule.as_str());
        println!("| `{name}` | {place} | {} | {rung:?} | {rule} | {} |", what.trim(), one.runs);
    }
    for one in found.values().filter(|one| full || !one.is_as_named()) {
        let what = one.caught.as_ref().map_or("nothing", |(_, what)| what.as_str());
        let text: String = what.chars().take(300).collect();
        println!(
            "{} ({:.1} s), to be caught by {:?}: {text}",
            one.about.name,
            one.wall.as_secs_f64(),
            one.about.invariants
        );
    }
    let wrong = found.values().filter(|one| !one.is_as_named()).count();
    if only.is_empty() {
        let open = Defect::ALL.iter().filter(|defect| is_open(defect)).map(|defect| defect.about().name);
        println!("not seen by any invariant yet: {}", open.collect::<Vec<_>>().join(", "));
    }
    let mut runs: Vec<u64> = found.values().filter(|one| one.caught.is_some()).map(|one| one.runs).collect();
    runs.sort_unstable();
    println!(
        "{} defects in {:.0} s: {} caught, half of them within {} runs",
        found.len(),
        begun.elapsed().as_secs_f64(),
        runs.len(),
        runs.get(runs.len() / 2).unwrap_or(&0)
    );
    if wrong > 0 {
        bail!("{wrong} seeded defects survived, or were caught by an invariant that is not named with them");
    }
    Ok(())
}

/// No invariant is known to see it.
fn is_open(defect: &Defect) -> bool {
    defect.about().bound == 0
}

fn hunt(defect: Defect, scenarios: &[Scenario]) -> Found {
    let mut about = defect.about();
    if about.bound == 0 {
        about.bound = if about.rung == Rung::L1 { OPEN_BOUND_L1 } else { OPEN_BOUND };
    }
    let begun = Instant::now();
    let mut runs = 0;
    let caught = match about.rung {
        // `simulate --museum` plays these.
        Rung::Museum => None,
        Rung::L1 => hunt_l1(defect, about.bound, &mut runs),
        Rung::L2 => hunt_l2(defect, about, scenarios, &mut runs),
    };
    Defect::seed(None);
    Found { about, caught, runs, wall: begun.elapsed() }
}

/// Runs with the defect on. A panic ends one run, not the hunt.
fn with<T>(defect: Option<Defect>, run: impl FnOnce() -> T) -> Result<T, (String, String)> {
    Defect::seed(defect);
    let result = catch_unwind(AssertUnwindSafe(run));
    Defect::seed(None);
    result.map_err(|_| (PANIC.to_owned(), "the controller's code panicked".to_owned()))
}

fn hunt_l1(defect: Defect, bound: u64, runs: &mut u64) -> Option<(String, String)> {
    for seed in 0..bound {
        *runs += 1;
        let play = |defect| with(defect, || l1::run(seed, &l1::Options::default()));
        let caught = match play(Some(defect)) {
            Ok(Ok(_)) => continue,
            Ok(Err(violation)) => {
                (violation.invariant.to_owned(), format!("seed {seed}: {}", violation.what))
            }
            Err(panicked) => panicked,
        };
        // A run that is broken without the defect, too, says nothing about it.
        if matches!(play(None), Ok(Ok(_))) {
            return Some(caught);
        }
    }
    None
}

/// Plays a trap or a piece of the museum.
fn spring(defect: Defect, piece: &Piece, overlay: bool, runs: &mut u64) -> Option<(String, String)> {
    *runs += 1;
    let run = Run { scenario: &piece.scenario, seed: 1, faults: Faults::default(), overlay, trace: false };
    let fault = |defect| match with(defect, || l2::play(&run)) {
        Ok(outcome) => match &outcome.violation {
            Some(violation) => Some((violation.invariant.to_owned(), violation.what.clone())),
            None => (piece.judge)(&outcome).map(|what| (JUDGE.to_owned(), what)),
        },
        Err(panicked) => Some(panicked),
    };
    let caught = fault(Some(defect))?;
    let told = format!("{} overlay {overlay}: {}", piece.scenario.name, caught.1);
    fault(None).is_none().then_some((caught.0, told))
}

/// First the traps and pieces of the museum that are hinted at, then the hinted scenarios, calm and with each single
/// fault, then swarms on them, then swarms on all.
fn hunt_l2(defect: Defect, about: About, scenarios: &[Scenario], runs: &mut u64) -> Option<(String, String)> {
    let pieces = traps::all().into_iter().chain(outages::all());
    let pieces: Vec<Piece> = pieces.filter(|piece| about.hints.contains(&piece.scenario.name)).collect();
    for piece in &pieces {
        for overlay in [true, false] {
            if let Some(caught) = spring(defect, piece, overlay, runs) {
                return Some(caught);
            }
        }
    }
    let hinted: Vec<Scenario> =
        scenarios.iter().filter(|scenario| about.hints.contains(&scenario.name)).cloned().collect();
    for scenario in &hinted {
        for overlay in [true, false] {
            if let Some(caught) = play(defect, scenario, 1, Faults::default(), overlay, None, runs) {
                return Some(caught);
            }
        }
    }
    for scenario in &hinted {
        // The twin is a controller without the defect.
        let calm = Run { scenario, seed: 1, faults: Faults::default(), overlay: true, trace: false };
        let twin = with(None, || l2::play(&calm)).ok()?;
        let writes = (0..twin.writes).flat_map(|at| CALL_FAULTS.map(|fault| Fault::Write(at, fault)));
        let lines = (0..twin.news).filter(|line| line % NEWS_SAMPLED == 0);
        let news = lines.flat_map(|at| NEWS_FAULTS.map(|fault| Fault::News(at, fault)));
        for fault in writes.chain(news) {
            if *runs >= about.bound / 2 {
                break;
            }
            let faults = Faults { set: vec![fault], swarm: None };
            if let Some(caught) = play(defect, scenario, 1, faults, true, Some(&twin.end), runs) {
                return Some(caught);
            }
        }
    }
    for seed in 0..about.bound {
        if *runs >= about.bound {
            break;
        }
        let from = if hinted.is_empty() || seed % 4 == 3 { scenarios } else { hinted.as_slice() };
        let Some((scenario, faults, overlay)) = l2::of_seed(from, seed) else { break };
        if let Some(caught) = play(defect, scenario, seed, faults, overlay, None, runs) {
            return Some(caught);
        }
    }
    None
}

fn play(
    defect: Defect,
    scenario: &Scenario,
    seed: u64,
    faults: Faults,
    overlay: bool,
    twin: Option<&BTreeMap<String, String>>,
    runs: &mut u64,
) -> Option<(String, String)> {
    *runs += 1;
    let told = format!("{} seed {seed} overlay {overlay} {:?}", scenario.name, faults.set);
    let run = Run { scenario, seed, faults, overlay, trace: false };
    let caught = broken(Some(defect), &run, twin)?;
    // A run that is broken without the defect, too, says nothing about it.
    broken(None, &run, twin).is_none().then_some((caught.0, format!("{told}: {}", caught.1)))
}

/// Which rule a run breaks, and what it says.
fn broken(
    defect: Option<Defect>,
    run: &Run<'_>,
    twin: Option<&BTreeMap<String, String>>,
) -> Option<(String, String)> {
    let outcome = match with(defect, || l2::play(run)) {
        Ok(outcome) => outcome,
        Err(panicked) => return Some(panicked),
    };
    if let Some(violation) = outcome.violation {
        return Some((violation.invariant.to_owned(), violation.what));
    }
    Some(("O1".to_owned(), l2::difference(twin?, &outcome.end)?))
}
