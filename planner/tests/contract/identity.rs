//! What a version is made of, and what comes in its way. `[identify]`

use crate::play::Play;
use crds::meta;
use planner::{Owner, Refusal, RefusalCode, Write, plan};
use serde_json::json;

fn plain() -> Play {
    Play::new(2, &json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}))
}

#[test]
fn a_version_is_named_by_its_hash_and_made_with_its_first_pods() {
    let mut play = plain();
    play.model.patch(&json!({"spec": {"minReadySeconds": 3}}));
    play.run(30);
    play.model.set_image("app:2");
    let made = plan(&play.model.world, play.model.now);
    let create = made.writes.iter().find_map(|planned| match &planned.write {
        Write::CreateReplicaSet { .. } => Some(planned.write.clone()),
        _ => None,
    });
    let Some(Write::CreateReplicaSet {
        name,
        labels,
        annotations,
        selector,
        template,
        replicas,
        min_ready_seconds,
    }) = create
    else {
        panic!("no ReplicaSet is made: {made:#?}")
    };
    let hash = &labels[meta::POD_TEMPLATE_HASH_LABEL];
    assert_eq!((name, replicas, min_ready_seconds), (format!("demo-{hash}"), 1, 3));
    assert_eq!((labels["app"].as_str(), template.labels()), ("demo", labels.clone()));
    assert_eq!(selector.match_labels.unwrap(), labels);
    assert_eq!(annotations[meta::REVISION_ANNOTATION], "2");
    assert_eq!(annotations[meta::DESIRED_REPLICAS_ANNOTATION], "2");
    // What it is made from is the newest template: the write before fails where it is not.
    let kinds: Vec<&Write> = made.writes.iter().map(|planned| &planned.write).collect();
    assert!(
        matches!(kinds[..], [Write::AnnotateRollout { .. }, Write::CreateReplicaSet { .. }]),
        "{kinds:?}"
    );
    let told: Vec<&str> = made.notices.iter().map(|notice| notice.reason).collect();
    assert_eq!(told, ["RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted", "ScalingReplicaSet"]);
}

/// The revision of the ReplicaSet that a plan makes, and its size.
fn made(play: &Play) -> Option<(String, i32)> {
    let plan = plan(&play.model.world, play.model.now);
    plan.writes.into_iter().find_map(|planned| match planned.write {
        Write::CreateReplicaSet { annotations, replicas, .. } => {
            Some((annotations[meta::REVISION_ANNOTATION].clone(), replicas))
        }
        _ => None,
    })
}

#[test]
fn a_version_that_was_announced_and_not_made_keeps_its_number_and_is_made_without_pods() {
    let mut play = plain();
    play.run(30);
    play.model.set_image("app:2");
    assert_eq!(made(&play), Some(("2".to_owned(), 1)));
    let annotations = play.model.world.rollout.metadata.annotations.get_or_insert_default();
    annotations.insert(meta::REVISION_ANNOTATION.to_owned(), "2".to_owned());
    // Nothing of this plan fails where the template is an old one.
    assert_eq!(made(&play), Some(("2".to_owned(), 0)));
    let again = plan(&play.model.world, play.model.now);
    let told: Vec<&str> = again.notices.iter().map(|notice| notice.reason).collect();
    assert_eq!(told[..2], ["RolloutUpdated", "NewReplicaSetCreated"], "{told:?}");
    play.run(30);
    assert_eq!((play.phase().as_str(), play.set("h2").replicas), ("Paused", 1));
    // The version that the status names is gone, and had that number: were it written first, each try would take one.
    let gone = play.status().current_pod_hash;
    play.model.world.replica_sets.retain(|set| set.hash() != gone);
    for image in ["app:2", "app:3"] {
        play.model.set_image(image);
        assert_eq!(made(&play), Some(("3".to_owned(), 0)));
        let writes = plan(&play.model.world, play.model.now).writes;
        assert!(matches!(writes[0].write, Write::CreateReplicaSet { .. }), "{image}: {writes:?}");
    }
}

#[test]
fn a_frozen_version_is_made_without_pods() {
    let mut play = plain();
    play.run(30);
    play.model.patch(&json!({"spec": {"paused": true}}));
    play.model.set_image("app:2");
    assert_eq!(made(&play), Some(("2".to_owned(), 0)));
}

#[test]
fn a_foreign_object_of_that_name_changes_the_hash() {
    let mut play = plain();
    play.model.set_image("app:2");
    let wanted =
        crds::hash::pod_template_hash(play.model.world.rollout.spec.template.as_ref().unwrap(), None);
    play.model.world.refusals.push(Refusal {
        target: format!("ReplicaSet/demo-{wanted}"),
        code: RefusalCode::AlreadyExists,
        message: "it exists".to_owned(),
    });
    play.run(30);
    let status = play.status();
    assert_eq!(status.collision_count, Some(1));
    assert_ne!(status.current_pod_hash, wanted);
    assert_eq!(play.phase(), "Paused");
    assert_eq!(play.set("h2").name, format!("demo-{}", status.current_pod_hash));
}

