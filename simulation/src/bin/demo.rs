//! `demo`: three releases on a cluster in memory, in real time.

use clap::Parser;
use scenarios::show::Screen;
use std::time::Instant;

/// Shows a good release, a bad one, and one that a person promotes, on a cluster in memory.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Args {
    /// Leave the cluster running until it is interrupted, behind a port of this machine, with a kubeconfig for it.
    #[arg(long)]
    keep: bool,
}

fn main() -> anyhow::Result<()> {
    let begun = Instant::now();
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(simulation::demo::run(&Screen::stdout(), args.keep, begun))
}
