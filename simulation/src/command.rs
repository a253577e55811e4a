//! The command line of the simulation.

use crate::l1;
use crate::l2::regressions::{self, Regression};
use crate::l2::scenario::Scenario;
use crate::l2::{self, Explored, Failed, Faults, Run};
use anyhow::bail;
use clap::Parser;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Swarm seeds of the gate.
const GATE_SEEDS: u64 = 2_000;
/// Pairs of faults in the gate.
const GATE_PAIRS: u64 = 400;
/// Seeds with faults for ever in the gate.
const GATE_SAFETY: u64 = 60;
/// Seeds with something that stays broken in the gate.
const GATE_LASTING: u64 = 150;
/// Seeds of the planner against the models in the gate.
const GATE_L1_SEEDS: u64 = 6_000;
/// Most violations that are made small: each takes some hundred runs.
const SHRUNK_MAX: usize = 3;
/// Lines of the trace of a violation that are shown.
const TRACE_LINES: usize = 40;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// States that the gate must meet: a simulator that never sees them is blind.
const SOMETIMES: [&str; 41] = [
    "a controller died before a write",
    "a controller died after a write",
    "a write was carried out and its answer lost",
    "a conflict that was none",
    "a write was refused for now",
    "a request got no good answer",
    "a request was carried out long after it was sent",
    "a write that came too late was refused",
    "a stream died silently",
    "news came late",
    "a watch began anew from a list",
    "a person acted while a controller was away",
    "the world took a pod out of service",
    "an update was aborted",
    "a version was overtaken in flight",
    "a version became the stable one",
    "a controller's clock was some seconds wrong",
    "a controller began with a clock that was minutes wrong",
    "another controller took the lease",
    "nobody could renew the lease",
    "the leader was frozen",
    "a write of a controller that leads no more was refused",
    "a syncer took the size back",
    "a syncer took selectors of Services back",
    "a syncer took weights back",
    "a syncer took annotations away",
    "a syncer deleted an AnalysisRun",
    "a syncer applied an older version and the newest within a second",
    "an autoscaler was at work",
    "an autoscaler scaled an aborted Rollout",
    "a Rollout was scaled to nothing",
    "all pods of the stable version went at once",
    "a quota was used up",
    "the ReplicaSet controller was a minute late",
    "pods took a minute to end",
    "pods flapped",
    "gates did not answer well",
    "a request was answered",
    "a router sent a request by weights that were no more",
    "what Argo Rollouts had left at rest was taken over",
    "an update that Argo Rollouts had begun was taken over",
];

/// Plays the controller against a cluster in memory under faults.
#[derive(Debug, Parser)]
#[command(name = "simulate")]
struct Args {
    /// What the tests run: regressions, the planner against the models, every single fault, some swarm seeds.
    #[arg(long)]
    gate: bool,
    /// Every single fault of every base scenario.
    #[arg(long)]
    singles: bool,
    /// Single faults at every write, where else a part of them is left out.
    #[arg(long)]
    whole: bool,
    /// How many swarm seeds.
    #[arg(long, default_value_t = 0)]
    seeds: u64,
    /// How many pairs of faults.
    #[arg(long, default_value_t = 0)]
    pairs: u64,
    /// How many seeds with faults for ever: nothing forbidden may happen. With `--replay` of such a seed.
    #[arg(long, default_value_t = 0)]
    safety: u64,
    /// How many seeds with something that stays broken: the end has to be reached. With `--replay` of such a seed.
    #[arg(long, default_value_t = 0)]
    lasting: u64,
    /// How many seeds of the planner against the models. With `--replay` of such a seed.
    #[arg(long, default_value_t = 0)]
    planner_seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only scenarios whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Plays one swarm seed again, with its trace.
    #[arg(long)]
    replay: Option<u64>,
    /// Plays the scenarios with these faults, as a line of `regressions.jsonl` has them, with their traces.
    #[arg(long)]
    with: Option<String>,
    /// Plays the scenarios without faults, with their traces.
    #[arg(long)]
    calm: bool,
    /// Plays the museum of outages, each piece with its rule and, in a build with the defects, without it.
    #[arg(long)]
    museum: bool,
    /// Seeds each defect of the list, and wants it caught.
    #[cfg(feature = "defects")]
    #[arg(long)]
    defects: bool,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Violations that are shown.
    #[arg(long, default_value_t = 10)]
    show: usize,
}

