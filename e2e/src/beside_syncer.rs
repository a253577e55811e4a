//! Releases that are commits, beside a syncer that never rests.

use crate::git::Repository;
use crate::stage::RealStage;
use crate::syncer::{LABEL, Syncer, kubectl_command};
use crate::{Cluster, audit};
use anyhow::{Result, ensure};
use scenarios::{Kind, Play, Release, RolloutView, Stage, rollout, service};
use serde_json::{Value, json};
use std::time::Duration;

/// Name of the Rollout, the application and the namespace.
pub(crate) const NAME: &str = "synced";
const SOON: Duration = Duration::from_secs(90);
/// Rounds of the syncer that a state must survive.
const ROUNDS: usize = 3;
const REPLICAS: usize = 2;

struct Team<'p, 's, 't> {
    play: &'p Play<'s, RealStage<'t>>,
    repository: Repository,
    syncer: Syncer,
    image: String,
}

/// Pause, promotion and abort survive the syncer, a re-apply starts no revision, what left the folder is pruned, nothing
/// is written at rest, and a revert rolls back.
///
/// # Errors
/// When one of these is not so.
pub(crate) async fn check(cluster: &Cluster, play: &Play<'_, RealStage<'_>>) -> Result<()> {
    let image = play.stage().image().to_owned();
    let repository = Repository::create(&cluster.state.join("repository"))?;
    repository.commit(
        "the first release",
        &[
            ("service.yaml", Some(&labelled(service(NAME, NAME)))),
            ("other.yaml", Some(&labelled(service("other", NAME)))),
            ("rollout.yaml", Some(&manifest(&image, "v1"))),
        ],
    )?;
    let syncer = Syncer::start(kubectl_command(cluster), repository.clone(), NAME, NAME);
    Team { play, repository, syncer, image }.releases(cluster).await
}

fn labelled(mut object: Value) -> String {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("labels".to_owned(), json!({ LABEL: NAME }));
    }
    object.to_string()
}

fn manifest(image: &str, version: &str) -> String {
    let steps = json!([{"setWeight": 50}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]);
    let spec = json!({"strategy": {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}}});
    labelled(rollout(NAME, image, Release::good(version), 2, spec))
}

