//! A good release, a bad one, and a blue-green one that a person promotes; each is a commit that a syncer applies.

use super::NAMESPACE;
use super::frame;
use super::screen::{Screen, Tone};
use anyhow::Result;
use e2e::Cluster;
use e2e::git::Repository;
use e2e::stage::RealStage;
use e2e::syncer::{LABEL, Syncer, kubectl_command};
use scenarios::{Play, Release, RolloutView, Seen, Stage, analysis_by_errors, rollout, service};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(120);
const USERS_PER_SECOND: u32 = 60;
const REPLICAS: u32 = 4;

struct Demo<'d> {
    play: Play<'d, RealStage<'d>>,
    screen: &'d Screen,
    repository: Repository,
    image: String,
}

/// Tells it, and gives how each release ended.
pub(super) async fn tell(cluster: &Cluster, stage: &RealStage<'_>, screen: &Screen) -> Result<Vec<String>> {
    let image = stage.image().to_owned();
    let repository = Repository::create(&cluster.folder("repository"))?;
    let demo = Demo { play: Play::on(stage), screen, repository, image };
    screen.title("A team's repository, and a syncer that applies its last commit every 3 s");
    demo.commit(
        "web and shop, version v1",
        &[
            ("services.yaml", ["web", "shop-active", "shop-preview"].map(demo_service).join("\n---\n")),
            ("gate.yaml", labelled(analysis_by_errors(stage.prometheus(), "web"))),
            ("web.yaml", demo.web(Release::good("v1"))),
            ("shop.yaml", demo.shop("v1")),
        ],
    )?;
    let _syncer = Syncer::start(kubectl_command(cluster), demo.repository.clone(), NAMESPACE, NAMESPACE);
    for name in ["web", "shop"] {
        demo.play.appears(name, SOON).await?;
        demo.play.until(name, "v1 is healthy", SOON, RolloutView::is_healthy).await?;
    }
    screen.say(&format!(
        "  v1 of web and shop is healthy; {USERS_PER_SECOND} users per second come to web, as many to shop."
    ));
    for service in ["web", "shop-active"] {
        demo.play.send_users(service, USERS_PER_SECOND, SOON).await?;
    }
    Ok(vec![demo.good().await?, demo.bad().await?, demo.blue_green().await?])
}

