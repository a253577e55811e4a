//! To whom ReplicaSets and pods belong when Rollouts are deleted, made again and scaled, by the whole controller over the
//! cluster in memory. `[identify]` `[identify.record]` `[status]`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
    PropagationPolicy,
};
use serde_json::{Value, json};
use simulation::l2::{House, NAMESPACE, Settings};
use std::collections::BTreeSet;
use std::time::Duration;

fn rollout(strategy: &Value) -> Value {
    json!({"apiVersion": crds::API_VERSION, "kind": "Rollout", "metadata": {"name": "demo"}, "spec": {
        "replicas": 4, "selector": {"matchLabels": {"app": "demo"}}, "strategy": strategy,
        "template": {"metadata": {"labels": {"app": "demo"}},
            "spec": {"containers": [{"name": "app", "image": "app:1"}]}}}})
}

fn canary() -> Value {
    json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}})
}

struct World(House);

impl World {
    fn open() -> Self {
        let mut house = House::open(Settings::default());
        house.start_controller("controller", 0);
        Self(house)
    }

    fn api(&self, version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(kube::Client::new(self.0.cluster.client("user"), NAMESPACE), NAMESPACE, &kind)
    }

    fn create(&self, object: &Value) {
        let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        self.0.cluster.create(version, kind, NAMESPACE, object.clone()).unwrap();
    }

    fn rollout(&self) -> Value {
        self.0.cluster.object(crds::API_VERSION, "Rollout", NAMESPACE, "demo").unwrap_or_default()
    }

    fn sets(&self) -> Vec<Value> {
        self.0.cluster.objects("apps/v1", "ReplicaSet", NAMESPACE)
    }

    /// Uids of the pods that are to stay.
    fn pods(&self) -> BTreeSet<String> {
        let pods = self.0.cluster.objects("v1", "Pod", NAMESPACE);
        let stays = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        stays.map(|pod| pod["metadata"]["uid"].to_string()).collect()
    }

    async fn patch(&self, part: Option<&str>, patch: &Value) {
        let (api, params) = (self.api(crds::API_VERSION, "Rollout"), PatchParams::default());
        let patch = Patch::Merge(patch);
        let done = match part {
            None => api.patch("demo", &params, &patch).await.map(drop),
            Some("scale") => api.patch_scale("demo", &params, &patch).await.map(drop),
            Some(_) => api.patch_status("demo", &params, &patch).await.map(drop),
        };
        done.unwrap();
    }

