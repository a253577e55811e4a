//! Canaries by replicas.

use super::{
    GATED, SOON, canary, first, no_user_suffered, reasons, release, runs_ended, size, users, users_see_only,
};
use crate::manifests::{Release, analysis_by_errors, analysis_of_latest, service};
use crate::{Play, Stage, StoryError};
use serde_json::{Value, json};
use std::time::Duration;

fn gated() -> Value {
    canary(&json!([
        {"setWeight": 25},
        {"analysis": analysis_of_latest("errors")},
        {"setWeight": 50},
        {"pause": {"duration": "2s"}},
    ]))
}

pub(super) async fn good<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let spec = gated();
    play.apply(analysis_by_errors(play.stage().prometheus(), "good")).await?;
    play.apply(service("good", "good")).await?;
    first(play, "good", 4, &spec).await?;
    users(play, "good", 40).await?;
    release(play, "good", Release::good("v2"), 4, &spec).await?;
    let at_gate = play
        .until("good", "v2 is at its gate", SOON, |web| {
            web.step() == Some(1) && web.stable() != web.current()
        })
        .await?;
    let old = at_gate.stable().to_owned();
    play.until("good", "v2 has passed its gate", GATED, |web| web.step().is_some_and(|step| step > 1))
        .await?;
    let done = play.until("good", "v2 is healthy", SOON, |web| web.is_healthy()).await?;
    play.holds("v2 took the place of v1", done.stable() != old, || done.line())?;
    runs_ended(play, &["Successful"]).await?;
    users_see_only(play, "good", "v2").await?;
    let seen = no_user_suffered(play, "good").await?;
    let both = seen.version("v1").answered > 0 && seen.version("v2").answered > 0;
    play.holds("users saw both versions on the way", both, || seen.to_string())
}

pub(super) async fn bad<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let spec = gated();
    play.apply(analysis_by_errors(play.stage().prometheus(), "bad")).await?;
    play.apply(service("bad", "bad")).await?;
    first(play, "bad", 4, &spec).await?;
    users(play, "bad", 60).await?;
    let bad = Release { version: "v2", error_every: 20, ready: true };
    release(play, "bad", bad, 4, &spec).await?;
    let aborted = play.until("bad", "v2 is aborted", GATED, |web| web.is_aborted()).await?;
    play.holds(
        "its first gate stopped it",
        aborted.condition("Progressing", "False") == Some("RolloutAborted"),
        || aborted.0.pointer("/status/conditions").map(Value::to_string).unwrap_or_default(),
    )?;
    let end = play.until("bad", "v1 carries all again", SOON, |web| web.phase() == "Degraded").await?;
    runs_ended(play, &["Failed"]).await?;
    play.holds("the message names the metric", end.message().contains("error-rate"), || {
        end.message().to_owned()
    })?;
    let current = end.current().to_owned();
    play.wait("no pod of v2 is wanted", SOON, async || {
        Ok(match size(play, "bad", &current).await? {
            0 => Ok(()),
            more => Err(more.to_string()),
        })
    })
    .await?;
    users_see_only(play, "bad", "v1").await?;
    let seen = play.seen("bad").await?;
    let only_v2 = seen.version("v1").failed == 0 && seen.version("v2").failed > 0 && seen.unanswered() == 0;
    play.holds(&format!("errors came from v2 alone ({seen})"), only_v2, || seen.to_string())?;
    // The way out of a bad release is the old one: it counts as new again, and healthy, without a step.
    release(play, "bad", Release::good("v1"), 4, &spec).await?;
    play.until("bad", "v1 is healthy after the revert", SOON, |web| web.is_healthy()).await?;
    Ok(())
}

