//! `cargo xtask bench`: numbers, not tests. They are for comparing two builds on one machine in one hour.

use crate::house;
use crate::image::{self, Name};
use anyhow::{Context, Result, bail};
use e2e::{Cluster, memory};
use std::process::Command;

/// Run id of the cluster of the benches.
const RUN_ID: &str = "bench";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out what needs the real cluster: the controller's memory.
    #[arg(long)]
    without_cluster: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let helper = std::env::current_exe()?;
    for room in ["planner", "simulation"] {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["bench", "--locked", "--profile", "simulation", "--package", room, "--bench", room])
            .current_dir(house::root())
            .status()?;
        if !status.success() {
            bail!("cargo bench --package {room} failed; its messages are above");
        }
    }
    if args.without_cluster {
        println!("not run: the controller's memory (--without-cluster)");
        return Ok(());
    }
    let images = image::all(&[Name::Controller], None, crate::real::TAG)?;
    let controller = images.first().context("no controller was built")?;
    let cluster = Cluster::up(RUN_ID, false, &helper)?;
    memory::measure(&cluster, &controller.binary)
}
