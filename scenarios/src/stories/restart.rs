//! Pods that are replaced because somebody asks for it.

use super::{SOON, canary, first, no_user_suffered, release, users};
use crate::manifests::{Release, service};
use crate::{Kind, Play, Stage, StoryError};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const NAME: &str = "restarted";
/// Longer than a controller takes to ask for evictions again.
const REFUSED: Duration = Duration::from_secs(35);
/// Evictions that were refused are asked for again after half a minute, and pods go one after the other.
const REPLACED: Duration = Duration::from_secs(180);

fn budget(unavailable: u8) -> Value {
    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": NAME},
        "spec": {"maxUnavailable": unavailable, "selector": {"matchLabels": {"app": NAME}}}})
}

/// Uids of the pods that are not told to go.
async fn pods<S: Stage>(play: &Play<'_, S>) -> Result<BTreeSet<String>, StoryError> {
    let all = play.list(Kind::Pod).await?;
    let text = |pod: &Value, pointer: &str| pod.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let own = all.iter().filter(|pod| {
        text(pod, "/metadata/labels/app").as_deref() == Some(NAME)
            && text(pod, "/metadata/deletionTimestamp").is_none()
    });
    Ok(own.filter_map(|pod| text(pod, "/metadata/uid")).collect())
}

/// A PodDisruptionBudget refuses a restart: its pods stay, an abort is obeyed all the same, and the restart goes on once
/// the budget allows it.
pub(super) async fn beside_a_budget<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let spec = canary(&json!([{"setWeight": 34}, {"pause": {}}]));
    play.apply(service(NAME, NAME)).await?;
    first(play, NAME, 3, &spec).await?;
    users(play, NAME, 20).await?;
    play.apply(budget(0)).await?;
    release(play, NAME, Release::good("v2"), 3, &spec).await?;
    play.until(NAME, "v2 has its third", SOON, |web| web.is_paused_at(1)).await?;
    let before = pods(play).await?;
    play.command(&["restart", NAME]).await?;
    // Until the new spec is observed, it counts as Progressing.
    play.until(NAME, "asked to restart at its pause", SOON, |web| web.is_paused_at(1)).await?;
    play.stays(NAME, "paused, with its pods", REFUSED, |web| web.is_paused_at(1)).await?;
    let kept = pods(play).await?;
    play.holds("no pod has gone", kept == before, || format!("{before:?} {kept:?}"))?;

    play.command(&["abort", NAME]).await?;
    play.until(NAME, "aborted", SOON, |web| web.is_aborted() && web.phase() == "Degraded").await?;
    play.wait("all pods are of v1 again", SOON, async || {
        let (replicas, updated) = counts(&play.get(Kind::Rollout, NAME).await?);
        Ok(if (replicas, updated) == (3, 0) { Ok(()) } else { Err(format!("{replicas}, {updated} of v2")) })
    })
    .await?;

    play.apply(budget(1)).await?;
    play.wait("no pod is left that was there when it was asked for", REPLACED, async || {
        let now = pods(play).await?;
        let rollout = play.get(Kind::Rollout, NAME).await?;
        let done = rollout.pointer("/status/restartedAt");
        let asked = rollout.pointer("/spec/restartAt");
        let is_done = asked.is_some() && done == asked && now.len() == 3 && now.is_disjoint(&before);
        Ok(if is_done { Ok(()) } else { Err(format!("{done:?} of {asked:?}, {now:?}")) })
    })
    .await?;
    no_user_suffered(play, NAME).await.map(drop)
}

/// Pods, and those of the newest version.
fn counts(rollout: &Value) -> (u64, u64) {
    let count =
        |field: &str| rollout.pointer(&format!("/status/{field}")).and_then(Value::as_u64).unwrap_or(0);
    (count("replicas"), count("updatedReplicas"))
}
