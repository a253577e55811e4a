//! Blue-green: all users change over at once.

use super::{GATED, SOON, first, no_user_suffered, release, runs_ended, size, users, users_see_only};
use crate::manifests::{Release, analysis_by_errors, analysis_of_latest, service};
use crate::{Kind, Play, RolloutView, Stage, StoryError};
use serde_json::{Value, json};
use std::time::Duration;

/// Seconds for which the old version is kept after a promotion.
const DELAY_SECONDS: u64 = 12;

fn blue_green(more: &Value) -> Value {
    let mut strategy = json!({
        "activeService": "active",
        "previewService": "preview",
        "scaleDownDelaySeconds": DELAY_SECONDS,
    });
    if let (Some(strategy), Some(more)) = (strategy.as_object_mut(), more.as_object()) {
        strategy.extend(more.clone());
    }
    json!({"strategy": {"blueGreen": strategy}})
}

async fn hash_of<S: Stage>(play: &Play<'_, S>, service: &str) -> Result<String, StoryError> {
    let service = play.get(Kind::Service, service).await?;
    let hash = service.pointer("/spec/selector/rollouts-pod-template-hash").and_then(Value::as_str);
    Ok(hash.unwrap_or_default().to_owned())
}

pub(super) async fn by_hand<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let spec = blue_green(&json!({"autoPromotionEnabled": false}));
    play.apply(service("active", "bg")).await?;
    play.apply(service("preview", "bg")).await?;
    first(play, "bg", 2, &spec).await?;
    users(play, "active", 40).await?;
    release(play, "bg", Release::good("v2"), 2, &spec).await?;
    let waits = play
        .until("bg", "v2 waits for its promotion", SOON, |web| {
            web.phase() == "Paused" && web.message().contains("BlueGreenPause")
        })
        .await?;
    let (v1, v2) = (waits.stable().to_owned(), waits.current().to_owned());
    let hashes = (hash_of(play, "active").await?, hash_of(play, "preview").await?);
    play.holds("active selects v1, preview v2", hashes == (v1.clone(), v2.clone()), || {
        format!("{hashes:?}")
    })?;
    users(play, "preview", 20).await?;
    users_see_only(play, "preview", "v2").await?;
    play.stays("bg", "v1 is active", Duration::from_secs(4), |web| web.active() == v1).await?;
    let before = play.seen("active").await?;
    let only_v1 = before.version("v2").answered == 0;
    play.holds("no user of active saw v2 before the promotion", only_v1, || before.to_string())?;

    // From before the command to after the look: the time that v1 is kept is never taken for shorter than it was.
    let at = play.stage().now();
    play.command(&["promote", "bg"]).await?;
    let promoted: RolloutView = play.until("bg", "v2 is active", SOON, |web| web.active() == v2).await?;
    play.holds("v2 is wanted", promoted.current() == v2, || promoted.line())?;
    play.wait("v1 is kept for its delay, then scaled to 0", SOON, async || {
        let old = size(play, "bg", &v1).await?;
        let kept = play.stage().now().saturating_sub(at);
        // Deadlines have whole seconds.
        if old == 0 && kept < Duration::from_secs(DELAY_SECONDS - 1) {
            return Err(StoryError::NotTrue {
                what: format!("v1 is kept for {DELAY_SECONDS} s"),
                seen: format!("gone after {kept:?}"),
            });
        }
        Ok(if old == 0 { Ok(()) } else { Err(format!("{old} after {kept:?}")) })
    })
    .await?;
    play.until("bg", "v2 is healthy", SOON, |web| web.is_healthy()).await?;
    users_see_only(play, "active", "v2").await?;
    no_user_suffered(play, "active").await.map(drop)
}

pub(super) async fn gated<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let spec = blue_green(&json!({"prePromotionAnalysis": analysis_of_latest("errors")}));
    play.apply(analysis_by_errors(play.stage().prometheus(), "gates")).await?;
    play.apply(service("active", "gates")).await?;
    play.apply(service("preview", "gates")).await?;
    first(play, "gates", 2, &spec).await?;
    users(play, "active", 20).await?;
    // Someone must try the preview, or it has no error rate.
    users(play, "preview", 40).await?;
    release(play, "gates", Release { version: "v2", error_every: 20, ready: true }, 2, &spec).await?;
    let stopped = play.until("gates", "v2 is aborted", GATED, |web| web.is_aborted()).await?;
    runs_ended(play, &["Failed"]).await?;
    play.holds("v1 is active", stopped.active() == stopped.stable(), || stopped.line())?;
    let seen = no_user_suffered(play, "active").await?;
    play.holds("no user of active saw v2", seen.version("v2").answered == 0, || seen.to_string())?;
    release(play, "gates", Release::good("v3"), 2, &spec).await?;
    play.until("gates", "v3 is promoted by its gate", GATED, |web| {
        web.active() == web.current() && web.stable() == web.current()
    })
    .await?;
    runs_ended(play, &["Failed", "Successful"]).await?;
    users_see_only(play, "active", "v3").await?;
    no_user_suffered(play, "active").await.map(drop)
}
