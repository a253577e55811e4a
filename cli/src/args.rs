//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use controller::connection::Connection;

/// Promote, abort and watch Rollouts.
#[derive(Debug, Parser)]
#[command(name = "kubectl-stepgate", version, disable_version_flag = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Of the Argo Rollouts plugin, for scripts that set it: what a verb has to say goes to standard error, and there is
    /// no log.
    #[arg(long, global = true, hide = true, value_name = "LEVEL")]
    loglevel: Option<String>,
    /// The same.
    #[arg(long, short = 'v', global = true, hide = true, value_name = "LEVEL")]
    kloglevel: Option<String>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Let a Rollout go on by one step, or to its end.
    Promote(Promote),
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
        /// Not now but after this time, such as 10m.
        #[arg(long = "in", short = 'i', default_value = "0s", value_name = "DURATION")]
        after: String,
    },
    /// Go back to an earlier version.
    Undo {
        /// Name of the Rollout.
        rollout: String,
        /// Revision to go back to; 0 is the one before the current.
        #[arg(long = "to-revision", default_value_t = 0)]
        to_revision: i64,
    },
    /// Change a Rollout.
    #[command(subcommand)]
    Set(Set),
    /// Show the status of a Rollout, and wait until it is Healthy or Degraded.
    Status(Status),
    /// List Rollouts.
    #[command(subcommand)]
    List(List),
    /// Show a Rollout with its versions, pods and analyses.
    #[command(subcommand)]
    Get(Get),
    /// End an analysis before its time.
    #[command(subcommand)]
    Terminate(Terminate),
    /// Create Rollouts, Experiments, AnalysisRuns and templates from files, or an AnalysisRun from a template.
    Create(Create),
    /// Check manifests without a cluster.
    Lint {
        /// A file of manifests; `-` reads standard input.
        #[arg(long, short = 'f', required = true)]
        filename: Vec<String>,
    },
    /// Play a good and a bad release of manifests on a cluster in memory, in virtual time.
    Try(Try),
    /// Show what the controller would do next to a Rollout, and why. Nothing is written.
    Plan(Plan),
    /// Show for each Rollout whether this controller would change anything if it took over now. Nothing is written.
    TakeoverCheck(TakeoverCheck),
    /// Print the version.
    Version {
        /// The version alone.
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
        short: bool,
    },
    /// Print a completion script.
    Completion {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// Name of the Rollout.
    pub(crate) rollout: String,
    /// Skip all steps, pauses and analyses that are left.
    #[arg(long, visible_alias = "skip-all-steps", short_alias = 'a', num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) full: bool,
    /// Old spelling of the default.
    #[arg(long, short = 'c', hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) skip_current_step: bool,
    /// Only if the Rollout stands at this step (from 0); once it is past it there is nothing to do. A pipeline that
    /// tries again cannot skip two steps.
    #[arg(long, value_name = "INDEX", conflicts_with = "full")]
    pub(crate) at_step: Option<i32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Retry {
    /// Try aborted Rollouts again.
    #[command(alias = "rollouts", alias = "ro")]
    Rollout {
        /// Names of the Rollouts.
        #[arg(required = true)]
        rollouts: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Set {
    /// Change the image of containers.
    Image {
        /// Name of the Rollout.
        rollout: String,
        /// CONTAINER=IMAGE; `*` is every container.
        #[arg(required = true, value_name = "CONTAINER=IMAGE")]
        images: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Name of the Rollout.
    pub(crate) rollout: String,
    /// Wait.
    #[arg(long, short = 'w', default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) watch: bool,
    /// How long to wait, such as 30s; 0 waits for ever.
    #[arg(long, short = 't', default_value = "0", value_name = "DURATION")]
    pub(crate) timeout: String,
    /// Wait for this revision: an older one that is healthy does not count.
    #[arg(long)]
    pub(crate) revision: Option<i64>,
    /// Wait until this image is what the Rollout wants: an older one that is healthy does not count.
    #[arg(long)]
    pub(crate) image: Option<String>,
    /// Phases that end the wait; may be repeated or separated by commas. Degraded always does.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "healthy")]
    pub(crate) until: Vec<Until>,
    /// Exit codes that tell more: 0 reached, 1 degraded, 2 timeout, 3 waiting for a promotion when the wait ended.
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Print each status as one line of JSON.
    #[arg(long, short = 'o', value_enum)]
    pub(crate) output: Option<Output>,
}

/// Phases to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    Healthy,
    Paused,
    Progressing,
    Degraded,
}

impl Until {
    pub(crate) fn phase(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Paused => "Paused",
            Self::Progressing => "Progressing",
            Self::Degraded => "Degraded",
        }
    }
}

/// Other forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum List {
    /// List Rollouts.
    #[command(alias = "rollout", alias = "ro")]
    Rollouts(Listing),
}

#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// Only the Rollout of this name.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Of all namespaces.
    #[arg(long, short = 'A', num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) all_namespaces: bool,
    /// Go on, with a line for each change.
    #[arg(long, short = 'w', num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) watch: bool,
    /// Put the time before each line.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) timestamps: bool,
    /// Print JSON: an array; with --watch one line for each change.
    #[arg(long, short = 'o', value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Get {
    /// Show a Rollout.
    #[command(alias = "rollouts", alias = "ro")]
    Rollout(Showing),
}

