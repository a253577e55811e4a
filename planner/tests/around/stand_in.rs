//! Somebody deletes the ReplicaSet of the stable version in the middle of an update. `[promotion.deleted]`

use crate::mesh::{behind_a_mesh, behind_a_route, weight};
use crate::play::Play;
use serde_json::{Value, json};

const GONE: &str = "StableReplicaSetDeleted";

fn halfway() -> Value {
    json!([{"setWeight": 50}, {"pause": {}}])
}

fn delete(play: &mut Play, version: &str) {
    let name = play.set(version).name.clone();
    play.model.world.replica_sets.retain(|set| set.name != name);
}

fn told(play: &Play) -> Vec<&str> {
    let events = play.model.events.iter().filter(|(reason, _)| reason == GONE);
    events.map(|(_, message)| message.as_str()).collect()
}

#[test]
fn the_new_version_stands_in_and_gates_hold() {
    for made in [behind_a_route, behind_a_mesh] {
        let mut play = made(4, &halfway(), &json!({}));
        play.update("app:2", 60);
        assert_eq!((weight(&play), play.set("h2").replicas), (50, 2));
        delete(&mut play, "h1");
        play.run(60);
        assert_eq!(play.set("h2").replicas, 4, "nothing else has pods");
        assert_eq!((play.selected("stable").as_str(), play.selected("canary").as_str()), ("h2", "h2"));
        for view in &play.model.world.routers {
            let subsets = view.observed.as_ref().unwrap().subsets.clone();
            let behind = |hash: &str| play.model.plain(hash);
            assert!(subsets.is_none_or(|(one, other)| behind(&one) == "h2" && behind(&other) == "h2"));
        }
        assert_eq!((play.stable().as_str(), play.phase().as_str()), ("h1", "Paused"), "it is not promoted");
        assert_eq!(told(&play).len(), 1, "{:?}", told(&play));
        assert!(told(&play)[0].contains("gets all its pods"), "{:?}", told(&play));
        play.act("promote", 0);
        play.run(120);
        assert_eq!((play.stable().as_str(), play.phase().as_str(), weight(&play)), ("h2", "Healthy", 0));
    }
}

#[test]
fn without_a_router_the_stable_service_leads_to_it() {
    let canary = json!({"steps": halfway(), "stableService": "stable", "canaryService": "canary"});
    let mut play = Play::new(4, &json!({"canary": canary}));
    play.run(30);
    play.update("app:2", 30);
    delete(&mut play, "h1");
    play.run(30);
    assert_eq!((play.selected("stable").as_str(), play.set("h2").replicas), ("h2", 4));
    assert_eq!((play.stable().as_str(), play.phase().as_str()), ("h1", "Paused"));
    assert_eq!(told(&play).len(), 1);
}

#[test]
fn a_version_that_has_not_been_sent_anything_does_not() {
    let steps = json!([{"setCanaryScale": {"replicas": 1}}, {"pause": {}}, {"setWeight": 50}]);
    let mut play = behind_a_route(4, &steps, &json!({}));
    play.update("app:2", 60);
    assert_eq!((weight(&play), play.set("h2").replicas), (0, 1));
    delete(&mut play, "h1");
    play.run(60);
    assert_eq!((play.selected("stable").as_str(), play.set("h2").replicas), ("h1", 1));
    assert_eq!(told(&play).len(), 1);
    assert!(told(&play)[0].contains("reaches nobody"), "{:?}", told(&play));
}

#[test]
fn in_blue_green_nothing_goes_live_by_itself() {
    let strategy =
        json!({"activeService": "stable", "previewService": "canary", "autoPromotionEnabled": false});
    let mut play = Play::new(2, &json!({"blueGreen": strategy}));
    play.run(30);
    play.update("app:2", 30);
    delete(&mut play, "h1");
    play.run(30);
    assert_eq!((play.selected("stable").as_str(), play.stable().as_str()), ("h1", "h1"));
    assert!(told(&play).len() == 1 && told(&play)[0].contains("promote version"), "{:?}", told(&play));
}

#[test]
fn the_update_after_it_finds_it_in_the_place_of_the_stable_version() {
    let mut play = behind_a_route(4, &halfway(), &json!({}));
    play.update("app:2", 60);
    delete(&mut play, "h1");
    play.run(60);
    play.update("app:3", 90);
    assert_eq!((play.set("h2").replicas, play.set("h3").replicas, weight(&play)), (4, 2, 50));
    assert_eq!(play.selected("canary"), "h3");
    play.act("abort", 0);
    play.run(120);
    assert_eq!((play.set("h2").replicas, weight(&play)), (4, 0), "there is something to go back to");
    play.act("retry", 0);
    play.run(60);
    play.act("promote", 0);
    play.run(150);
    assert_eq!((play.stable().as_str(), play.phase().as_str()), ("h3", "Healthy"));
    assert_eq!(play.set("h2").replicas, 0);
}