impl Demo<'_> {
    async fn good(&self) -> Result<String> {
        self.screen.title(
            "1. A good release: a quarter of the pods, then its gate asks Prometheus for the share of errors",
        );
        let before = self.play.seen("web").await?;
        self.commit("web v2", &[("web.yaml", self.web(Release::good("v2")))])?;
        self.shown("web", "web", "v2 has begun", |web, _| web.stable() != web.current()).await?;
        self.shown("web", "web", "v2 is healthy", |web, _| web.is_healthy()).await?;
        let users = self.play.seen("web").await?.since(&before);
        Ok(format!(
            "  {} web v2: let through by its gate; users: {users}",
            self.screen.paint(Tone::Good, "good      ")
        ))
    }

    async fn bad(&self) -> Result<String> {
        self.screen.title("2. A bad release: one request in 20 fails, and nobody looks");
        let before = self.play.seen("web").await?;
        let bad = Release { version: "v3", error_every: 20, ready: true };
        self.commit("web v3, with a bug", &[("web.yaml", self.web(bad))])?;
        self.shown("web", "web", "v3 is stopped", |web, _| web.is_aborted() && web.phase() == "Degraded")
            .await?;
        self.repository.revert()?;
        self.screen.command("git revert HEAD");
        self.shown("web", "web", "v2 is healthy", |web, _| web.is_healthy()).await?;
        let users = self.play.seen("web").await?.since(&before);
        Ok(format!(
            "  {} web v3: stopped by its gate, users back on v2; users: {users}",
            self.screen.paint(Tone::Bad, "bad       ")
        ))
    }

    async fn blue_green(&self) -> Result<String> {
        self.screen.title("3. Blue-green: v2 waits behind its preview Service until a person promotes it");
        let before = self.play.seen("shop-active").await?;
        self.commit("shop v2", &[("shop.yaml", self.shop("v2"))])?;
        self.shown("shop", "shop-active", "v2 waits", |shop, _| {
            shop.phase() == "Paused" && shop.message().contains("BlueGreenPause")
        })
        .await?;
        self.screen.command("kubectl stepgate promote shop");
        self.play.command(&["promote", "shop"]).await?;
        self.shown("shop", "shop-active", "v2 is active, for all users", |shop, users| {
            shop.is_healthy() && users.total() > 0 && users.version("v2").answered == users.total()
        })
        .await?;
        let users = self.play.seen("shop-active").await?.since(&before);
        self.all_was_well(&users, &["v1", "v2"])?;
        let kind = self.screen.paint(Tone::Good, "blue-green");
        Ok(format!("  {kind} shop v2: promoted by hand, all users at once; users: {users}"))
    }

    /// Each user got an answer, and no error from these versions.
    fn all_was_well(&self, users: &Seen, versions: &[&str]) -> Result<()> {
        let failed: u64 = versions.iter().map(|version| users.version(version).failed).sum();
        Ok(self
            .play
            .holds("no user had to suffer", failed + users.unanswered() == 0, || users.to_string())?)
    }

    /// Shows a release until it is as named.
    async fn shown(
        &self,
        name: &str,
        service: &str,
        what: &str,
        holds: impl Fn(&RolloutView, &Seen) -> bool,
    ) -> Result<()> {
        let mut looks: Vec<Seen> = vec![self.play.seen(service).await?];
        self.play
            .wait(what, SOON, async || {
                let rollout = self.play.rollout(name).await?;
                let now = self.play.seen(service).await?;
                // About two seconds of users: enough for shares, and soon forgotten.
                let from = looks.len().saturating_sub(6);
                let recent = looks.get(from).map_or_else(Seen::default, |earlier| now.since(earlier));
                looks.push(now);
                let frame = frame::look(&self.play, self.screen, &rollout, &recent).await?;
                self.screen.live(&frame.about, &frame.lines);
                Ok(if holds(&rollout, &recent) { Ok(()) } else { Err(rollout.line()) })
            })
            .await?;
        Ok(())
    }

    fn commit(&self, message: &str, files: &[(&str, String)]) -> Result<()> {
        let files: Vec<(&str, Option<&str>)> =
            files.iter().map(|(name, text)| (*name, Some(text.as_str()))).collect();
        self.repository.commit(message, &files)?;
        self.screen.command(&format!("git commit -m '{message}'"));
        Ok(())
    }

    fn web(&self, release: Release<'_>) -> String {
        let analysis = json!({
            "templates": [{"templateName": "errors"}],
            "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
        });
        let steps = json!([{"setWeight": 25}, {"analysis": analysis}, {"setWeight": 50}, {"pause": {"duration": "3s"}}]);
        let spec = json!({"strategy": {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}}});
        labelled(rollout("web", &self.image, release, REPLICAS, spec))
    }

    fn shop(&self, version: &str) -> String {
        let strategy = json!({
            "activeService": "shop-active",
            "previewService": "shop-preview",
            "autoPromotionEnabled": false,
            "scaleDownDelaySeconds": 10,
        });
        let spec = json!({"strategy": {"blueGreen": strategy}});
        labelled(rollout("shop", &self.image, Release::good(version), 2, spec))
    }
}

fn demo_service(name: &str) -> String {
    labelled(service(name, name.split('-').next().unwrap_or(name)))
}

/// As YAML would be; JSON is YAML.
fn labelled(mut object: Value) -> String {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("labels".to_owned(), json!({ LABEL: NAMESPACE }));
    }
    object.to_string()
}
