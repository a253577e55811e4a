//! The command line of the simulation.

use crate::l2::{self, Explored, Failed, Faults, Run};
use anyhow::bail;
use clap::Parser;
use std::time::Instant;

/// Plays the controller against a cluster in memory under faults.
#[derive(Debug, Parser)]
#[command(name = "simulate")]
struct Args {
    /// Every single fault of every base scenario.
    #[arg(long)]
    singles: bool,
    /// How many swarm seeds.
    #[arg(long, default_value_t = 0)]
    seeds: u64,
    /// The first swarm seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only scenarios whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Plays one swarm seed again, with its trace.
    #[arg(long)]
    replay: Option<u64>,
    /// Plays the scenarios without faults, with their traces.
    #[arg(long)]
    calm: bool,
    /// Seeds each defect of the list, and wants it caught.
    #[cfg(feature = "defects")]
    #[arg(long)]
    defects: bool,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Violations that are shown.
    #[arg(long, default_value_t = 20)]
    show: usize,
}

/// Runs the command.
///
/// # Errors
/// When an invariant was broken, or nothing was asked for.
pub fn run() -> anyhow::Result<()> {
    let args = Args::parse();
    #[cfg(feature = "defects")]
    if args.defects {
        return crate::defects::run(&args.only, args.threads, args.show > 20);
    }
    let scenarios: Vec<_> =
        l2::scenarios::all().into_iter().filter(|scenario| scenario.name.contains(&args.only)).collect();
    if let Some(seed) = args.replay {
        return replay(&scenarios, seed);
    }
    if args.calm {
        return calm(&scenarios);
    }
    let begun = Instant::now();
    let mut broken = 0;
    if args.singles {
        let explored = l2::singles(&scenarios, args.threads);
        broken += tell("single faults", &explored, begun, args.show);
    }
    if args.seeds > 0 {
        let begun = Instant::now();
        let explored = l2::swarm(&scenarios, args.from, args.seeds, args.threads);
        broken += tell("swarm seeds", &explored, begun, args.show);
    }
    if broken > 0 {
        bail!("{broken} runs broke an invariant");
    }
    Ok(())
}

fn tell(what: &str, explored: &Explored, begun: Instant, show: usize) -> usize {
    let wall = begun.elapsed().as_secs_f64().max(0.001);
    let runs = f64::from(u32::try_from(explored.runs).unwrap_or(u32::MAX));
    println!(
        "{what}: {} runs in {wall:.1} s ({:.0} a second), {} calls, {:.2} virtual days, {} places left out",
        explored.runs,
        runs / wall,
        explored.calls,
        explored.time.as_secs_f64() / 86_400.0,
        explored.left_out,
    );
    for (name, count) in &explored.reached {
        println!("  sometimes: {name}: {count}");
    }
    for failed in explored.failed.iter().take(show) {
        println!("  {}", line(failed));
    }
    explored.failed.len()
}

fn line(failed: &Failed) -> String {
    let violation = failed.outcome.violation.as_ref().map(ToString::to_string).unwrap_or_default();
    let faults: String = format!("{:?}", failed.faults.set);
    format!(
        "{} seed {} overlay {} {}: {}",
        failed.scenario,
        failed.seed,
        failed.overlay,
        faults,
        violation.chars().take(420).collect::<String>()
    )
}

fn replay(scenarios: &[l2::scenario::Scenario], seed: u64) -> anyhow::Result<()> {
    let Some((scenario, faults, overlay)) = l2::of_seed(scenarios, seed) else { bail!("there is no scenario") };
    println!("{}: {:?}, overlay {overlay}", scenario.name, faults);
    show(&Run { scenario, seed, faults, overlay, trace: true })
}

fn calm(scenarios: &[l2::scenario::Scenario]) -> anyhow::Result<()> {
    for scenario in scenarios {
        println!("== {}: {}", scenario.name, scenario.shows);
        show(&Run { scenario, seed: 1, faults: Faults::default(), overlay: true, trace: true })?;
    }
    Ok(())
}

fn show(run: &Run<'_>) -> anyhow::Result<()> {
    let outcome = l2::play(run);
    for line in &outcome.trace {
        println!("{line}");
    }
    println!(
        "{} calls, {} writes, {} lines of watches, {:.1} virtual seconds, hash {:016x}",
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
