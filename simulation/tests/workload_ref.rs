//! The whole controller with `workloadRef`, over the cluster in memory with its Deployment controller, in paused time.
//! `docs/reference/behaviour/workload-ref.md`

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use crds::Time;
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams};
use sandbox::traffic::{Clients, Outcome};
use sandbox::{Call, Fate, Weather};
use scenarios::Stage;
use serde_json::{Value, json};
use simulation::l2::NAMESPACE;
use simulation::stage::{SandboxStage, Settings};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Hears what the controller asks, and refuses what its role does not grant.
#[derive(Clone, Default)]
struct Ear {
    calls: Arc<Mutex<Vec<Call>>>,
    no_updates: bool,
}

impl Ear {
    fn of(&self, resource: &str) -> Vec<&'static str> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| call.resource == resource).map(|call| call.verb).collect()
    }

    fn writes(&self) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.is_write() && call.resource != "leases").count()
    }
}

impl Weather for Ear {
    fn call(&mut self, call: &Call, _: Time) -> Fate {
        if call.client == "user" {
            return Fate::Answered;
        }
        self.calls.lock().unwrap().push(call.clone());
        if self.no_updates && call.resource == "deployments" && call.is_write() {
            let message = "deployments.apps \"web\" is forbidden".to_owned();
            return Fate::Refused { applied: false, code: 403, reason: "Forbidden", message };
        }
        Fate::Answered
    }
}

