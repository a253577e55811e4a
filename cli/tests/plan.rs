//! `plan` on a cluster whose Rollout stands in the middle of a canary.
#![allow(clippy::unwrap_used, reason = "tests")]

use clap::Parser;
use controller::args::Args;
use controller::{Controller, Surroundings};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use providers::http::{Executor, NoAnswer, Request, Response};
use sandbox::{Blueprint, Cluster, Options};
use serde_json::{Value, json};
use std::time::Duration;

fn cluster() -> Cluster {
    let own = crds::manifest::all(crds::manifest::Detail::Slim).into_iter().map(|(_, value)| value);
    let definitions: Vec<Value> = own.chain(sandbox::traffic::definitions()).collect();
    Cluster::new(&Options { blueprint: Blueprint::default().with(&definitions), ..Options::default() })
}

fn controller_of(cluster: &Cluster) -> tokio::task::JoinHandle<()> {
    let nobody = tower::service_fn(|_: Request| async { Err::<Response, _>(NoAnswer("nobody".to_owned())) });
    let client = kube::Client::new(cluster.client("stepgate"), "default");
    let around = Surroundings {
        evictions: client.clone(),
        jobs: client.clone(),
        mesh: client.clone(),
        aws: None,
        client,
        analyses: providers::Settings::default(),
        executor: Executor::new(nobody),
        begin: cluster.clock().now(),
        identity: "one".to_owned(),
        namespace: "default".to_owned(),
        requests: controller::RequestCounter::default(),
        overlay: true,
    };
    tokio::spawn(async move {
        Controller::start(Args::parse_from(["stepgate-controller"]), around)
            .work(std::future::pending())
            .await;
    })
}

fn rollouts(cluster: &Cluster) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout"));
    Api::namespaced_with(kube::Client::new(cluster.client("user"), "default"), "default", &kind)
}

async fn command(cluster: &Cluster, words: &[&str]) -> anyhow::Result<String> {
    let clock = cluster.clock();
    let (terminal, transcript) = cli::Terminal::recorded(move || clock.now());
    let client = kube::Client::new(cluster.client("user"), "default");
    assert_eq!(cli::run(words, client, "default", &terminal).await?, 0);
    Ok(transcript.out())
}

/// The Rollout `web` with this canary strategy.
fn rollout(canary: &Value) -> Value {
    let labels = json!({"app": "web"});
    let template = json!({
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    });
    json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 4, "selector": {"matchLabels": labels}, "template": template,
            "strategy": {"canary": canary}},
    })
}

/// A Rollout that waits at its first pause, whose controller is gone.
async fn paused_in_the_middle() -> Cluster {
    let cluster = cluster();
    tokio::spawn(cluster.clone().run());
    let controller = controller_of(&cluster);
    let rollout = rollout(&json!({
        "steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "1m"}}],
    }));
    cluster.create("argoproj.io/v1alpha1", "Rollout", "default", rollout).unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let next = json!({"spec": {"template": {"metadata": {"annotations": {"release": "2"}}}}});
    rollouts(&cluster).patch("web", &PatchParams::default(), &Patch::Merge(next)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    controller.abort();
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster
}

fn revision(cluster: &Cluster) -> String {
    format!("{cluster:?}")
}

/// What `takeover-check` says, and its exit code.
async fn takeover(cluster: &Cluster, words: &[&str]) -> (u8, String) {
    let clock = cluster.clock();
    let (terminal, transcript) = cli::Terminal::recorded(move || clock.now());
    let client = kube::Client::new(cluster.client("user"), "default");
    let words: Vec<&str> = ["takeover-check"].iter().chain(words).copied().collect();
    let code = cli::run(&words, client, "default", &terminal).await.unwrap();
    (code, transcript.out())
}

#[test]
fn a_takeover_is_told_before_it_happens() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let cluster = paused_in_the_middle().await;
        let before = revision(&cluster);
        let (code, told) = takeover(&cluster, &["-A"]).await;
        assert_eq!(code, 0, "{told}");
        assert!(told.contains("default    web   no-op"), "{told}");
        // A malformed Rollout is named, and hides no other.
        let bad = json!({"metadata": {"name": "bad"}, "spec": {"paused": true, "strategy": {"canary": {}}}});
        cluster.create("argoproj.io/v1alpha1", "Rollout", "default", bad).unwrap();
        let (code, told) = takeover(&cluster, &["-o", "json"]).await;
        let all: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((code, &all[0]["verdict"]), (1, &json!("refused")), "{told}");
        let why = all[0]["error"].as_str().unwrap_or_default();
        assert!(why.starts_with("The Rollout \"bad\" is invalid: spec."), "{why}");
        assert_eq!((&all[1]["name"], &all[1]["verdict"]), (&json!("web"), &json!("no-op")), "{told}");
        assert_ne!(revision(&cluster), before, "only the test itself has written");
        command(&cluster, &["promote", "web"]).await.unwrap();
        let (_, told) = takeover(&cluster, &["-o", "json"]).await;
        let all: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(all[1]["statusFields"].as_array().map(|all| all.is_empty()), Some(false), "{told}");
    });
}

