//! Three releases on a cluster in memory, in real time.

mod commits;
mod keep;

#[cfg(test)]
mod tests;

use crate::stage::{SandboxStage, Settings, StageError};
use anyhow::Context;
use commits::Commits;
use sandbox::Nature;
use scenarios::StoryError;
use scenarios::show::{self, Screen};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Pods take about as long as small ones do on a real node, so that there is something to see.
const PULL: Duration = Duration::from_millis(400);
const READY: Duration = Duration::from_millis(800);

/// What ends a demo early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A release did not go as it must.
    #[error(transparent)]
    Story(#[from] StoryError),
    /// The syncer could not apply the last commit.
    #[error("the syncer: {0}")]
    Syncer(#[from] StageError),
}

/// Opens the cluster, tells the story and, to keep it, waits for an interrupt. Must be called within a tokio runtime
/// of one thread; `begun` is when the program was started.
///
/// # Errors
/// When a release does not go as it must, or the port or the kubeconfig cannot be made.
pub async fn run(screen: &Screen, keep: bool, begun: Instant) -> anyhow::Result<()> {
    screen.title("Stepgate: three releases on a Kubernetes in memory");
    screen.say("Stepgate's controller and its commands are the real ones. The API server, the pods, their users and the");
    screen.say("Prometheus that counts their errors are played by this process: no root, no download, nothing left behind.");
    let stage = open(crds_now()?);
    // Dropping it closes the port.
    let kept = if keep { Some(keep::Kept::open(stage.cluster()).await?) } else { None };
    let leads = Instant::now();
    led(&stage).await?;
    screen.say(&format!(
        "The cluster is up and the controller leads, {:.1} s after the start ({:.1} s of them to lead).",
        begun.elapsed().as_secs_f64(),
        leads.elapsed().as_secs_f64()
    ));
    let told = Instant::now();
    let ends = tell(&stage, screen).await?;
    screen.title(&format!("How the three releases ended ({} s)", told.elapsed().as_secs()));
    for end in &ends {
        screen.say(end);
    }
    let Some(kept) = kept else {
        screen.say("");
        screen.say(
            "The cluster is gone again. `cargo xtask demo --keep` leaves it running, with commands to try;",
        );
        screen.say("`cargo xtask demo --cluster real` shows the same on a real Kubernetes.");
        return Ok(());
    };
    kept.tell(screen);
    tokio::signal::ctrl_c().await.context("wait for Ctrl-C")?;
    screen.say("The cluster is gone.");
    Ok(())
}

fn crds_now() -> anyhow::Result<crds::Time> {
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).context("the clock of this machine is before 1970")?;
    crds::Time::from_unix_seconds(i64::try_from(now.as_secs())?)
        .context("the clock of this machine is far off")
}

/// A stage whose clock shows `begin` now.
fn open(begin: crds::Time) -> SandboxStage {
    let nature = Nature { pull: PULL, ready: READY, endpoint_objects: true, ..Nature::default() };
    SandboxStage::open(&Settings { begin, nature, ..Settings::default() })
}

/// Waits until a controller holds the Lease.
async fn led(stage: &SandboxStage) -> Result<(), StoryError> {
    const LIMIT: Duration = Duration::from_secs(30);
    let play = scenarios::Play::on(stage);
    play.wait("a controller leads", LIMIT, async || {
        let leases = play.list(scenarios::Kind::Lease).await?;
        let held = leases.iter().any(|lease| {
            lease.pointer("/spec/holderIdentity").and_then(|id| id.as_str()).is_some_and(|id| !id.is_empty())
        });
        Ok(if held { Ok(()) } else { Err("no Lease is held".to_owned()) })
    })
    .await
}

/// Tells the story, with the syncer at work until it ends.
async fn tell(stage: &SandboxStage, screen: &Screen) -> Result<Vec<String>, DemoError> {
    let commits = Commits::default();
    tokio::select! {
        told = show::tell(stage, &commits, screen) => Ok(told?),
        failed = commits.sync(stage) => Err(DemoError::Syncer(failed)),
    }
}
