//! `cargo xtask e2e`: a real cluster for the end-to-end tests.

use ::e2e::{Cluster, build::Programs};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// Which cluster: several can run side by side.
    #[arg(long, global = true, default_value = "dev")]
    run_id: String,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Build and download the programs of the cluster, without starting one.
    Build,
    /// Start a cluster and leave it running.
    Up,
    /// Remove the cluster and all that it left.
    Down,
    /// Start a cluster with Stepgate from its image in it, play all stories, remove the cluster.
    Test {
        /// Only stories whose names contain one of these words.
        only: Vec<String>,
        /// Leave the cluster running.
        #[arg(long)]
        keep: bool,
    },
    /// Build kustomizations that use `manifests/kustomize`, and look at what comes out: needs no cluster and no root.
    Kustomize {
        /// Another kubectl than the one that the cluster is built with.
        #[arg(long)]
        kubectl: Option<PathBuf>,
    },
    /// Play the conformance cases on a cluster that is up, and compare with what is recorded.
    Conformance {
        /// Only cases whose names contain one of these words.
        only: Vec<String>,
        /// Record the answers instead.
        #[arg(long)]
        record: bool,
    },
    /// Start a cluster with Stepgate in it, play recorded scenarios of Argo Rollouts from the folder that
    /// `STEPGATE_PEER_DIR` names, compare, remove the cluster.
    Recorded {
        /// Only scenarios whose names contain one of these words.
        only: Vec<String>,
        /// Leave the cluster running.
        #[arg(long)]
        keep: bool,
    },
    /// Start a cluster with Stepgate and a real data plane in it, send users through stories of releases, remove the
    /// cluster.
    Traffic {
        /// Only stories whose names contain one of these words; `late` are those of a data plane that is 30 s late.
        only: Vec<String>,
        /// Leave the cluster running.
        #[arg(long)]
        keep: bool,
    },
    /// Kill clusters in ways that give them no chance to clean up, and look for what stays.
    Clean,
    #[command(hide = true)]
    Registry { listen: String, state: PathBuf },
    /// The last argument only marks the process as part of a run.
    #[command(hide = true)]
    Forward { namespace: String, target: String, _mark: PathBuf },
    #[command(hide = true)]
    Pipe { target: String },
    /// Removes the cluster when its owner is killed.
    #[command(hide = true)]
    Guard,
    #[command(hide = true)]
    Targets { kubeconfig: PathBuf, file: PathBuf },
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let helper = std::env::current_exe()?;
    match &args.action {
        Action::Build => {
            let programs = Programs::ensure()?;
            programs.ensure_traefik()?;
            println!("in {}", programs.bin.display());
        }
        Action::Up => {
            let cluster = Cluster::up(&args.run_id, true, &helper)?;
            println!("ready: kubectl --kubeconfig {} get nodes", cluster.outer_kubeconfig().display());
        }
        Action::Down => Cluster::of(&args.run_id, &helper)?.down(),
        Action::Test { only, keep } => crate::real::test(&args.run_id, &helper, only, *keep)?,
        Action::Kustomize { kubectl } => crate::real::kustomizations(kubectl.as_deref())?,
        Action::Conformance { only, record } => {
            crate::real::conformance(&args.run_id, &helper, only, *record)?
        }
        Action::Recorded { only, keep } => crate::real::recorded(&args.run_id, &helper, only, *keep)?,
        Action::Traffic { only, keep } => crate::real::traffic(&args.run_id, &helper, only, *keep)?,
        Action::Clean => ::e2e::clean::leaves_nothing(&args.run_id, &helper)?,
        Action::Registry { listen, state } => ::e2e::registry::serve(listen, state)?,
        Action::Forward { namespace, target, .. } => ::e2e::forward::serve(namespace, target)?,
        Action::Guard => {
            if ::e2e::guard::owner_was_killed(std::io::stdin())? {
                Cluster::of(&args.run_id, &helper)?.down();
            }
        }
        Action::Targets { kubeconfig, file } => ::e2e::prometheus::write_targets(kubeconfig, file)?,
        Action::Pipe { target } => ::e2e::forward::pipe(target)?,
    }
    Ok(())
}
