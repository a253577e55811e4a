//! A good release, a bad one, and a blue-green one that a person promotes; each is a commit that a syncer applies.

use super::frame;
use super::screen::{Screen, Tone};
use crate::{Play, Release, RolloutView, Seen, Stage, StoryError, analysis_by_errors, rollout, service};
use serde_json::{Value, json};
use std::time::Duration;

/// The label, and its value, by which the syncer knows what is its own; the key is Argo CD's default.
pub const SYNCED: (&str, &str) = ("app.kubernetes.io/instance", "demo");

const SOON: Duration = Duration::from_secs(120);
const USERS_PER_SECOND: u32 = 60;
const REPLICAS: u32 = 4;
/// About two seconds of users in looks: enough for shares, and soon forgotten.
const RECENT_LOOKS: usize = 6;

/// A team's repository, whose last commit a syncer applies every few seconds.
pub trait Team {
    /// What it fails with; the story ends with it.
    type Error: std::fmt::Display;

    /// Commits files, each with its objects; files that are not named stay as they are.
    ///
    /// # Errors
    /// When the commit cannot be made.
    fn commit(&self, message: &str, files: &[(&str, Vec<Value>)]) -> Result<(), Self::Error>;

    /// Commits what stood before the last commit.
    ///
    /// # Errors
    /// When the commit cannot be made.
    fn revert(&self) -> Result<(), Self::Error>;
}

type Told<T> = Result<T, StoryError>;

struct Demo<'d, S, T> {
    play: Play<'d, S>,
    team: &'d T,
    screen: &'d Screen,
}

