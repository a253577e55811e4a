//! Gates other than a Prometheus step.

use super::{GATED, SOON, canary, first, no_user_suffered, release, runs_ended, users, users_see_only};
use crate::manifests::{Release, analysis_by_errors, analysis_of_latest, service, template};
use crate::{Play, Stage, StoryError};
use serde_json::{Value, json};

/// One version passes the gate, the next does not: what the gate answers is set by its template.
async fn passes_then_fails<S: Stage>(
    play: &Play<'_, S>,
    name: &str,
    gate: impl Fn(bool) -> Value,
) -> Result<(), StoryError> {
    let spec = canary(&json!([{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "gate"}]}}]));
    play.apply(service(name, name)).await?;
    play.apply(gate(true)).await?;
    first(play, name, 2, &spec).await?;
    users(play, name, 20).await?;
    release(play, name, Release::good("v2"), 2, &spec).await?;
    let passed =
        play.until(name, "v2 is healthy", GATED, |web| web.is_healthy() && web.step() == Some(2)).await?;
    let v2 = passed.stable().to_owned();
    play.apply(gate(false)).await?;
    release(play, name, Release::good("v3"), 2, &spec).await?;
    let stopped = play.until(name, "v3 is aborted", GATED, |web| web.is_aborted()).await?;
    play.holds("v2 stays the stable version", stopped.stable() == v2, || stopped.line())?;
    play.until(name, "the abort is told", SOON, |web| web.phase() == "Degraded").await?;
    runs_ended(play, &["Successful", "Failed"]).await?;
    users_see_only(play, name, "v2").await?;
    no_user_suffered(play, name).await.map(drop)
}

pub(super) async fn job<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    passes_then_fails(play, "job", |passes| {
        let pod = json!({
            "restartPolicy": "Never",
            "containers": [{"name": "check", "image": "busybox", "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/sh", "-c", if passes { "exit 0" } else { "exit 1" }]}],
        });
        let job = json!({"spec": {"backoffLimit": 0, "template": {"spec": pod}}});
        template("gate", &json!([]), &json!({"name": "check", "provider": {"job": job}}))
    })
    .await
}

pub(super) async fn web<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    // Prometheus is a web server too, and answers JSON.
    let address = format!("{}/api/v1/status/buildinfo", play.stage().prometheus());
    passes_then_fails(play, "web", |passes| {
        let wanted = if passes { "success" } else { "never" };
        let provider = json!({"web": {"url": address, "jsonPath": "{$.status}", "timeoutSeconds": 5}});
        let metric = json!({"name": "answer", "successCondition": format!("result == \"{wanted}\""), "provider": provider});
        template("gate", &json!([]), &metric)
    })
    .await
}

pub(super) async fn background<S: Stage>(play: &Play<'_, S>) -> Result<(), StoryError> {
    let mut spec =
        canary(&json!([{"setWeight": 25}, {"pause": {"duration": "3s"}}, {"setWeight": 50}, {"pause": {}}]));
    if let Some(canary) = spec.pointer_mut("/strategy/canary").and_then(Value::as_object_mut) {
        let mut analysis = analysis_of_latest("errors");
        if let Some(analysis) = analysis.as_object_mut() {
            analysis.insert("startingStep".to_owned(), json!(1));
        }
        canary.insert("analysis".to_owned(), analysis);
    }
    play.apply(analysis_by_errors(play.stage().prometheus(), "behind")).await?;
    play.apply(service("behind", "behind")).await?;
    first(play, "behind", 4, &spec).await?;
    users(play, "behind", 60).await?;
    release(play, "behind", Release { version: "v2", error_every: 10, ready: true }, 4, &spec).await?;
    let aborted = play.until("behind", "v2 is aborted", GATED, |web| web.is_aborted()).await?;
    play.holds("v2 is not the stable version", aborted.stable() != aborted.current(), || aborted.line())?;
    play.until("behind", "the abort is told", SOON, |web| web.phase() == "Degraded").await?;
    runs_ended(play, &["Failed"]).await
}
