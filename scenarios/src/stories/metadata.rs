//! Pods that say which role their version has.

use super::{SOON, canary, first, no_user_suffered, release, users};
use crate::manifests::{Release, service};
use crate::{Kind, Play, Stage, StoryError};
use serde_json::{Value, json};

const NAME: &str = "labelled";

fn spec() -> Value {
    let mut spec = canary(&json!([{"setWeight": 50}, {"pause": {}}]));
    if let Some(canary) = spec.pointer_mut("/strategy/canary").and_then(Value::as_object_mut) {
        canary.insert("stableMetadata".to_owned(), json!({"labels": {"role": "stable"}}));
        let news = json!({"labels": {"role": "canary"}, "annotations": {"stories.test/since": "now"}});
        canary.insert("canaryMetadata".to_owned(), news);
    }
    spec
}

/// The pods of the version with this hash that are not told to go: their uids, and whether they say all this and no more.
async fn pods<S: Stage>(
    play: &Play<'_, S>,
    hash: &str,
    (role, note): (&str, Option<&str>),
) -> Result<(Vec<String>, bool), StoryError> {
    let all = play.list(Kind::Pod).await?;
    let text = |pod: &Value, pointer: &str| pod.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let own = all.iter().filter(|pod| {
        text(pod, "/metadata/labels/rollouts-pod-template-hash").as_deref() == Some(hash)
            && text(pod, "/metadata/deletionTimestamp").is_none()
    });
    let (mut uids, mut is_told) = (Vec::new(), true);
    for pod in own {
        uids.extend(text(pod, "/metadata/uid"));
        is_told &= text(pod, "/metadata/labels/role").as_deref() == Some(role)
            && text(pod, "/metadata/annotations/stories.test~1since").as_deref() == note;
    }
    uids.sort();
    Ok((uids, is_told))
}

/// Waits until so many pods of a version say its role, and gives their uids.
async fn told<S: Stage>(
    play: &Play<'_, S>,
    hash: &str,
    count: usize,
    says: (&str, Option<&str>),
) -> Result<Vec<String>, StoryError> {
    play.wait(&format!("{count} pods of {hash} say {}", says.0), SOON, async || {
        let (uids, is_told) = pods(play, hash, says).await?;
        Ok(if is_told && uids.len() == count { Ok(uids) } else { Err(format!("{is_told} {uids:?}")) })
    })
    .await
}

pub(super) async fn roles<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let (stable, news) = (("stable", None), ("canary", Some("now")));
    play.apply(service(NAME, NAME)).await?;
    first(play, NAME, 2, &spec()).await?;
    let v1 = play.rollout(NAME).await?.current().to_owned();
    told(play, &v1, 2, stable).await?;
    users(play, NAME, 20).await?;

    release(play, NAME, Release::good("v2"), 2, &spec()).await?;
    let paused = play.until(NAME, "v2 has its half", SOON, |web| web.is_paused_at(1)).await?;
    let v2 = paused.current().to_owned();
    told(play, &v1, 1, stable).await?;
    let canaries = told(play, &v2, 1, news).await?;
    play.command(&["promote", NAME]).await?;
    play.until(NAME, "v2 is healthy", SOON, |web| web.is_healthy() && web.stable() == v2).await?;
    let both = told(play, &v2, 2, stable).await?;
    let kept = canaries.iter().all(|uid| both.contains(uid));
    play.holds("the canary's pod is still there, and has changed its role", kept, || {
        format!("{canaries:?} {both:?}")
    })?;
    no_user_suffered(play, NAME).await.map(drop)
}
