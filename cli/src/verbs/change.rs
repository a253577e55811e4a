//! Verbs that are one change.

use super::TRIES_MAX;
use crate::cluster::Cluster;
use crate::images;
use crate::workload::Workload;
use anyhow::{Context, bail};
use crds::GoDuration;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;

pub(crate) async fn abort(cluster: &Cluster<'_>, name: &str) -> anyhow::Result<()> {
    cluster.rollout(name).await?;
    cluster.patch_status(name, &json!({"status": {"abort": true}})).await?;
    cluster.terminal.say(format_args!("rollout '{name}' aborted"))?;
    Ok(())
}

pub(crate) async fn retry(cluster: &Cluster<'_>, names: &[String]) -> anyhow::Result<()> {
    for name in names {
        cluster.rollout(name).await?;
        cluster.patch_status(name, &json!({"status": {"abort": false}})).await?;
        cluster.terminal.say(format_args!("rollout '{name}' retried"))?;
    }
    Ok(())
}

pub(crate) async fn pause(cluster: &Cluster<'_>, names: &[String]) -> anyhow::Result<()> {
    for name in names {
        cluster.rollout(name).await?;
        cluster.patch(name, &json!({"spec": {"paused": true}})).await?;
        cluster.terminal.say(format_args!("rollout '{name}' paused"))?;
    }
    Ok(())
}

pub(crate) async fn restart(cluster: &Cluster<'_>, name: &str, after: &str) -> anyhow::Result<()> {
    let wait = GoDuration::parse(after).ok().and_then(GoDuration::to_std);
    let wait = wait.with_context(|| format!("--in {after:?} is no duration; write for example 10m"))?;
    cluster.rollout(name).await?;
    cluster.patch(name, &json!({"spec": {"restartAt": cluster.terminal.now().plus(wait)}})).await?;
    cluster.terminal.say(format_args!("rollout '{name}' restarts in {after}"))?;
    Ok(())
}

/// Changes the images of what was read, and reads again when someone else was faster. They stand in the Rollout, or in
/// the workload that it refers to.
pub(crate) async fn set_image(cluster: &Cluster<'_>, name: &str, wanted: &[String]) -> anyhow::Result<()> {
    for _ in 0..TRIES_MAX {
        let rollout = cluster.rollout(name).await?;
        let written = match Workload::of(cluster, &rollout).await? {
            Some(workload) => workload.set_images(wanted).await?,
            None => {
                let template = images::patch(&images::template(&rollout), wanted)?;
                let metadata = json!({"resourceVersion": rollout.resource_version()});
                cluster.patch(name, &json!({"metadata": metadata, "spec": {"template": template}})).await
            }
        };
        match written {
            Err(kube::Error::Api(error)) if error.code == 409 => {}
            other => {
                other?;
                cluster.terminal.say(format_args!("rollout \"{name}\" image updated"))?;
                return Ok(());
            }
        }
    }
    bail!("rollout \"{name}\" is being changed all the time; try again")
}

pub(crate) async fn terminate(cluster: &Cluster<'_>, name: &str) -> anyhow::Result<()> {
    let patch = Patch::Merge(json!({"spec": {"terminate": true}}));
    match cluster.analysis_runs().patch(name, &PatchParams::default(), &patch).await {
        Err(kube::Error::Api(error)) if error.code == 404 => {
            bail!("analysisruns.argoproj.io {name:?} not found")
        }
        other => other.map(drop)?,
    }
    cluster.terminal.say(format_args!("analysisRun '{name}' terminated"))?;
    Ok(())
}
