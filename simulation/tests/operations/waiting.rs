//! What a Rollout refers to may come a moment later: `[validation.waiting]`. And a controller of AnalysisRuns alone.

use super::{by, create, open, paused, phase, rollout, seconds, service, start, until};
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};
use simulation::l2::metrics::Answer;
use simulation::l2::{House, NAMESPACE};
use std::time::Duration;

fn refers() -> Value {
    rollout(&json!({"canaryService": "canary", "stableService": "stable"}))
}

fn sets(house: &House) -> usize {
    house.cluster.objects("apps/v1", "ReplicaSet", NAMESPACE).len()
}

#[test]
fn a_service_that_comes_later_is_waited_for() {
    paused(async {
        let (house, writes) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        create(&house, refers());
        seconds(1).await;
        assert_eq!(phase(&house), ("Progressing".to_owned(), "waiting for Service \"stable\"".to_owned()));
        create(&house, service("stable"));
        seconds(1).await;
        assert_eq!(phase(&house), ("Progressing".to_owned(), "waiting for Service \"canary\"".to_owned()));
        assert_eq!(sets(&house), 0);
        let before = by(&writes, "live").len();
        create(&house, service("canary"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(sets(&house), 1, "the watch tells");
        let after: Vec<String> = by(&writes, "live").split_off(before);
        let statuses = after.iter().filter(|what| *what == "patch rollouts").count();
        assert!(statuses <= 4, "two looks are enough: {after:?}");
        until(&house, "Healthy").await;
    });
}

#[test]
fn a_service_that_goes_is_missed_at_once_and_taken_up_again() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        ["canary", "stable"].into_iter().for_each(|name| create(&house, service(name)));
        create(&house, refers());
        until(&house, "Healthy").await;
        seconds(60).await;
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Service"));
        let client = Client::new(house.cluster.client("user"), NAMESPACE);
        let services: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, &kind);
        services.delete("stable", &DeleteParams::default()).await.unwrap();
        seconds(1).await;
        let (phase_now, message) = phase(&house);
        assert_eq!(phase_now, "Degraded");
        assert!(message.contains("service \"stable\" not found"), "{message}");
        create(&house, service("stable"));
        seconds(1).await;
        assert_eq!(phase(&house).0, "Healthy");
    });
}

/// Seconds until the Rollout is invalid.
async fn seconds_until_invalid(house: &House) -> u64 {
    for second in 0..60 {
        if phase(house).0 == "Degraded" {
            return second;
        }
        seconds(1).await;
    }
    panic!("never invalid: {:?}", phase(house));
}

#[test]
fn waiting_ends_and_no_restart_prolongs_it() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let first = start(&house, "live", &["--leader-elect=false"]);
        create(&house, refers());
        seconds(6).await;
        first.task.abort();
        let _second = start(&house, "live", &["--leader-elect=false"]);
        let rest = seconds_until_invalid(&house).await;
        assert!((3..=5).contains(&rest), "10 seconds in all, not {}", 6 + rest);
        let message = phase(&house).1;
        assert!(message.ends_with("service \"stable\" not found"), "{message}");
        seconds(1000).await;
        assert_eq!(phase(&house).1, message, "it does not wait again");
        create(&house, service("stable"));
        create(&house, service("canary"));
        until(&house, "Healthy").await;
    });
}

#[test]
fn without_a_grace_it_is_invalid_at_once() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &["--reference-grace=0s"]);
        create(&house, refers());
        assert!(seconds_until_invalid(&house).await <= 1);
    });
}

#[test]
fn what_is_there_and_wrong_is_told_at_once() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        let mut wrong = service("canary");
        wrong["spec"]["selector"] = json!({"app": "another"});
        create(&house, wrong);
        create(&house, refers());
        assert!(seconds_until_invalid(&house).await <= 1);
        assert!(phase(&house).1.contains("has unmatch label \"app\""), "{:?}", phase(&house));
    });
}

#[test]
fn a_controller_of_analyses_leaves_rollouts_alone() {
    paused(async {
        let (house, writes) = open(|_, _| false);
        let _live = start(&house, "live", &["--controllers=analysis"]);
        house.answers.set("/version", Answer::Body(json!({"major": "1"})));
        let metric = json!({"name": "ok", "successCondition": "true",
            "provider": {"web": {"url": "http://metrics.example/version", "jsonPath": "{$.major}"}}});
        create(
            &house,
            json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
            "metadata": {"name": "alone"}, "spec": {"metrics": [metric]}}),
        );
        create(&house, service("stable"));
        create(&house, rollout(&json!({})));
        seconds(30).await;
        let run = house.cluster.object("argoproj.io/v1alpha1", "AnalysisRun", NAMESPACE, "alone").unwrap();
        assert_eq!(run["status"]["phase"], "Successful");
        assert_eq!(phase(&house), (String::new(), String::new()));
        assert!(!by(&writes, "live").iter().any(|what| what.ends_with("rollouts")));
    });
}
