//! Canaries behind routers: sizes, and the way from one version to the next.

use crate::mesh::{
    LAG, behind_a_route, everybody_is_served, healthy, object_of_a_route, objects_of_a_mesh,
    routing_of_a_mesh, routing_of_a_route, strategy, weight,
};
use crate::play::Play;
use crds::analysis::AnalysisPhase;
use serde_json::{Value, json};

fn dynamic() -> Value {
    json!({"dynamicStableScale": true})
}

/// The pods of a version that are not ready any more, and that nobody replaces.
fn break_pods(play: &mut Play, version: &str, many: usize) {
    let set = play.set(version).name.clone();
    let pods = play.model.pods.iter_mut().filter(|pod| pod.set == set);
    pods.take(many).for_each(|pod| pod.ready = None);
}

fn mend_pods(play: &mut Play) {
    let now = play.model.now;
    play.model.pods.iter_mut().for_each(|pod| pod.ready = pod.ready.or(Some(now)));
}

#[test]
pub(crate) fn selector_switched_after_old_pods_went() {
    for more in [dynamic(), json!({"scaleDownDelaySeconds": 1})] {
        let steps = json!([{"setWeight": 50}, {"pause": {}}, {"setWeight": 100}]);
        let mut play = behind_a_route(4, &steps, &more);
        play.update("app:2", 100);
        assert_eq!(weight(&play), 50);
        play.model.act("promote", &Value::Null);
        play.watch(400, |play| {
            everybody_is_served(play);
            let served = play.selected("stable");
            assert!(play.set(&served).replicas > 0 || weight(play) == 100, "{served} is gone, and selected");
        });
        assert_eq!(
            (play.phase().as_str(), play.selected("stable").as_str(), weight(&play)),
            ("Healthy", "h2", 0)
        );
        assert_eq!(play.set("h1").replicas, 0);
    }
}

/// The same when the new version loses its pods before the stable Service has come to it.
#[test]
pub(crate) fn selector_stays_and_old_pods_stay_with_it() {
    let mut play = behind_a_route(4, &json!([{"setWeight": 50}]), &json!({"scaleDownDelaySeconds": 1}));
    // Of a router that is not waited for, the stable Service comes with the promotion.
    let lists = json!({"stepgate.dev/traffic-lists-pods": "true"});
    play.model.patch(&json!({"metadata": {"annotations": lists}}));
    play.model.set_image("app:2");
    while play.stable() != "h2" {
        play.run(1);
    }
    assert_eq!(play.selected("stable"), "h1");
    break_pods(&mut play, "h2", 4);
    play.watch(600, |play| {
        assert_eq!((play.selected("stable").as_str(), play.set("h1").counts.available), ("h1", 4));
        assert_eq!(weight(play), 0, "the pods that are there serve");
    });
    mend_pods(&mut play);
    play.run(200);
    assert_eq!((play.selected("stable").as_str(), play.set("h1").replicas), ("h2", 0));
}

#[test]
pub(crate) fn stable_shrinks_while_canary_pods_are_missing() {
    let mut play = behind_a_route(110, &json!([{"setWeight": 100}, {"pause": {}}]), &dynamic());
    play.model.set_image("app:2");
    while weight(&play) < 100 {
        play.run(1);
    }
    break_pods(&mut play, "h2", 5);
    play.watch(300, |play| assert_eq!(play.set("h1").replicas, 110));
    mend_pods(&mut play);
    play.run(5);
    assert_eq!(play.set("h1").replicas, 0, "all of them are there");
}

#[test]
pub(crate) fn stable_shrinks_before_the_weight_is_verified() {
    let mut play = behind_a_route(4, &json!([{"setWeight": 50}, {"pause": {}}]), &dynamic());
    play.model.set_image("app:2");
    let mut since = None;
    play.watch(200, |play| {
        everybody_is_served(play);
        if weight(play) == 50 {
            let since = *since.get_or_insert(play.model.now);
            let early = play.model.now < since.plus_seconds(LAG);
            assert_eq!(play.set("h1").replicas, if early { 4 } else { 2 }, "since {since}");
        }
    });
    assert!(since.is_some());
}

#[test]
pub(crate) fn third_version_on_a_shrunken_stable() {
    for first in [10, 75] {
        let steps = json!([{"setWeight": 75}, {"pause": {}}]);
        let mut play = behind_a_route(4, &steps, &dynamic());
        play.update("app:2", 200);
        assert_eq!((weight(&play), play.set("h1").replicas, play.set("h2").replicas), (75, 1, 3));
        let steps = json!([{"setWeight": first}, {"pause": {}}]);
        play.model.patch(&json!({"spec": {"strategy": {"canary": {"steps": steps}}}}));
        play.model.set_image("app:3");
        play.watch(400, everybody_is_served);
        assert_eq!((play.phase().as_str(), weight(&play), play.set("h2").replicas), ("Paused", first, 0));
    }
}

#[test]
pub(crate) fn rollback_below_availability() {
    let more = json!({"dynamicStableScale": true, "maxUnavailable": 0});
    let mut play = behind_a_route(10, &json!([{"setWeight": 70}, {"pause": {}}]), &more);
    play.update("app:2", 200);
    assert_eq!((weight(&play), play.set("h1").replicas), (70, 3));
    play.model.set_image("app:1");
    play.watch(400, everybody_is_served);
    assert_eq!((play.phase().as_str(), weight(&play), play.set("h2").replicas), ("Healthy", 0, 0));
}