#[test]
fn it_shows_the_next_writes_and_makes_none() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let cluster = paused_in_the_middle().await;
        let before = revision(&cluster);
        let waits = command(&cluster, &["plan", "web"]).await.unwrap();
        assert!(waits.starts_with("Rollout web: Paused - CanaryPauseStep; stable "), "{waits}");
        assert!(waits.contains("\nWrites: none\n") && waits.ends_with("Nothing was written.\n"), "{waits}");
        assert_eq!(revision(&cluster), before, "a preview only reads");

        command(&cluster, &["promote", "web"]).await.unwrap();
        let before = revision(&cluster);
        let goes_on = command(&cluster, &["plan", "web"]).await.unwrap();
        assert!(goes_on.contains("currentStepIndex: 1 -> 2"), "{goes_on}");
        let told: Value =
            serde_json::from_str(&command(&cluster, &["plan", "web", "-o", "json"]).await.unwrap()).unwrap();
        assert_eq!(told["faults"], json!([]), "{told}");
        assert_eq!(told["status"]["currentStepIndex"], json!(2), "{told}");
        assert_eq!(revision(&cluster), before, "a preview only reads");
        let error = command(&cluster, &["plan", "gone"]).await.unwrap_err().to_string();
        assert_eq!(error, "rollouts.argoproj.io \"gone\" not found in namespace \"default\"");
    });
}

#[test]
fn routes_that_are_found_by_their_labels_are_read_once() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let cluster = cluster();
        for name in ["canary", "stable"] {
            let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
            let service = json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec});
            cluster.create("v1", "Service", "default", service).unwrap();
        }
        let selector = json!({"matchLabels": {"app": "web"}});
        let rollout = rollout(&json!({
            "canaryService": "canary", "stableService": "stable",
            "trafficRouting": {"gatewayAPI": {"httpRouteSelector": selector}},
        }));
        cluster.create("argoproj.io/v1alpha1", "Rollout", "default", rollout).unwrap();
        let route = |name: &str, app: &str| {
            let rules = json!([{"backendRefs": [{"name": "stable", "weight": 100}, {"name": "canary", "weight": 0}]}]);
            let metadata = json!({"name": name, "namespace": "default", "labels": {"app": app}});
            let route = json!({"metadata": metadata, "spec": {"rules": rules}});
            cluster.create("gateway.networking.k8s.io/v1", "HTTPRoute", "default", route).unwrap();
        };
        route("other", "other");
        let waits = command(&cluster, &["plan", "web"]).await.unwrap();
        assert!(waits.contains("waiting for HTTPRoute \"app=web\""), "{waits}");
        route("web", "web");
        let goes_on = command(&cluster, &["plan", "web"]).await.unwrap();
        assert!(!goes_on.contains("HTTPRoute"), "{goes_on}");
        assert!(!goes_on.contains("Writes: none"), "{goes_on}");
    });
}
