//! `cargo xtask test`: everything that must hold, from the quickest to the slowest.

use crate::house;
use anyhow::{Context, bail};
use std::process::Command;
use std::time::Instant;

/// Runs all checks; the first that fails ends the run.
pub(crate) fn run() -> anyhow::Result<()> {
    let start = Instant::now();
    cargo("format", &["fmt", "--all", "--check"])?;
    cargo("lints", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    cargo("made files are current", &["run", "--quiet", "--locked", "-p", "xtask", "--", "gen", "--check"])?;
    cargo("unit and property tests", &["test", "--workspace", "--locked"])?;
    if std::env::var_os("STEPGATE_PEER_DIR").is_none() {
        println!(
            "not run: comparisons with recordings of Argo Rollouts (they read the folder that STEPGATE_PEER_DIR names)"
        );
    }
    println!("all checks passed in {} s", start.elapsed().as_secs());
    Ok(())
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
