//! `try`: somebody's own Rollout through a good and a bad release, on a cluster in memory, with the real controller, in
//! virtual time. `[cli.try]`

mod look;
mod manifests;
mod network;
mod play;
mod routes;
mod stage;
mod tell;
mod values;

use crate::args::{Output, Try};
use crate::terminal::Terminal;
use manifests::Manifests;
use serde::Serialize;
use serde_json::Value;

const COMPLETED_NOT: u8 = 1;
const STOPPED_NOT: u8 = 2;
const INVALID: u8 = 3;

/// Which release is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Release {
    Good,
    Bad,
}

impl Release {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

/// One line of the time line.
#[derive(Clone, Debug, Serialize)]
struct Line {
    /// Seconds since the release.
    at: f64,
    /// What kind of thing happened.
    what: &'static str,
    /// What happened.
    text: String,
    /// More, for people: each a line of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more: Vec<String>,
}

/// How a play ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "end", content = "why", rename_all = "camelCase")]
enum End {
    /// The new version has everything.
    Completed,
    /// The controller went back to the old version by itself.
    Stopped(String),
    /// It waits for a person, who was told that the analysis is not sure.
    Held(String),
    /// It neither ended nor was stopped.
    Stuck(String),
    /// The API server or the controller refuses the manifests.
    Invalid(String),
}

/// What was played.
#[derive(Clone, Debug, Serialize)]
struct Story {
    rollout: String,
    release: Release,
    lines: Vec<Line>,
    /// Seconds from the release to the end.
    seconds: f64,
    #[serde(flatten)]
    end: End,
    /// Metrics that were measured, with what came of them.
    gates: Vec<String>,
    /// Pauses that a person ended.
    promotions: u32,
    /// Services and routes that the simulated users called.
    services: Vec<String>,
}

impl Story {
    /// The exit code that it asks for.
    fn code(&self) -> u8 {
        match (self.release, &self.end) {
            (_, End::Invalid(_)) => INVALID,
            (Release::Good, End::Completed) | (Release::Bad, End::Stopped(_) | End::Held(_)) => 0,
            (Release::Good, _) => COMPLETED_NOT,
            (Release::Bad, _) => STOPPED_NOT,
        }
    }
}

/// Plays all Rollouts of the manifests, each by itself.
///
/// # Errors
/// When the manifests cannot be read, or nobody reads what is printed.
pub(crate) fn run(args: &Try, namespace: Option<&str>, terminal: &Terminal) -> anyhow::Result<u8> {
    let manifests = manifests::read(&args.filename)?;
    if !manifests.faults.is_empty() || manifests.rollouts.is_empty() {
        for fault in &manifests.faults {
            terminal.warn(format_args!("Error: {fault}"));
        }
        if manifests.faults.is_empty() {
            terminal.warn(format_args!("Error: {}: no Rollout in it", args.filename.join(", ")));
        }
        return Ok(INVALID);
    }
    let as_json = args.output == Some(Output::Json);
    let mut stories: Vec<Story> = Vec::new();
    if !as_json {
        tell::beginning(&manifests, terminal)?;
    }
    for rollout in &manifests.rollouts {
        for release in releases(args) {
            let story = alone(&manifests, rollout, namespace, release)?;
            if !as_json {
                tell::story(&story, terminal)?;
            }
            let ended = matches!(story.end, End::Invalid(_));
            stories.push(story);
            if ended {
                break;
            }
        }
    }
    let code = worst(&stories);
    if as_json {
        terminal
            .say(serde_json::json!({"plays": stories, "leftOut": manifests.left_out, "exitCode": code}))?;
    } else {
        tell::end(&stories, code, terminal)?;
    }
    Ok(code)
}

fn releases(args: &Try) -> Vec<Release> {
    match (args.good_only, args.bad_only) {
        (true, _) => vec![Release::Good],
        (_, true) => vec![Release::Bad],
        _ => vec![Release::Good, Release::Bad],
    }
}

/// What is invalid counts before a good release that failed, and that before a bad one that was let through.
fn worst(stories: &[Story]) -> u8 {
    let codes: Vec<u8> = stories.iter().map(Story::code).collect();
    [INVALID, COMPLETED_NOT, STOPPED_NOT].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}

/// One play, on a thread of its own: this process may already have a runtime, whose time is real.
fn alone(
    manifests: &Manifests,
    rollout: &Value,
    namespace: Option<&str>,
    release: Release,
) -> anyhow::Result<Story> {
    std::thread::scope(|scope| {
        let played = scope.spawn(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
            runtime.block_on(play::play(manifests, rollout, namespace, release))
        });
        match played.join() {
            Ok(story) => Ok(story?),
            Err(_) => anyhow::bail!("the play broke off: please report this with your manifests"),
        }
    })
}