pub(super) async fn verbs<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let spec = canary(&json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]));
    play.apply(service("verbs", "verbs")).await?;
    first(play, "verbs", 4, &spec).await?;
    users(play, "verbs", 20).await?;
    release(play, "verbs", Release::good("v2"), 4, &spec).await?;
    let paused = play.until("verbs", "paused at the first pause", SOON, |web| web.is_paused_at(1)).await?;
    let (v1, v2) = (paused.stable().to_owned(), paused.current().to_owned());
    let sizes = (size(play, "verbs", &v1).await?, size(play, "verbs", &v2).await?);
    play.holds("a quarter is new: 3 and 1", sizes == (3, 1), || format!("{sizes:?}"))?;
    play.stays("verbs", "paused until someone promotes", Duration::from_secs(5), |web| web.is_paused_at(1))
        .await?;

    play.command(&["promote", "verbs"]).await?;
    play.until("verbs", "paused at the second pause", SOON, |web| web.is_paused_at(3)).await?;
    play.command(&["abort", "verbs"]).await?;
    let end =
        play.until("verbs", "aborted", SOON, |web| web.phase() == "Degraded" && web.is_aborted()).await?;
    play.holds("the stable version is still v1", end.stable() == v1, || end.line())?;
    users_see_only(play, "verbs", "v1").await?;

    play.command(&["retry", "rollout", "verbs"]).await?;
    play.until("verbs", "paused at the first pause after the retry", SOON, |web| web.is_paused_at(1)).await?;
    release(play, "verbs", Release::good("v1"), 4, &spec).await?;
    let back = play.until("verbs", "rolled back to v1 without a step", SOON, |web| web.is_healthy()).await?;
    play.holds("the stable version is v1", back.stable() == v1, || back.line())?;

    release(play, "verbs", Release::good("v2"), 4, &spec).await?;
    play.until("verbs", "paused again", SOON, |web| web.is_paused_at(1)).await?;
    play.command(&["promote", "verbs", "--full"]).await?;
    let done = play.until("verbs", "fully promoted", SOON, |web| web.is_healthy()).await?;
    play.holds("the stable version is v2", done.stable() == v2, || done.line())?;
    users_see_only(play, "verbs", "v2").await?;
    no_user_suffered(play, "verbs").await?;
    let reasons = reasons(play, "verbs").await?;
    for wanted in ["RolloutAborted", "RolloutPaused", "RolloutResumed", "RolloutCompleted"] {
        let found = reasons.iter().any(|reason| reason == wanted);
        play.holds(&format!("there was an event {wanted}"), found, || reasons.join(", "))?;
    }
    Ok(())
}

pub(super) async fn superseded<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let spec = canary(&json!([{"setWeight": 50}, {"pause": {}}]));
    play.apply(service("third", "third")).await?;
    first(play, "third", 2, &spec).await?;
    users(play, "third", 20).await?;
    release(play, "third", Release::good("v2"), 2, &spec).await?;
    let second = play.until("third", "v2 is paused", SOON, |web| web.is_paused_at(1)).await?;
    let v2 = second.current().to_owned();
    release(play, "third", Release::good("v3"), 2, &spec).await?;
    let third = play
        .until("third", "v3 is paused in its stead", SOON, |web| web.is_paused_at(1) && web.current() != v2)
        .await?;
    play.wait("v2 is gone", SOON, async || {
        Ok(match size(play, "third", &v2).await? {
            0 => Ok(()),
            more => Err(more.to_string()),
        })
    })
    .await?;
    release(play, "third", Release::good("v3"), 4, &spec).await?;
    let (v1, v3) = (third.stable().to_owned(), third.current().to_owned());
    play.wait("the weight is kept at the new scale: 2 and 2", SOON, async || {
        let sizes = (size(play, "third", &v1).await?, size(play, "third", &v3).await?);
        Ok(if sizes == (2, 2) { Ok(()) } else { Err(format!("{sizes:?}")) })
    })
    .await?;
    play.until("third", "v3 is still paused", SOON, |web| web.is_paused_at(1)).await?;
    play.command(&["promote", "third"]).await?;
    play.until("third", "v3 is healthy", SOON, |web| web.is_healthy() && web.stable() == v3).await?;
    users_see_only(play, "third", "v3").await?;
    no_user_suffered(play, "third").await.map(drop)
}
