//! Whose objects a controller takes, and what it leaves behind. `[services.release]` `[identify.instance]`
//! `[metadata.refused]` `[analysis.begin]`

use super::{by, create, merge, open, paused, phase, rollout, rollouts, seconds, service, start, until};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use simulation::l2::metrics::Answer;
use simulation::l2::{House, NAMESPACE};

const HASH: &str = "rollouts-pod-template-hash";
const RECORD: &str = "argo-rollouts.argoproj.io/managed-by-rollouts";

fn labelled(mut object: Value, instance: &str) -> Value {
    object["metadata"]["labels"] = json!({"argo-rollouts.argoproj.io/controller-instance-id": instance});
    object
}

fn selects(house: &House, name: &str) -> Value {
    house.cluster.object("v1", "Service", NAMESPACE, name).unwrap()["spec"]["selector"][HASH].clone()
}

#[test]
fn a_hash_that_nobody_has_recorded_stays() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        for (name, record) in [("foreign", None), ("ours", Some("gone"))] {
            let mut service = service(name);
            service["spec"]["selector"][HASH] = json!("abc");
            if let Some(record) = record {
                service["metadata"]["annotations"] = json!({RECORD: record});
            }
            create(&house, service);
        }
        seconds(30).await;
        assert_eq!((selects(&house, "foreign"), selects(&house, "ours")), (json!("abc"), Value::Null));
    });
}

#[test]
fn a_service_that_is_named_no_more_selects_all_pods_again() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        create(&house, service("stable"));
        create(&house, rollout(&json!({"stableService": "stable"})));
        until(&house, "Healthy").await;
        seconds(5).await;
        assert!(selects(&house, "stable").is_string());
        merge(&house, json!({"spec": {"strategy": {"canary": {"stableService": null}}}})).await;
        seconds(30).await;
        assert_eq!(selects(&house, "stable"), Value::Null);
    });
}

/// A Rollout that is renamed is applied under its new name before the old one is pruned.
#[test]
fn a_service_goes_from_one_rollout_to_another() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        create(&house, service("stable"));
        create(&house, rollout(&json!({"stableService": "stable"})));
        until(&house, "Healthy").await;
        let mut other = rollout(&json!({"stableService": "stable"}));
        other["metadata"]["name"] = json!("renamed");
        create(&house, other);
        seconds(30).await;
        let state = || {
            let other =
                house.cluster.object("argoproj.io/v1alpha1", "Rollout", NAMESPACE, "renamed").unwrap();
            let service = house.cluster.object("v1", "Service", NAMESPACE, "stable").unwrap();
            let manager = service["metadata"]["annotations"][RECORD].clone();
            (other["status"]["phase"].clone(), manager)
        };
        assert_eq!(state(), (json!("Degraded"), json!("demo")), "it has a manager");
        rollouts(&house).delete("demo", &kube::api::DeleteParams::background()).await.unwrap();
        seconds(60).await;
        assert_eq!(state(), (json!("Healthy"), json!("renamed")));
    });
}

#[test]
fn a_controller_takes_the_objects_of_its_instance_only() {
    paused(async {
        for (flags, label, is_taken) in [
            (vec![], None, true),
            (vec![], Some("one"), false),
            (vec!["--instance-id=one"], Some("one"), true),
            (vec!["--instance-id=one"], Some("two"), false),
            (vec!["--instance-id=one"], None, false),
        ] {
            let (house, writes) = open(|_, _| false);
            let _live = start(&house, "live", &flags);
            let object = rollout(&json!({}));
            create(&house, label.map_or(object.clone(), |label| labelled(object, label)));
            seconds(30).await;
            let taken = if is_taken { "Healthy" } else { "" };
            assert_eq!(phase(&house).0, taken, "{flags:?} {label:?}");
            let touched = by(&writes, "live").iter().any(|what| what.ends_with("rollouts"));
            assert_eq!(touched, is_taken, "{flags:?} {label:?}");
        }
    });
}

#[test]
fn a_run_is_not_measured_before_its_rollout_names_it() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &["--controllers=analysis"]);
        house.answers.set("/version", Answer::Body(json!({"major": "1"})));
        create(&house, rollout(&json!({})));
        let owner = house.cluster.object(crds::API_VERSION, "Rollout", NAMESPACE, "demo").unwrap();
        let owner = json!({"apiVersion": crds::API_VERSION, "kind": "Rollout", "name": "demo",
            "uid": owner["metadata"]["uid"], "controller": true});
        let metric = json!({"name": "ok", "provider": {"web": {"url": "http://metrics.example/version",
            "jsonPath": "{$.major}"}}});
        for (name, owners) in [("named", json!([owner])), ("alone", json!([]))] {
            create(
                &house,
                json!({"apiVersion": crds::API_VERSION, "kind": "AnalysisRun",
                    "metadata": {"name": name, "ownerReferences": owners}, "spec": {"metrics": [metric]}}),
            );
        }
        let phase_of = |name: &str| {
            let run = house.cluster.object(crds::API_VERSION, "AnalysisRun", NAMESPACE, name).unwrap();
            run["status"]["phase"].as_str().unwrap_or_default().to_owned()
        };
        seconds(30).await;
        assert_eq!((phase_of("named").as_str(), phase_of("alone").as_str()), ("", "Successful"));
        let status =
            json!({"status": {"canary": {"currentStepAnalysisRunStatus": {"name": "named", "status": ""}}}});
        rollouts(&house).patch_status("demo", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        seconds(1).await;
        assert_eq!(phase_of("named"), "Successful");
    });
}

#[test]
fn pods_that_refuse_their_metadata_hold_nothing_up() {
    paused(async {
        let (house, writes) = open(|call, _| call.resource == "pods" && call.client == "live");
        let _live = start(&house, "live", &[]);
        create(&house, rollout(&json!({"stableMetadata": {"labels": {"role": "a"}}})));
        until(&house, "Healthy").await;
        merge(
            &house,
            json!({"spec": {"replicas": 3,
            "strategy": {"canary": {"stableMetadata": {"labels": {"role": "b"}}}}}}),
        )
        .await;
        seconds(30).await;
        assert!(by(&writes, "live").iter().any(|what| what.ends_with(" pods")), "it is tried");
        assert_eq!(phase(&house).0, "Healthy");
        let sets = house.cluster.objects("apps/v1", "ReplicaSet", NAMESPACE);
        assert_eq!(sets[0]["status"]["availableReplicas"], 3, "the plan goes on");
    });
}
