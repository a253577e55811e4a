//! A ReplicaSet stays what it was made for, whatever becomes of its template: `[identify.record]`

use crate::play::Play;
use crds::meta::{ADOPTED_ANNOTATION, POD_TEMPLATE_HASH_LABEL, TEMPLATE_ANNOTATION};
use planner::ReplicaSet;
use serde_json::{Value, json};
use std::sync::Arc;

/// A hash as another version of the Kubernetes libraries makes it.
const FOREIGN: &str = "5f4d978c5b";

fn healthy() -> Play {
    Play::new(2, &json!({"canary": {}}))
}

fn change(set: &mut ReplicaSet, pointer: &str, value: Value) {
    let template = &mut Arc::make_mut(&mut set.template).0;
    *template.pointer_mut(pointer).unwrap() = value;
}

/// The only ReplicaSet as Argo Rollouts has made it: with its own hash, and without a record of ours.
fn made_elsewhere(play: &mut Play) {
    let set = &mut play.model.world.replica_sets[0];
    set.labels.insert(POD_TEMPLATE_HASH_LABEL.to_owned(), FOREIGN.to_owned());
    set.selector
        .match_labels
        .as_mut()
        .unwrap()
        .insert(POD_TEMPLATE_HASH_LABEL.to_owned(), FOREIGN.to_owned());
    set.annotations.remove(TEMPLATE_ANNOTATION);
    let status = play.model.world.rollout.status.as_mut().unwrap();
    (status.current_pod_hash, status.stable_rs) = (FOREIGN.to_owned(), FOREIGN.to_owned());
}

/// As an admission webhook does it.
fn add_a_container(play: &mut Play) {
    let set = &mut play.model.world.replica_sets[0];
    let containers = json!([{"name": "app", "image": "app:1"}, {"name": "mesh", "image": "mesh:7"}]);
    change(set, "/spec/containers", containers);
}

fn sets(play: &Play) -> usize {
    play.model.world.replica_sets.len()
}

fn adopted(play: &Play) -> String {
    let annotations = play.model.world.rollout.metadata.annotations.clone().unwrap_or_default();
    annotations.get(ADOPTED_ANNOTATION).cloned().unwrap_or_default()
}

#[test]
fn what_the_status_names_is_taken_over_though_neither_hash_nor_template_are_its() {
    let mut play = healthy();
    made_elsewhere(&mut play);
    add_a_container(&mut play);
    let before = (play.status(), play.model.replica_set_writes, play.model.writes);
    play.run(60);
    assert_eq!((play.status(), play.model.replica_set_writes), (before.0, before.1));
    assert_eq!(play.model.writes, before.2 + 1, "what it stands for is recorded at the Rollout");
    assert!(adopted(&play).starts_with(&format!("{FOREIGN}=v1.")), "{}", adopted(&play));

    // Another generation with the same template: an autoscaler, or a person who changes the steps.
    play.model.patch(&json!({"spec": {"replicas": 4}}));
    play.run(60);
    assert_eq!((sets(&play), play.asked(), play.phase().as_str()), (1, 4, "Healthy"));
    play.model.patch(&json!({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 50}]}}}}));
    play.run(60);
    assert_eq!((sets(&play), play.status().current_pod_hash.as_str()), (1, FOREIGN));

    play.update("app:2", 60);
    assert_eq!(
        (sets(&play), play.phase().as_str()),
        (2, "Healthy"),
        "and another template is another version"
    );
}

#[test]
fn a_foreign_version_is_known_by_its_template_at_any_generation() {
    let mut play = healthy();
    made_elsewhere(&mut play);
    play.model.patch(&json!({"spec": {"replicas": 4}}));
    play.run(60);
    assert_eq!((sets(&play), play.asked(), play.status().stable_rs.as_str()), (1, 4, FOREIGN));
    assert_ne!(adopted(&play), "");
}

#[test]
fn our_own_version_needs_no_record_at_the_rollout() {
    let mut play = healthy();
    add_a_container(&mut play);
    let before = play.model.writes;
    play.run(60);
    assert_eq!((sets(&play), play.model.writes, adopted(&play).as_str()), (1, before, ""));
    assert!(play.model.world.replica_sets[0].annotations[TEMPLATE_ANNOTATION].starts_with("v1."));
}

#[test]
fn an_edited_version_is_not_taken_for_the_next_one() {
    let mut play = healthy();
    // Its pods still run app:1: were it taken for app:2, app:2 would be Healthy without a pod.
    change(&mut play.model.world.replica_sets[0], "/spec/containers/0/image", json!("app:2"));
    play.update("app:2", 60);
    assert_eq!((sets(&play), play.phase().as_str()), (2, "Healthy"));
    assert_eq!(play.set("h1").replicas, 0);
}

#[test]
fn defaults_that_are_written_out_are_no_other_version_whatever_the_set_has_become() {
    let mut play = healthy();
    add_a_container(&mut play);
    play.model.patch(&json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 30}}}}));
    play.run(60);
    assert_eq!((sets(&play), play.phase().as_str()), (1, "Healthy"));
}

#[test]
fn a_status_that_has_only_seen_the_template_does_not_vouch_for_it() {
    let mut play = healthy();
    let mut template = play.model.world.rollout.spec.template.clone().unwrap().0;
    template["spec"]["containers"][0]["image"] = json!("app:2");
    play.model.patch(&json!({"spec": {"template": template, "paused": true,
        "strategy": {"canary": {"canaryService": "late", "steps": [{"setWeight": 50}]}}}}));
    play.run(60);
    assert_eq!((sets(&play), play.status().observed_generation.as_str()), (1, "2"));
    let spec = json!({"selector": {"app": "demo"}});
    play.model.create(&json!({"kind": "Service", "metadata": {"name": "late"}, "spec": spec}));
    play.run(60);
    assert_eq!(sets(&play), 2, "the Service came, and the generation is the same");
}

#[test]
fn of_two_equal_versions_the_one_with_pods_is_it_and_nobody_guesses_between_two_with_pods() {
    let mut play = healthy();
    made_elsewhere(&mut play);
    let mut twin = play.model.world.replica_sets[0].clone();
    let hash = "7c9c8b57fb".to_owned();
    (twin.name, twin.uid) = ("demo-twin".to_owned(), "uid-of-twin".to_owned());
    twin.labels.insert(POD_TEMPLATE_HASH_LABEL.to_owned(), hash.clone());
    twin.selector.match_labels.as_mut().unwrap().insert(POD_TEMPLATE_HASH_LABEL.to_owned(), hash);
    play.model.world.replica_sets.push(twin);
    // As after a restore from a backup that has left the status out.
    play.model.world.rollout.status = None;
    let plan = planner::plan(&play.model.world, play.model.now);
    let message = plan.status.unwrap().message;
    let name = &play.model.world.replica_sets[0].name;
    assert!(message.contains(&format!("{name} and demo-twin have its pod template and pods")), "{message}");
    assert!(plan.writes.is_empty(), "{:?}", plan.writes);

    let twin = &mut play.model.world.replica_sets[1];
    (twin.replicas, twin.counts) = (0, planner::ReplicaSetCounts::default());
    twin.counts.generation_observed = true;
    let plan = planner::plan(&play.model.world, play.model.now);
    assert_eq!(plan.status.unwrap().current_pod_hash, FOREIGN);
}