#[test]
fn a_version_that_the_api_server_refuses_is_told() {
    let mut play = plain();
    is_told_of_a_refusal(&mut play);
    play.model.world.refusals.clear();
    play.run(30);
    assert_eq!(play.phase(), "Paused");
}

/// Whoever waits for Healthy waits for the version that is refused, or for the one that takes its place.
/// `[status.refused]`
#[test]
fn nothing_is_healthy_while_its_version_is_refused() {
    let mut play = plain();
    let healthy = |play: &Play| {
        let conditions = play.status().conditions.unwrap();
        conditions.into_iter().find(|one| one.kind == "Healthy").unwrap().status
    };
    play.run(30);
    assert_eq!((play.phase().as_str(), healthy(&play).as_str()), ("Healthy", "True"));
    is_told_of_a_refusal(&mut play);
    assert_eq!((play.phase().as_str(), healthy(&play).as_str()), ("Progressing", "False"));
    let message = play.status().message;
    assert!(message.ends_with("hostPort must equal containerPort"), "{message}");
    play.update("app:1", 30);
    assert_eq!((play.phase().as_str(), healthy(&play).as_str()), ("Healthy", "True"));
    assert_eq!(play.status().message, "");
}

/// Its ReplicaSet is made all the same: that it has no pods is what the pause is for. `[validation.template]`
#[test]
fn a_frozen_rollout_hears_of_a_refusal_too() {
    let mut play = plain();
    play.model.world.rollout.spec.paused = Some(true);
    is_told_of_a_refusal(&mut play);
    play.model.world.refusals.clear();
    play.run(30);
    assert_eq!(play.set("h2").replicas, 0);
}

fn is_told_of_a_refusal(play: &mut Play) {
    play.model.set_image("app:2");
    let wanted =
        crds::hash::pod_template_hash(play.model.world.rollout.spec.template.as_ref().unwrap(), None);
    let target = format!("ReplicaSet/demo-{wanted}");
    let message = "hostPort must equal containerPort".to_owned();
    play.model.world.refusals.push(Refusal { target, code: RefusalCode::Invalid, message });
    play.run(5);
    let condition =
        play.status().conditions.unwrap().into_iter().find(|one| one.kind == "Progressing").unwrap();
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "ReplicaSetCreateError"));
    assert!(condition.message.ends_with("hostPort must equal containerPort"), "{condition:?}");
    assert!(play.model.reasons().contains(&"ReplicaSetCreateError"));
    assert_eq!(play.set("h1").counts.available, 2, "the version that runs is left alone");
}

#[test]
fn what_matches_and_is_nobodys_is_taken_and_what_matches_no_more_is_let_go() {
    let mut play = plain();
    play.model.world.replica_sets[0].owner = Owner::Nobody;
    play.run(5);
    assert_eq!(play.model.world.replica_sets[0].owner, Owner::Ours);
    play.model.world.replica_sets[0].labels.insert("app".to_owned(), "other".to_owned());
    let next = plan(&play.model.world, play.model.now);
    let name = &play.model.world.replica_sets[0].name;
    let of_it: Vec<&Write> = next
        .writes
        .iter()
        .map(|planned| &planned.write)
        .filter(|write| format!("{write:?}").contains(&format!("target: Target {{ name: {name:?}, uid: \"u")))
        .collect();
    assert!(matches!(of_it[..], [Write::ReleaseReplicaSet { .. }]), "it is not touched besides: {of_it:?}");
}

#[test]
fn a_rollout_that_is_deleted_is_left_to_the_garbage_collector() {
    let mut play = plain();
    play.model.set_image("app:2");
    play.model.patch(&json!({"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}}));
    let nothing = plan(&play.model.world, play.model.now);
    assert!(nothing.writes.is_empty() && nothing.status.is_none(), "{nothing:#?}");
}

#[test]
fn the_number_of_pods_is_written_down_where_nobody_has_said_it() {
    let mut play = plain();
    play.model.patch(&json!({"spec": {"replicas": null}}));
    play.run(30);
    assert_eq!(play.model.world.rollout.spec.replicas, Some(1));
    assert_eq!(play.set("h1").replicas, 1);
}

#[test]
fn a_version_that_comes_back_gets_the_next_revision() {
    let mut play = Play::new(2, &json!({"canary": {}}));
    play.update("app:2", 30);
    play.update("app:1", 30);
    let revision = |play: &Play, of: &str| play.set(of).annotations[meta::REVISION_ANNOTATION].clone();
    assert_eq!((revision(&play, "h1").as_str(), revision(&play, "h2").as_str()), ("3", "2"));
    let rollout = play.model.world.rollout.metadata.annotations.clone().unwrap();
    assert_eq!(rollout[meta::REVISION_ANNOTATION], "3");
    let told: Vec<&str> = play
        .model
        .events
        .iter()
        .filter(|(reason, _)| reason == "RolloutUpdated")
        .map(|(_, text)| text.as_str())
        .collect();
    assert_eq!(
        told,
        ["Rollout updated to revision 1", "Rollout updated to revision 2", "Rollout updated to revision 3"]
    );
}
