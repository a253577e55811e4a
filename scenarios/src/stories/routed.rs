//! A Rollout behind a route, with users on it all the while; blue-green; one router in the place of another.

use super::{SOON, release_behind, size};
use crate::manifests::{Release, service};
use crate::routes::{CANARY, Plane, Router, STABLE, Users, gateway, route, stream_host, web_host};
use crate::{Kind, Play, RolloutView, Seen, Stage, StoryError};
use serde_json::{Value, json};
use std::time::Duration;

/// Name of the Rollout of all these stories.
pub(super) const WEB: &str = "web";
/// Pages that users ask for, per second.
const PER_SECOND: u32 = 300;
/// Streams that users keep open.
const STREAMS: u32 = 2;
/// Pages over which a share is measured.
const SAMPLE: u64 = 1200;
/// How many standard deviations a measured share may be off: one sample in ten thousand is further off by chance.
const DEVIATIONS: f64 = 3.9;
/// Longest time of a pass, from a person's act to the write at the router, on a busy machine.
const PASS: Duration = Duration::from_secs(3);

type Told<T> = Result<T, StoryError>;

/// A Rollout behind routes.
pub(super) struct Road<'p, 's, S> {
    pub(super) play: &'p Play<'s, S>,
    plane: Plane,
    story: &'static str,
}

impl<'p, 's, S: Stage> Road<'p, 's, S> {
    pub(super) fn new(play: &'p Play<'s, S>, story: &'static str) -> Self {
        Self { play, plane: play.stage().plane(), story }
    }

    /// A canary behind this router, healthy in its first version.
    pub(super) async fn canary(&self, router: Router, replicas: u32, steps: &Value) -> Told<()> {
        for name in [STABLE, CANARY] {
            self.play.apply(service(name, WEB)).await?;
        }
        for object in router.objects(&self.plane, self.story) {
            self.play.apply(object).await?;
        }
        self.release("v1", replicas, &canary(router, steps)).await?;
        self.healthy("v1 is healthy").await.map(drop)
    }

    /// Users of pages come, and when all of them are served, those of streams.
    pub(super) async fn users(&self, with_streams: bool) -> Told<()> {
        self.play.send_through(&web_host(self.story), Users::Requests(PER_SECOND), self.limit()).await?;
        if with_streams {
            self.settled().await;
            self.play.send_through(&stream_host(self.story), Users::Streams(STREAMS), SOON).await?;
        }
        Ok(())
    }

    pub(super) async fn release(&self, version: &str, replicas: u32, spec: &Value) -> Told<()> {
        release_behind(self.play, &self.plane, WEB, Release::good(version), replicas, spec).await
    }

    /// Longest wait for what needs the plane to hear of several changes.
    pub(super) fn limit(&self) -> Duration {
        SOON.saturating_add(self.plane.settle.saturating_mul(5))
    }

    pub(super) async fn until(&self, what: &str, holds: impl Fn(&RolloutView) -> bool) -> Told<RolloutView> {
        self.play.until(WEB, what, self.limit(), holds).await
    }

    pub(super) async fn paused_at(&self, step: i64) -> Told<RolloutView> {
        self.until(&format!("paused at step {step}"), |web| web.is_paused_at(step)).await
    }

    pub(super) async fn healthy(&self, what: &str) -> Told<RolloutView> {
        self.until(what, RolloutView::is_healthy).await
    }

    pub(super) async fn promote(&self) -> Told<()> {
        self.play.command(&["promote", WEB]).await.map(drop)
    }

    async fn sleep(&self, during: Duration) {
        let stage = self.play.stage();
        let end = stage.now().saturating_add(during);
        while stage.now() < end {
            stage.rest().await;
        }
    }

    /// Waits until the plane has surely heard of what has been written.
    pub(super) async fn settled(&self) {
        self.sleep(self.plane.settle).await;
    }

    /// What the next users see.
    async fn sample(&self, host: &str, what: &str) -> Told<Seen> {
        let before = self.play.seen(host).await?;
        self.play
            .wait(what, SOON, async || {
                let since = self.play.seen(host).await?.since(&before);
                Ok(if since.total() < SAMPLE { Err(since.to_string()) } else { Ok(since) })
            })
            .await
    }

    /// When what has been written is served, this percentage of the pages comes from a version.
    pub(super) async fn share(&self, version: &str, percent: u32) -> Told<()> {
        self.settled().await;
        self.share_of(&web_host(self.story), version, percent).await
    }

    /// As [`Road::share`], of a host, now.
    async fn share_of(&self, host: &str, version: &str, percent: u32) -> Told<()> {
        let seen = self.sample(host, &format!("{SAMPLE} users of {host} to count")).await?;
        #[allow(clippy::cast_precision_loss, reason = "thousands of requests")]
        let (all, of_version) = (seen.total() as f64, seen.version(version).answered as f64);
        let wanted = f64::from(percent) / 100.0;
        // Half a request for the rounding of whole requests.
        let bound = DEVIATIONS * (wanted * (1.0 - wanted) / all).sqrt() + 0.5 / all;
        let measured = of_version / all;
        let what = format!("{percent}% of the users of {host} meet {version}: {:.2}%", measured * 100.0);
        self.play.holds(&what, (measured - wanted).abs() <= bound, || seen.to_string())
    }

    /// Within a pass and the settle time, users meet no other version.
    pub(super) async fn only(&self, version: &str) -> Told<()> {
        self.sleep(self.plane.settle.saturating_add(PASS)).await;
        let host = web_host(self.story);
        let seen = self.sample(&host, &format!("{SAMPLE} more users of {host}")).await?;
        let only = seen.version(version).answered == seen.total();
        self.play.holds(&format!("users meet only {version} after that"), only, || seen.to_string())
    }

