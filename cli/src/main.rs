//! `kubectl-stepgate`: promote, abort and watch Rollouts. It answers to the name `kubectl-argo-rollouts`, too.

mod args;
mod cluster;
mod connection;
mod images;
mod patches;
mod phase;
mod verbs;
mod view;

use args::{Cli, Get, List, Retry, Set, Terminate, Verb};
use clap::{CommandFactory, FromArgMatches};
use cluster::Cluster;
use std::process::ExitCode;

/// The name by which users of Argo Rollouts call it.
const OTHER_NAME: &str = "kubectl-argo-rollouts";
const NAME: &str = "kubectl-stepgate";

/// By what name we were called.
fn called() -> &'static str {
    let first = std::env::args_os().next().unwrap_or_default();
    let file = std::path::Path::new(&first).file_stem().map(|name| name.to_string_lossy().into_owned());
    if file.as_deref() == Some(OTHER_NAME) { OTHER_NAME } else { NAME }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // A second provider would be a defect of the build; the first stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let name = called();
    let matches = Cli::command().name(name).bin_name(name).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(cli, name).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("Error: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// An answer of the API server in its own words; anything else with all its causes.
fn told(error: &anyhow::Error) -> String {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) if !status.message.is_empty() => status.message.clone(),
        _ => format!("{error:#}"),
    }
}

async fn run(cli: Cli, name: &str) -> anyhow::Result<ExitCode> {
    // What needs no cluster must work without one.
    match &cli.verb {
        Verb::Version { short } => {
            print!("{}", verbs::version(name, *short));
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Completion { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), name, &mut std::io::stdout());
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Lint { filename } => return verbs::lint::files(filename),
        _ => {}
    }
    let cluster = Cluster::connect(&cli.connection).await?;
    match cli.verb {
        Verb::Promote(args) => verbs::promote::run(&cluster, &args).await?,
        Verb::Abort { rollout } => verbs::change::abort(&cluster, &rollout).await?,
        Verb::Retry(Retry::Rollout { rollouts }) => verbs::change::retry(&cluster, &rollouts).await?,
        Verb::Pause { rollouts } => verbs::change::pause(&cluster, &rollouts).await?,
        Verb::Restart { rollout, after } => verbs::change::restart(&cluster, &rollout, &after).await?,
        Verb::Undo { rollout, to_revision } => verbs::undo::run(&cluster, &rollout, to_revision).await?,
        Verb::Set(Set::Image { rollout, images }) => {
            verbs::change::set_image(&cluster, &rollout, &images).await?
        }
        Verb::Terminate(Terminate::AnalysisRun { analysisrun }) => {
            verbs::change::terminate(&cluster, &analysisrun).await?;
        }
        Verb::Status(args) => return verbs::status::run(&cluster, &args).await,
        Verb::Get(Get::Rollout(args)) => verbs::show::run(&cluster, &args).await?,
        Verb::List(List::Rollouts(args)) => verbs::list::run(&cluster, &args).await?,
        Verb::Version { .. } | Verb::Completion { .. } | Verb::Lint { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}
