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
    /// Only this part.
    part: Option<Part>,
    /// Leave out what needs the real cluster.
    #[arg(long)]
    without_cluster: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Plans per second.
    Planner,
    /// Looks at a router's objects, and edits of them, per second.
    Traffic,
    /// Requests to the cluster in memory, and simulated hours, per second.
    Simulation,
    /// On the real cluster: memory, and an update of 500 Rollouts beside 500 Deployments.
    Cluster,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let helper = std::env::current_exe()?;
    let is_wanted = |part: Part| args.part.is_none_or(|only| only == part);
    let rooms = [(Part::Planner, "planner"), (Part::Traffic, "traffic"), (Part::Simulation, "simulation")];
    for (part, room) in rooms {
        if !is_wanted(part) {
            continue;
        }
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
        println!("not run: the controller on the real cluster (--without-cluster)");
    }
    if args.without_cluster || !is_wanted(Part::Cluster) {
        return Ok(());
    }
    let images = image::all(&[Name::Controller], None, crate::real::TAG)?;
    let controller = images.first().context("no controller was built")?;
    let cluster = Cluster::up(RUN_ID, false, &helper)?;
    memory::measure(&cluster, &controller.binary)
}