#[test]
pub(crate) fn abort_before_the_router_has_heard() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    for more in [json!({"abortScaleDownDelaySeconds": 2}), dynamic()] {
        let mut play = behind_a_route(4, &steps, &more);
        play.update("app:2", 200);
        play.model.act("abort", &Value::Null);
        play.watch(300, everybody_is_served);
        assert_eq!((weight(&play), play.set("h2").replicas), (0, 0));
        assert_eq!(play.set("h1").counts.available, 4);
    }
}

#[test]
pub(crate) fn abort_that_waits_for_itself() {
    let more = json!({"dynamicStableScale": true, "abortScaleDownDelaySeconds": 30});
    let mut play = behind_a_route(10, &json!([{"setWeight": 50}, {"pause": {}}]), &more);
    play.update("app:2", 200);
    assert_eq!((weight(&play), play.set("h1").replicas), (50, 5));
    play.act("abort", 30);
    assert_eq!((weight(&play), play.set("h1").counts.available), (0, 10));
    // The settle time is longer than the delay.
    play.run(40);
    assert_eq!(play.set("h2").replicas, 0);
}

#[test]
pub(crate) fn canary_service_flaps_after_abort() {
    let more = json!({"abortScaleDownDelaySeconds": 60});
    let mut play = behind_a_route(4, &json!([{"setWeight": 50}, {"pause": {}}]), &more);
    play.update("app:2", 200);
    assert_eq!(play.selected("canary"), "h2");
    let (told, size) = (play.model.told.len() - 1, play.set("h2").replicas);
    play.act("abort", 5);
    for replicas in [6, 8, 5] {
        assert!(play.model.act("scale", &json!(replicas)));
        play.watch(12, |play| assert!(play.set("h2").replicas <= size, "an aborted version grows"));
    }
    play.run(200);
    let mut selected: Vec<String> =
        play.model.told[told..].iter().map(|told| play.model.plain(&told.services["canary"])).collect();
    selected.dedup();
    assert_eq!(selected, ["h2", "h1"]);
    let writes = play.model.writes;
    play.run(3600);
    assert_eq!((play.model.writes, play.set("h2").replicas), (writes, 0));
}

#[test]
pub(crate) fn kept_version_times_out() {
    let steps = json!([{"setWeight": 50}]);
    let mut play = behind_a_route(4, &steps, &json!({"scaleDownDelaySeconds": 900}));
    play.model.patch(&json!({"spec": {"progressDeadlineSeconds": 100, "progressDeadlineAbort": true}}));
    play.model.set_image("app:2");
    play.watch(800, |play| {
        let phase = play.phase();
        assert_ne!(phase, "Degraded", "{:?}", play.status());
        assert!(phase == "Healthy" || play.stable() == "h1", "{phase}: {}", play.status().message);
    });
    assert_eq!((play.stable().as_str(), play.set("h1").replicas, play.status().abort), ("h2", 4, false));
    play.run(600);
    assert_eq!((play.phase().as_str(), play.set("h1").replicas), ("Healthy", 0));
}

/// A stable version without any pod, from its first deploy on or since it lost them, is left by the steps as they come:
/// weight follows when nothing of it is the stable version's any more (argoproj/argo-rollouts#1774).
#[test]
pub(crate) fn dead_stable_behind_routers() {
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": "5s"}}, {"setWeight": 50}]);
    let state = |play: &Play| (play.phase(), play.stable(), play.status().current_step_index);
    let mended = ("Healthy".to_owned(), "h2".to_owned(), Some(3));
    let routers = [
        (routing_of_a_route(), vec![object_of_a_route()]),
        (routing_of_a_mesh(), objects_of_a_mesh().to_vec()),
    ];
    for (routing, objects) in routers {
        let mut first = Play::begun("app:bad", 4, &strategy(&steps, &routing, &json!({})), &json!({}));
        first.model.add_objects(&objects);
        first.model.world.settings.settle_seconds = LAG;
        first.run(60);
        assert_eq!((first.stable().as_str(), first.set("h1").counts.available), ("h1", 0));
        let mut later = healthy(4, &steps, &routing, &json!({}), &objects, &json!({}));
        break_pods(&mut later, "h1", 4);
        later.run(5);
        for mut play in [first, later] {
            play.update("app:2", 400);
            assert_eq!((state(&play), weight(&play)), (mended.clone(), 0));
        }
    }
}

#[test]
fn an_analysis_holds_a_step_that_makes_a_route_too() {
    let header = json!({"headerName": "X-Tester", "headerValue": {"exact": "yes"}});
    let steps = json!([{"setWeight": 25}, {"setHeaderRoute": {"name": "testers", "match": [header]},
        "analysis": {"templates": [{"templateName": "t"}]}}, {"pause": {}}]);
    let mut play = behind_a_route(4, &steps, &json!({}));
    play.model
        .scripts
        .insert("demo-h2-2-1".to_owned(), vec![(200_000, AnalysisPhase::Successful, String::new())]);
    play.update("app:2", 150);
    assert_eq!(play.status().current_step_index, Some(1));
    play.run(100);
    assert_eq!((play.status().current_step_index, play.phase().as_str()), (Some(2), "Paused"));
}