#[test]
fn who_stands_in_keeps_its_pods_whatever_people_do() {
    for made in [behind_a_route, behind_a_mesh] {
        let mut play = made(4, &halfway(), &json!({}));
        play.update("app:2", 60);
        delete(&mut play, "h1");
        play.run(60);
        let whole = |play: &Play| assert_eq!(play.set("h2").replicas, 4, "nothing else serves");
        play.model.set_image("app:3");
        play.watch(60, whole);
        play.model.set_image("app:2");
        play.watch(90, whole);
        assert_eq!((play.stable().as_str(), play.selected("stable").as_str()), ("h1", "h2"));
        assert_eq!(play.find("h3").map_or(0, |set| set.replicas), 0);
        play.act("abort", 0);
        play.watch(90, whole);
        play.act("retry", 0);
        play.watch(60, whole);
        play.act("promoteFull", 0);
        play.watch(150, whole);
        assert_eq!((play.stable().as_str(), play.phase().as_str()), ("h2", "Healthy"));
    }
}

#[test]
fn who_stands_in_keeps_its_pods_when_the_revision_is_lost_and_goes_when_none_are_wanted() {
    let mut play = behind_a_route(4, &halfway(), &json!({}));
    play.update("app:2", 60);
    delete(&mut play, "h1");
    play.run(60);
    // As a syncer does that replaces the whole object.
    let revision = crds::meta::REVISION_ANNOTATION;
    play.model.patch(&json!({"metadata": {"annotations": {revision: null}}}));
    play.watch(30, |play| assert_eq!(play.set("h2").replicas, 4));
    assert!(play.model.act("scale", &json!(0)));
    play.run(60);
    assert_eq!(play.set("h2").replicas, 0);
    assert!(play.model.act("scale", &json!(4)));
    play.run(60);
    assert_eq!((play.set("h2").replicas, play.stable().as_str()), (4, "h1"));
}

#[test]
fn a_version_after_it_is_sent_nothing_for_the_weight_of_another() {
    let steps = json!([{"setCanaryScale": {"replicas": 1}}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]);
    let mut play = behind_a_route(4, &steps, &json!({}));
    play.update("app:2", 60);
    play.act("promote", 90);
    assert_eq!(weight(&play), 50);
    delete(&mut play, "h1");
    play.model.set_image("app:3");
    play.watch(90, |play| assert!(play.selected("stable") != "h3", "it has passed none of its gates"));
}

/// Pods that can be served behind the stable Service, and behind the stable subset of a router that has one.
fn served(play: &Play) -> i32 {
    let available = |hash: &str| {
        let sets = play.model.world.replica_sets.iter().filter(|set| set.hash() == hash);
        sets.map(|set| set.counts.available).sum::<i32>()
    };
    let routers = play.model.world.routers.iter().filter_map(|view| view.observed.as_ref().ok());
    let subsets = routers.filter_map(|observed| observed.subsets.as_ref());
    let subsets = subsets.map(|(_, stable)| available(stable));
    subsets.chain([available(play.model.world.services["stable"].hash())]).min().unwrap()
}

#[test]
fn the_deleted_version_gets_its_requests_back_once_it_can_carry_them() {
    let plain = |replicas: i32, steps: &Value, _: &Value| {
        let canary = json!({"steps": steps, "stableService": "stable", "canaryService": "canary"});
        let mut play = Play::new(replicas, &json!({"canary": canary}));
        play.run(30);
        play
    };
    for made in [behind_a_route, behind_a_mesh, plain] {
        let mut play = made(4, &halfway(), &json!({}));
        play.update("app:2", 60);
        delete(&mut play, "h1");
        play.run(60);
        assert_eq!(served(&play), 4);
        play.model.set_image("app:1");
        let mut least = 4;
        play.watch(150, |play| least = least.min(served(play)));
        assert_eq!((play.stable().as_str(), play.phase().as_str()), ("h1", "Healthy"));
        assert_eq!((play.selected("stable").as_str(), play.set("h1").replicas), ("h1", 4));
        assert!(least >= 2, "{least} of 4 pods had to carry everything");
    }
}