/// Tells it, and gives how each release ended, one line each.
///
/// # Errors
/// When a release does not go as it must, or the stage or the team fails.
pub async fn tell<S: Stage, T: Team>(stage: &S, team: &T, screen: &Screen) -> Told<Vec<String>> {
    let demo = Demo { play: Play::on(stage), team, screen };
    screen.title("A team's repository, and a syncer that applies its last commit every 3 s");
    demo.commit(
        "web and shop, version v1",
        &[
            ("services.yaml", ["web", "shop-active", "shop-preview"].map(demo_service).to_vec()),
            ("gate.yaml", vec![labelled(analysis_by_errors(stage.prometheus(), "web"))]),
            ("web.yaml", vec![demo.web(Release::good("v1"))]),
            ("shop.yaml", vec![demo.shop("v1")]),
        ],
    )?;
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

impl<S: Stage, T: Team> Demo<'_, S, T> {
    async fn good(&self) -> Told<String> {
        self.screen.title(
            "1. A good release: a quarter of the pods, then its gate asks Prometheus for the share of errors",
        );
        let before = self.play.seen("web").await?;
        self.commit("web v2", &[("web.yaml", vec![self.web(Release::good("v2"))])])?;
        self.shown("web", "web", "v2 has begun", |web, _| web.stable() != web.current()).await?;
        self.shown("web", "web", "v2 is healthy", |web, _| web.is_healthy()).await?;
        let users = self.play.seen("web").await?.since(&before);
        Ok(format!(
            "  {} web v2: let through by its gate; users: {users}",
            self.screen.paint(Tone::Good, "good      ")
        ))
    }

    async fn bad(&self) -> Told<String> {
        self.screen.title("2. A bad release: one request in 20 fails, and nobody looks");
        let before = self.play.seen("web").await?;
        let bad = Release { version: "v3", error_every: 20, ready: true };
        self.commit("web v3, with a bug", &[("web.yaml", vec![self.web(bad)])])?;
        self.shown("web", "web", "v3 is stopped", |web, _| web.is_aborted() && web.phase() == "Degraded")
            .await?;
        self.team.revert().map_err(|error| team_error("git revert HEAD", &error))?;
        self.screen.command("git revert HEAD");
        self.shown("web", "web", "v2 is healthy", |web, _| web.is_healthy()).await?;
        let users = self.play.seen("web").await?.since(&before);
        Ok(format!(
            "  {} web v3: stopped by its gate, users back on v2; users: {users}",
            self.screen.paint(Tone::Bad, "bad       ")
        ))
    }

    async fn blue_green(&self) -> Told<String> {
        self.screen.title("3. Blue-green: v2 waits behind its preview Service until a person promotes it");
        let before = self.play.seen("shop-active").await?;
        self.commit("shop v2", &[("shop.yaml", vec![self.shop("v2")])])?;
        self.shown("shop", "shop-active", "v2 waits", |shop, _| {
            shop.phase() == "Paused" && shop.message().contains("BlueGreenPause")
        })
        .await?;
        self.screen.command("kubectl stepgate promote shop");
        self.play.command(&["promote", "shop"]).await?;
        self.shown("shop", "shop-active", "v2 is active, for all users", |shop, users| {
            let all_on_v2 = users.version("v2").answered == users.total();
            shop.is_healthy() && users.total() >= u64::from(USERS_PER_SECOND) && all_on_v2
        })
        .await?;
        let users = self.play.seen("shop-active").await?.since(&before);
        self.all_was_well(&users, &["v1", "v2"])?;
        let kind = self.screen.paint(Tone::Good, "blue-green");
        Ok(format!("  {kind} shop v2: promoted by hand, all users at once; users: {users}"))
    }

    /// Each user got an answer, and no error from these versions.
    fn all_was_well(&self, users: &Seen, versions: &[&str]) -> Told<()> {
        let failed: u64 = versions.iter().map(|version| users.version(version).failed).sum();
        self.play.holds("no user had to suffer", failed + users.unanswered() == 0, || users.to_string())
    }

    /// Shows a release until it is as named.
    async fn shown(
        &self,
        name: &str,
        service: &str,
        what: &str,
        holds: impl Fn(&RolloutView, &Seen) -> bool,
    ) -> Told<()> {
        let mut looks: Vec<Seen> = vec![self.play.seen(service).await?];
        self.play
            .wait(what, SOON, async || {
                let rollout = self.play.rollout(name).await?;
                let now = self.play.seen(service).await?;
                let from = looks.len().saturating_sub(RECENT_LOOKS);
                let recent = looks.get(from).map_or_else(Seen::default, |earlier| now.since(earlier));
                looks.push(now);
                // The first look has no users to tell of.
                if recent.total() > 0 {
                    let frame = frame::look(&self.play, self.screen, &rollout, &recent).await?;
                    self.screen.live(&frame.about, &frame.lines);
                }
                Ok(if holds(&rollout, &recent) { Ok(()) } else { Err(rollout.line()) })
            })
            .await?;
        Ok(())
    }

    fn commit(&self, message: &str, files: &[(&str, Vec<Value>)]) -> Told<()> {
        let doing = format!("git commit -m '{message}'");
        self.team.commit(message, files).map_err(|error| team_error(&doing, &error))?;
        self.screen.command(&doing);
        Ok(())
    }

    fn web(&self, release: Release<'_>) -> Value {
        let analysis = json!({
            "templates": [{"templateName": "errors"}],
            "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
        });
        let steps = json!([{"setWeight": 25}, {"analysis": analysis}, {"setWeight": 50}, {"pause": {"duration": "3s"}}]);
        let spec = json!({"strategy": {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}}});
        labelled(rollout("web", self.play.stage().image(), release, REPLICAS, spec))
    }

    fn shop(&self, version: &str) -> Value {
        let strategy = json!({
            "activeService": "shop-active",
            "previewService": "shop-preview",
            "autoPromotionEnabled": false,
            "scaleDownDelaySeconds": 10,
        });
        let spec = json!({"strategy": {"blueGreen": strategy}});
        labelled(rollout("shop", self.play.stage().image(), Release::good(version), 2, spec))
    }
}

fn demo_service(name: &str) -> Value {
    labelled(service(name, name.split('-').next().unwrap_or(name)))
}

fn labelled(mut object: Value) -> Value {
    let (key, value) = SYNCED;
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("labels".to_owned(), json!({ key: value }));
    }
    object
}

fn team_error(doing: &str, error: &dyn std::fmt::Display) -> StoryError {
    StoryError::Stage { doing: doing.to_owned(), error: error.to_string() }
}
