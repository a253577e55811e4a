//! Recorded scenarios of Argo Rollouts, played on the real cluster.

use crate::Cluster;
use crate::stage::connect;
use anyhow::{Context, Result, ensure};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use recordings::{Difference, Recording, Topic, compare, is_played, play, read, unmeant};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// More at once would make the pods wait for the processor.
const AT_ONCE: usize = 6;
/// Between what a Rollout refers to and the Rollout: the controller watches each kind for itself, and on a busy machine
/// it can see the Rollout first.
const PACE: Duration = Duration::from_secs(1);
/// Tags of the image `app` that start there; any other is not to be had.
const TAGS: [&str; 5] = ["1", "2", "3", "4", "5"];
/// Where the scenarios ask for a version that is always the same, and where pods find the like.
const VERSION: (&str, &str) = ("https://127.0.0.1:6443/version", "https://kubernetes.default.svc/version");
/// The image of Jobs that run a shell, which no image of ours has.
const SHELL: &str = "busybox";

/// Plays the scenarios whose names contain one of `only` (all when it is empty), and compares what is seen with the
/// recordings. The image of the demo server, from this layout, stands for all others.
///
/// # Errors
/// When something differs that is not meant to.
pub fn as_recorded(cluster: &Cluster, folder: &Path, layout: &Path, only: &[String]) -> Result<()> {
    for tag in TAGS {
        cluster.add_image(layout, &format!("library/app:{tag}"))?;
    }
    let wanted = |name: &str| only.is_empty() || only.iter().any(|word| name.contains(word.as_str()));
    let all = read(&folder.join("traces"))?;
    let total = all.len();
    let chosen: Vec<Recording> = all
        .into_iter()
        .filter(|one| is_played(&one.scenario.name) && wanted(&one.scenario.name))
        .filter(|one| !one.scenario.manifests.iter().any(|manifest| manifest.to_string().contains(SHELL)))
        .collect();
    ensure!(!chosen.is_empty(), "no scenario is named {}", only.join(" or "));
    let (played, begun) = (chosen.len(), Instant::now());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wrong: Vec<String> = runtime.block_on(async {
        let client = connect(&cluster.outer_kubeconfig()).await?;
        let mut ends =
            stream::iter(chosen).map(|one| played_here(client.clone(), one)).buffer_unordered(AT_ONCE);
        let mut wrong = Vec::new();
        while let Some(end) = ends.next().await {
            let (name, differences) = end?;
            let unmeant = unmeant(&name, &differences, true);
            unmeant.iter().for_each(|one| println!("differs {one}"));
            wrong.extend(unmeant);
        }
        anyhow::Ok(wrong)
    })?;
    ensure!(wrong.is_empty(), "{} things are not as recorded", wrong.len());
    println!(
        "ok     {played} of {total} recorded scenarios are played alike, or differ as listed, in {} s",
        begun.elapsed().as_secs()
    );
    Ok(())
}

fn is_rollout(manifest: &Value) -> bool {
    manifest.get("kind").and_then(Value::as_str) == Some("Rollout")
}

async fn played_here(client: Client, mut recording: Recording) -> Result<(String, Vec<Difference>)> {
    let name = recording.scenario.name.clone();
    let text = serde_json::to_string(&recording.scenario.manifests)?.replace(VERSION.0, VERSION.1);
    recording.scenario.manifests = serde_json::from_str(&text)?;
    for manifest in recording.scenario.manifests.iter_mut().filter(|manifest| is_rollout(manifest)) {
        let metadata = manifest.get_mut("metadata").and_then(Value::as_object_mut);
        let annotations = metadata.map(|map| map.entry("annotations").or_insert_with(|| json!({})));
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            // As Argo Rollouts: it does not wait for routers.
            annotations.insert("stepgate.dev/traffic-settle".to_owned(), json!("0s"));
        }
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = format!("recorded-{name}");
    let object = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
    namespaces.create(&PostParams::default(), &object).await.with_context(|| namespace.clone())?;
    let now = || Timestamp::now().to_string();
    let (lines, end) = play(client, &namespace, &recording.scenario, PACE, now).await;
    let mut differences = compare(&lines, &recording.lines);
    if let Err(error) = end {
        differences.insert(0, Difference { topic: Topic::End, what: error.to_string() });
    }
    namespaces.delete(&namespace, &DeleteParams::default()).await?;
    Ok((name, differences))
}
