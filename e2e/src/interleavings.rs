//! `promote`, `abort` and `retry` at the same moment as the controller's own writes: none is lost, none counts twice.

use crate::stage::RealStage;
use anyhow::{Result, ensure};
use scenarios::{Play, Release, RolloutView, Stage, rollout};
use serde_json::{Value, json};
use std::time::Duration;

/// Name of the Rollout.
pub(crate) const NAME: &str = "interleaved";
const PROMOTIONS: i64 = 60;
const ABORTS: i64 = 20;
/// The scale changes at most this long before or after the command's own writes.
const SPREAD_MS: u64 = 60;
const SOON: Duration = Duration::from_secs(60);

/// A small generator of our own: its whole state is the seed that a failure prints.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// 60 promotions, 20 aborts and 20 retries, each beside a change of the scale that makes the controller write.
///
/// # Errors
/// When one is lost or counts twice, with the seed of the moments.
pub(crate) async fn check(play: &Play<'_, RealStage<'_>>, seed: u64) -> Result<()> {
    let acts = Acts { play };
    let mut random = Random(seed);
    let told = acts.all(&mut random).await;
    told.map_err(|error| error.context(format!("moments of seed {seed}")))
}

struct Acts<'p, 's, 't> {
    play: &'p Play<'s, RealStage<'t>>,
}

fn manifest(image: &str, version: &str, replicas: u32) -> Value {
    let steps = vec![json!({"pause": {}}); usize::try_from(PROMOTIONS).unwrap_or_default() + 1];
    rollout(NAME, image, Release::good(version), replicas, json!({"strategy": {"canary": {"steps": steps}}}))
}

impl Acts<'_, '_, '_> {
    async fn all(&self, random: &mut Random) -> Result<()> {
        let play = self.play;
        play.apply(manifest(play.stage().image(), "v1", 1)).await?;
        play.until(NAME, "v1 is healthy", SOON, RolloutView::is_healthy).await?;
        play.apply(manifest(play.stage().image(), "v2", 1)).await?;
        play.until(NAME, "v2 waits", SOON, |web| web.is_paused_at(0)).await?;
        for _ in 0..ABORTS {
            self.at_once(random, &["abort", NAME]).await?;
            play.until(NAME, "aborted", SOON, |web| web.is_aborted() && web.phase() == "Degraded").await?;
            self.at_once(random, &["retry", "rollout", NAME]).await?;
            play.until(NAME, "retried", SOON, |web| !web.is_aborted() && web.is_paused_at(0)).await?;
        }
        for step in 0..PROMOTIONS {
            self.at_once(random, &["promote", NAME]).await?;
            let what = format!("one step on, to {}", step + 1);
            let web = play
                .until(NAME, &what, SOON, |web| web.is_paused_at(step + 1) || web.step() > Some(step + 1));
            let web = web.await?;
            ensure!(web.step() == Some(step + 1), "a promotion counted twice: {}", web.line());
        }
        play.stays(NAME, "at its last pause", Duration::from_secs(2), |web| web.step() == Some(PROMOTIONS))
            .await?;
        Ok(())
    }

    /// Runs the command, and changes the scale within the spread of it.
    async fn at_once(&self, random: &mut Random, args: &[&str]) -> Result<()> {
        let replicas = 1 + u32::try_from(random.below(2))?;
        let (first, second) = (random.below(SPREAD_MS), random.below(SPREAD_MS));
        let command = async {
            tokio::time::sleep(Duration::from_millis(first)).await;
            self.play.command(args).await
        };
        let scale = async {
            tokio::time::sleep(Duration::from_millis(second)).await;
            self.play.stage().apply(&manifest(self.play.stage().image(), "v2", replicas)).await
        };
        let (command, scale) = tokio::join!(biased; command, scale);
        command?;
        scale
    }
}
