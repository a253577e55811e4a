//! More ways to play many runs: two faults at a time, faults without an end, and a healthy core with something broken for
//! good.

use super::aimed::{Aimed, Blow};
use super::explore::{Explored, Job, carry_out};
use super::run::{Run, play};
use super::scenario::Scenario;
use super::weather::{CALL_FAULTS, CallFault, Fault, Faults, Swarm};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::time::Duration;

/// News that come late for good come in batches, so long after one another.
const BATCHES: Blow = Blow::Batches(Duration::from_secs(60));

/// What stays broken while the controller has to come to its end all the same.
const LASTING: [(&str, Aimed); 6] = [
    ("no event is accepted", Aimed::always("events", Blow::Write(CallFault::Forbidden))),
    ("no event is answered", Aimed::always("events", Blow::Write(CallFault::Silent))),
    ("Rollouts are seen once a minute", Aimed::always("rollouts", BATCHES)),
    ("ReplicaSets are seen once a minute", Aimed::always("replicasets", BATCHES)),
    ("Services are seen once a minute", Aimed::always("services", BATCHES)),
    ("AnalysisRuns are seen once a minute", Aimed::always("analysisruns", BATCHES)),
];

/// What is refused for good.
const REFUSALS: [Aimed; 5] = [
    Aimed::always("replicasets", Blow::Write(CallFault::Forbidden)),
    Aimed::always("replicasets", Blow::Write(CallFault::Broken)),
    Aimed::always("services", Blow::Write(CallFault::Forbidden)),
    Aimed::always("services", Blow::Write(CallFault::Invalid)),
    Aimed::always("analysisruns", Blow::Write(CallFault::Invalid)),
];

/// The end of a run without faults, and how many writes it has.
struct Twin {
    writes: u32,
    end: BTreeMap<String, String>,
}

fn twin(scenario: &Scenario) -> Twin {
    let outcome = play(&Run { scenario, seed: 1, faults: Faults::default(), overlay: true, trace: false });
    Twin { writes: outcome.writes, end: outcome.end }
}

/// Two faults at two writes of a scenario, sampled by seed; every second pair is of two crashes. The end must be that of
/// the run without faults.
#[must_use]
pub fn pairs(scenarios: &[Scenario], from: u64, count: u64, threads: usize) -> Explored {
    let twins: Vec<(&Scenario, Twin)> = scenarios.iter().map(|scenario| (scenario, twin(scenario))).collect();
    let crashes = [CallFault::CrashBefore, CallFault::CrashAfter];
    let jobs: Vec<Job<'_>> = (from..from.saturating_add(count))
        .filter_map(|seed| {
            let mut random = Rng::with_seed(seed);
            let (scenario, twin) = random.choice(&twins)?;
            let kinds = if seed.is_multiple_of(2) { &crashes[..] } else { &CALL_FAULTS[..] };
            let mut one = || Some(Fault::Write(random.u32(..twin.writes.max(1)), *random.choice(kinds)?));
            let faults = Faults { set: vec![one()?, one()?], swarm: None };
            Some(Job { scenario, seed: 1, faults, overlay: true, twin: Some(&twin.end) })
        })
        .collect();
    let mut explored = carry_out(&jobs, threads);
    let places = twins.iter().map(|(_, twin)| u64::from(twin.writes) * faults_of_a_write());
    let all: u64 = places.map(|places| places * places.saturating_sub(1) / 2).sum();
    explored.left_out += usize::try_from(all.saturating_sub(count)).unwrap_or(usize::MAX);
    explored
}

fn faults_of_a_write() -> u64 {
    u64::try_from(CALL_FAULTS.len()).unwrap_or(u64::MAX)
}

/// The scenario, faults and overlay of a seed with faults for ever.
#[must_use]
pub fn safety_of_seed(scenarios: &[Scenario], seed: u64) -> Option<(Scenario, Faults, bool)> {
    let mut random = Rng::with_seed(seed);
    let mut scenario = random.choice(scenarios)?.clone();
    let swarm = Swarm::random(&mut random, sandbox::Options::default().begin);
    if random.bool() {
        scenario = scenario.under(random.choice(REFUSALS)?);
    }
    let faults = Faults { set: Vec::new(), swarm: Some(Swarm { until: None, ..swarm }) };
    Some((scenario, faults, random.bool()))
}

/// Faults for ever, by seed, and in every second run a kind of write that is always refused: no end is asked for, but
/// what must never happen must not, and what is refused for long must be told.
#[must_use]
pub fn safety(scenarios: &[Scenario], from: u64, count: u64, threads: usize) -> Explored {
    let drawn = |seed| {
        let (scenario, faults, overlay) = safety_of_seed(scenarios, seed)?;
        Some((seed, scenario, faults, overlay))
    };
    play_all(&(from..from.saturating_add(count)).filter_map(drawn).collect::<Vec<_>>(), threads)
}

fn play_all(drawn: &[(u64, Scenario, Faults, bool)], threads: usize) -> Explored {
    let jobs: Vec<Job<'_>> = drawn
        .iter()
        .map(|(seed, scenario, faults, overlay)| Job {
            scenario,
            seed: *seed,
            faults: faults.clone(),
            overlay: *overlay,
            twin: None,
        })
        .collect();
    carry_out(&jobs, threads)
}

/// The scenario, faults and overlay of a seed with something that stays broken, and what that is.
#[must_use]
pub fn lasting_of_seed(scenarios: &[Scenario], seed: u64) -> Option<(Scenario, Faults, bool, &'static str)> {
    let mut random = Rng::with_seed(seed);
    let scenario = random.choice(scenarios)?.clone();
    let swarm = Swarm::random(&mut random, sandbox::Options::default().begin);
    let (what, aimed) = random.choice(LASTING)?;
    let faults = Faults { set: Vec::new(), swarm: Some(swarm) };
    Some((scenario.under(aimed), faults, random.bool(), what))
}

/// Faults that end, and one thing that stays broken for good: the end has to be reached all the same.
#[must_use]
pub fn lasting(scenarios: &[Scenario], from: u64, count: u64, threads: usize) -> Explored {
    let drawn = |seed| {
        let (scenario, faults, overlay, _) = lasting_of_seed(scenarios, seed)?;
        Some((seed, scenario, faults, overlay))
    };
    play_all(&(from..from.saturating_add(count)).filter_map(drawn).collect::<Vec<_>>(), threads)
}
