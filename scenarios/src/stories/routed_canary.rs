//! Canaries behind a router, with users all the while.

use super::controllers::{kill, running};
use super::routed::{Road, WEB, canary};
use crate::routes::{Router, web_host};
use crate::{Kind, Play, Stage, StoryError};
use serde_json::{Value, json};

const PODS: u32 = 3;

type Told<T> = Result<T, StoryError>;

fn three_weights() -> Value {
    json!([{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}, {"setWeight": 80}, {"pause": {}}])
}

fn half() -> Value {
    json!([{"setWeight": 50}, {"pause": {}}])
}

/// A road with users on it, whose canary has the first of these steps' weight.
async fn begun<'p, 's, S: Stage>(
    play: &'p Play<'s, S>,
    story: &'static str,
    router: Router,
    steps: &Value,
) -> Told<Road<'p, 's, S>> {
    let road = Road::new(play, story);
    road.canary(router, PODS, steps).await?;
    road.users(true).await?;
    road.release("v2", PODS, &canary(router, steps)).await?;
    road.paused_at(1).await?;
    Ok(road)
}

/// The last version has all users, the one before is gone, and nobody suffered.
async fn carried<S: Stage>(road: &Road<'_, '_, S>, version: &str, old: &str) -> Told<()> {
    road.healthy(&format!("{version} is healthy")).await?;
    road.only(version).await?;
    road.gone(old).await?;
    road.nobody_met_a_leaving_pod().await?;
    road.nobody_suffered().await
}

pub(super) async fn steps<S: Stage>(play: &Play<'_, S>, router: Router) -> Told<()> {
    let story = if router == Router::Traefik { "traefik-steps" } else { "steps" };
    let road = begun(play, story, router, &three_weights()).await?;
    road.share("v2", 20).await?;
    road.promote().await?;
    road.paused_at(3).await?;
    road.share("v2", 60).await?;
    road.promote().await?;
    let last = road.paused_at(5).await?;
    road.share("v2", 80).await?;
    road.promote().await?;
    carried(&road, "v2", last.stable()).await?;
    road.given_back(router).await
}

pub(super) async fn aborts<S: Stage>(play: &Play<'_, S>) -> Told<()> {
    let steps = three_weights();
    let road = begun(play, "aborts", Router::GatewayApi, &steps).await?;
    for last in [1, 3, 5] {
        for step in (1..=last).step_by(2) {
            road.paused_at(step).await?;
            if step < last {
                road.promote().await?;
            }
        }
        road.settled().await;
        play.command(&["abort", WEB]).await?;
        road.only("v1").await?;
        road.until("aborted", |web| web.is_aborted() && web.phase() == "Degraded").await?;
        if last < 5 {
            play.command(&["retry", "rollout", WEB]).await?;
        }
    }
    let aborted = road.until("aborted", |web| web.is_aborted()).await?;
    let v2 = aborted.current().to_owned();
    road.release("v1", PODS, &canary(Router::GatewayApi, &steps)).await?;
    road.healthy("v1 is healthy").await?;
    road.only("v1").await?;
    road.gone(&v2).await?;
    road.nobody_met_a_leaving_pod().await?;
    road.nobody_suffered().await
}

pub(super) async fn rollback<S: Stage>(play: &Play<'_, S>) -> Told<()> {
    let steps = three_weights();
    let road = begun(play, "rollback", Router::GatewayApi, &steps).await?;
    road.promote().await?;
    let half_way = road.paused_at(3).await?;
    road.share("v2", 60).await?;
    let v2 = half_way.current().to_owned();
    road.release("v1", PODS, &canary(Router::GatewayApi, &steps)).await?;
    carried(&road, "v1", &v2).await
}

pub(super) async fn superseded<S: Stage>(play: &Play<'_, S>) -> Told<()> {
    let road = begun(play, "superseded", Router::GatewayApi, &half()).await?;
    road.share("v2", 50).await?;
    let second = road.paused_at(1).await?;
    let (v1, v2) = (second.stable().to_owned(), second.current().to_owned());
    road.release("v3", PODS, &canary(Router::GatewayApi, &half())).await?;
    road.until("v3 is paused in its stead", |web| web.is_paused_at(1) && web.current() != v2).await?;
    road.share("v3", 50).await?;
    road.gone(&v2).await?;
    road.promote().await?;
    carried(&road, "v3", &v1).await
}

