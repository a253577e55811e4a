//! `kubectl-stepgate`: promote, abort and watch Rollouts. It answers to the name `kubectl-argo-rollouts`, too.

mod patches;
mod phase;
mod tree;
mod verbs;

use clap::{Args, Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "kubectl-stepgate", about = "Promote, abort and watch Rollouts", version)]
struct Cli {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

/// How to reach the cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connection {
    /// Path of a kubeconfig.
    #[arg(long, global = true)]
    pub(crate) kubeconfig: Option<String>,
    /// Context of the kubeconfig.
    #[arg(long, global = true)]
    pub(crate) context: Option<String>,
    /// Namespace; that of the context when unset.
    #[arg(long, short = 'n', global = true)]
    pub(crate) namespace: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Let a Rollout go on by one step, or to its end.
    Promote {
        /// Name of the Rollout.
        rollout: String,
        /// Skip all steps, pauses and analyses that are left.
        #[arg(long)]
        full: bool,
    },
    /// Give an update up and go back to the stable version.
    Abort {
        /// Name of the Rollout.
        rollout: String,
    },
    /// Try an aborted update again.
    #[command(subcommand)]
    Retry(Retry),
    /// Freeze Rollouts where they are.
    Pause {
        /// Names of the Rollouts.
        #[arg(required = true)]
        rollouts: Vec<String>,
    },
    /// Replace the pods of a Rollout.
    Restart {
        /// Name of the Rollout.
        rollout: String,
    },
    /// Show the status of a Rollout, and wait until it is Healthy or Degraded.
    Status {
        /// Name of the Rollout.
        rollout: String,
        /// Wait.
        #[arg(long, short = 'w', default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
        watch: bool,
        /// How long to wait, such as 30s; 0 waits for ever.
        #[arg(long, short = 't', default_value = "0")]
        timeout: String,
        /// Wait for this revision: an older one that is healthy does not count.
        #[arg(long)]
        revision: Option<i64>,
        /// Exit codes that tell more: 1 degraded, 2 timeout.
        #[arg(long)]
        exit_code: bool,
    },
    /// List Rollouts.
    #[command(subcommand)]
    List(List),
    /// Show a Rollout with its versions, pods and analyses.
    #[command(subcommand)]
    Get(Get),
}

#[derive(Debug, Subcommand)]
enum Get {
    /// Show a Rollout.
    #[command(alias = "rollouts", alias = "ro")]
    Rollout {
        /// Name of the Rollout.
        rollout: String,
    },
}

#[derive(Debug, Subcommand)]
enum Retry {
    /// Try aborted Rollouts again.
    #[command(alias = "rollouts", alias = "ro")]
    Rollout {
        /// Names of the Rollouts.
        #[arg(required = true)]
        rollouts: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
enum List {
    /// List Rollouts.
    #[command(alias = "rollout", alias = "ro")]
    Rollouts {
        /// Of all namespaces.
        #[arg(long, short = 'A')]
        all_namespaces: bool,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    match run(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let cluster = verbs::Cluster::connect(&cli.connection).await?;
    match cli.verb {
        Verb::Promote { rollout, full } => cluster.promote(&rollout, full).await?,
        Verb::Abort { rollout } => cluster.abort(&rollout).await?,
        Verb::Retry(Retry::Rollout { rollouts }) => cluster.retry(&rollouts).await?,
        Verb::Pause { rollouts } => cluster.pause(&rollouts).await?,
        Verb::Restart { rollout } => cluster.restart(&rollout).await?,
        Verb::Status { rollout, watch, timeout, revision, exit_code } => {
            return cluster.status(&rollout, watch, &timeout, revision, exit_code).await;
        }
        Verb::Get(Get::Rollout { rollout }) => cluster.show(&rollout).await?,
        Verb::List(List::Rollouts { all_namespaces }) => cluster.list(all_namespaces).await?,
    }
    Ok(ExitCode::SUCCESS)
}
