//! An update of many Rollouts at once, beside the same of many Deployments: what the controller adds to what the cluster
//! itself needs.

mod kubelet;

use crate::Cluster;
use crate::memory::Weight;
use crate::stage::connect;
use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// As many as a large cluster updates in one go.
const COUNT: usize = 500;
const AT_ONCE: usize = 16;
const NAMESPACE: &str = "fleet";
const LIMIT: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Who is updated.
#[derive(Clone, Copy)]
enum Kind {
    Deployment,
    Rollout,
}

impl Kind {
    fn api(self, client: Client) -> Api<DynamicObject> {
        let kind = match self {
            Self::Deployment => GroupVersionKind::gvk("apps", "v1", "Deployment"),
            Self::Rollout => GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout"),
        };
        Api::namespaced_with(client, NAMESPACE, &ApiResource::from_gvk(&kind))
    }

    /// One pod of the image. A Rollout goes through two steps.
    fn object(self, name: &str, image: &str) -> Value {
        let selector = json!({"matchLabels": {"app": name}});
        let template = template(name, image);
        match self {
            Self::Deployment => {
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
                "spec": {"replicas": 1, "selector": selector, "template": template}})
            }
            Self::Rollout => {
                json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": name},
                "spec": {"replicas": 1, "selector": selector, "template": template,
                    "strategy": {"canary": {"steps": [{"setWeight": 50}, {"setWeight": 100}]}}}})
            }
        }
    }

    fn is_done(self, object: &DynamicObject) -> bool {
        let status = object.data.get("status").unwrap_or(&Value::Null);
        let number = |key: &str| status.get(key).and_then(Value::as_i64).unwrap_or(0);
        let seen = status.get("observedGeneration");
        let seen = seen.and_then(|seen| seen.as_i64().or_else(|| seen.as_str()?.parse().ok()));
        let is_seen = seen.is_some() && seen == object.metadata.generation;
        is_seen
            && match self {
                Self::Deployment => {
                    ["updatedReplicas", "availableReplicas", "replicas"].iter().all(|key| number(key) == 1)
                }
                Self::Rollout => {
                    status.get("phase").and_then(Value::as_str) == Some("Healthy")
                        && status.get("stableRS") == status.get("currentPodHash")
                        && number("replicas") == 1
                }
            }
    }
}

/// A pod of the node without containers.
fn template(name: &str, image: &str) -> Value {
    json!({"metadata": {"labels": {"app": name}}, "spec": {"nodeName": kubelet::NODE,
        "terminationGracePeriodSeconds": 0, "containers": [{"name": "app", "image": image}]}})
}

/// Updates the fleet of each kind and prints how long it took. The controller runs, and is weighed.
///
/// # Errors
/// When a fleet is not updated within ten minutes.
pub(crate) async fn measure(cluster: &Cluster) -> Result<()> {
    let client = connect(&cluster.outer_kubeconfig()).await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}}))?;
    namespaces.create(&PostParams::default(), &namespace).await?;
    tokio::select! {
        // Without its node nothing would ever be done: why it is gone is what there is to say.
        ended = kubelet::serve(client.clone()) => ended.and_then(|()| anyhow::bail!("the node has ended")),
        done = updates(cluster, &client) => done,
    }
}

async fn updates(cluster: &Cluster, client: &Client) -> Result<()> {
    let mut seconds = Vec::new();
    for kind in [Kind::Deployment, Kind::Rollout] {
        roll(client, kind, "app:1", true).await?;
        let before = Weight::of(cluster)?;
        seconds.push(roll(client, kind, "app:2", false).await?);
        if let Kind::Rollout = kind {
            let used = Weight::of(cluster)?.processor_seconds - before.processor_seconds;
            println!(
                "controller, update of {COUNT} Rollouts: {:.1} ms of processor time each",
                used * 1000.0 / COUNT as f64
            );
        }
    }
    if let [deployments, rollouts] = seconds.as_slice() {
        println!(
            "update of {COUNT} Rollouts of 1 pod and two steps on a node without containers: {rollouts:.1} s; of {COUNT} \
             Deployments: {deployments:.1} s; {:.2} times as long",
            rollouts / deployments
        );
    }
    Ok(())
}

/// Gives all the image and waits until all have it; in seconds.
async fn roll(client: &Client, kind: Kind, image: &str, make: bool) -> Result<f64> {
    let api = kind.api(client.clone());
    let begun = Instant::now();
    stream::iter(0..COUNT)
        .map(|number| {
            let (api, name) = (api.clone(), format!("web-{number}"));
            async move {
                if make {
                    let object = serde_json::from_value(kind.object(&name, image))?;
                    api.create(&PostParams::default(), &object).await?;
                } else {
                    let patch = json!({"spec": {"template": template(&name, image)}});
                    api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
                }
                anyhow::Ok(())
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    loop {
        let list = api.list(&ListParams::default().match_any()).await?;
        let late: Vec<_> = list.items.iter().filter(|object| !kind.is_done(object)).collect();
        if late.is_empty() && list.items.len() == COUNT {
            return Ok(begun.elapsed().as_secs_f64());
        }
        ensure!(
            begun.elapsed() < LIMIT,
            "{} of {COUNT} are not updated, such as {}",
            late.len(),
            late.first().map(|object| object.name_any()).unwrap_or_default()
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