/// Runs the command.
///
/// # Errors
/// When an invariant was broken, a state that must be met was not, or nothing was asked for.
pub fn run() -> anyhow::Result<()> {
    let mut args = Args::parse();
    #[cfg(feature = "defects")]
    if args.defects {
        return crate::defects::run(&args.only, args.threads, args.show > 20);
    }
    let mut scenarios: Vec<_> =
        l2::scenarios::all().into_iter().filter(|scenario| scenario.name.contains(&args.only)).collect();
    if args.whole {
        scenarios.iter_mut().for_each(|scenario| scenario.stride = 1);
    }
    if let Some(seed) = args.replay {
        return replay_as(&args, &scenarios, seed);
    }
    if args.calm || args.with.is_some() {
        return told(&scenarios, args.with.as_deref().unwrap_or("[]"));
    }
    if args.museum {
        return crate::museum::run(&args.only, args.show > 20);
    }
    if args.gate {
        (args.singles, args.seeds, args.planner_seeds) = (true, GATE_SEEDS, GATE_L1_SEEDS);
        (args.pairs, args.safety, args.lasting) = (GATE_PAIRS, GATE_SAFETY, GATE_LASTING);
    } else if !args.singles
        && [args.seeds, args.planner_seeds, args.pairs, args.safety, args.lasting] == [0; 5]
    {
        bail!(
            "say what to play: --gate, --singles, --seeds N, --pairs N, --safety N, --lasting N, --planner-seeds N, \
             --museum, --replay SEED or --calm"
        );
    }
    let mut broken = 0;
    if args.gate {
        broken += again(&scenarios)?;
        crate::museum::run("", false)?;
    }
    if args.planner_seeds > 0 {
        broken += planner(args.from, args.planner_seeds, args.threads);
    }
    let mut reached = std::collections::BTreeSet::new();
    let (from, threads) = (args.from, args.threads);
    let all = scenarios.as_slice();
    let ways: [(&str, bool, &dyn Fn() -> Explored); 5] = [
        ("single faults", args.singles, &|| l2::singles(all, threads)),
        ("pairs of faults", args.pairs > 0, &|| l2::pairs(all, from, args.pairs, threads)),
        ("swarm seeds", args.seeds > 0, &|| l2::swarm(all, from, args.seeds, threads)),
        ("faults for ever", args.safety > 0, &|| l2::safety(all, from, args.safety, threads)),
        ("broken for good", args.lasting > 0, &|| l2::lasting(all, from, args.lasting, threads)),
    ];
    for (what, _, explore) in ways.iter().filter(|(_, asked, _)| *asked) {
        let begun = Instant::now();
        let explored = explore();
        broken += tell(what, &explored, begun, args.show);
        explain(&explored.failed);
        reached.extend(explored.reached.into_keys());
    }
    let blind: Vec<&str> =
        SOMETIMES.into_iter().filter(|state| args.gate && !reached.contains(state)).collect();
    if !blind.is_empty() {
        bail!("the simulation is blind: it never met {}", blind.join("; "));
    }
    if broken > 0 {
        bail!("{broken} runs broke an invariant");
    }
    Ok(())
}

/// Plays a seed again, of the kind of runs that is named beside it; without a name, of the swarms.
fn replay_as(args: &Args, scenarios: &[Scenario], seed: u64) -> anyhow::Result<()> {
    if args.lasting > 0 {
        return replay_lasting(scenarios, seed);
    }
    if args.safety > 0 {
        let Some((scenario, faults, overlay)) = l2::safety_of_seed(scenarios, seed) else {
            bail!("there is no scenario")
        };
        println!("{}: {:?}, {faults:?}, overlay {overlay}", scenario.name, scenario.aimed);
        return show(&Run { scenario: &scenario, seed, faults, overlay, trace: true });
    }
    if args.planner_seeds > 0 {
        return replay_planner(seed);
    }
    replay(scenarios, seed)
}

/// Runs that once broke an invariant.
fn again(scenarios: &[Scenario]) -> anyhow::Result<usize> {
    let mut broken = 0;
    let known = regressions::all()?;
    for regression in &known {
        let Some(outcome) = regression.play(scenarios) else {
            bail!("a regression is of the scenario {}, which is no more", regression.scenario);
        };
        if let Some(violation) = outcome.violation {
            println!("  again ({}): {violation}", regression.was);
            broken += 1;
        }
    }
    for seed in l1::REGRESSIONS {
        if let Err(violation) = l1::run(seed, &l1::Options::default()) {
            println!("  again (planner against models): {violation}");
            broken += 1;
        }
    }
    let runs = known.len().saturating_add(l1::REGRESSIONS.len());
    println!("regressions: {runs} runs, {broken} broke an invariant");
    Ok(broken)
}

/// The planner against the models.
fn planner(from: u64, count: u64, threads: usize) -> usize {
    let begun = Instant::now();
    let next = AtomicU64::new(from);
    let all = Mutex::new((0_u64, Duration::ZERO, Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from.saturating_add(count) {
                        return;
                    }
                    let result = l1::run(seed, &l1::Options::default());
                    let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    match result {
                        Ok(summary) => {
                            all.0 += summary.turns;
                            all.1 += summary.time;
                        }
                        Err(violation) => all.2.push(violation),
                    }
                }
            });
        }
    });
    let (turns, time, violations) = all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let wall = begun.elapsed().as_secs_f64().max(0.001);
    println!(
        "planner against models: {count} seeds in {wall:.1} s ({:.0} turns a second), {:.1} virtual days",
        float(turns) / wall,
        time.as_secs_f64() / SECONDS_PER_DAY
    );
    for violation in &violations {
        let tail: Vec<&String> = violation.trace.iter().rev().take(TRACE_LINES).collect();
        println!("  seed {}: {} does not hold: {}", violation.seed, violation.invariant, violation.what);
        tail.into_iter().rev().for_each(|line| println!("    {line}"));
    }
    violations.len()
}

