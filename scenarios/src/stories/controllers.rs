//! Controllers that die.

use super::{SOON, canary, first, no_user_suffered, reasons, release, users, users_see_only};
use crate::manifests::{Release, service};
use crate::{Kind, Play, Stage, StoryError};
use serde_json::{Value, json};
use std::time::Duration;

/// The name that Argo Rollouts gives it too, so that the two never lead at once; an instance id is added to it.
const LEASE: &str = "argo-rollouts-controller-lock";
/// A lease that is not given back ends after 15 s; the rest is for a busy machine.
const TAKEOVER: Duration = Duration::from_secs(90);

/// Who leads: the holder's name begins with the controller's.
async fn leader<S: Stage>(play: &Play<'_, S>) -> Result<String, StoryError> {
    let leases = play.list(Kind::Lease).await?;
    let text = |lease: &Value, pointer: &str| {
        lease.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let ours = leases.iter().find(|lease| text(lease, "/metadata/name").starts_with(LEASE));
    Ok(ours.map(|lease| text(lease, "/spec/holderIdentity")).unwrap_or_default())
}

pub(super) async fn running<S: Stage>(play: &Play<'_, S>) -> Result<Vec<String>, StoryError> {
    play.stage()
        .controllers()
        .await
        .map_err(|error| StoryError::Stage { doing: "list controllers".to_owned(), error: error.to_string() })
}

pub(super) async fn kill<S: Stage>(play: &Play<'_, S>, name: &str) -> Result<(), StoryError> {
    play.stage().kill_controller(name).await.map_err(|error| StoryError::Stage {
        doing: format!("kill controller {name}"),
        error: error.to_string(),
    })
}

fn steps() -> Value {
    canary(
        &json!([{"setWeight": 25}, {"pause": {"duration": "4s"}}, {"setWeight": 50}, {"pause": {"duration": "4s"}}]),
    )
}

pub(super) async fn killed<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let spec = steps();
    play.apply(service("killed", "killed")).await?;
    first(play, "killed", 4, &spec).await?;
    users(play, "killed", 40).await?;
    release(play, "killed", Release::good("v2"), 4, &spec).await?;
    play.until("killed", "in the first pause", SOON, |web| web.is_paused_at(1)).await?;
    let only = running(play).await?;
    play.holds("one controller runs", only.len() == 1, || only.join(", "))?;
    for name in &only {
        kill(play, name).await?;
    }
    let done = play
        .until("killed", "v2 is healthy", TAKEOVER, |web| web.is_healthy() && web.step() == Some(4))
        .await?;
    play.holds("v2 is stable", done.stable() == done.current(), || done.line())?;
    users_see_only(play, "killed", "v2").await?;
    no_user_suffered(play, "killed").await?;
    let sets = play.list(Kind::ReplicaSet).await?;
    let ours =
        sets.iter().filter(|set| set.pointer("/spec/template/metadata/labels/app") == Some(&json!("killed")));
    play.holds("there are two ReplicaSets, one for each version", ours.count() == 2, || {
        sets.len().to_string()
    })
}

pub(super) async fn two<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let spec = steps();
    play.apply(service("two", "two")).await?;
    first(play, "two", 4, &spec).await?;
    let both = play
        .wait("two controllers run", SOON, async || {
            let names = running(play).await?;
            Ok(if names.len() == 2 { Ok(names) } else { Err(names.join(", ")) })
        })
        .await?;
    users(play, "two", 40).await?;
    release(play, "two", Release::good("v2"), 4, &spec).await?;
    play.until("two", "in the first pause", SOON, |web| web.is_paused_at(1)).await?;
    let before = leader(play).await?;
    let name = both.iter().find(|name| before.starts_with(name.as_str())).cloned().unwrap_or_default();
    play.holds("the leader is one of them", !name.is_empty(), || format!("{before} of {}", both.join(", ")))?;
    kill(play, &name).await?;
    play.wait("another one leads", TAKEOVER, async || {
        let now = leader(play).await?;
        Ok(if now != before && !now.is_empty() { Ok(()) } else { Err(now) })
    })
    .await?;
    play.until("two", "v2 is healthy", TAKEOVER, |web| web.is_healthy() && web.step() == Some(4)).await?;
    users_see_only(play, "two", "v2").await?;
    no_user_suffered(play, "two").await?;
    let reasons = reasons(play, "two").await?;
    let completed = reasons.iter().filter(|reason| *reason == "RolloutCompleted").count();
    play.holds("each version was completed once", completed == 2, || reasons.join(", "))
}
