//! `[metadata]`

use crate::play::Play;
use planner::PodMetadata;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn strategies() -> [Value; 2] {
    let (fresh, settled) = (
        json!({"labels": {"role": "new"}, "annotations": {"note": "n"}}),
        json!({"labels": {"role": "old"}}),
    );
    [
        json!({"canary": {"canaryMetadata": fresh, "stableMetadata": settled,
            "steps": [{"setWeight": 50}, {"pause": {}}]}}),
        json!({"blueGreen": {"previewMetadata": fresh, "activeMetadata": settled, "activeService": "active",
            "autoPromotionEnabled": false, "scaleDownDelaySeconds": 60}}),
    ]
}

type Entries = BTreeMap<String, String>;

fn entries(of: &[(&str, &str)]) -> Entries {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Labels and annotations of the pods of a version, the hash aside.
fn pods(play: &Play, version: &str) -> Vec<(Entries, Entries)> {
    let set = play.set(version).name.clone();
    let pods = play.model.pods.iter().filter(|pod| pod.set == set);
    pods.map(|pod| {
        let mut labels = pod.labels.clone();
        labels.remove(crds::meta::POD_TEMPLATE_HASH_LABEL);
        (labels, pod.annotations.clone())
    })
    .collect()
}

fn all_have(play: &Play, version: &str, count: usize, labels: &[(&str, &str)], annotations: &[(&str, &str)]) {
    let mut expected = entries(labels);
    expected.insert("app".to_owned(), "demo".to_owned());
    let expected = (expected, entries(annotations));
    assert_eq!(pods(play, version), vec![expected; count], "{version}");
}

fn record(play: &Play, version: &str) -> Option<String> {
    play.set(version).annotations.get(crds::meta::EPHEMERAL_METADATA_ANNOTATION).cloned()
}

#[test]
fn it_follows_the_role_of_a_version() {
    for strategy in strategies() {
        let mut play = Play::new(2, &strategy);
        all_have(&play, "h1", 2, &[("role", "old")], &[]);
        play.update("app:2", 30);
        assert_eq!(play.phase(), "Paused");
        let fresh = pods(&play, "h2").len();
        all_have(&play, "h2", fresh, &[("role", "new")], &[("note", "n")]);
        let text = r#"{"labels":{"role":"new"},"annotations":{"note":"n"}}"#;
        assert_eq!(record(&play, "h2").as_deref(), Some(text));
        play.act("promote", 30);
        all_have(&play, "h2", 2, &[("role", "old")], &[]);
        assert_eq!(record(&play, "h2").as_deref(), Some(r#"{"labels":{"role":"old"}}"#));
        let left = pods(&play, "h1").len();
        all_have(&play, "h1", left, &[], &[]);
        assert_eq!(record(&play, "h1"), None);
        let hash = play.set("h2").hash().to_owned();
        assert_eq!(play.status().current_pod_hash, hash, "the hash is that of the template alone");
    }
}

#[test]
fn it_does_not_stay_behind_after_an_abort() {
    for strategy in strategies() {
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 30);
        play.act("abort", 5);
        all_have(&play, "h1", 2, &[("role", "old")], &[]);
        play.update("app:1", 5);
        let left = pods(&play, "h2").len();
        all_have(&play, "h2", left, &[], &[]);
    }
}

#[test]
fn at_rest_nothing_is_written_and_drift_is_mended() {
    for strategy in strategies() {
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 30);
        play.act("promote", 120);
        let writes = play.model.writes;
        play.run(600);
        assert_eq!(play.model.writes, writes, "{strategy}");
        // What others have put on pods stays; what is the strategy's comes back.
        play.model.pods[0].labels.insert("role".to_owned(), "x".to_owned());
        play.model.pods[0].labels.insert("owner".to_owned(), "team".to_owned());
        play.model.pods[0].annotations.insert("note".to_owned(), "mine".to_owned());
        play.run(1);
        let first = pods(&play, "h2")[0].clone();
        assert_eq!(first.0, entries(&[("app", "demo"), ("owner", "team"), ("role", "old")]));
        assert_eq!(first.1, entries(&[("note", "mine")]));
        assert_eq!(play.model.writes, writes + 1, "one pod");
    }
}

#[test]
fn pods_that_end_are_left_as_they_are() {
    let mut play = Play::new(2, &strategies()[0]);
    play.model.patch(&json!({"spec": {"replicas": 0}}));
    play.run(30);
    assert_eq!(play.set("h1").replicas, 0);
    // One takes its time to end, and has lost its label.
    let uid = play.set("h1").uid.clone();
    let pod = PodMetadata {
        name: "p".to_owned(),
        uid: "p".to_owned(),
        replica_set_uid: uid,
        ..PodMetadata::default()
    };
    play.model.world.pod_metadata = vec![pod];
    let plan = planner::plan(&play.model.world, play.model.now);
    assert_eq!(plan.writes, vec![]);
    play.model.world.replica_sets[0].replicas = 2;
    let plan = planner::plan(&play.model.world, play.model.now);
    let labels = |planned: &planner::Planned| matches!(planned.write, planner::Write::LabelPod { .. });
    assert!(plan.writes.iter().any(labels), "{plan:?}");
}

#[test]
fn changed_metadata_is_put_on_running_pods_without_a_new_version() {
    for (strategy, path) in strategies().into_iter().zip(["canary", "blueGreen"]) {
        let mut play = Play::new(2, &strategy);
        let field = if path == "canary" { "stableMetadata" } else { "activeMetadata" };
        play.model.patch(&json!({"spec": {"strategy": {path: {field: {"labels": {"role": "gold"}}}}}}));
        play.run(5);
        all_have(&play, "h1", 2, &[("role", "gold")], &[]);
        play.model.patch(&json!({"spec": {"strategy": {path: {field: null}}}}));
        play.run(5);
        all_have(&play, "h1", 2, &[], &[]);
        assert_eq!((play.model.world.replica_sets.len(), play.phase().as_str()), (1, "Healthy"));
    }
}

#[test]
fn keys_of_the_template_stay() {
    let metadata = json!({"labels": {"app": "other", "role": "stable"}});
    let mut play = Play::new(2, &json!({"canary": {"stableMetadata": metadata}}));
    all_have(&play, "h1", 2, &[("role", "stable")], &[]);
    assert_eq!(record(&play, "h1").as_deref(), Some(r#"{"labels":{"role":"stable"}}"#));
    play.update("app:2", 30);
    all_have(&play, "h2", 2, &[("role", "stable")], &[]);
}

#[test]
fn a_crash_between_the_replica_set_and_its_pods_is_mended() {
    for strategy in strategies() {
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 30);
        play.act("promote", 30);
        // The pods of the promoted version have still what the new one had: the record of it is gone.
        let set = play.set("h2").name.clone();
        for pod in play.model.pods.iter_mut().filter(|pod| pod.set == set) {
            pod.labels.insert("role".to_owned(), "new".to_owned());
            pod.annotations.insert("note".to_owned(), "n".to_owned());
        }
        play.run(1);
        all_have(&play, "h2", 2, &[("role", "old")], &[]);
    }
}

#[test]
fn a_version_of_another_hash_is_found_by_its_template() {
    for strategy in strategies() {
        let mut play = Play::new(2, &strategy);
        let foreign = "foreignhash".to_owned();
        let set = &mut play.model.world.replica_sets[0];
        set.labels.insert(crds::meta::POD_TEMPLATE_HASH_LABEL.to_owned(), foreign.clone());
        let status = play.model.world.rollout.status.as_mut().unwrap();
        (status.stable_rs, status.current_pod_hash) = (foreign.clone(), foreign);
        play.run(30);
        assert_eq!(play.model.world.replica_sets.len(), 1, "{strategy}");
    }
}
