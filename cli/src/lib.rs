//! `kubectl-stepgate` as a library: its command line, and each verb over any client of the Kubernetes API.

mod args;
mod cluster;
mod images;
mod patches;
mod phase;
mod terminal;
mod trial;
mod verbs;
mod view;
mod workload;

pub use terminal::{Terminal, Transcript};

use args::{Cli, CreateWhat, Get, List, Retry, Set, Terminate, Verb};
use clap::{CommandFactory, FromArgMatches, Parser};
use cluster::Cluster;
use controller::connection::Connection;

/// The name by which users of Argo Rollouts call it.
const OTHER_NAME: &str = "kubectl-argo-rollouts";
const NAME: &str = "kubectl-stepgate";
/// Exit code when nobody reads any more: what a shell shows for a program that the signal for it ends.
const NOBODY_READS: u8 = 141;

/// What the API server's logs know us by.
const USER_AGENT: &str = concat!("kubectl-stepgate/", env!("CARGO_PKG_VERSION"));

/// Runs the command line of this process, and gives its exit code.
pub async fn main() -> u8 {
    let first = std::env::args_os().next().unwrap_or_default();
    let file = std::path::Path::new(&first).file_stem().map(|name| name.to_string_lossy().into_owned());
    let name = if file.as_deref() == Some(OTHER_NAME) { OTHER_NAME } else { NAME };
    let matches = Cli::command().name(name).bin_name(name).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let terminal = Terminal::own();
    let ended = match alone(&cli, name, &terminal) {
        Some(ended) => ended,
        None => match open(&cli.connection).await {
            Ok((client, namespace)) => carry_out(cli.verb, &Cluster::of(client, namespace, &terminal)).await,
            Err(error) => Err(error),
        },
    };
    ended.unwrap_or_else(|error| {
        // Whoever reads, `head` for instance, has enough: no news.
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
        {
            return NOBODY_READS;
        }
        terminal.warn(format_args!("Error: {}", told(&error)));
        1
    })
}

/// A client, and the namespace to work in.
async fn open(connection: &Connection) -> anyhow::Result<(kube::Client, String)> {
    let config = connection.config(USER_AGENT).await?;
    let namespace = connection.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    Ok((kube::Client::try_from(config)?, namespace))
}

/// Runs a command line (without the program's name) over a client, and gives its exit code. Flags about the connection
/// but for `--namespace` say nothing here.
///
/// # Errors
/// As the command would: what is wrong with its words, or what went wrong.
pub async fn run(
    words: &[&str],
    client: kube::Client,
    namespace: &str,
    terminal: &Terminal,
) -> anyhow::Result<u8> {
    let cli = Cli::try_parse_from(std::iter::once(&NAME).chain(words))?;
    if let Some(ended) = alone(&cli, NAME, terminal) {
        return ended;
    }
    let namespace = cli.connection.namespace.clone().unwrap_or_else(|| namespace.to_owned());
    let ended = carry_out(cli.verb, &Cluster::of(client, namespace, terminal)).await;
    ended.map_err(|error| anyhow::anyhow!(told(&error)))
}

/// An answer of the API server in its own words; anything else with all its causes.
fn told(error: &anyhow::Error) -> String {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) if !status.message.is_empty() => status.message.clone(),
        _ => format!("{error:#}"),
    }
}

/// What needs no cluster must work without one.
fn alone(cli: &Cli, name: &str, terminal: &Terminal) -> Option<anyhow::Result<u8>> {
    match &cli.verb {
        Verb::Version { short } => Some(printed(terminal.print(verbs::version(name, *short)))),
        Verb::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), name, &mut script);
            Some(printed(terminal.print(String::from_utf8_lossy(&script))))
        }
        Verb::Lint { filename } => Some(verbs::lint::files(filename, terminal)),
        Verb::Try(args) => Some(trial::run(args, cli.connection.namespace.as_deref(), terminal)),
        _ => None,
    }
}

fn printed(result: std::io::Result<()>) -> anyhow::Result<u8> {
    result.map(|()| 0).map_err(anyhow::Error::from)
}

async fn carry_out(verb: Verb, cluster: &Cluster<'_>) -> anyhow::Result<u8> {
    match verb {
        Verb::Promote(args) => verbs::promote::run(cluster, &args).await?,
        Verb::Abort { rollout } => verbs::change::abort(cluster, &rollout).await?,
        Verb::Retry(Retry::Rollout { rollouts }) => verbs::change::retry(cluster, &rollouts).await?,
        Verb::Pause { rollouts } => verbs::change::pause(cluster, &rollouts).await?,
        Verb::Restart { rollout, after } => verbs::change::restart(cluster, &rollout, &after).await?,
        Verb::Undo { rollout, to_revision } => verbs::undo::run(cluster, &rollout, to_revision).await?,
        Verb::Set(Set::Image { rollout, images }) => {
            verbs::change::set_image(cluster, &rollout, &images).await?;
        }
        Verb::Terminate(Terminate::AnalysisRun { analysisrun }) => {
            verbs::change::terminate(cluster, &analysisrun).await?;
        }
        Verb::Create(args) => match &args.what {
            Some(CreateWhat::AnalysisRun(run)) => verbs::create::analysis_run(cluster, run).await?,
            None => verbs::create::files(cluster, &args).await?,
        },
        Verb::Status(args) => return verbs::status::run(cluster, &args).await,
        Verb::Get(Get::Rollout(args)) => verbs::show::run(cluster, &args).await?,
        Verb::List(List::Rollouts(args)) => verbs::list::run(cluster, &args).await?,
        Verb::Plan(args) => verbs::plan::run(cluster, &args).await?,
        Verb::TakeoverCheck(args) => return verbs::takeover::run(cluster, &args).await,
        Verb::Version { .. } | Verb::Completion { .. } | Verb::Lint { .. } | Verb::Try(_) => {}
    }
    Ok(0)
}
