//! The verbs: reading, patching, printing.

use crate::patches::{self, Patches};
use crate::{Connection, phase, tree};
use anyhow::{Context, bail};
use crds::{AnalysisRun, GoDuration, Rollout, defaults};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// Most tries of one patch after conflicts.
const TRIES_MAX: usize = 6;

/// The cluster, and the namespace to work in.
pub(crate) struct Cluster {
    client: Client,
    namespace: String,
}

impl Cluster {
    pub(crate) async fn connect(connection: &Connection) -> anyhow::Result<Self> {
        let options =
            KubeConfigOptions { context: connection.context.clone(), ..KubeConfigOptions::default() };
        let config = match &connection.kubeconfig {
            Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?,
            None if connection.context.is_some() => Config::from_kubeconfig(&options).await?,
            None => Config::infer().await?,
        };
        let namespace = connection.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self { client: Client::try_from(config)?, namespace })
    }

    fn rollouts(&self) -> Api<Rollout> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn get(&self, name: &str) -> anyhow::Result<Rollout> {
        let found = self.rollouts().get_opt(name).await?;
        found.with_context(|| format!("rollouts.argoproj.io {name:?} not found"))
    }

    /// Patches the status; the object itself where there is no status subresource.
    async fn patch_status(&self, name: &str, patch: &Value) -> kube::Result<()> {
        let params = PatchParams::default();
        match self.rollouts().patch_status(name, &params, &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {
                self.rollouts().patch(name, &params, &Patch::Merge(patch)).await.map(|_| ())
            }
            other => other.map(|_| ()),
        }
    }

    async fn patch(&self, name: &str, patch: &Value) -> kube::Result<()> {
        self.rollouts().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(|_| ())
    }

    /// Promotes from where the Rollout stood when it was first read: a conflict is tried again only while it stands
    /// there still, so that two pipelines do not skip two steps.
    pub(crate) async fn promote(&self, name: &str, full: bool) -> anyhow::Result<()> {
        let plan =
            |rollout: &Rollout| if full { patches::promote_full(rollout) } else { patches::promote(rollout) };
        let mut rollout = self.get(name).await?;
        let position = patches::position(&rollout);
        for _ in 0..TRIES_MAX {
            let Patches { spec, status } = plan(&rollout);
            let Some(mut patch) = status else {
                self.unpause(name, spec).await?;
                return told(name, full);
            };
            if let Some(patch) = patch.as_object_mut() {
                patch.insert("metadata".to_owned(), json!({"resourceVersion": rollout.resource_version()}));
            }
            match self.patch_status(name, &patch).await {
                Err(kube::Error::Api(error)) if error.code == 409 => {
                    rollout = self.get(name).await?;
                    if patches::position(&rollout) != position {
                        bail!(
                            "rollout '{name}' has moved on meanwhile: look at it, and promote again if it is still wanted"
                        );
                    }
                }
                other => {
                    other?;
                    self.unpause(name, spec).await?;
                    return told(name, full);
                }
            }
        }
        bail!("rollout '{name}' is being changed all the time; try again")
    }

    async fn unpause(&self, name: &str, spec: Option<Value>) -> anyhow::Result<()> {
        if let Some(spec) = spec {
            self.patch(name, &spec).await?;
        }
        Ok(())
    }

    pub(crate) async fn abort(&self, name: &str) -> anyhow::Result<()> {
        self.get(name).await?;
        self.patch_status(name, &json!({"status": {"abort": true}})).await?;
        println!("rollout '{name}' aborted");
        Ok(())
    }

    pub(crate) async fn retry(&self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            self.get(name).await?;
            self.patch_status(name, &json!({"status": {"abort": false}})).await?;
            println!("rollout '{name}' retried");
        }
        Ok(())
    }

    pub(crate) async fn pause(&self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            self.patch(name, &json!({"spec": {"paused": true}})).await?;
            println!("rollout '{name}' paused");
        }
        Ok(())
    }

    #[allow(clippy::disallowed_methods, reason = "the edge: a person asks for a restart now")]
    pub(crate) async fn restart(&self, name: &str) -> anyhow::Result<()> {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let now = crds::Time::default().plus(since);
        self.patch(name, &json!({"spec": {"restartAt": now}})).await?;
        println!("rollout '{name}' restarts in 0s");
        Ok(())
    }

    pub(crate) async fn status(
        &self,
        name: &str,
        watch: bool,
        timeout: &str,
        revision: Option<i64>,
        codes: bool,
    ) -> anyhow::Result<ExitCode> {
        if !watch {
            let (phase, message) = phase::phase(&self.get(name).await?);
            println!("{}", line(&phase, &message));
            return Ok(if phase == "Degraded" { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        self.get(name).await?;
        let limit = GoDuration::parse(timeout)
            .ok()
            .and_then(GoDuration::to_std)
            .filter(|limit| *limit > Duration::ZERO);
        if limit.is_none() && timeout != "0" && GoDuration::parse(timeout).is_err() {
            bail!("--timeout {timeout:?} is not a duration; write for example 30s or 10m");
        }
        let wait = self.wait(name, revision);
        let ended = match limit {
            Some(limit) => match tokio::time::timeout(limit, wait).await {
                Ok(ended) => ended?,
                Err(_) => {
                    eprintln!("Error: Rollout status watch exceeded timeout");
                    return Ok(ExitCode::from(if codes { 2 } else { 1 }));
                }
            },
            None => wait.await?,
        };
        let (phase, message) = ended;
        if phase == "Degraded" {
            bail!("The rollout is in a degraded state with message: {message}");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Prints each change until the Rollout is Healthy or Degraded, at that revision if one is given.
    async fn wait(&self, name: &str, revision: Option<i64>) -> anyhow::Result<(String, String)> {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut changes = watcher(self.rollouts(), config).default_backoff().applied_objects().boxed();
        let mut shown = String::new();
        while let Some(rollout) = changes.try_next().await? {
            let at = rollout
                .annotations()
                .get(crds::meta::REVISION_ANNOTATION)
                .and_then(|text| text.parse::<i64>().ok());
            let reached = revision.is_none_or(|wanted| at.is_some_and(|at| at >= wanted));
            let (phase, message) = phase::phase(&rollout);
            let text = line(&phase, &message);
            if reached && text != shown {
                println!("{text}");
                shown = text;
            }
            if reached && (phase == "Healthy" || phase == "Degraded") {
                return Ok((phase, message));
            }
        }
        bail!("the watch of rollout '{name}' ended")
    }

    /// Prints a Rollout with everything below it.
    pub(crate) async fn show(&self, name: &str) -> anyhow::Result<()> {
        let rollout = self.get(name).await?;
        let uid = rollout.uid().unwrap_or_default();
        let selector = rollout.spec.selector.clone().unwrap_or_default().to_string();
        let (client, namespace) = (self.client.clone(), &self.namespace);
        let below = ListParams::default().labels(&selector);
        let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let runs: Api<AnalysisRun> = Api::namespaced(client, namespace);
        let owned = |owners: &[OwnerReference]| owners.iter().any(|owner| owner.uid == uid);
        let mut objects = tree::Objects {
            replica_sets: sets.list(&below).await?.items,
            pods: pods.list(&below).await?.items,
            runs: runs.list(&ListParams::default()).await?.items,
        };
        objects.replica_sets.retain(|set| owned(set.owner_references()));
        objects.runs.retain(|run| owned(run.owner_references()));
        print!("{}", tree::render(&rollout, &objects));
        Ok(())
    }

    pub(crate) async fn list(&self, all: bool) -> anyhow::Result<()> {
        let api: Api<Rollout> = if all { Api::all(self.client.clone()) } else { self.rollouts() };
        let rollouts = api.list(&ListParams::default()).await?.items;
        if rollouts.is_empty() {
            eprintln!("No resources found.");
            return Ok(());
        }
        let mut rows = vec![header(all)];
        rows.extend(rollouts.iter().map(|rollout| row(rollout, all)));
        print!("{}", table(&rows));
        Ok(())
    }
}

fn told(name: &str, full: bool) -> anyhow::Result<()> {
    println!("rollout '{name}' {}", if full { "fully promoted" } else { "promoted" });
    Ok(())
}

/// `Healthy` and `Degraded` stand alone; else the message says why.
fn line(phase: &str, message: &str) -> String {
    if phase == "Healthy" || phase == "Degraded" || message.is_empty() {
        phase.to_owned()
    } else {
        format!("{phase} - {message}")
    }
}

fn header(all: bool) -> Vec<String> {
    let columns = ["NAME", "STRATEGY", "STATUS", "STEP", "READY", "DESIRED", "UP-TO-DATE", "AVAILABLE"];
    let namespace = all.then_some("NAMESPACE");
    namespace.into_iter().chain(columns).map(str::to_owned).collect()
}

fn row(rollout: &Rollout, all: bool) -> Vec<String> {
    let status = rollout.status.clone().unwrap_or_default();
    let strategy = rollout.spec.strategy.clone().unwrap_or_default();
    let steps = strategy.canary.as_ref().and_then(|canary| canary.steps.as_ref()).map_or(0, Vec::len);
    let step = status
        .current_step_index
        .filter(|_| steps > 0)
        .map_or_else(|| "-".to_owned(), |i| format!("{i}/{steps}"));
    let kind = if strategy.blue_green.is_some() { "BlueGreen" } else { "Canary" };
    let columns = [
        rollout.name_any(),
        kind.to_owned(),
        phase::phase(rollout).0,
        step,
        format!("{}/{}", status.ready_replicas, status.replicas),
        defaults::replicas(rollout).to_string(),
        status.updated_replicas.to_string(),
        status.available_replicas.to_string(),
    ];
    all.then(|| rollout.namespace().unwrap_or_default()).into_iter().chain(columns).collect()
}

/// Columns as wide as their widest cell, two spaces apart.
fn table(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            match widths.get_mut(place) {
                Some(width) => *width = (*width).max(cell.len()),
                None => widths.push(cell.len()),
            }
        }
    }
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let rows = vec![vec!["NAME".to_owned(), "X".to_owned()], vec!["a".to_owned(), "long".to_owned()]];
        assert_eq!(table(&rows), "NAME  X\na     long\n");
    }

    #[test]
    fn lines_carry_the_message_where_it_tells_something() {
        assert_eq!(line("Healthy", "x"), "Healthy");
        assert_eq!(line("Paused", "CanaryPauseStep"), "Paused - CanaryPauseStep");
    }
}
