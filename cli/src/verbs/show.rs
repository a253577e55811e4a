//! `get rollout`, once or live.

use crate::args::Showing;
use crate::cluster::Cluster;
use crate::terminal::Terminal;
use crate::view::{style, tree};
use anyhow::bail;
use crds::Rollout;
use futures::stream::{self, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ListParams;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Redraws are at least this far apart.
const REDRAW: Duration = Duration::from_millis(200);
/// Ages move on even when nothing else does.
const REFRESH: Duration = Duration::from_secs(1);

pub(crate) async fn run(cluster: &Cluster<'_>, args: &Showing) -> anyhow::Result<()> {
    let rollout = cluster.rollout(&args.rollout).await?;
    let colour = style::has_colour(cluster.terminal.is_live, args.no_color);
    if !args.watch {
        let below = ListParams::default().labels(&selector(&rollout));
        let objects = tree::Objects {
            replica_sets: cluster.replica_sets().list(&below).await?.items,
            pods: cluster.pods().list(&below).await?.items,
            runs: cluster.analysis_runs().list(&ListParams::default()).await?.items,
        };
        cluster.terminal.print(tree::render(
            &rollout,
            &owned(&rollout, objects),
            Some(cluster.terminal.now()),
            colour,
        ))?;
        return Ok(());
    }
    let limit =
        (args.timeout_seconds > 0).then(|| Instant::now() + Duration::from_secs(args.timeout_seconds));
    tokio::select! {
        biased;
        ended = watch(cluster, &rollout, colour) => ended,
        () = at(limit) => Ok(()),
    }
}

async fn at(limit: Option<Instant>) {
    match limit {
        Some(limit) => sleep_until(limit).await,
        None => std::future::pending().await,
    }
}

/// What finds its ReplicaSets and pods; of a `workloadRef` only that they are some Rollout's is known here.
fn selector(rollout: &Rollout) -> String {
    let own = rollout.spec.selector.as_ref();
    own.map_or_else(|| crds::meta::POD_TEMPLATE_HASH_LABEL.to_owned(), ToString::to_string)
}

/// What is the Rollout's own.
fn owned(rollout: &Rollout, mut objects: tree::Objects) -> tree::Objects {
    let uid = rollout.uid().unwrap_or_default();
    let ours = |owners: &[OwnerReference]| owners.iter().any(|owner| owner.uid == uid);
    objects.replica_sets.retain(|set| ours(set.owner_references()));
    objects.runs.retain(|run| ours(run.owner_references()));
    objects
}

/// A store that a stream of changes fills; each change is one item.
fn follow<K>(
    api: Api<K>,
    config: watcher::Config,
) -> (Store<K>, stream::BoxStream<'static, watcher::Result<()>>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store::<K>();
    (store, watcher(api, config).default_backoff().reflect(writer).map(|change| change.map(drop)).boxed())
}

async fn watch(cluster: &Cluster<'_>, rollout: &Rollout, colour: bool) -> anyhow::Result<()> {
    let name = rollout.name_any();
    let below = watcher::Config::default().labels(&selector(rollout));
    let by_name = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let (rollouts, a) = follow(cluster.rollouts(), by_name);
    let (replica_sets, b) = follow(cluster.replica_sets(), below.clone());
    let (pods, c) = follow(cluster.pods(), below);
    let (runs, d) = follow(cluster.analysis_runs(), watcher::Config::default());
    let mut changes = stream::select_all([a, b, c, d]);
    let mut shown = String::new();
    let mut drawn = Instant::now();
    let mut due = drawn;
    loop {
        tokio::select! {
            biased;
            change = changes.next() => match change {
                // Soon, and not more often than the eye can follow.
                Some(Ok(())) => due = due.min(drawn + REDRAW),
                // The stream tries again by itself; what is shown is only older.
                Some(Err(error)) => cluster.terminal.warn(format_args!("Warning: {error}")),
                None => bail!("the watch of rollout '{name}' ended"),
            },
            () = sleep_until(due) => {
                drawn = Instant::now();
                due = drawn + REFRESH;
                let Some(rollout) = rollouts.state().first().cloned() else { continue };
                let items = tree::Objects {
                    replica_sets: sorted(&replica_sets),
                    pods: sorted(&pods),
                    runs: sorted(&runs),
                };
                let objects = owned(&rollout, items);
                draw(cluster.terminal, &rollout, &objects, colour, &mut shown)?;
            }
        }
    }
}

/// A store has no order; a picture needs one.
fn sorted<K: Resource<DynamicType = ()> + Clone>(store: &Store<K>) -> Vec<K> {
    let mut items: Vec<K> = store.state().iter().map(|item| K::clone(item)).collect();
    items.sort_by_key(|item| (item.creation_timestamp(), item.name_any()));
    items
}

/// In place on a terminal; elsewhere anew when more than ages has changed.
fn draw(
    terminal: &Terminal,
    rollout: &Rollout,
    objects: &tree::Objects,
    colour: bool,
    shown: &mut String,
) -> anyhow::Result<()> {
    let text = tree::render(rollout, objects, Some(terminal.now()), colour);
    if terminal.is_live {
        // To the top left, and away with what stood there.
        terminal.print(format_args!("\x1b[H\x1b[2J{text}"))?;
    } else {
        let ageless = tree::render(rollout, objects, None, false);
        if ageless == *shown {
            return Ok(());
        }
        terminal.say(text)?;
        *shown = ageless;
    }
    Ok(())
}
