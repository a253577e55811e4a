//! A shadow beside a live controller: it writes nothing, agrees with what the live one does, and tells what is not done.
//! `[shadow]`

use super::{
    Running, by, create, open, paused, phase, requests, rollout, rollouts, seconds, service, set_image,
    start, until,
};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};
use simulation::l2::metrics::Answer;
use std::sync::{Arc, Mutex};

fn canary() -> Value {
    rollout(&json!({"canaryService": "canary", "stableService": "stable",
        "steps": [{"setWeight": 50}, {"pause": {"duration": "90s"}}]}))
}

/// Each second's report in which something differs.
fn listen(shadow: &Running) -> Arc<Mutex<Vec<Value>>> {
    let (heard, pages) = (Arc::<Mutex<Vec<Value>>>::default(), shadow.pages.clone());
    let told = heard.clone();
    tokio::spawn(async move {
        loop {
            seconds(1).await;
            let report = pages.shadow().unwrap();
            if report["rollouts"]["differs"] != 0 || report["rollouts"]["unknown"] != 0 {
                told.lock().unwrap().push(report);
            }
        }
    });
    heard
}

#[test]
fn a_release_goes_its_way_and_the_shadow_agrees() {
    paused(async {
        let (house, writes) = open(|_, _| false);
        let live = start(&house, "live", &[]);
        let shadow = start(&house, "shadow", &["--shadow"]);
        let namespaced = start(&house, "namespaced", &["--shadow", "--namespaced"]);
        let other = start(&house, "other", &["--shadow", "--instance-id", "other"]);
        let heard = listen(&shadow);
        create(&house, service("canary"));
        create(&house, service("stable"));
        create(&house, canary());
        until(&house, "Healthy").await;
        set_image(&house, "app:2").await;
        until(&house, "Paused").await;
        until(&house, "Healthy").await;
        seconds(1000).await;
        assert_eq!(*heard.lock().unwrap(), Vec::<Value>::new());
        for one in [&shadow, &namespaced] {
            assert_eq!(one.pages.shadow().unwrap()["rollouts"]["same"], 1);
        }
        let report = other.pages.shadow().unwrap();
        assert_eq!(report["rollouts"], json!({"same": 0, "pending": 0, "differs": 0, "unknown": 0}));
        for name in ["shadow", "namespaced", "other"] {
            assert_eq!(by(&writes, name), Vec::<String>::new());
        }
        for one in [&shadow, &namespaced, &other] {
            let page = one.pages.metrics();
            assert!(page.contains("stepgate_shadow_refused_writes_total 0\n"), "it did not even try");
        }
        assert!(by(&writes, "live").len() > 10);
        assert_eq!(live.pages.shadow(), None);
    });
}

#[test]
fn what_a_stopped_controller_does_not_do_is_told() {
    paused(async {
        let (house, writes) = open(|_, _| false);
        let live = start(&house, "live", &[]);
        let shadow = start(&house, "shadow", &["--shadow"]);
        create(&house, service("canary"));
        create(&house, service("stable"));
        create(&house, canary());
        until(&house, "Healthy").await;
        seconds(60).await;
        live.task.abort();
        set_image(&house, "app:2").await;
        seconds(29).await;
        let report = shadow.pages.shadow().unwrap();
        assert_eq!((&report["rollouts"]["pending"], &report["differences"]), (&json!(1), &json!([])));
        seconds(2).await;
        let report = shadow.pages.shadow().unwrap();
        let told = &report["differences"][0];
        assert_eq!((told["name"].as_str(), told["state"].as_str()), (Some("demo"), Some("differs")));
        let writes_told = told["writes"].as_array().unwrap();
        let has = |what: &str| writes_told.iter().any(|one| one["write"].as_str().unwrap().starts_with(what));
        assert!(has("create ReplicaSet demo-") && has("annotate the Rollout"), "{told}");
        let fields = told["status"].as_array().unwrap();
        assert!(fields.iter().any(|one| one["field"] == "currentPodHash"), "{told}");
        let page = shadow.pages.metrics();
        assert!(page.contains("stepgate_shadow_differences{namespace=\"default\",name=\"demo\"}"), "{page}");
        // The live one comes back, and there is nothing more to tell.
        let _live = start(&house, "live", &[]);
        until(&house, "Paused").await;
        seconds(5).await;
        assert_eq!(shadow.pages.shadow().unwrap()["rollouts"]["same"], 1);
        rollouts(&house).delete("demo", &kube::api::DeleteParams::background()).await.unwrap();
        seconds(5).await;
        assert_eq!(shadow.pages.shadow().unwrap()["rollouts"]["same"], 0, "{:?}", phase(&house));
        assert_eq!(by(&writes, "shadow"), Vec::<String>::new());
    });
}

