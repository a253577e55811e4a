//! Which ReplicaSet is which, aborts, and what becomes of a Rollout at rest.

use crate::play::Play;
use crds::meta;
use planner::Owner;
use serde_json::{Value, json};
use std::sync::Arc;

fn guarded() -> [Value; 2] {
    [
        json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}),
        json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false}}),
    ]
}

#[test]
pub(crate) fn abort_with_nothing_in_progress() {
    for strategy in [
        json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {"duration": "1s"}}]}}),
        json!({"blueGreen": {"activeService": "active"}}),
    ] {
        let mut play = Play::new(4, &strategy);
        play.update("app:2", 120);
        let writes = play.model.writes;
        play.act("abort", 0);
        play.watch(600, |play| assert_eq!(play.set("h2").counts.available, 4));
        assert_eq!((play.phase().as_str(), play.status().abort), ("Healthy", false));
        assert_eq!(play.model.writes, writes);
    }
}

#[test]
pub(crate) fn abort_outlives_its_version() {
    for strategy in guarded() {
        let mut play = Play::new(4, &strategy);
        play.update("app:2", 30);
        play.act("abort", 60);
        play.update("app:3", 30);
        assert_eq!((play.phase().as_str(), play.status().abort), ("Paused", false), "{strategy}");
    }
}

#[test]
pub(crate) fn abort_ignored_after_full_promotion() {
    for strategy in guarded() {
        let mut play = Play::new(4, &strategy);
        play.update("app:bad", 60);
        play.act("promoteFull", 20);
        play.act("abort", 60);
        assert_eq!((play.phase().as_str(), play.status().abort), ("Degraded", true), "{strategy}");
        assert_eq!(play.set("h2").replicas, 0, "{strategy}");
        assert_eq!(play.set("h1").counts.available, 4, "{strategy}");
        // A full promotion after the abort is the last act, and ends it.
        play.act("promoteFull", 10);
        assert!(!play.status().abort, "{strategy}");
        assert!(play.set("h2").replicas > 0, "{strategy}");
    }
}

#[test]
pub(crate) fn controller_upgrade_restarts_everything() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let mut play = Play::new(3, &json!({"canary": {"stableService": "stable", "steps": steps}}));
    let foreign = "foreignhash".to_owned();
    let world = &mut play.model.world;
    let set = &mut world.replica_sets[0];
    set.labels.insert(meta::POD_TEMPLATE_HASH_LABEL.to_owned(), foreign.clone());
    Arc::make_mut(&mut set.template).0["metadata"]["labels"][meta::POD_TEMPLATE_HASH_LABEL] = json!(foreign);
    let service = world.services.get_mut("stable").unwrap();
    service.selector.insert(meta::POD_TEMPLATE_HASH_LABEL.to_owned(), foreign.clone());
    let status = world.rollout.status.as_mut().unwrap();
    status.stable_rs.clone_from(&foreign);
    status.current_pod_hash = foreign;
    let writes = play.model.writes;
    play.run(60);
    assert_eq!((play.model.writes, play.model.world.replica_sets.len()), (writes, 1));
    assert_eq!(play.phase(), "Healthy");
}

#[test]
pub(crate) fn workloads_nobody_asked_about() {
    let mut play = Play::new(2, &json!({"canary": {}}));
    let mut other = play.model.world.replica_sets[0].clone();
    other.name = "other-abc".to_owned();
    other.uid = "other".to_owned();
    other.owner = Owner::Other;
    other.labels.insert(meta::POD_TEMPLATE_HASH_LABEL.to_owned(), "abc".to_owned());
    Arc::make_mut(&mut other.template).0["spec"]["containers"][0]["image"] = json!("other:1");
    play.model.world.replica_sets.push(other);
    play.model.set_image("app:2");
    play.watch(60, |play| assert_eq!(play.set("abc").replicas, 2));
    assert_eq!(play.phase(), "Healthy");
}

#[test]
pub(crate) fn invalid_spec_sticks() {
    let mut play = Play::new(3, &json!({"canary": {}}));
    play.model.patch(&json!({"spec": {"minReadySeconds": -1}}));
    play.run(60);
    assert_eq!(play.phase(), "Degraded");
    play.model.patch(&json!({"spec": {"minReadySeconds": 0}}));
    play.run(30);
    assert_eq!(play.phase(), "Healthy");
    assert!(play.status().conditions.iter().flatten().all(|condition| condition.kind != "InvalidSpec"));
}

#[test]
pub(crate) fn idle_rollout_called_degraded() {
    let deadline = json!({"progressDeadlineSeconds": 30, "progressDeadlineAbort": true});
    for strategy in guarded() {
        let mut play = Play::with(3, &strategy, &deadline);
        play.run(3600);
        for round in 0..2 {
            play.model.act("deletePod", &json!({"revision": 1}));
            play.watch(20, |play| {
                assert!(!play.status().abort, "{strategy}");
                assert_ne!(play.phase(), "Degraded", "{strategy} {round}");
            });
            assert_eq!(play.phase(), "Healthy", "{strategy}");
            play.run(600);
        }
    }
}
