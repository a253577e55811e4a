//! The stories.

mod analysis;
mod blue_green;
mod canary;
mod controllers;
mod metadata;
mod refused;
mod restart;
mod routed;
mod routed_canary;

use crate::routes::Router;
use crate::{Kind, Plane, Play, Seen, Stage, StoryError, manifests, manifests::Release};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for pods to come or go on a busy machine.
const SOON: Duration = Duration::from_secs(90);
/// Longest wait for an analysis of some seconds, with its retries after an error (10 s each).
const GATED: Duration = Duration::from_secs(150);

/// What is known of a story before it is told.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// Its name, in the way of a Kubernetes name.
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// How many controllers of its own it needs; 0: those of the stage do.
    pub controllers: u32,
}

const fn story(name: &'static str, shows: &'static str) -> Story {
    Story { name, shows, controllers: 0 }
}

/// All stories.
pub const STORIES: [Story; 15] = [
    story("good-canary", "a good version passes its Prometheus gate and completes; no user sees an error"),
    story("bad-canary", "a version with 5% errors is stopped at its first gate by itself"),
    story(
        "canary-verbs",
        "abort, retry, promote, full promotion and rollback to the stable version in flight",
    ),
    story(
        "superseded",
        "a third version takes the place of the second in flight, and the scale changes under way",
    ),
    story("job-gate", "a Job lets a version through and stops the next"),
    story("web-gate", "an answer of a web address lets a version through and stops the next"),
    story("background", "analysis in the background stops a version that turns bad after its first step"),
    story("blue-green", "preview, promotion by hand, the old version kept for its delay, then removed"),
    story(
        "blue-green-gates",
        "pre-promotion analysis stops a bad version before any user of the active Service sees it",
    ),
    story("metadata", "pods say which role their version has, and running ones follow when it changes"),
    story("never-ready", "a version whose pods never get ready is aborted at its progress deadline"),
    story("refused", "a wrong Rollout says so, harms no other, and heals when what it lacks appears"),
    story("restart", "a restart that a budget refuses holds up no abort, and goes on when it may"),
    Story {
        name: "killed",
        shows: "the controller is killed in the middle of an update and goes on after its start",
        controllers: 1,
    },
    Story {
        name: "two-controllers",
        shows: "of two controllers one leads; when it dies, the other goes on",
        controllers: 2,
    },
];

/// Stories of users who come through a data plane. Each can be told with one that hears of changes at once, and with
/// one that hears of them late.
pub const ROUTED: [Story; 11] = [
    story(
        "steps",
        "a version goes through all its weights; the measured shares are those that were asked for",
    ),
    story("traefik-steps", "the same with Traefik's own weighted services"),
    story(
        "aborts",
        "aborted at each step: the canary is served nothing more within a pass and the settle time",
    ),
    story("rollback", "back to the stable version in the middle"),
    story("superseded", "a third version takes the place of the second, which has half of the users"),
    story("promoted", "promoted to the end from its first step"),
    story("crash", "one of the two pods of the canary crashes under way"),
    story("scaled", "scaled up and down in the middle"),
    Story {
        name: "killed",
        shows: "the controller is killed in the middle and goes on after its start",
        controllers: 1,
    },
    story("blue-green", "all users change over at once"),
    story("exchanged", "one router takes the place of another, at rest and in the middle of an update"),
];

/// Tells one of [`ROUTED`].
///
/// # Errors
/// As [`tell`].
pub async fn tell_routed<S: Stage>(name: &str, play: &Play<'_, S>) -> Result<(), StoryError> {
    match name {
        "steps" => routed_canary::steps(play, Router::GatewayApi).await,
        "traefik-steps" => routed_canary::steps(play, Router::Traefik).await,
        "aborts" => routed_canary::aborts(play).await,
        "rollback" => routed_canary::rollback(play).await,
        "superseded" => routed_canary::superseded(play).await,
        "promoted" => routed_canary::promoted(play).await,
        "crash" => routed_canary::crash(play).await,
        "scaled" => routed_canary::scaled(play).await,
        "killed" => routed_canary::killed(play).await,
        "blue-green" => routed::blue_green(play).await,
        "exchanged" => routed::exchanged(play).await,
        _ => Err(StoryError::NotTrue {
            what: format!("there is a story {name} of routes"),
            seen: ROUTED.map(|story| story.name).join(", "),
        }),
    }
}

/// Tells a story.
///
/// # Errors
/// When it does not go as told; or when there is no such story.
pub async fn tell<S: Stage>(name: &str, play: &Play<'_, S>) -> Result<(), StoryError> {
    match name {
        "good-canary" => canary::good(play).await,
        "bad-canary" => canary::bad(play).await,
        "canary-verbs" => canary::verbs(play).await,
        "superseded" => canary::superseded(play).await,
        "job-gate" => analysis::job(play).await,
        "web-gate" => analysis::web(play).await,
        "background" => analysis::background(play).await,
        "blue-green" => blue_green::by_hand(play).await,
        "blue-green-gates" => blue_green::gated(play).await,
        "metadata" => metadata::roles(play).await,
        "never-ready" => refused::never_ready(play).await,
        "refused" => refused::wrong(play).await,
        "restart" => restart::beside_a_budget(play).await,
        "killed" => controllers::killed(play).await,
        "two-controllers" => controllers::two(play).await,
        _ => Err(StoryError::NotTrue {
            what: format!("there is a story {name}"),
            seen: STORIES.map(|story| story.name).join(", "),
        }),
    }
}

