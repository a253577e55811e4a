//! `cargo xtask test`: everything that must hold, from the quickest to the slowest.

use crate::{house, real};
use anyhow::{Context, bail};
use std::process::Command;
use std::time::Instant;

/// Run id of the cluster of the tests.
const RUN_ID: &str = "test";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out the real cluster; what needs none takes a few minutes.
    #[arg(long)]
    without_cluster: bool,
}

/// Runs all checks; the first that fails ends the run.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let start = Instant::now();
    // Now, because building the tests can replace the file that runs.
    let helper = std::env::current_exe()?;
    cargo("format", &["fmt", "--all", "--check"])?;
    cargo("lints", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    cargo("made files are current", &["run", "--quiet", "--locked", "-p", "xtask", "--", "gen", "--check"])?;
    cargo("unit and property tests", &["test", "--workspace", "--locked"])?;
    // The plays that a planner alone can give; those of the whole controller are part of the gate.
    let museum = [
        "test",
        "--quiet",
        "--workspace",
        "--locked",
        "--features",
        "planner/defects",
        "--test",
        "museum",
        "switches",
    ];
    cargo("museum of outages", &museum)?;
    simulate(&["--gate".to_owned()])?;
    if std::env::var_os("STEPGATE_PEER_DIR").is_none() {
        println!(
            "not run: comparisons with recordings of Argo Rollouts (they read the folder that STEPGATE_PEER_DIR names)"
        );
    }
    let missing = e2e::requirements::missing();
    if args.without_cluster {
        println!("not run: the real cluster (--without-cluster)");
    } else if missing.is_empty() {
        let start = Instant::now();
        println!("== the real cluster");
        real::test(RUN_ID, &helper, &[], false)?;
        e2e::clean::leaves_nothing(RUN_ID, &helper)?;
        println!("== the real cluster: passed in {} s", start.elapsed().as_secs());
    } else {
        let list: Vec<String> = missing.iter().map(|one| format!("- {one}")).collect();
        let list = list.join("\n");
        if std::env::var("CI").is_ok_and(|value| value == "true") {
            bail!("the real cluster cannot run here, and CI=true; missing:\n{list}");
        }
        println!("NOT RUN: the real cluster. This machine lacks:\n{list}");
    }
    println!("all checks passed in {} s", start.elapsed().as_secs());
    Ok(())
}

/// Plays the controller under faults, in a build that is fast and checks its arithmetic.
///
/// # Errors
/// When an invariant was broken.
pub(crate) fn simulate(args: &[String]) -> anyhow::Result<()> {
    let mut all = vec![
        "run",
        "--quiet",
        "--locked",
        "--profile",
        "simulation",
        "-p",
        "simulation",
        // Switches, all of them off: the museum and the seeded defects need them, and one build is enough.
        "--features",
        "defects",
        "--bin",
        "simulate",
        "--",
    ];
    all.extend(args.iter().map(String::as_str));
    cargo("simulation", &all)
}

fn cargo(what: &str, args: &[&str]) -> anyhow::Result<()> {
    println!("== {what}: cargo {}", args.join(" "));
    let start = Instant::now();
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(program).args(args).current_dir(house::root()).status().context("cargo")?;
    if !status.success() {
        bail!("{what} failed: cargo {}", args.join(" "));
    }
    println!("== {what}: passed in {} s", start.elapsed().as_secs());
    Ok(())
}
