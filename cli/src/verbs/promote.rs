//! `promote`: from where the Rollout stood when it was read, and from nowhere else.

use super::TRIES_MAX;
use crate::args::Promote;
use crate::cluster::Cluster;
use crate::patches::{self, Patches};
use anyhow::bail;
use crds::Rollout;
use kube::ResourceExt;
use serde_json::{Value, json};

/// What a promotion needs of a cluster.
pub(crate) trait Store {
    async fn read(&self, name: &str) -> anyhow::Result<Rollout>;
    async fn write_status(&self, name: &str, patch: &Value) -> kube::Result<()>;
    async fn write(&self, name: &str, patch: &Value) -> kube::Result<()>;
}

impl Store for Cluster<'_> {
    async fn read(&self, name: &str) -> anyhow::Result<Rollout> {
        self.rollout(name).await
    }

    async fn write_status(&self, name: &str, patch: &Value) -> kube::Result<()> {
        self.patch_status(name, patch).await
    }

    async fn write(&self, name: &str, patch: &Value) -> kube::Result<()> {
        self.patch(name, patch).await
    }
}

pub(crate) async fn run(cluster: &Cluster<'_>, args: &Promote) -> anyhow::Result<()> {
    let name = &args.rollout;
    match promote(cluster, name, args.full, args.at_step).await? {
        // Nothing to do is no error: a pipeline that tries again is told the same.
        Promoted::Done | Promoted::Nothing if args.full => {
            cluster.terminal.say(format_args!("rollout '{name}' fully promoted"))?
        }
        Promoted::Done | Promoted::Nothing => {
            cluster.terminal.say(format_args!("rollout '{name}' promoted"))?
        }
        Promoted::Past(step) => cluster
            .terminal
            .say(format_args!("rollout '{name}' is past that step already: it is at step {step}"))?,
    }
    Ok(())
}

/// What became of a promotion.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Promoted {
    Done,
    /// It is promoted already, or the controller is about to act on an earlier promotion.
    Nothing,
    /// It stood beyond the step that was named, at this one.
    Past(i32),
}

/// A conflict is tried again only while the Rollout stands where it was first read, so that two pipelines, or one that
/// tries again, do not skip two steps.
pub(crate) async fn promote(
    store: &impl Store,
    name: &str,
    full: bool,
    at_step: Option<i32>,
) -> anyhow::Result<Promoted> {
    let mut rollout = store.read(name).await?;
    if let Some(past) = past(&rollout, at_step)? {
        return Ok(Promoted::Past(past));
    }
    let position = patches::position(&rollout);
    for _ in 0..TRIES_MAX {
        let Patches { spec, status } =
            if full { patches::promote_full(&rollout) } else { patches::promote(&rollout) };
        let Some(mut patch) = status else {
            return unpause(store, name, spec, Promoted::Nothing).await;
        };
        if let Some(patch) = patch.as_object_mut() {
            patch.insert("metadata".to_owned(), json!({"resourceVersion": rollout.resource_version()}));
        }
        match store.write_status(name, &patch).await {
            Err(kube::Error::Api(error)) if error.code == 409 => {
                rollout = store.read(name).await?;
                if let Some(past) = past(&rollout, at_step)? {
                    return Ok(Promoted::Past(past));
                }
                // To the end is to the end from wherever it stands; one step is one step from where it was seen.
                if !full && patches::position(&rollout) != position {
                    bail!(
                        "rollout '{name}' has moved on meanwhile: look at it, and promote again if it is still wanted"
                    );
                }
            }
            other => {
                other?;
                return unpause(store, name, spec, Promoted::Done).await;
            }
        }
    }
    bail!("rollout '{name}' is being changed all the time; try again")
}

/// Where the Rollout stands, if that is beyond the step.
fn past(rollout: &Rollout, at_step: Option<i32>) -> anyhow::Result<Option<i32>> {
    let Some(wanted) = at_step else { return Ok(None) };
    let status = rollout.status.clone().unwrap_or_default();
    match status.current_step_index {
        Some(index) if index > wanted => Ok(Some(index)),
        Some(index) if index < wanted => bail!(
            "rollout '{}' is at step {index}, not yet at step {wanted}: promote it when it is there",
            rollout.name_any()
        ),
        Some(_) => Ok(None),
        None => bail!("rollout '{}' has no steps: leave out --at-step", rollout.name_any()),
    }
}

async fn unpause(
    store: &impl Store,
    name: &str,
    spec: Option<Value>,
    done: Promoted,
) -> anyhow::Result<Promoted> {
    let Some(spec) = spec else { return Ok(done) };
    store.write(name, &spec).await?;
    Ok(Promoted::Done)
}

#[cfg(test)]
mod tests;
