//! Metadata that follows the role of a version, on the pods of the cluster in memory: `[metadata]`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, ResourceExt};
use recordings::{Scenario, play};
use serde_json::{Value, json};
use simulation::l2::{House, NAMESPACE, Settings};
use std::time::Duration;

/// Longer than the time after which every object is looked at again.
const REST: Duration = Duration::from_secs(2_000);

fn rollout() -> Value {
    let template = json!({"metadata": {"labels": {"app": "demo"}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]}});
    let canary = json!({"steps": [{"setWeight": 50}, {"pause": {}}],
        "canaryMetadata": {"labels": {"role": "canary"}, "annotations": {"note": "c"}},
        "stableMetadata": {"labels": {"role": "stable"}}});
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "demo"},
        "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "demo"}}, "template": template,
            "strategy": {"canary": canary}}})
}

fn scenario(promotes: bool) -> Scenario {
    let update = json!({"wait": {"phase": "Healthy", "revision": 1}, "do": {"image": "app:2"}});
    let promote = json!({"wait": {"phase": "Paused"}, "do": {"promote": true}});
    let actions = if promotes { json!([update, promote]) } else { json!([update]) };
    let end = if promotes {
        json!({"phase": "Healthy", "revision": 2, "settle": 4})
    } else {
        json!({"phase": "Paused"})
    };
    let value = json!({"name": "metadata", "description": "", "manifests": [rollout()], "actions": actions,
        "end": end});
    serde_json::from_value(value).unwrap()
}

/// Role, note and resource version of each pod.
async fn pods(house: &House) -> Vec<(String, String, String)> {
    let client = kube::Client::new(house.cluster.client("user"), NAMESPACE);
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
    let api: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, &kind);
    let listed = api.list(&ListParams::default()).await.unwrap().items;
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let mut pods: Vec<_> = listed
        .iter()
        .map(|pod| {
            let (role, note) = (pod.labels().get("role"), pod.annotations().get("note"));
            (text(role), text(note), pod.resource_version().unwrap())
        })
        .collect();
    pods.sort();
    pods
}

fn played<T>(promotes: bool, look: impl AsyncFnOnce(&House) -> T) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut house = House::open(Settings::default());
        house.start_controller("controller", 0);
        let client = kube::Client::new(house.cluster.client("user"), NAMESPACE);
        let now = || house.now().whole_seconds().to_string();
        let (_, end) = play(client, NAMESPACE, &scenario(promotes), Duration::ZERO, now).await;
        end.unwrap();
        look(&house).await
    })
}

#[test]
fn pods_of_both_versions_are_told_apart() {
    let pods = played(false, pods);
    let told: Vec<(&str, &str)> = pods.iter().map(|(role, note, _)| (role.as_str(), note.as_str())).collect();
    assert_eq!(told, [("canary", "c"), ("canary", "c"), ("stable", ""), ("stable", "")]);
}

#[test]
fn running_pods_follow_the_promotion_and_then_rest() {
    let (before, after) = played(true, async |house| {
        let before = pods(house).await;
        tokio::time::sleep(REST).await;
        (before, pods(house).await)
    });
    let told: Vec<(&str, &str)> =
        before.iter().map(|(role, note, _)| (role.as_str(), note.as_str())).collect();
    assert_eq!(told, [("stable", ""); 4]);
    assert_eq!(before, after, "nothing is written at rest");
}