/// Behind a router, switched from one Service to another, and with a person who promotes: no law is broken on the way.
#[test]
fn what_keeps_the_laws_is_not_told() {
    let held = json!({"canaryService": "preview", "stableService": "active",
        "steps": [{"setWeight": 50}, {"pause": {}}]});
    for object in [requests::routed(), requests::blue_green(), rollout(&held)] {
        paused(async {
            let (house, _) = open(|_, _| false);
            let _live = start(&house, "live", &[]);
            let shadow = start(&house, "shadow", &["--shadow"]);
            let heard = listen(&shadow);
            ["active", "preview"].into_iter().for_each(|name| create(&house, service(name)));
            create(&house, requests::route());
            create(&house, object);
            until(&house, "Healthy").await;
            for image in ["app:2", "app:3"] {
                set_image(&house, image).await;
                seconds(100).await;
                let promote = Patch::Merge(json!({"status": {"pauseConditions": null}}));
                rollouts(&house).patch_status("demo", &PatchParams::default(), &promote).await.unwrap();
                until(&house, "Healthy").await;
                seconds(100).await;
            }
            assert_eq!(*heard.lock().unwrap(), Vec::<Value>::new());
            assert_eq!(shadow.pages.shadow().unwrap()["rollouts"]["same"], 1);
        });
    }
}

/// What breaks the laws of plans is told at once, though the shadow would not change what came of it, until the next
/// version comes up. `[shadow.laws]`
#[test]
fn what_breaks_a_law_is_told() {
    paused(async {
        let (house, writes) = open(|_, _| false);
        let live = start(&house, "live", &[]);
        let shadow = start(&house, "shadow", &["--shadow"]);
        let metric = json!({"name": "ok", "interval": "60s", "count": 100, "successCondition": "true",
            "provider": {"web": {"url": "http://metrics.example/version", "jsonPath": "{$.major}"}}});
        house.answers.set("/version", Answer::Body(json!({"major": "1"})));
        create(
            &house,
            json!({"apiVersion": crds::API_VERSION, "kind": "AnalysisTemplate", "metadata": {"name": "check"},
                "spec": {"metrics": [metric]}}),
        );
        create(&house, service("canary"));
        create(&house, service("stable"));
        let steps = json!([{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "check"}]}},
            {"pause": {}}]);
        create(
            &house,
            rollout(&json!({"canaryService": "canary", "stableService": "stable", "steps": steps})),
        );
        until(&house, "Healthy").await;
        set_image(&house, "app:2").await;
        seconds(30).await;
        assert_eq!(shadow.pages.shadow().unwrap()["rollouts"]["same"], 1);
        // From here on somebody else is the live controller.
        live.task.abort();
        let patch = Patch::Merge(json!({"status": {"currentStepIndex": 2}}));
        rollouts(&house).patch_status("demo", &PatchParams::default(), &patch).await.unwrap();
        seconds(1).await;
        let broken = |report: &Value| report["differences"][0]["broken"].clone();
        let report = shadow.pages.shadow().unwrap();
        assert_eq!(report["rollouts"]["differs"], 1);
        assert_eq!(broken(&report)[0]["rule"], "no_skipped_gate");
        assert_eq!(broken(&report)[0]["what"], "step 1 is passed by, though nothing has opened it");
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Service"));
        let client = Client::new(house.cluster.client("other"), "default");
        let services: Api<DynamicObject> = Api::namespaced_with(client, "default", &kind);
        let nowhere = json!({"spec": {"selector": {"rollouts-pod-template-hash": "nothing"}}});
        services.patch("stable", &PatchParams::default(), &Patch::Merge(nowhere)).await.unwrap();
        seconds(1).await;
        let report = shadow.pages.shadow().unwrap();
        assert_eq!(broken(&report)[1]["rule"], "services_have_pods");
        assert_eq!(broken(&report).as_array().map(Vec::len), Some(2), "each is told once: {report}");
        // The live one is back, and another version comes up: what was told is of no account any more.
        let _live = start(&house, "live", &[]);
        seconds(30).await;
        set_image(&house, "app:3").await;
        seconds(60).await;
        assert_eq!(shadow.pages.shadow().unwrap()["rollouts"]["same"], 1, "{:?}", shadow.pages.shadow());
        assert_eq!(by(&writes, "shadow"), Vec::<String>::new());
    });
}