/// A Rollout, its Service and its first version, healthy.
async fn first<S: Stage>(
    play: &Play<'_, S>,
    name: &str,
    replicas: u32,
    spec: &Value,
) -> Result<(), StoryError> {
    release(play, name, Release::good("v1"), replicas, spec).await?;
    play.until(name, "v1 is healthy", SOON, |web| web.is_healthy()).await?;
    Ok(())
}

/// Applies the Rollout with a release.
async fn release<S: Stage>(
    play: &Play<'_, S>,
    name: &str,
    release: Release<'_>,
    replicas: u32,
    spec: &Value,
) -> Result<(), StoryError> {
    play.apply(manifests::rollout(name, play.stage().image(), release, replicas, spec.clone())).await
}

/// Applies a Rollout behind a route with a release.
async fn release_behind<S: Stage>(
    play: &Play<'_, S>,
    plane: &Plane,
    name: &str,
    release: Release<'_>,
    replicas: u32,
    spec: &Value,
) -> Result<(), StoryError> {
    let rollout = manifests::rollout(name, play.stage().image(), release, replicas, spec.clone());
    play.apply(manifests::behind(plane, rollout)).await
}

/// Users who have begun to come.
async fn users<S: Stage>(play: &Play<'_, S>, service: &str, per_second: u32) -> Result<(), StoryError> {
    play.send_users(service, per_second, SOON).await
}

/// No user saw an error, whichever version answered.
async fn no_user_suffered<S: Stage>(play: &Play<'_, S>, service: &str) -> Result<Seen, StoryError> {
    let seen = play.seen(service).await?;
    let well = seen.failed() == 0 && seen.unanswered() == 0;
    play.holds(&format!("no user of {service} saw an error ({seen})"), well, || seen.to_string())?;
    Ok(seen)
}

/// After a moment in which open requests end, users see only this version.
async fn users_see_only<S: Stage>(
    play: &Play<'_, S>,
    service: &str,
    version: &str,
) -> Result<(), StoryError> {
    let what = format!("users of {service} see only {version}");
    let mut before = play.seen(service).await?;
    play.wait(&what, SOON, async || {
        let now = play.seen(service).await?;
        // Enough requests that a share of a quarter would be met.
        if now.since(&before).total() < 30 {
            return Ok(Err(now.to_string()));
        }
        let since = now.since(&before);
        before = now;
        let only = since.version(version).answered == since.total();
        Ok(if only { Ok(()) } else { Err(since.to_string()) })
    })
    .await
}

/// Reasons of the events of an object, oldest first.
async fn reasons<S: Stage>(play: &Play<'_, S>, name: &str) -> Result<Vec<String>, StoryError> {
    let text = |event: &Value, pointer: &str| {
        event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut events: Vec<(String, String)> = play
        .list(Kind::Event)
        .await?
        .iter()
        .filter(|event| text(event, "/involvedObject/name") == name)
        .map(|event| (text(event, "/metadata/creationTimestamp"), text(event, "/reason")))
        .collect();
    events.sort();
    Ok(events.into_iter().map(|(_, reason)| reason).collect())
}

/// Phases of the analysis runs of a kind of template, by creation.
async fn run_phases<S: Stage>(play: &Play<'_, S>) -> Result<Vec<String>, StoryError> {
    let mut runs: Vec<(String, String)> = play
        .list(Kind::AnalysisRun)
        .await?
        .iter()
        .map(|run| {
            let text =
                |pointer: &str| run.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            (text("/metadata/creationTimestamp"), text("/status/phase"))
        })
        .collect();
    runs.sort();
    Ok(runs.into_iter().map(|(_, phase)| phase).collect())
}

/// The analysis runs ended so, in this order: an abort for another reason is no proof.
async fn runs_ended<S: Stage>(play: &Play<'_, S>, wanted: &[&str]) -> Result<(), StoryError> {
    let phases = run_phases(play).await?;
    play.holds(&format!("the analysis runs ended {}", wanted.join(", ")), phases == wanted, || {
        phases.join(", ")
    })
}

fn canary(steps: &Value) -> Value {
    json!({"strategy": {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}}})
}

/// Desired size of the ReplicaSet with this pod hash.
async fn size<S: Stage>(play: &Play<'_, S>, rollout: &str, hash: &str) -> Result<i64, StoryError> {
    let set = play.get(Kind::ReplicaSet, &format!("{rollout}-{hash}")).await?;
    Ok(set.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default())
}