fn float(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

fn tell(what: &str, explored: &Explored, begun: Instant, show: usize) -> usize {
    let wall = begun.elapsed().as_secs_f64().max(0.001);
    let runs = float(u64::try_from(explored.runs).unwrap_or(u64::MAX));
    println!(
        "{what}: {} runs in {wall:.1} s ({:.0} a second), {} requests, {:.1} virtual days; {} places of faults left out",
        explored.runs,
        runs / wall,
        explored.calls,
        explored.time.as_secs_f64() / SECONDS_PER_DAY,
        explored.left_out,
    );
    println!(
        "  most writes within a minute, people's acts taken off: {} ({})",
        explored.busiest.0, explored.busiest.1
    );
    for (name, count) in &explored.reached {
        println!("  sometimes: {name}: in {count} runs");
    }
    for failed in explored.failed.iter().take(show) {
        println!("  {}", line(failed));
    }
    explored.failed.len()
}

fn line(failed: &Failed) -> String {
    let violation = failed.outcome.violation.as_ref().map(ToString::to_string).unwrap_or_default();
    format!(
        "{} {:?} seed {} overlay {} {:?}: {}",
        failed.scenario.name,
        failed.scenario.aimed,
        failed.seed,
        failed.overlay,
        failed.faults.set,
        violation.chars().take(400).collect::<String>()
    )
}

/// Makes the first violations small, and shows what led to them.
fn explain(failed: &[Failed]) {
    for failed in failed.iter().take(SHRUNK_MAX) {
        let run = Run {
            scenario: &failed.scenario,
            seed: failed.seed,
            faults: failed.faults.clone(),
            overlay: failed.overlay,
            trace: false,
        };
        let Some((faults, outcome)) = l2::shrink(&run, &failed.outcome) else {
            println!("  (seed {} needs its own order of faults; play it with --replay)", failed.seed);
            continue;
        };
        let violation = outcome.violation.as_ref().map(ToString::to_string).unwrap_or_default();
        let regression = Regression {
            was: violation.chars().take(160).collect(),
            scenario: failed.scenario.name.to_owned(),
            seed: failed.seed,
            overlay: failed.overlay,
            faults: faults.clone(),
        };
        println!("  made small: {}", serde_json::to_string(&regression).unwrap_or_default());
        let traced = l2::play(&Run { faults: Faults { set: faults, swarm: None }, trace: true, ..run });
        let tail: Vec<&String> = traced.trace.iter().rev().take(TRACE_LINES).collect();
        tail.into_iter().rev().for_each(|line| println!("    {line}"));
        println!("    => {violation}");
    }
}

fn replay(scenarios: &[Scenario], seed: u64) -> anyhow::Result<()> {
    let Some((scenario, faults, overlay)) = l2::of_seed(scenarios, seed) else {
        bail!("there is no scenario")
    };
    println!("{}: {:?}, overlay {overlay}", scenario.name, faults);
    show(&Run { scenario, seed, faults, overlay, trace: true })
}

fn replay_lasting(scenarios: &[Scenario], seed: u64) -> anyhow::Result<()> {
    let Some((scenario, faults, overlay, what)) = l2::lasting_of_seed(scenarios, seed) else {
        bail!("there is no scenario")
    };
    println!("{}: {what}, {faults:?}, overlay {overlay}", scenario.name);
    show(&Run { scenario: &scenario, seed, faults, overlay, trace: true })
}

/// The whole story of a seed that breaks an invariant; a few numbers of one that does not.
fn replay_planner(seed: u64) -> anyhow::Result<()> {
    match l1::run(seed, &l1::Options::default()) {
        Ok(summary) => {
            println!("{summary:?}");
            Ok(())
        }
        Err(violation) => bail!("{violation}"),
    }
}

fn told(scenarios: &[Scenario], faults: &str) -> anyhow::Result<()> {
    let faults = Faults { set: serde_json::from_str(faults)?, swarm: None };
    for scenario in scenarios {
        println!("== {}: {}", scenario.name, scenario.shows);
        show(&Run { scenario, seed: 1, faults: faults.clone(), overlay: true, trace: true })?;
    }
    Ok(())
}

fn show(run: &Run<'_>) -> anyhow::Result<()> {
    let outcome = l2::play(run);
    for line in &outcome.trace {
        println!("{line}");
    }
    println!(
        "{} requests, {} writes, {} lines of watches, {:.1} virtual seconds, hash {:016x}",
        outcome.calls,
        outcome.writes,
        outcome.news,
        outcome.time.as_secs_f64(),
        outcome.hash
    );
    if let Some(violation) = outcome.violation {
        bail!("{violation}");
    }
    Ok(())
}