pub(super) async fn promoted<S: Stage>(play: &Play<'_, S>) -> Told<()> {
    let road = begun(play, "promoted", Router::GatewayApi, &three_weights()).await?;
    let first = road.paused_at(1).await?;
    play.command(&["promote", WEB, "--full"]).await?;
    carried(&road, "v2", first.stable()).await
}

/// Requests that were under way to the pod that crashed cannot be saved; they are counted apart, by its address. The
/// canary has another pod: of one that has none left a router can only say so until it has heard that its weight is gone.
pub(super) async fn crash<S: Stage>(play: &Play<'_, S>) -> Told<()> {
    let road = Road::new(play, "crash");
    let host = web_host("crash");
    let steps = three_weights();
    road.canary(Router::GatewayApi, PODS, &steps).await?;
    road.users(false).await?;
    road.release("v2", PODS, &canary(Router::GatewayApi, &steps)).await?;
    road.paused_at(1).await?;
    road.promote().await?;
    let half_way = road.paused_at(3).await?;
    road.share("v2", 60).await?;
    let all = half_way.0.pointer("/status/availableReplicas").cloned();
    let (pod, address) = a_pod_of(play, half_way.current()).await?;
    play.crash(&pod).await?;
    road.settled().await;
    road.until("the pod is back", |web| {
        web.is_paused_at(3) && web.0.pointer("/status/availableReplicas") == all.as_ref()
    })
    .await?;
    road.share("v2", 60).await?;
    road.promote().await?;
    road.paused_at(5).await?;
    road.promote().await?;
    road.healthy("v2 is healthy").await?;
    road.gone(half_way.stable()).await?;
    let failed_at = play.failed_at(&host).await?;
    let at_the_crashed = failed_at.get(&address).copied().unwrap_or_default();
    let seen = play.seen(&host).await?;
    let failed = seen.failed() + seen.unanswered();
    let what = format!("{failed} requests failed, all of them at the pod that crashed");
    play.holds(&what, failed == at_the_crashed, || {
        format!("{seen}; at {address} {at_the_crashed} of {failed_at:?}")
    })
}

/// Name and address of one of the two pods of a version.
async fn a_pod_of<S: Stage>(play: &Play<'_, S>, hash: &str) -> Told<(String, String)> {
    let pods = play.list(Kind::Pod).await?;
    let text = |pod: &Value, at: &str| pod.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let of_version: Vec<_> = pods
        .iter()
        .filter(|pod| text(pod, "/metadata/labels/rollouts-pod-template-hash") == hash)
        .map(|pod| (text(pod, "/metadata/name"), text(pod, "/status/podIP")))
        .collect();
    play.holds("the canary has two pods", of_version.len() == 2, || format!("{of_version:?}"))?;
    Ok(of_version.into_iter().next().unwrap_or_default())
}

pub(super) async fn scaled<S: Stage>(play: &Play<'_, S>) -> Told<()> {
    let steps = three_weights();
    let spec = canary(Router::GatewayApi, &steps);
    let road = begun(play, "scaled", Router::GatewayApi, &steps).await?;
    for replicas in [5, 2] {
        road.release("v2", replicas, &spec).await?;
        road.until(&format!("{replicas} pods of v1 are there"), |web| {
            // One pod of the canary carries a fifth of five.
            web.is_paused_at(1) && web.0.pointer("/status/availableReplicas") == Some(&json!(replicas + 1))
        })
        .await?;
        road.share("v2", 20).await?;
    }
    road.promote().await?;
    road.paused_at(3).await?;
    road.release("v2", PODS, &spec).await?;
    road.share("v2", 60).await?;
    road.promote().await?;
    let last = road.paused_at(5).await?;
    road.promote().await?;
    road.healthy("v2 is healthy").await?;
    road.only("v2").await?;
    road.gone(last.stable()).await?;
    road.nobody_suffered().await
}

pub(super) async fn killed<S: Stage>(play: &Play<'_, S>) -> Told<()> {
    let road = begun(play, "killed", Router::GatewayApi, &three_weights()).await?;
    for step in [3, 5] {
        road.promote().await?;
        // At once: whatever it was writing, it has to find again.
        for name in running(play).await? {
            kill(play, &name).await?;
        }
        road.paused_at(step).await?;
    }
    road.share("v2", 80).await?;
    let last = road.paused_at(5).await?;
    road.promote().await?;
    carried(&road, "v2", last.stable()).await
}
