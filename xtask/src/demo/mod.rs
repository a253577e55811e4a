//! `cargo xtask demo`: three releases, live; on a cluster in memory, or on a real one.

mod real;

use anyhow::{Context, Result, bail};
use std::process::Command;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// In memory: at once, and nothing is needed but Rust. Real: Kubernetes on this machine, built the first time.
    #[arg(long, value_enum, default_value_t = Kind::Memory)]
    cluster: Kind,
    /// Leave the cluster running, to try things.
    #[arg(long)]
    keep: bool,
    /// Which real cluster: several can run side by side.
    #[arg(long, default_value = "demo")]
    run_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Memory,
    Real,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match args.cluster {
        Kind::Memory => in_memory(args.keep),
        Kind::Real => real::run(args),
    }
}

/// A program of its own, so that this one needs no controller to be built.
fn in_memory(keep: bool) -> Result<()> {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(program);
    command.args(["run", "--quiet", "--locked", "-p", "simulation", "--bin", "demo", "--"]);
    if keep {
        command.arg("--keep");
    }
    let status = command.current_dir(crate::house::root()).status().context("cargo")?;
    if !status.success() {
        bail!("the demo ended with {status}");
    }
    Ok(())
}
