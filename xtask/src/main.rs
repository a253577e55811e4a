//! The project's own commands: `cargo xtask COMMAND`. One module per command.

mod bench;
mod demo;
mod e2e;
mod r#gen;
mod house;
mod image;
mod real;
mod test;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Numbers: planner calls per second, the controller's memory.
    Bench(bench::Args),
    /// Three releases, live: a good one, a bad one, and one that a person promotes; on a cluster in memory or a real one.
    Demo(demo::Args),
    /// A real cluster for the end-to-end tests.
    E2e(e2e::Args),
    /// Make the files that are made from code: the CRD manifests.
    Gen(r#gen::Args),
    /// Build the container images, without Docker.
    Image(image::Args),
    /// Play the controller under faults, in simulated time: `--seeds N --from S`, `--replay SEED`, `--singles`, `--gate`.
    Simulate(Simulate),
    /// Run every check: format, lints, tests, and the real cluster.
    Test(test::Args),
}

#[derive(Debug, clap::Args)]
struct Simulate {
    /// What the simulation is told; `--help` lists it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::E2e(args) => e2e::run(&args),
        Command::Gen(args) => r#gen::run(&args),
        Command::Image(args) => image::run(&args),
        Command::Simulate(args) => test::simulate(&args.args),
        Command::Test(args) => test::run(&args),
    }
}