fn template(version: &str) -> Value {
    json!({"metadata": {"labels": {"app": "web"}, "annotations": {"v": version}}, "spec": {
        "terminationGracePeriodSeconds": 10,
        "containers": [{"name": "web", "image": format!("demo-server:{version}"),
            "env": [{"name": "VERSION", "value": version}, {"name": "SHUTDOWN_GRACE_SECONDS", "value": "5"}],
            "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1}}]}})
}

fn deployment(replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template("1")}})
}

fn rollout(replicas: Option<u32>, scale_down: &str, canary: &Value) -> Value {
    let mut rollout = json!({"apiVersion": crds::API_VERSION, "kind": "Rollout", "metadata": {"name": "shop"},
        "spec": {"strategy": {"canary": canary}, "workloadRef":
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": scale_down}}});
    if let Some(replicas) = replicas {
        rollout["spec"]["replicas"] = json!(replicas);
    }
    rollout
}

fn service(name: &str) -> Value {
    scenarios::service(name, "web")
}

struct World {
    stage: SandboxStage,
    ear: Ear,
}

impl World {
    fn open(ear: Ear) -> Self {
        let stage = SandboxStage::open(&Settings::default());
        stage.cluster().set_weather(ear.clone());
        Self { stage, ear }
    }

    fn create(&self, object: &Value) {
        let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        self.stage.cluster().create(version, kind, NAMESPACE, object.clone()).unwrap();
    }

    fn rollout(&self) -> Value {
        self.stage.cluster().object(crds::API_VERSION, "Rollout", NAMESPACE, "shop").unwrap_or_default()
    }

    fn deployment(&self) -> Value {
        self.stage.cluster().object("apps/v1", "Deployment", NAMESPACE, "web").unwrap_or_default()
    }

    fn deployments(&self) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("apps", "v1", "Deployment"),
            "deployments",
        );
        let client = Client::new(self.stage.cluster().client("user"), NAMESPACE);
        Api::namespaced_with(client, NAMESPACE, &kind)
    }

    async fn patch_deployment(&self, patch: &Value) {
        self.deployments().patch("web", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    async fn delete_deployment(&self) {
        self.deployments().delete("web", &DeleteParams::background()).await.unwrap();
    }

    /// Pods of Rollout and Deployment that are ready.
    fn ready(&self) -> usize {
        let ready = |pod: &&Value| {
            let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
            pod["metadata"]["deletionTimestamp"].is_null()
                && conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
        };
        self.stage.cluster().objects("v1", "Pod", NAMESPACE).iter().filter(ready).count()
    }

    fn is_healthy(&self, generation: &str) -> bool {
        let rollout = self.rollout();
        let wanted = rollout["metadata"]["generation"].to_string();
        rollout["status"]["phase"] == "Healthy"
            && rollout["status"]["workloadObservedGeneration"] == generation
            && rollout["status"]["observedGeneration"] == wanted
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..1200 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never {what}: {:#} {:#}", self.rollout()["status"], self.deployment()["spec"]["replicas"]);
    }

    /// Until nothing has been asked of the Rollout for a while.
    async fn until_healthy(&self) {
        self.until("Healthy", |world| {
            let generation = world.deployment()["metadata"]["generation"].to_string();
            world.is_healthy(&generation)
        })
        .await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }

    /// What is there in the end.
    fn end(&self) -> String {
        let cluster = self.stage.cluster();
        let rollout = self.rollout();
        let (status, annotations) = (&rollout["status"], &rollout["metadata"]["annotations"]);
        let sets: Vec<String> = cluster
            .objects("apps/v1", "ReplicaSet", NAMESPACE)
            .iter()
            .filter(|set| set["metadata"]["labels"]["rollouts-pod-template-hash"].is_string())
            .map(|set| {
                let revision = &set["metadata"]["annotations"]["rollout.argoproj.io/revision"];
                format!("{} {revision} {}", set["metadata"]["name"], set["status"]["availableReplicas"])
            })
            .collect();
        let services: Vec<String> = cluster
            .objects("v1", "Service", NAMESPACE)
            .iter()
            .map(|service| format!("{} {}", service["metadata"]["name"], service["spec"]["selector"]))
            .collect();
        let runs = cluster.objects(crds::API_VERSION, "AnalysisRun", NAMESPACE);
        let runs: Vec<&Value> = runs.iter().map(|run| &run["metadata"]["name"]).collect();
        format!(
            "{} {} {} {} {annotations} {sets:?} {services:?} {runs:?} {} {}",
            status["phase"],
            status["stableRS"],
            status["selector"],
            rollout["spec"],
            self.deployment()["spec"]["replicas"],
            self.deployment()["metadata"]["generation"],
        )
    }
}

fn paused(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(test());
}

fn steps() -> Value {
    json!({"steps": [{"setWeight": 50}, {"pause": {"duration": "3s"}}]})
}

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for _ in 0..count {
        let longer = |order: &Vec<usize>| {
            let free: Vec<usize> = (0..count).filter(|next| !order.contains(next)).collect();
            free.into_iter().map(|next| [order.as_slice(), &[next]].concat()).collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders
}

#[test]
fn all_orders_of_applying_come_to_the_same_end() {
    let metric = json!({"name": "m", "provider": {"web": {"url": "http://nowhere.example"}}});
    let canary = json!({"canaryService": "next", "stableService": "main",
        "steps": [{"setWeight": 25}, {"analysis": {"templates": [{"templateName": "t"}]}}]});
    let things = [
        deployment(4),
        rollout(Some(4), "onsuccess", &canary),
        json!({"apiVersion": crds::API_VERSION, "kind": "AnalysisTemplate", "metadata": {"name": "t"},
            "spec": {"metrics": [metric]}}),
        service("main"),
        service("next"),
    ];
    let orders = orders(things.len());
    assert_eq!(orders.len(), 120);
    let (mut ends, mut updates) = (BTreeSet::new(), BTreeSet::new());
    for order in &orders {
        for gap in [0, 700, 12_000].map(Duration::from_millis) {
            paused(async || {
                let world = World::open(Ear::default());
                for thing in order {
                    world.create(&things[*thing]);
                    tokio::time::sleep(gap).await;
                }
                world.until("at 0", |world| world.deployment()["spec"]["replicas"] == 0).await;
                world.until_healthy().await;
                assert_eq!(world.ready(), 4);
                ends.insert(world.end());
                world.patch_deployment(&json!({"spec": {"template": template("2")}})).await;
                world.until("judged", |world| world.rollout()["status"]["abort"] == true).await;
                tokio::time::sleep(Duration::from_secs(60)).await;
                updates.insert(world.end());
            });
        }
    }
    assert_eq!((ends.len(), updates.len()), (1, 1), "{ends:#?} {updates:#?}");
    assert!(updates.iter().all(|end| end.matches("-2-1").count() == 1), "{updates:#?}");
}

#[test]
fn who_refers_to_nothing_asks_for_no_workloads() {
    paused(async || {
        let world = World::open(Ear::default());
        let mut own = rollout(Some(2), "never", &steps());
        own["spec"].as_object_mut().unwrap().remove("workloadRef");
        own["spec"]["selector"] = json!({"matchLabels": {"app": "web"}});
        own["spec"]["template"] = template("1");
        world.create(&own);
        world.until("Healthy", |world| world.rollout()["status"]["phase"] == "Healthy").await;
        assert_eq!(world.ear.of("deployments"), [""; 0]);
        assert_eq!(world.ear.of("podtemplates"), [""; 0]);
    });
}

#[test]
fn a_kind_is_watched_once_and_rest_is_rest() {
    paused(async || {
        let world = World::open(Ear::default());
        world.create(&rollout(Some(2), "never", &steps()));
        let why = "InvalidSpec: The Rollout \"shop\" is invalid: deployments.apps \"default/web\" not found";
        let why = why.replace("default", NAMESPACE);
        world.until("InvalidSpec", |world| world.rollout()["status"]["message"] == why).await;
        tokio::time::sleep(Duration::from_secs(100)).await;
        let writes = world.ear.writes();
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(world.ear.writes(), writes, "a reference that is missing is waited for, not asked for");

        world.create(&deployment(2));
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(world.rollout()["status"]["phase"], "Progressing", "the watch tells of it");
        world.until_healthy().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let writes = world.ear.writes();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(world.ear.writes(), writes);
        let asked = world.ear.of("deployments");
        assert_eq!(asked.iter().filter(|verb| **verb == "list").count(), 1, "{asked:?}");
        assert!(asked.iter().all(|verb| ["list", "watch"].contains(verb)), "{asked:?}");
        assert_eq!(world.ear.of("podtemplates"), [""; 0]);
        assert!(world.rollout()["spec"].get("template").is_none(), "{}", world.rollout()["spec"]);
        assert!(world.rollout()["spec"].get("selector").is_none(), "{}", world.rollout()["spec"]);
    });
}

#[test]
fn a_deployment_moves_without_a_failed_request() {
    for scale_down in ["onsuccess", "progressively"] {
        paused(async || {
            let world = World::open(Ear::default());
            world.create(&service("web"));
            world.create(&deployment(3));
            world.until("up", |world| world.ready() == 3).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            world.stage.traffic().send("users", Clients::of_service(NAMESPACE, "web", 50));
            world.create(&rollout(Some(3), scale_down, &steps()));
            for _ in 0..200 {
                assert!(world.ready() >= 3);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            world.until_healthy().await;
            assert_eq!((world.ready(), &world.deployment()["spec"]["replicas"]), (3, &json!(0)));
            world.patch_deployment(&json!({"spec": {"template": template("2")}})).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(!world.is_healthy("2") && world.rollout()["status"]["phase"] == "Progressing");
            world.until_healthy().await;
            let tally = world.stage.traffic().tally("users");
            let failed: Vec<_> =
                tally.iter().filter(|((_, outcome), _)| *outcome != Outcome::Answered).collect();
            assert!(failed.is_empty() && !tally.is_empty(), "{failed:?}");
        });
    }
}

#[test]
fn a_large_deployment_ends_as_a_large_rollout() {
    paused(async || {
        let world = World::open(Ear::default());
        world.create(&deployment(20));
        world.until("up", |world| world.ready() == 20).await;
        world.create(&rollout(None, "onsuccess", &json!({})));
        for _ in 0..300 {
            assert!(world.ready() >= 20);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        world.until_healthy().await;
        assert_eq!((world.rollout()["spec"]["replicas"].clone(), world.ready()), (json!(20), 20));
    });
}

#[test]
fn a_deployment_that_goes_away_takes_no_pods_with_it() {
    paused(async || {
        let world = World::open(Ear::default());
        world.create(&deployment(0));
        world.create(&rollout(Some(3), "never", &steps()));
        world.until_healthy().await;
        world.delete_deployment().await;
        world.until("Degraded", |world| world.rollout()["status"]["phase"] == "Degraded").await;
        for _ in 0..60 {
            assert_eq!(world.ready(), 3);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        world.create(&deployment(0));
        world.until_healthy().await;
        assert_eq!(
            (
                world.ready(),
                world.rollout()["metadata"]["annotations"]["rollout.argoproj.io/revision"].clone()
            ),
            (3, json!("1"))
        );
    });
}

#[test]
fn two_full_sets_do_not_stay() {
    paused(async || {
        let world = World::open(Ear::default());
        world.create(&deployment(5));
        world.create(&rollout(Some(5), "progressively", &steps()));
        world.until("at 0", |world| world.deployment()["spec"]["replicas"] == 0).await;
        world.until_healthy().await;
        world.patch_deployment(&json!({"spec": {"template": template("2"), "replicas": 5}})).await;
        world.until("at 0", |world| world.deployment()["spec"]["replicas"] == 0).await;
        world.until_healthy().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.ready(), 5);
    });
}

#[test]
fn a_role_without_the_right_to_scale_is_waited_out() {
    paused(async || {
        let world = World::open(Ear { no_updates: true, ..Ear::default() });
        world.create(&deployment(2));
        world.create(&rollout(Some(2), "onsuccess", &steps()));
        world.until_healthy().await;
        assert_eq!(world.deployment()["spec"]["replicas"], 2);
        let before = world.ear.of("deployments").len();
        tokio::time::sleep(Duration::from_secs(200)).await;
        let tries = world.ear.of("deployments").len() - before;
        assert!((2..=40).contains(&tries), "{tries} requests in 200 s");
    });
}

#[test]
fn verbs_reach_the_workload() {
    paused(async || {
        let world = World::open(Ear::default());
        world.create(&deployment(0));
        world.create(&rollout(Some(2), "never", &steps()));
        world.until_healthy().await;
        let stage = &world.stage;
        let said = stage.command(&["set", "image", "shop", "web=demo-server:2"]).await.unwrap();
        assert_eq!(said, "rollout \"shop\" image updated");
        let container = "/spec/template/spec/containers/0/image";
        assert_eq!(world.deployment().pointer(container).unwrap(), "demo-server:2");
        // At once: the controller has not seen it, and nobody is told that all is well.
        let seen = stage.command(&["status", "shop", "--watch=false"]).await.unwrap();
        assert!(seen.starts_with("Progressing - "), "{seen}");
        let seen =
            stage.command(&["status", "shop", "--image", "demo-server:2", "--timeout", "60s"]).await.unwrap();
        assert!(seen.ends_with("Healthy"), "{seen}");
        let tree = stage.command(&["get", "rollout", "shop"]).await.unwrap();
        assert!(tree.contains("revision:2") && tree.contains("demo-server:2 (stable)"), "{tree}");
        assert!(stage.command(&["plan", "shop"]).await.unwrap().contains("Writes: none"));

        assert_eq!(stage.command(&["undo", "shop"]).await.unwrap(), "rollout 'shop' undo");
        assert_eq!(world.deployment().pointer(container).unwrap(), "demo-server:1");
        world.until_healthy().await;
        let again = stage.command(&["undo", "shop", "--to-revision", "3"]).await.unwrap();
        assert_eq!(again, "skipped rollback (current template already matches revision 3)");
        assert_eq!(world.rollout()["spec"]["template"], Value::Null);

        world.delete_deployment().await;
        let error = stage.command(&["set", "image", "shop", "web=x"]).await.unwrap_err().to_string();
        assert_eq!(error, "deployments.apps \"web\", to which rollout \"shop\" refers, not found");
    });
}

#[test]
fn templates_come_from_replica_sets_and_pod_templates_too() {
    for (version, kind) in [("apps/v1", "ReplicaSet"), ("v1", "PodTemplate")] {
        paused(async || {
            let world = World::open(Ear::default());
            let mut demo = rollout(Some(2), "onsuccess", &steps());
            demo["spec"]["workloadRef"]["apiVersion"] = json!(version);
            demo["spec"]["workloadRef"]["kind"] = json!(kind);
            demo["spec"]["selector"] = json!({"matchLabels": {"app": "web"}});
            world.create(&demo);
            world.until("Degraded", |world| world.rollout()["status"]["phase"] == "Degraded").await;
            world.create(&match kind {
                "PodTemplate" => json!({"apiVersion": version, "kind": kind, "metadata": {"name": "web"},
                    "template": template("1")}),
                _ => json!({"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec":
                    {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template("1")}}),
            });
            world.until("Healthy", |world| world.rollout()["status"]["phase"] == "Healthy").await;
            assert_eq!(world.ready(), if kind == "ReplicaSet" { 3 } else { 2 }, "{kind}");
            assert_eq!(world.ear.of("deployments"), [""; 0]);
        });
    }
}
