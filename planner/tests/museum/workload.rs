//! `workloadRef`: a Deployment and the Rollout that refers to it.

use crate::play::{Play, template};
use crate::support::Model;
use serde_json::json;

/// A Deployment of this size, and a Rollout that refers to it.
fn with_deployment(deployed: i32, replicas: Option<i32>, scale_down: &str) -> Play {
    let mut model = Model::new();
    model.create(&json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": deployed,
        "selector": {"matchLabels": {"app": "demo"}}, "template": template("app:1")}}));
    let reference =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": scale_down});
    let mut spec = json!({"strategy": {"canary": {}}, "workloadRef": reference});
    if let Some(replicas) = replicas {
        spec["replicas"] = json!(replicas);
    }
    model.create(
        &json!({"apiVersion": crds::API_VERSION, "kind": "Rollout", "metadata": {"name": "demo"}, "spec": spec}),
    );
    Play { model }
}

fn deployed(play: &Play) -> i32 {
    play.model.world.workload.as_ref().unwrap().replicas.unwrap()
}

fn available(play: &Play) -> i32 {
    play.model.world.replica_sets.iter().map(|set| set.counts.available).sum()
}

#[test]
fn referenced_deployment_goes_away() {
    let mut play = with_deployment(0, Some(3), "never");
    play.run(60);
    let gone = play.model.world.workload.take();
    play.watch(60, |play| assert_eq!(available(play), 3));
    assert!(play.status().message.starts_with("InvalidSpec"), "{:?}", play.status());
    play.model.world.workload = gone;
    play.watch(60, |play| assert_eq!(available(play), 3));
    assert_eq!(play.phase(), "Healthy");
}

#[test]
fn migration_ends_with_one_pod() {
    let mut play = with_deployment(20, None, "onsuccess");
    play.watch(60, |play| assert!(deployed(play) + available(play) >= 20));
    assert_eq!((deployed(&play), available(&play), play.phase().as_str()), (0, 20, "Healthy"));
}

#[test]
fn two_full_sets_for_ever() {
    let mut play = with_deployment(5, Some(5), "progressively");
    play.run(60);
    play.model.patch_workload(&json!({"spec": {"replicas": 5, "template": template("app:2")}}));
    play.run(60);
    assert_eq!((deployed(&play), available(&play)), (0, 5));
}