impl Team<'_, '_, '_> {
    async fn releases(&self, cluster: &Cluster) -> Result<()> {
        let play = self.play;
        play.appears(NAME, SOON).await?;
        let first = play.until(NAME, "the first commit is healthy", SOON, RolloutView::is_healthy).await?;
        play.send_users(NAME, 20, SOON).await?;

        play.command(&["pause", NAME]).await?;
        self.survives("a pause by hand", |web| web.0.pointer("/spec/paused") == Some(&json!(true))).await?;
        play.command(&["promote", NAME]).await?;
        play.until(NAME, "goes on", SOON, RolloutView::is_healthy).await?;
        self.commit("a second release", "v2")?;
        play.until(NAME, "the second commit is paused", SOON, |web| web.is_paused_at(1)).await?;
        self.survives("its pause", |web| web.is_paused_at(1)).await?;
        play.command(&["promote", NAME]).await?;
        play.until(NAME, "promoted to the second pause", SOON, |web| web.is_paused_at(3)).await?;
        self.survives("its promotion", |web| web.is_paused_at(3)).await?;
        play.command(&["abort", NAME]).await?;
        play.until(NAME, "aborted", SOON, RolloutView::is_aborted).await?;
        self.survives("its abort", |web| web.is_aborted() && web.stable() == first.stable()).await?;
        play.command(&["retry", "rollout", NAME]).await?;
        play.until(NAME, "retried", SOON, |web| !web.is_aborted()).await?;
        play.command(&["promote", NAME, "--full"]).await?;
        let second = play.until(NAME, "the second release is healthy", SOON, RolloutView::is_healthy).await?;

        self.commit("a third release", "v3")?;
        play.until(NAME, "the third is paused", SOON, |web| web.is_paused_at(1)).await?;
        self.repository.revert()?;
        play.until(NAME, "the revert rolled back", SOON, |web| {
            web.is_healthy() && web.stable() == second.stable()
        })
        .await?;
        self.repository.commit("one Service less", &[("other.yaml", None)])?;
        play.wait("the Service is pruned", SOON, async || {
            let services = play.list(Kind::Service).await?;
            Ok(if services.len() == 1 { Ok(()) } else { Err(services.len().to_string()) })
        })
        .await?;
        self.rests(cluster).await?;
        let sets = play.list(Kind::ReplicaSet).await?.len();
        play.holds("three releases made three ReplicaSets", sets == 3, || sets.to_string())?;
        let seen = play.seen(NAME).await?;
        play.holds("no user saw an error", seen.failed() + seen.unanswered() == 0, || seen.to_string())?;
        Ok(())
    }

    fn commit(&self, message: &str, version: &str) -> Result<()> {
        let text = manifest(&self.image, version);
        self.repository.commit(message, &[("rollout.yaml", Some(&text))]).map(drop)
    }

    /// For some rounds of the syncer the Rollout is as it was, and no revision is added.
    async fn survives(&self, what: &str, holds: impl Fn(&RolloutView) -> bool) -> Result<()> {
        let revision =
            |web: &RolloutView| web.0.pointer("/metadata/annotations/rollout.argoproj.io~1revision").cloned();
        let begun = self.play.rollout(NAME).await?;
        let until = self.syncer.rounds() + ROUNDS;
        while self.syncer.rounds() < until {
            let web = self.play.rollout(NAME).await?;
            ensure!(
                holds(&web) && revision(&web) == revision(&begun),
                "{what} did not survive: {}",
                web.line()
            );
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.syncer.changes().map(drop)
    }

    /// Which version of each object there is.
    async fn versions(&self) -> Result<Vec<String>> {
        let mut versions = Vec::new();
        for kind in [Kind::Rollout, Kind::Service, Kind::ReplicaSet, Kind::Pod] {
            for object in self.play.list(kind).await? {
                let text =
                    |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
                versions.push(format!(
                    "{kind:?} {} {}",
                    text("/metadata/name"),
                    text("/metadata/resourceVersion")
                ));
            }
        }
        versions.sort();
        Ok(versions)
    }

    /// The syncer goes on, and neither it nor the controller changes anything.
    async fn rests(&self, cluster: &Cluster) -> Result<()> {
        // What the last commit led to has an end first: its old pods serve on for some seconds.
        let settled = self.syncer.rounds() + 2;
        self.play
            .wait("only the pods of the last release are left", SOON, async || {
                let pods = self.play.list(Kind::Pod).await?.len();
                // The last pod that goes is told of by its ReplicaSet a moment after it has gone.
                let going = |set: &Value| set.pointer("/status/terminatingReplicas").and_then(Value::as_i64);
                let sets = self.play.list(Kind::ReplicaSet).await?;
                let going: i64 = sets.iter().filter_map(going).sum();
                let is_settled = pods == REPLICAS && going == 0 && self.syncer.rounds() >= settled;
                Ok(if is_settled { Ok(()) } else { Err(format!("{pods} pods, {going} that go")) })
            })
            .await?;
        self.syncer.changes()?;
        let before = self.versions().await?;
        let log = cluster.state.join("audit.log");
        let (_, from) = audit::requests(&log, 0)?;
        let until = self.syncer.rounds() + ROUNDS;
        while self.syncer.rounds() < until {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let (requests, _) = audit::requests(&log, from)?;
        let ours: Vec<_> = requests
            .iter()
            .filter(|request| request.is_write() && request.object.starts_with(NAME))
            .collect();
        ensure!(ours.is_empty(), "the controller wrote at rest: {ours:?}");
        // Not kubectl's word `configured`: it says so for every object with a default that the manifest leaves out.
        let after = self.versions().await?;
        ensure!(before == after, "objects changed at rest: {before:?} became {after:?}");
        self.syncer.changes()?;
        let alive = requests.iter().any(|request| request.resource == "leases");
        ensure!(alive, "the controller is dead");
        Ok(())
    }
}
