//! A shadow beside a live controller: it writes nothing, agrees with what the live one does, and tells what is not done.
//! `[shadow]`

use super::{
    Running, by, create, open, paused, phase, rollout, rollouts, seconds, service, set_image, start, until,
};
use serde_json::{Value, json};
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