#[derive(Debug, Args)]
pub(crate) struct Showing {
    /// Name of the Rollout.
    pub(crate) rollout: String,
    /// Go on showing it: redrawn in place on a terminal, printed anew for each change elsewhere.
    #[arg(long, short = 'w', num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) watch: bool,
    /// Without colours; so does NO_COLOR.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) no_color: bool,
    /// End the watch after this many seconds; 0 never does.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub(crate) timeout_seconds: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Try {
    /// A file or a folder of manifests; `-` reads standard input. May be repeated.
    #[arg(long, short = 'f', required = true)]
    pub(crate) filename: Vec<String>,
    /// Play the good release alone.
    #[arg(long, conflicts_with = "bad_only")]
    pub(crate) good_only: bool,
    /// Play the bad release alone.
    #[arg(long)]
    pub(crate) bad_only: bool,
    /// Print one object of JSON.
    #[arg(long, short = 'o', value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Name of the Rollout.
    pub(crate) rollout: String,
    /// Print one object of JSON.
    #[arg(long, short = 'o', value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(crate) struct TakeoverCheck {
    /// In all namespaces.
    #[arg(long, short = 'A', num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) all_namespaces: bool,
    /// Print one list of JSON.
    #[arg(long, short = 'o', value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Create {
    /// A file of manifests; `-` reads standard input. May be repeated.
    #[arg(long, short = 'f')]
    pub(crate) filename: Vec<String>,
    /// Show the Rollout that was created, and go on showing it.
    #[arg(long, short = 'w', num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) watch: bool,
    /// Without colours; so does NO_COLOR.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) no_color: bool,
    #[command(subcommand)]
    pub(crate) what: Option<CreateWhat>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CreateWhat {
    /// Create an AnalysisRun from a template.
    #[command(name = "analysisrun", alias = "analysisruns", alias = "ar")]
    AnalysisRun(CreateRun),
}

#[derive(Debug, Args)]
pub(crate) struct CreateRun {
    /// Name of an AnalysisTemplate.
    #[arg(long, required_unless_present = "from_file", conflicts_with = "from_file")]
    pub(crate) from: Option<String>,
    /// A file with a template; `-` reads standard input.
    #[arg(long)]
    pub(crate) from_file: Option<String>,
    /// --from is the name of a ClusterAnalysisTemplate.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub(crate) global: bool,
    /// An argument of the template; may be repeated.
    #[arg(long, short = 'a', value_name = "NAME=VALUE")]
    pub(crate) argument: Vec<String>,
    /// Name of the AnalysisRun.
    #[arg(long, conflicts_with = "generate_name")]
    pub(crate) name: Option<String>,
    /// Beginning of a name that the API server completes; the template's name and a dash when nothing is said.
    #[arg(long)]
    pub(crate) generate_name: Option<String>,
    /// Instance id of the controller that is to carry it out.
    #[arg(long)]
    pub(crate) instance_id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Terminate {
    /// End an AnalysisRun before its time.
    #[command(name = "analysisrun", alias = "analysisruns", alias = "ar")]
    AnalysisRun {
        /// Name of the AnalysisRun.
        analysisrun: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn habits_of_argo_rollouts_are_understood() {
        for line in [
            "promote web -a",
            "promote web --skip-current-step",
            "promote web -c",
            "retry ro web",
            "get ro web -w --no-color",
            "list ro -A -w --timestamps",
            "status web --watch=false",
            "status web -w=false",
            "status web -w",
            "status web --timeout 5m",
            "restart web -i 10m",
            "undo web --to-revision=3",
            "set image web app=registry.example:5000/app@sha256:0a",
            "terminate ar run",
            "create -f file.yaml -f -",
            "create -f file.yaml -w --no-color",
            "create ar --from ok -a host=web --argument share=0.5 --generate-name ok-",
            "create analysisrun --from-file ok.yaml --name ok-1 --instance-id blue",
            "create analysisrun --global --from ok",
            "lint -f file.yaml",
            "try -f - --good-only -o json",
            "plan web -o json",
            "version --short",
            "version --loglevel debug",
            "get ro web --kloglevel=4",
            "get ro web -v 5",
            "--cache-dir /tmp/cache list ro --disable-compression",
            "list ro --client-certificate me.crt --client-key me.key --as jane --as-uid 7",
            "completion bash",
        ] {
            let words = std::iter::once("kubectl-argo-rollouts").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }
}
