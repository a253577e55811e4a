//! What cannot go well, and says so.

use super::{SOON, canary, first, no_user_suffered, release, size, users, users_see_only};
use crate::manifests::{Release, rollout, service};
use crate::{Kind, Play, Stage, StoryError};
use serde_json::{Value, json};

pub(super) async fn never_ready<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let mut spec = canary(&json!([{"setWeight": 50}, {"pause": {"duration": "1s"}}]));
    play.apply(service("stuck", "stuck")).await?;
    // The first version has all the time that a busy machine takes.
    first(play, "stuck", 2, &spec).await?;
    if let Some(spec) = spec.as_object_mut() {
        spec.insert("progressDeadlineSeconds".to_owned(), json!(15));
        spec.insert("progressDeadlineAbort".to_owned(), json!(true));
    }
    users(play, "stuck", 20).await?;
    release(play, "stuck", Release { version: "v2", error_every: 0, ready: false }, 2, &spec).await?;
    let aborted = play.until("stuck", "aborted at the deadline", SOON, |web| web.is_aborted()).await?;
    let v2 = aborted.current().to_owned();
    play.until("stuck", "degraded", SOON, |web| web.phase() == "Degraded").await?;
    play.wait("no pod of v2 is wanted", SOON, async || {
        Ok(match size(play, "stuck", &v2).await? {
            0 => Ok(()),
            more => Err(more.to_string()),
        })
    })
    .await?;
    users_see_only(play, "stuck", "v1").await?;
    let seen = no_user_suffered(play, "stuck").await?;
    play.holds("no user saw v2", seen.version("v2").answered == 0, || seen.to_string())?;

    // Without the abort it stays as it is, and says that it waited too long.
    if let Some(spec) = spec.as_object_mut() {
        spec.insert("progressDeadlineAbort".to_owned(), json!(false));
    }
    release(play, "stuck", Release { version: "v3", error_every: 0, ready: false }, 2, &spec).await?;
    let late = play
        .until("stuck", "degraded without an abort", SOON, |web| {
            web.phase() == "Degraded" && web.current() != v2
        })
        .await?;
    let reason = late.condition("Progressing", "False").unwrap_or_default().to_owned();
    play.holds("the reason is the deadline", reason == "ProgressDeadlineExceeded", || reason.clone())?;
    play.holds("it is not aborted", !late.is_aborted(), || late.line())
}

pub(super) async fn wrong<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let image = play.stage().image();
    let steps = json!([{"setWeight": 20}, {"pause": {"duration": "2s"}}]);
    let contradiction = json!({"strategy": {"canary": {"steps": [{"setWeight": 120}]}}});
    play.apply(rollout("contradiction", image, Release::good("v1"), 1, contradiction)).await?;
    let mut lacking = canary(&steps);
    if let Some(canary) = lacking.pointer_mut("/strategy/canary").and_then(Value::as_object_mut) {
        canary.insert("canaryService".to_owned(), json!("later-canary"));
    }
    play.apply(rollout("later", image, Release::good("v1"), 1, lacking)).await?;
    play.apply(service("well", "well")).await?;
    first(play, "well", 1, &canary(&steps)).await?;
    users(play, "well", 20).await?;
    for (name, path) in [("contradiction", "steps[0].setWeight"), ("later", "later-canary")] {
        let view =
            play.until(name, "invalid", SOON, |web| web.condition("InvalidSpec", "True").is_some()).await?;
        play.holds(&format!("{name} names {path}"), view.message().contains(path), || {
            view.message().to_owned()
        })?;
    }
    let sets = play.list(Kind::ReplicaSet).await?;
    let wrong = sets.iter().filter_map(|set| set.pointer("/metadata/name")?.as_str());
    let made: Vec<&str> = wrong.filter(|name| !name.starts_with("well-")).collect();
    play.holds("nothing is made for what is wrong", made.is_empty(), || made.join(", "))?;
    play.apply(service("later-canary", "later")).await?;
    play.until("later", "healthy once its Service is there", SOON, |web| web.is_healthy()).await?;
    // What is well is let through beside what is wrong.
    release(play, "well", Release::good("v2"), 1, &canary(&steps)).await?;
    play.until("well", "v2 is healthy", SOON, |web| web.is_healthy() && web.step() == Some(2)).await?;
    users_see_only(play, "well", "v2").await?;
    no_user_suffered(play, "well").await?;
    // Deleting it gives its Service back.
    play.delete(Kind::Rollout, "later").await?;
    play.wait("the Service selects no hash any more", SOON, async || {
        let service = play.get(Kind::Service, "later-canary").await?;
        let selector = service.pointer("/spec/selector").cloned().unwrap_or_default();
        Ok(match selector.get("rollouts-pod-template-hash") {
            None => Ok(()),
            Some(_) => Err(selector.to_string()),
        })
    })
    .await
}