    /// No page and no stream failed.
    pub(super) async fn nobody_suffered(&self) -> Told<()> {
        for host in [web_host(self.story), stream_host(self.story)] {
            self.served(&host).await?;
        }
        Ok(())
    }

    async fn served(&self, host: &str) -> Told<()> {
        let seen = self.play.seen(host).await?;
        let well = seen.failed() == 0 && seen.unanswered() == 0;
        self.play.holds(&format!("no user of {host} saw an error ({seen})"), well, || seen.to_string())
    }

    /// No page came from a pod that had been told to end: pods go when nobody is sent to them any more.
    pub(super) async fn nobody_met_a_leaving_pod(&self) -> Told<()> {
        let seen = self.play.seen(&web_host(self.story)).await?;
        self.play
            .holds("no pod was removed that still got requests", seen.by_leaving == 0, || seen.to_string())
    }

    /// No field of the routes is ours any more, as the API server notes it: the next change of Git is nobody's business.
    pub(super) async fn given_back(&self, router: Router) -> Told<()> {
        let kinds: &[Kind] = match router {
            Router::GatewayApi => &[Kind::HttpRoute, Kind::GrpcRoute],
            Router::Traefik => &[Kind::TraefikService],
        };
        self.play
            .wait("the fields of the routes are given back", self.limit(), async || {
                let mut owners = Vec::new();
                for kind in kinds {
                    for object in self.play.list(*kind).await? {
                        let notes = object
                            .pointer("/metadata/managedFields")
                            .cloned()
                            .unwrap_or_default()
                            .to_string();
                        owners.push(notes);
                    }
                }
                let ours = owners.iter().any(|notes| notes.contains("rollouts-controller"));
                Ok(if ours || owners.is_empty() { Err(format!("{owners:?}")) } else { Ok(()) })
            })
            .await
    }

    /// The pods of a version have gone.
    pub(super) async fn gone(&self, hash: &str) -> Told<()> {
        self.play
            .wait(&format!("{hash} is gone"), self.limit(), async || {
                let size = size(self.play, WEB, hash).await?;
                Ok(if size == 0 { Ok(()) } else { Err(size.to_string()) })
            })
            .await
    }
}

/// The strategy of a canary behind this router.
pub(super) fn canary(router: Router, steps: &Value) -> Value {
    json!({"strategy": {"canary": {
        "maxSurge": 1,
        "maxUnavailable": 0,
        "stableService": STABLE,
        "canaryService": CANARY,
        "trafficRouting": router.routing(),
        "steps": steps,
    }}})
}

pub(super) async fn blue_green<S: Stage>(play: &Play<'_, S>) -> Told<()> {
    let road = Road::new(play, "blue-green");
    for name in ["active", "preview"] {
        play.apply(service(name, WEB)).await?;
    }
    let all = [("active", 1)];
    play.apply(gateway(&road.plane)).await?;
    play.apply(route("HTTPRoute", WEB, &web_host(road.story), &all)).await?;
    play.apply(route("GRPCRoute", "web-streams", &stream_host(road.story), &all)).await?;
    let spec = json!({"strategy": {"blueGreen": {
        "activeService": "active",
        "previewService": "preview",
        "autoPromotionEnabled": false,
        // The plane hears of the change as late as of any other.
        "scaleDownDelaySeconds": road.plane.settle.as_secs(),
    }}});
    road.release("v1", 2, &spec).await?;
    road.healthy("v1 is healthy").await?;
    road.users(true).await?;
    road.release("v2", 2, &spec).await?;
    let waits = road.until("v2 waits for its promotion", |web| web.phase() == "Paused").await?;
    road.only("v1").await?;
    road.promote().await?;
    road.only("v2").await?;
    road.gone(waits.stable()).await?;
    road.healthy("v2 is healthy").await?;
    road.nobody_met_a_leaving_pod().await?;
    road.nobody_suffered().await
}

/// Users come by both routers all the while; one of them has the weights at a time, the other leads to the stable version.
pub(super) async fn exchanged<S: Stage>(play: &Play<'_, S>) -> Told<()> {
    let steps = json!([{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]);
    let (old, new) = (Road::new(play, "exchanged-old"), Road::new(play, "exchanged"));
    old.canary(Router::Traefik, 3, &steps).await?;
    for object in Router::GatewayApi.objects(&new.plane, new.story) {
        play.apply(object).await?;
    }
    old.users(true).await?;
    new.users(true).await?;
    old.release("v2", 3, &canary(Router::Traefik, &steps)).await?;
    old.paused_at(1).await?;
    old.share("v2", 20).await?;
    // In the middle of an update.
    new.release("v2", 3, &canary(Router::GatewayApi, &steps)).await?;
    new.share("v2", 20).await?;
    // Nobody would take back what is left there.
    old.only("v1").await?;
    new.promote().await?;
    new.paused_at(3).await?;
    new.share("v2", 60).await?;
    new.promote().await?;
    let v2 = new.healthy("v2 is healthy").await?;
    new.only("v2").await?;
    // At rest, back again.
    old.release("v2", 3, &canary(Router::Traefik, &steps)).await?;
    let rests = old.healthy("v2 is healthy behind the other router").await?;
    play.holds("the exchange starts no revision", rests.stable() == v2.stable(), || rests.line())?;
    old.release("v3", 3, &canary(Router::Traefik, &steps)).await?;
    old.paused_at(1).await?;
    old.share("v3", 20).await?;
    play.command(&["promote", WEB, "--full"]).await?;
    old.healthy("v3 is healthy").await?;
    old.only("v3").await?;
    old.nobody_suffered().await?;
    new.nobody_suffered().await?;
    old.nobody_met_a_leaving_pod().await?;
    new.nobody_met_a_leaving_pod().await
}
