//! A node without containers: its pods are ready as soon as they are seen, and gone as soon as they are asked to go.

use anyhow::Result;
use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The node's name.
pub(super) const NODE: &str = "fleet";
const LEASES: &str = "kube-node-lease";
/// A quarter of the time after which a node counts as lost.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A real node of this size would be as busy.
const AT_ONCE: usize = 32;

/// Makes the node, and serves its pods for as long as it is polled.
///
/// # Errors
/// When the node cannot be made or its pods cannot be watched.
pub(super) async fn serve(client: Client) -> Result<()> {
    join(&client).await?;
    let heart = tokio::spawn(beat(client.clone()));
    let pods: Api<Pod> = Api::all(client.clone());
    let of_node = watcher::Config::default().fields(&format!("spec.nodeName={NODE}"));
    let mut news = watcher(pods, of_node).boxed();
    let (places, started) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(AtomicU32::new(0)));
    let mut known = BTreeSet::new();
    while let Some(event) = news.next().await {
        // A watch that breaks begins again by itself.
        let Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) = event else { continue };
        let leaves = pod.metadata.deletion_timestamp.is_some();
        if !known.insert((pod.uid(), leaves)) {
            continue;
        }
        let place = places.clone().acquire_owned().await?;
        let (client, number) = (client.clone(), started.fetch_add(1, Ordering::Relaxed));
        tokio::spawn(async move {
            let result = if leaves { end(&client, &pod).await } else { start(&client, &pod, number).await };
            // A pod that has gone meanwhile needs nothing; any other failure shows as a fleet that is never ready.
            if let Err(error) = result {
                eprintln!("node {NODE}: pod {}: {error}", pod.name_any());
            }
            drop(place);
        });
    }
    heart.abort();
    Ok(())
}

async fn join(client: &Client) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let node = json!({"metadata": {"name": NODE}, "spec": {"podCIDR": "10.99.0.0/16"}});
    nodes.create(&PostParams::default(), &serde_json::from_value(node)?).await?;
    let size = json!({"cpu": "1k", "memory": "1Ti", "pods": "100k"});
    let status = json!({"status": {"capacity": size, "allocatable": size, "conditions": [{
        "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "there is no kubelet",
        "lastHeartbeatTime": now(), "lastTransitionTime": now()}]}});
    nodes.patch_status(NODE, &PatchParams::default(), &Patch::Merge(status)).await?;
    let leases: Api<Lease> = Api::namespaced(client.clone(), LEASES);
    let lease = json!({"metadata": {"name": NODE}, "spec": lease()});
    leases.create(&PostParams::default(), &serde_json::from_value(lease)?).await?;
    Ok(())
}

/// Says every few seconds that the node is there.
async fn beat(client: Client) {
    let leases: Api<Lease> = Api::namespaced(client, LEASES);
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let patch = Patch::Merge(json!({"spec": lease()}));
        // One that is lost is made up for by the next.
        drop(leases.patch(NODE, &PatchParams::default(), &patch).await);
    }
}

fn lease() -> Value {
    let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    json!({"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": time})
}

fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

async fn start(client: &Client, pod: &Pod, number: u32) -> kube::Result<()> {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now(), "lastProbeTime": null});
    let conditions: Vec<Value> =
        ["Initialized", "Ready", "ContainersReady", "PodScheduled"].into_iter().map(condition).collect();
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let statuses: Vec<Value> = containers
        .map(|container| {
            json!({"name": container.name, "image": container.image, "imageID": "", "ready": true, "started": true,
                "restartCount": 0, "state": {"running": {"startedAt": now()}}})
        })
        .collect();
    let address = format!("10.99.{}.{}", number / 250 % 250, number % 250 + 1);
    let status = json!({"status": {"phase": "Running", "conditions": conditions, "containerStatuses": statuses,
        "podIP": address, "podIPs": [{"ip": address}], "startTime": now()}});
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    absent_is_fine(
        pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(status)).await.map(drop),
    )
}

async fn end(client: &Client, pod: &Pod) -> kube::Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let at_once = DeleteParams::default().grace_period(0);
    absent_is_fine(pods.delete(&pod.name_any(), &at_once).await.map(drop))
}

fn absent_is_fine(result: kube::Result<()>) -> kube::Result<()> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}
