//! What the API server refuses is told, and holds nothing else up.

use super::{create, house_under, merge, open, paused, phase, rollout, rollouts, seconds, start, until};
use kube::api::{Patch, PatchParams};
use sandbox::{Call, Fate, Weather};
use serde_json::{Value, json};

fn status(house: &simulation::l2::House) -> Value {
    house.cluster.object("argoproj.io/v1alpha1", "Rollout", "default", "demo").unwrap()["status"].clone()
}

/// Two budgets are about one pod, say: then an eviction is answered with an error for as long as that is so.
/// `[restart.refused]`
#[test]
fn an_abort_is_heard_while_no_pod_can_be_evicted() {
    paused(async {
        let (house, _) = open(|call, _| call.subresource == "eviction");
        let _live = start(&house, "live", &[]);
        create(&house, rollout(&json!({"steps": [{"setWeight": 50}, {"pause": {}}]})));
        until(&house, "Healthy").await;
        super::set_image(&house, "app:2").await;
        until(&house, "Paused").await;
        seconds(2).await;
        let now = house.cluster.clock().now();
        merge(&house, json!({"spec": {"restartAt": now.to_string()}})).await;
        seconds(10).await;
        assert_eq!(status(&house)["observedGeneration"], "3", "{:?}", phase(&house));
        let abort = Patch::Merge(json!({"status": {"abort": true}}));
        rollouts(&house).patch_status("demo", &PatchParams::default(), &abort).await.unwrap();
        seconds(10).await;
        assert_eq!(phase(&house).0, "Degraded", "{:?}", phase(&house));
        assert_ne!(status(&house)["abortedAt"], Value::Null);
    });
}

/// None of this resource is allowed.
struct Quota(&'static str);

impl Weather for Quota {
    fn call(&mut self, call: &Call, _: crds::Time) -> Fate {
        if call.client == "live" && call.verb == "create" && call.resource == self.0 {
            let message = "exceeded quota: none".to_owned();
            return Fate::Refused { applied: false, code: 403, reason: "Forbidden", message };
        }
        Fate::Answered
    }
}

/// The failure is counted where people watch for failures, and that the Rollout is there is told.
/// `[metrics]` `[events.added]`
#[test]
fn a_first_version_that_is_refused_is_counted_and_told() {
    paused(async {
        let house = house_under(Quota("replicasets"));
        let live = start(&house, "live", &[]);
        create(&house, rollout(&json!({})));
        seconds(60).await;
        let page = live.pages.metrics();
        let failed = page.lines().find(|line| line.starts_with("rollout_reconcile_error{"));
        assert!(failed.is_some_and(|line| !line.ends_with(" 0")), "{failed:?}");
        assert!(page.contains("reason=\"RolloutAddedToInformer\""), "{page}");
    });
}

/// The server has no answer about Jobs for half a minute.
struct NoJobs {
    between: (Option<crds::Time>, i64),
    asked: std::sync::Arc<std::sync::Mutex<u32>>,
}

impl Weather for NoJobs {
    fn call(&mut self, call: &Call, now: crds::Time) -> Fate {
        if call.client != "live" || call.verb != "get" || call.resource != "jobs" {
            return Fate::Answered;
        }
        let begin = *self.between.0.get_or_insert(now);
        if now >= begin.plus_seconds(self.between.1) {
            return Fate::Answered;
        }
        *self.asked.lock().unwrap() += 1;
        let message = "not now".to_owned();
        Fate::Refused { applied: false, code: 500, reason: "InternalError", message }
    }
}

/// `[provider.job]`
#[test]
fn a_job_that_cannot_be_looked_at_is_not_made_again() {
    paused(async {
        let asked = std::sync::Arc::default();
        let house = house_under(NoJobs { between: (None, 30), asked: std::sync::Arc::clone(&asked) });
        let _live = start(&house, "live", &[]);
        let pod = json!({"restartPolicy": "Never",
            "containers": [{"name": "check", "image": "check:1", "command": ["sleep", "45"]}]});
        let metric = json!({"name": "ok", "provider": {"job": {"spec": {"template": {"spec": pod}}}}});
        create(
            &house,
            json!({"apiVersion": crds::API_VERSION, "kind": "AnalysisTemplate",
                "metadata": {"name": "check"}, "spec": {"metrics": [metric]}}),
        );
        let steps = json!([{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "check"}]}}]);
        create(&house, rollout(&json!({"steps": steps})));
        until(&house, "Healthy").await;
        super::set_image(&house, "app:2").await;
        seconds(2).await;
        until(&house, "Healthy").await;
        assert!(*asked.lock().unwrap() > 0, "nobody has looked");
        assert_eq!(house.cluster.objects("batch/v1", "Job", "default").len(), 1);
    });
}

/// `[events.run-refused]`
#[test]
fn a_run_that_is_refused_is_told() {
    paused(async {
        let house = house_under(Quota("analysisruns"));
        let _live = start(&house, "live", &[]);
        let metric = json!({"name": "ok", "provider": {"web": {"url": "http://metrics.example/version"}}});
        let template = json!({"apiVersion": crds::API_VERSION, "kind": "AnalysisTemplate",
            "metadata": {"name": "check"}, "spec": {"metrics": [metric]}});
        create(&house, template);
        let steps = json!([{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "check"}]}}]);
        create(&house, rollout(&json!({"steps": steps})));
        until(&house, "Healthy").await;
        super::set_image(&house, "app:2").await;
        seconds(60).await;
        let events = house.cluster.objects("v1", "Event", "default");
        let told: Vec<&Value> =
            events.iter().filter(|event| event["reason"] == "AnalysisRunCreateError").collect();
        assert_eq!(told.len(), 1, "one event, however often it is tried: {told:?}");
        assert!(told[0]["message"].as_str().unwrap().ends_with("exceeded quota: none"), "{told:?}");
    });
}