    async fn image(&self, image: &str) {
        let containers = json!([{"name": "app", "image": image}]);
        self.patch(None, &json!({"spec": {"template": {"spec": {"containers": containers}}}})).await;
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..1_200 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never {what}: {:#}", self.rollout()["status"]);
    }

    async fn until_phase(&self, phase: &str) {
        self.until(phase, |world| {
            let rollout = world.rollout();
            let generation = rollout["metadata"]["generation"].to_string();
            rollout["status"]["phase"] == phase && rollout["status"]["observedGeneration"] == generation
        })
        .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    async fn delete(&self, policy: PropagationPolicy) {
        let params = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
        self.api(crds::API_VERSION, "Rollout").delete("demo", &params).await.unwrap();
        self.until("gone", |world| world.rollout().is_null()).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    fn owners(&self) -> Vec<Value> {
        self.sets().iter().map(|set| set["metadata"]["ownerReferences"][0]["uid"].clone()).collect()
    }
}

fn played(test: impl AsyncFnOnce(World)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async { test(World::open()).await });
}

#[test]
fn a_deleted_rollout_takes_its_pods_along_in_the_background_and_in_the_foreground() {
    for policy in [PropagationPolicy::Background, PropagationPolicy::Foreground] {
        played(async |world| {
            world.create(&rollout(&canary()));
            world.until_phase("Healthy").await;
            world.image("app:2").await;
            world.until_phase("Paused").await;
            assert_eq!((world.sets().len(), world.pods().len()), (2, 4));
            world.delete(policy.clone()).await;
            assert_eq!((world.sets().len(), world.pods().len()), (0, 0), "{policy:?}");
        });
    }
}

#[test]
fn orphans_run_on_and_the_next_rollout_of_that_name_takes_them() {
    played(async |world| {
        world.create(&rollout(&canary()));
        world.until_phase("Healthy").await;
        let pods = world.pods();
        world.delete(PropagationPolicy::Orphan).await;
        assert_eq!((world.pods(), world.owners()), (pods.clone(), vec![Value::Null]));

        world.create(&rollout(&canary()));
        world.until_phase("Healthy").await;
        let uid = world.rollout()["metadata"]["uid"].clone();
        assert_eq!((world.pods(), world.owners()), (pods, vec![uid]), "no pod was made anew");
    });
}

/// What an autoscaler reads: the pods that it measures and the number that it divides by are the same.
async fn scale_is_true(world: &World) {
    let scale = world.api(crds::API_VERSION, "Rollout").get_scale("demo").await.unwrap();
    let status = scale.status.unwrap();
    let selector = status.selector.unwrap();
    let pods = world.api("v1", "Pod").list(&ListParams::default().labels(&selector)).await.unwrap();
    let live = pods.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).count();
    assert_eq!(
        usize::try_from(status.replicas).unwrap(),
        live,
        "{selector}: {:#}",
        world.rollout()["status"]
    );
}

#[test]
fn the_scale_subresource_counts_the_pods_that_it_selects() {
    for strategy in [canary(), json!({"blueGreen": {"activeService": "main", "autoPromotionEnabled": false}})]
    {
        played(async |world| {
            world.create(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "main"},
                "spec": {"selector": {"app": "demo"}, "ports": [{"port": 80}]}}));
            world.create(&rollout(&strategy));
            world.until_phase("Healthy").await;
            scale_is_true(&world).await;
            world.image("app:2").await;
            world.until_phase("Paused").await;
            scale_is_true(&world).await;
            world.patch(Some("scale"), &json!({"spec": {"replicas": 7}})).await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            scale_is_true(&world).await;
            assert_eq!(world.rollout()["status"]["phase"], "Paused");
            world.patch(Some("status"), &json!({"status": {"pauseConditions": null}})).await;
            world.until_phase("Healthy").await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            scale_is_true(&world).await;
            assert_eq!((world.pods().len(), &world.rollout()["spec"]["replicas"]), (7, &json!(7)));
        });
    }
}
#[test]
fn a_replica_set_that_does_not_match_any_more_is_let_go_of_with_its_pods() {
    played(async |world| {
        world.create(&rollout(&json!({"canary": {}})));
        world.until_phase("Healthy").await;
        let (pods, set) = (world.pods(), world.sets().remove(0));
        let name = set["metadata"]["name"].as_str().unwrap();
        let patch = json!({"metadata": {"labels": {"app": "mine"}}});
        let sets = world.api("apps/v1", "ReplicaSet");
        sets.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        world.until("another", |world| world.sets().len() == 2).await;
        world.until_phase("Healthy").await;
        let (kept, own): (Vec<Value>, Vec<Value>) =
            world.sets().into_iter().partition(|set| set["metadata"]["name"] == name);
        assert!(kept[0]["metadata"]["ownerReferences"][0].is_null(), "{:#}", kept[0]["metadata"]);
        assert_eq!((&kept[0]["spec"]["replicas"], &own[0]["spec"]["replicas"]), (&json!(4), &json!(4)));
        assert!(pods.is_subset(&world.pods()), "its pods are not ours to take");
        let taken = own[0]["metadata"]["labels"]["rollouts-pod-template-hash"].clone();
        assert_ne!(taken, kept[0]["metadata"]["labels"]["rollouts-pod-template-hash"]);
    });
}
