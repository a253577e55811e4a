//! Canaries behind routers: the law of the gate. `[traffic.law]` `[traffic.settle]`

use crate::play::Play;
use planner::traffic::{Authors, ObservedTraffic, RouterProblem, Served, Split};
use serde_json::{Value, json};

/// How long a router may take in these tests, in seconds.
const SETTLE: i64 = 20;

fn routed(steps: &Value, more: &Value) -> Play {
    let routing = json!({"nginx": {"stableIngress": "web"}});
    let mut canary = json!({"steps": steps, "stableService": "stable", "canaryService": "canary",
        "trafficRouting": routing});
    for (key, value) in more.as_object().into_iter().flatten() {
        canary[key] = value.clone();
    }
    let mut play = Play::new(4, &json!({"canary": canary}));
    play.model.world.settings.settle_seconds = SETTLE;
    play.run(40);
    play
}

/// The weight that the router shows.
fn shown(play: &Play) -> i32 {
    play.model.world.routers[0].observed.as_ref().unwrap().canary(100)
}

#[test]
fn pods_of_an_aborted_canary_outlive_the_settle_time() {
    let mut play =
        routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({"abortScaleDownDelaySeconds": 2}));
    play.update("app:2", 30);
    assert_eq!((shown(&play), play.set("h2").replicas), (50, 2));
    play.act("abort", 0);
    let (mut left, mut gone) = (None, None);
    play.watch(60, |play| {
        if shown(play) == 0 {
            left.get_or_insert(play.model.now);
        }
        if play.set("h2").replicas == 0 {
            gone.get_or_insert(play.model.now);
        }
    });
    let (left, gone) = (left.expect("the weight goes"), gone.expect("the pods go"));
    assert!(gone >= left.plus_seconds(SETTLE), "left at {left}, gone at {gone}, though the delay was 2 s");
}

#[test]
fn the_previous_version_outlives_the_settle_time_too() {
    let mut play = routed(&json!([{"setWeight": 50}]), &json!({"scaleDownDelaySeconds": 1}));
    let (mut promoted, mut led, mut gone) = (None, None, None);
    play.model.set_image("app:2");
    play.watch(150, |play| {
        if play.stable() == "h2" {
            promoted.get_or_insert(play.model.now);
        }
        if play.selected("stable") == "h1" {
            led = Some(play.model.now);
        }
        if play.set("h1").replicas == 0 {
            gone.get_or_insert(play.model.now);
        }
    });
    let (promoted, gone) = (promoted.expect("it is promoted"), gone.expect("it goes"));
    let led = led.expect("the stable Service led to it").max(promoted);
    assert!(gone >= led.plus_seconds(SETTLE), "promoted at {promoted}, selected until {led}, gone at {gone}");
    assert_eq!((shown(&play), play.selected("stable").as_str()), (0, "h2"));
}

#[test]
fn a_rollout_says_how_long_its_routers_take() {
    let mut play =
        routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({"abortScaleDownDelaySeconds": 2}));
    play.model.patch(&json!({"metadata": {"annotations": {"stepgate.dev/traffic-settle": "0s"}}}));
    play.update("app:2", 30);
    play.act("abort", 0);
    play.run(8);
    assert_eq!(play.set("h2").replicas, 0, "nothing is waited for beyond the delay");
}

#[test]
fn a_version_that_is_overtaken_keeps_its_pods_while_requests_may_come() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    play.update("app:2", 30);
    play.model.set_image("app:3");
    let mut overlap = false;
    play.watch(10, |play| {
        // Its Service has not left it before another version can carry what is shown.
        overlap |= shown(play) == 0 && play.set("h2").replicas == 2;
    });
    assert!(overlap, "its pods went with its weight");
    play.run(40);
    assert_eq!((play.set("h2").replicas, shown(&play)), (0, 50), "it goes, and the newest has its weight");
}

#[test]
fn weight_waits_for_pods() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    play.model.set_image("app:2");
    play.watch(30, |play| {
        let available = play.find("h2").map_or(0, |set| set.counts.available);
        assert!(shown(play) <= available * 25, "{} % with {available} of 4 pods", shown(play));
    });
    assert_eq!(shown(&play), 50);
}

#[test]
fn a_router_that_is_missing_makes_its_rollout_invalid_and_nothing_is_written() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    let seen = play.model.world.routers[0].observed.clone();
    play.model.world.routers[0].observed = Err(RouterProblem {
        path: "nginx.stableIngress".to_owned(),
        value: Some(json!("web")),
        name: "web".to_owned(),
        kind: "Ingress",
        message: "Ingress \"web\" not found in namespace \"ns\"".to_owned(),
        missing: true,
    });
    play.update("app:2", 30);
    let message = play.status().message;
    assert!(
        message.contains("spec.strategy.canary.trafficRouting.nginx.stableIngress: Invalid value: \"web\""),
        "{message}"
    );
    assert_eq!(play.set("h1").replicas, 4);
    play.model.world.routers[0].observed = seen;
    play.run(30);
    assert_eq!((play.phase().as_str(), shown(&play)), ("Paused", 50), "it goes on when the Ingress is back");
}

#[test]
fn a_route_that_somebody_has_put_back_is_ours_again() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    play.update("app:2", 30);
    let split = &mut play.model.world.routers[0].observed.as_mut().unwrap().splits[0];
    (split.canary, split.stable) = (0, 100);
    play.run(1);
    assert_eq!((play.phase().as_str(), shown(&play)), ("Paused", 50));
}

#[test]
fn what_is_put_back_is_told_and_not_in_a_race() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    play.update("app:2", 30);
    let overwritten = |play: &mut Play, own_was: i64| {
        let own = play.model.now.plus_seconds(-own_was);
        let view = &mut play.model.world.routers[0];
        // Who writes a list has all of it: no field is ours any more.
        view.authors = Authors { written: Some(own), other: Some("argocd".to_owned()), ..Authors::default() };
        let split = &mut view.observed.as_mut().unwrap().splits[0];
        (split.canary, split.stable) = (0, 100);
    };
    overwritten(&mut play, 60);
    play.run(0);
    assert_eq!(shown(&play), 50, "the first time at once");
    let told = "argocd has changed what nginx is to do; the canary is to have 50 of 100 again";
    assert!(play.model.events.contains(&("TrafficOverwritten".to_owned(), told.to_owned())));
    overwritten(&mut play, 0);
    play.run(0);
    assert_eq!(shown(&play), 0, "we have put it back a moment ago");
    play.run(2);
    assert_eq!((shown(&play), play.phase().as_str()), (50, "Paused"));
}

/// At rest it is none of ours: it is put back, and neither told as ours nor kept while anything settles.
#[test]
fn what_somebody_else_writes_at_rest_is_put_back_at_once() {
    let mut play = routed(&json!([{"setWeight": 50}]), &json!({}));
    for update in [false, true] {
        if update {
            play.update("app:2", 150);
        }
        assert_eq!((play.phase().as_str(), shown(&play)), ("Healthy", 0));
        let now = play.model.now;
        let view = &mut play.model.world.routers[0];
        view.changed = Some(now);
        let split = &mut view.observed.as_mut().unwrap().splits[0];
        (split.canary, split.stable) = (33, 67);
        play.watch(3, |play| {
            let weights = play.status().canary.unwrap().weights.unwrap();
            assert_eq!(weights.canary.weight, 0, "update: {update}");
        });
        assert_eq!(shown(&play), 0, "update: {update}");
        play.run(60);
    }
}

/// The way back to a stable version that has shrunk is not over while anything goes elsewhere. `[status.traffic]`
#[test]
fn the_way_back_is_not_over_while_requests_go_to_the_version_that_is_left() {
    let more = json!({"dynamicStableScale": true});
    let mut play = routed(&json!([{"setWeight": 25}, {"pause": {}}]), &more);
    play.model.patch(&json!({"spec": {"minReadySeconds": 6}}));
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), shown(&play), play.set("h1").replicas), ("Paused", 25, 3));
    play.model.set_image("app:1");
    let (mut seen, events) = (0, play.model.events.len());
    play.watch(60, |play| {
        let status = play.status();
        let weights = status.canary.unwrap().weights.unwrap();
        if play.model.plain(&status.current_pod_hash) == "h1" && weights.canary.weight > 0 {
            seen += 1;
            let hash = weights.canary.pod_template_hash.unwrap_or_default();
            assert_eq!(play.model.plain(&hash), "h2");
            assert_ne!(status.phase, "Healthy", "{}", status.message);
        }
    });
    assert!(seen > 0, "the stable version needs a moment for its pod");
    assert_eq!((play.phase().as_str(), shown(&play), play.set("h2").replicas), ("Healthy", 0, 0));
    let told: Vec<&str> = play.model.events[events..]
        .iter()
        .filter(|(reason, _)| reason == "TrafficWeightUpdated")
        .map(|(_, message)| message.as_str())
        .filter(|message| *message != "Traffic weight updated ")
        .collect();
    assert_eq!(told, ["Traffic weight updated from 25 to 0"]);
}

/// Old versions that are kept for longer than an update may take are no lack of progress.
#[test]
fn a_promoted_version_is_not_late_while_old_ones_are_kept() {
    for delay in [60, 5] {
        let mut play = routed(&json!([{"setWeight": 50}]), &json!({"scaleDownDelaySeconds": delay}));
        play.model.patch(&json!({"spec": {"progressDeadlineSeconds": 8}}));
        play.run(10);
        let mut promoted = false;
        play.model.set_image("app:2");
        play.watch(200, |play| {
            promoted |= play.stable() == "h2";
            assert_ne!(play.phase(), "Degraded", "{}", play.status().message);
        });
        assert!(promoted && play.set("h1").replicas == 0, "{delay}");
    }
}

/// What was late has come, though old versions are still kept, and whoever froze it in between.
#[test]
fn a_late_version_is_late_no_more_when_it_is_promoted_and_has_its_pods() {
    for paused in [false, true] {
        let mut play = routed(&json!([{"setWeight": 50}]), &json!({"scaleDownDelaySeconds": 600}));
        play.update("app:2", 60);
        assert_eq!((play.stable().as_str(), play.set("h1").replicas), ("h2", 4));
        let conditions = play.model.world.rollout.status.as_mut().unwrap().conditions.as_mut().unwrap();
        let progressing = conditions.iter_mut().find(|one| one.kind == "Progressing").unwrap();
        (progressing.status, progressing.reason) =
            ("False".to_owned(), "ProgressDeadlineExceeded".to_owned());
        play.model.world.rollout.spec.paused = Some(paused);
        play.run(5);
        assert_eq!(play.phase(), if paused { "Paused" } else { "Healthy" }, "{}", play.status().message);
    }
}

/// A step that makes the canary smaller is over when it is smaller: pods wait for routers to settle before they go.
#[test]
fn a_step_of_sizes_is_over_when_they_are_as_asked() {
    let steps = json!([{"setWeight": 50}, {"setCanaryScale": {"replicas": 4}}, {"pause": {}},
        {"setCanaryScale": {"matchTrafficWeight": true}}, {"pause": {}}]);
    let mut play = routed(&steps, &json!({}));
    play.update("app:2", 12);
    assert_eq!((play.status().current_step_index, play.set("h2").replicas), (Some(2), 4));
    play.act("promote", 0);
    let mut waited = 0;
    play.watch(60, |play| {
        if play.status().current_step_index == Some(3) {
            waited += 1;
        } else {
            assert_eq!(play.set("h2").replicas, 2);
        }
    });
    assert!(waited > 0, "routers had not settled");
    assert_eq!(play.status().current_step_index, Some(4));
}

#[test]
fn fields_of_routers_are_given_back_when_all_has_settled() {
    let own = |play: &Play| play.model.world.routers[0].authors.own;
    for abort in [false, true] {
        let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
        play.model.world.settings.gives_back = true;
        play.update("app:2", 60);
        assert!(own(&play).is_some(), "an update is under way");
        play.act(if abort { "abort" } else { "promote" }, 0);
        let mut last = None;
        play.watch(120, |play| {
            let changed = play.model.world.routers[0].changed.expect("it has changed");
            last = last.max(Some(changed));
            let settled = play.model.now >= changed.plus_seconds(SETTLE);
            assert!(settled || own(play).is_some(), "routers may still read it");
        });
        assert_eq!(own(&play), None, "{abort}");
        // What is put back at rest stays ours: else whoever wants something else would win with each giving back.
        play.run(600);
        let view = &mut play.model.world.routers[0];
        view.authors.other = Some("argocd".to_owned());
        let split = &mut view.observed.as_mut().unwrap().splits[0];
        (split.canary, split.stable) = (30, 70);
        play.run(120);
        assert!(shown(&play) == 0 && own(&play).is_some());
    }
}

/// A load balancer that lists pods keeps the stable Service where it is for a while after a promotion.
#[test]
fn the_delay_of_an_old_version_begins_with_the_promotion() {
    let mut play = routed(&json!([{"setWeight": 50}]), &json!({"scaleDownDelaySeconds": 90}));
    let lists = json!({"stepgate.dev/traffic-lists-pods": "true"});
    play.model.patch(&json!({"metadata": {"annotations": lists}}));
    play.model.set_image("app:2");
    let (mut promoted, mut marked) = (None, None);
    play.watch(90, |play| {
        if play.stable() == "h2" {
            promoted.get_or_insert(play.model.now);
        }
        if play.set("h1").is_marked_for_scale_down() && marked.is_none() {
            marked = Some(play.model.now);
            assert_eq!(play.selected("stable"), "h1", "it has not moved yet");
        }
    });
    assert_eq!((promoted.is_some(), marked), (true, promoted));
    assert_eq!((play.selected("stable").as_str(), play.set("h1").replicas), ("h2", 4));
    play.run(60);
    assert_eq!(play.set("h1").replicas, 0);
}

#[test]
fn a_pair_of_services_takes_turns() {
    let more = json!({"stableService": null, "canaryService": null,
        "pingPong": {"pingService": "active", "pongService": "preview"},
        "trafficRouting": {"alb": {"ingress": "web", "rootService": "root", "servicePort": 80}}});
    let mut play = routed(&json!([{"setWeight": 50}]), &more);
    let role = |play: &Play| play.status().canary.unwrap_or_default().stable_ping_pong;
    assert_eq!((role(&play).as_str(), play.selected("active").as_str()), ("ping", "h1"));
    play.update("app:2", 60);
    assert_eq!((role(&play).as_str(), play.selected("preview").as_str()), ("pong", "h2"));
    assert_eq!(play.selected("active"), "h1", "the Service that was the stable one has not moved");
    play.update("app:3", 60);
    assert_eq!((role(&play).as_str(), play.selected("active").as_str()), ("ping", "h3"));
}

/// Requests that are under way to the version that is left have a place to end.
#[test]
fn a_pair_does_not_turn_to_a_version_without_pods_before_routers_settle() {
    let more = json!({"stableService": null, "canaryService": null,
        "pingPong": {"pingService": "active", "pongService": "preview"},
        "trafficRouting": {"alb": {"ingress": "web", "rootService": "root", "servicePort": 80}}});
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &more);
    play.update("app:2", 60);
    assert_eq!((shown(&play), play.selected("preview").as_str()), (50, "h2"));
    play.model.set_image("app:3");
    let (mut left, mut turned) = (None, None);
    play.watch(90, |play| {
        if shown(play) == 0 {
            left.get_or_insert(play.model.now);
        }
        if play.selected("preview") == "h3" && turned.is_none() {
            turned = Some((play.model.now, play.set("h3").counts.available));
        }
    });
    let (left, (turned, pods)) = (left.expect("the weight goes"), turned.expect("the Service turns"));
    assert!(turned >= left.plus_seconds(SETTLE) || pods > 0, "left at {left}, turned at {turned}");
    assert_eq!((play.phase().as_str(), shown(&play)), ("Paused", 50));
}

#[test]
fn the_stable_version_keeps_a_pod_behind_nginx() {
    let steps = json!([{"setWeight": 100}, {"pause": {}}]);
    let mut play = routed(&steps, &json!({"dynamicStableScale": true}));
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), shown(&play)), ("Paused", 100));
    assert_eq!((play.set("h1").replicas, play.set("h2").replicas), (1, 4), "its Service is not empty");
    play.act("promote", 60);
    assert_eq!((play.phase().as_str(), play.set("h1").replicas), ("Healthy", 0));
}

#[test]
fn nobody_is_sent_to_an_aborted_or_dead_canary_while_the_stable_version_is_short_of_a_pod() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let lose = |play: &mut Play, version: &str, many: usize| {
        let set = play.set(version).name.clone();
        let mut left = many;
        play.model.pods.retain(|pod| {
            pod.set != set || left == 0 || {
                left -= 1;
                false
            }
        });
    };
    let mut play = routed(&steps, &json!({}));
    play.update("app:2", 30);
    lose(&mut play, "h1", 1);
    play.run(0);
    assert_eq!(shown(&play), 50, "a canary that is well goes on");
    play.act("abort", 0);
    assert_eq!(shown(&play), 0);
    let mut play = routed(&steps, &json!({}));
    play.update("app:2", 30);
    lose(&mut play, "h1", 1);
    lose(&mut play, "h2", 2);
    play.run(0);
    assert_eq!(shown(&play), 0);
}

#[test]
fn a_first_deploy_sends_nothing_to_a_canary() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let canary = json!({"steps": steps, "stableService": "stable", "canaryService": "canary",
        "dynamicStableScale": true, "trafficRouting": {"nginx": {"stableIngress": "web"}}});
    let mut play = Play::begun("app:1", 5, &json!({"canary": canary}), &json!({}));
    // Pods become available one after the other.
    for pods in 1..=5 {
        play.model.world.rollout.spec.replicas = Some(pods);
        play.watch(3, |play| assert_eq!(shown(play), 0, "with {pods} pods"));
    }
    assert_eq!(play.phase(), "Healthy");
}

#[test]
fn the_canary_service_stays_with_a_version_that_can_carry_what_routers_show() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    play.update("app:2", 30);
    play.model.router_is_stuck = true;
    let steps = json!([{"setWeight": 25}, {"pause": {}}]);
    play.model.patch(&json!({"spec": {"strategy": {"canary": {"steps": steps}}}}));
    let end = play.model.now.plus_seconds(20);
    play.model.set_image("app:3");
    // One plan after the other is the same while nothing is shown: the model would take that for a loop.
    while play.model.now < end {
        let plan = planner::plan(&play.model.world, play.model.now);
        play.model.carry_out(&plan);
        play.model.now = play.model.now.plus_seconds(1);
        play.model.surroundings();
    }
    assert_eq!((play.set("h3").counts.available, shown(&play)), (1, 50));
    assert_eq!(
        (play.selected("canary").as_str(), play.set("h2").replicas),
        ("h2", 2),
        "one pod of four carries 25"
    );
    play.model.router_is_stuck = false;
    play.run(60);
    assert_eq!((play.selected("canary").as_str(), play.set("h2").replicas, shown(&play)), ("h3", 0, 25));
}

/// Behind a load balancer that keeps lists of pods.
fn balanced() -> Play {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    play.model.patch(&json!({"metadata": {"annotations": {"stepgate.dev/traffic-lists-pods": "true"}}}));
    play.run(5);
    play
}

#[test]
fn weight_waits_until_a_load_balancer_knows_the_service() {
    let mut play = balanced();
    play.model.set_image("app:2");
    let (mut moved, mut sent) = (None, None);
    play.watch(40, |play| {
        if play.selected("canary") == "h2" {
            moved.get_or_insert(play.model.now);
        }
        if shown(play) > 0 {
            sent.get_or_insert(play.model.now);
        } else {
            assert_eq!(play.status().current_step_index, Some(0), "the step is not done");
        }
    });
    let (moved, sent) = (moved.expect("it moves"), sent.expect("weight comes"));
    assert!(sent >= moved.plus_seconds(SETTLE), "moved at {moved}, weight at {sent}");
}

/// Behind a router that lets the stable version go.
fn unlimited(more: &Value) -> Value {
    let mut all = json!({"trafficRouting": {"traefik": {"weightedTraefikServiceName": "web"}}});
    for (key, value) in more.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    all
}

#[test]
fn the_stable_service_moves_while_nothing_is_sent_there() {
    for promote in ["promote", "promoteFull"] {
        let mut play = balanced();
        play.update("app:2", 40);
        play.model.act(promote, &Value::Null);
        let (mut all, mut moved, mut back) = (None, None, None);
        play.watch(120, |play| {
            let now = play.model.now;
            if shown(play) == 100 {
                all.get_or_insert(now);
            }
            if play.selected("stable") == "h2" {
                moved.get_or_insert(now);
            }
            if moved.is_some() && shown(play) == 0 {
                back.get_or_insert(now);
            }
        });
        let (all, moved, back) = (all.unwrap(), moved.unwrap(), back.unwrap());
        assert!(moved >= all.plus_seconds(SETTLE), "{promote}: all at {all}, moved at {moved}");
        assert!(back >= moved.plus_seconds(SETTLE), "{promote}: moved at {moved}, back at {back}");
    }
}

#[test]
fn a_stable_service_that_is_sent_requests_again_moves() {
    let mut play = balanced();
    play.update("app:2", 40);
    play.model.act("promote", &Value::Null);
    play.run(4);
    assert_eq!((play.stable().as_str(), play.selected("stable").as_str(), shown(&play)), ("h2", "h1", 100));
    // A syncer puts back what is in Git.
    let split = &mut play.model.world.routers[0].observed.as_mut().unwrap().splits[0];
    (split.canary, split.stable) = (0, 100);
    play.run(0);
    assert_eq!(play.selected("stable"), "h2");
}

#[test]
fn an_overtaken_canary_keeps_what_the_stable_version_cannot_carry() {
    let more = unlimited(&json!({"dynamicStableScale": true}));
    let mut play = routed(&json!([{"setWeight": 75}, {"pause": {}}]), &more);
    play.update("app:2", 60);
    assert_eq!((shown(&play), play.set("h1").replicas), (75, 1));
    let steps = json!([{"setWeight": 25}, {"pause": {}}]);
    play.model.patch(&json!({"spec": {"strategy": {"canary": {"steps": steps}}}}));
    play.model.set_image("app:3");
    play.watch(60, |play| {
        let stable = play.set("h1").counts.available.min(play.set("h1").replicas);
        assert!(shown(play) >= 100 - 25 * stable, "{} % with {stable} stable pods", shown(play));
    });
    assert_eq!((shown(&play), play.selected("canary").as_str(), play.set("h2").replicas), (25, "h3", 0));
}

#[test]
fn the_stable_version_shrinks_beside_a_canary_that_carries() {
    let more = unlimited(&json!({"dynamicStableScale": true}));
    let mut play = routed(&json!([{"setWeight": 75}, {"pause": {}}]), &more);
    play.model.set_image("app:2");
    while shown(&play) < 75 {
        play.run(1);
    }
    assert_eq!((shown(&play), play.set("h1").replicas), (75, 4));
    let set = play.set("h2").name.clone();
    play.model.pods.iter_mut().find(|pod| pod.set == set).unwrap().ready = None;
    play.run(100);
    assert_eq!(play.set("h1").replicas, 4, "two of four pods carry 50");
    let now = play.model.now;
    play.model.pods.iter_mut().for_each(|pod| pod.ready = pod.ready.or(Some(now)));
    play.run(0);
    assert_eq!(play.set("h1").replicas, 1);
}

#[test]
fn a_weight_whose_step_was_skipped_waits_for_its_pods() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    play.model.set_image("app:2");
    let set = |play: &Play| play.find("h2").map(|set| set.name.clone());
    play.run(1);
    // One of its two pods takes longer.
    let name = set(&play).unwrap();
    play.model.pods.iter_mut().find(|pod| pod.set == name).unwrap().ready = None;
    play.act("promote", 60);
    assert_eq!((play.status().current_step_index, shown(&play)), (Some(1), 25));
    let now = play.model.now;
    play.model.pods.iter_mut().for_each(|pod| pod.ready = pod.ready.or(Some(now)));
    play.run(30);
    assert_eq!(shown(&play), 50);
}

#[test]
fn a_stable_version_that_has_shrunk_to_nothing_gets_no_weight_before_it_has_a_pod() {
    let more = unlimited(&json!({"dynamicStableScale": true}));
    let steps = json!([{"setWeight": 100}, {"pause": {}}, {"setWeight": 80}, {"pause": {}}]);
    let mut play = routed(&steps, &more);
    play.update("app:2", 60);
    assert_eq!((shown(&play), play.set("h1").replicas), (100, 0));
    play.model.act("promote", &Value::Null);
    play.watch(60, |play| {
        let set = play.set("h1");
        assert!(shown(play) == 100 || set.counts.available.min(set.replicas) > 0, "{} %", shown(play));
    });
    assert_eq!(shown(&play), 80);
}

#[test]
fn a_dead_canary_keeps_nothing_although_the_stable_version_has_shrunk() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let mut play = routed(&steps, &json!({"dynamicStableScale": true}));
    play.update("app:2", 60);
    let canary = play.set("h2").name.clone();
    play.model.pods.retain(|pod| pod.set != canary);
    play.act("abort", 0);
    assert_eq!(shown(&play), 0);
}

#[test]
fn weight_comes_back_at_once_to_a_service_whose_pods_before_still_carry_it() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    play.update("app:2", 40);
    play.model.act("promote", &Value::Null);
    while play.selected("stable") != "h2" {
        play.run(1);
    }
    play.run(0);
    assert_eq!((shown(&play), play.set("h1").replicas), (0, 4), "no settle time between");
}

#[test]
fn weight_waits_for_a_service_whose_pods_before_are_gone() {
    let more = unlimited(&json!({"dynamicStableScale": true}));
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &more);
    play.update("app:2", 40);
    play.model.act("promote", &Value::Null);
    let mut moved = None;
    play.watch(120, |play| {
        if play.selected("stable") == "h2" {
            let moved = *moved.get_or_insert(play.model.now);
            let waits = play.model.now < moved.plus_seconds(SETTLE);
            let before = 25 * play.set("h1").counts.available;
            assert!(
                !waits || 100 - shown(play) <= before,
                "a router that has not heard of it sends it there"
            );
        }
    });
    assert_eq!((shown(&play), play.set("h1").replicas), (0, 0));
}

#[test]
fn weight_does_not_wait_for_a_canary_service_that_leaves_the_stable_version() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    play.model.set_image("app:2");
    while play.selected("canary") != "h2" {
        play.run(1);
    }
    play.run(0);
    assert_eq!((shown(&play), play.phase().as_str()), (50, "Paused"), "h1 carries it meanwhile");
}

#[test]
fn a_first_version_that_was_never_recorded_as_stable_serves_until_the_next_one_is_there() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({"dynamicStableScale": true}));
    play.model.world.rollout.status.as_mut().unwrap().stable_rs = String::new();
    for service in play.model.world.services.values_mut() {
        service.selector.remove("rollouts-pod-template-hash");
        service.annotations.clear();
    }
    play.model.set_image("app:2");
    play.watch(60, |play| {
        let available = |hash| play.find(hash).map_or(0, |set| set.counts.available.min(set.replicas));
        assert!(available("h1") + available("h2") >= 3, "{} and {}", available("h1"), available("h2"));
    });
    assert_eq!((play.stable().as_str(), play.set("h1").replicas), ("h2", 0));
}

#[test]
fn a_retried_canary_gives_up_pods_before_it_is_sent_requests() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]);
    for pause in [0, 10, 25] {
        let mut play = routed(&steps, &json!({}));
        play.update("app:2", 30);
        play.act("promote", 30);
        assert_eq!((shown(&play), play.set("h2").replicas), (75, 3));
        play.act("abort", pause);
        assert_eq!((shown(&play), play.set("h2").replicas), (0, 3), "it has the pods of its last step");
        play.act("retry", 0);
        play.watch(60, |play| {
            let pods = play.set("h2").replicas;
            assert!(pods == 1 || shown(play) == 0 || play.selected("canary") != "h2", "{pods} pods");
        });
        assert_eq!((shown(&play), play.set("h2").replicas, play.phase().as_str()), (25, 1, "Paused"));
    }
}

#[test]
fn a_router_that_says_what_it_serves_is_believed() {
    let serve = |play: &mut Play, canary: i64| {
        let split = Split { canary, stable: 100 - canary, ..Split::default() };
        let traffic = ObservedTraffic { splits: vec![split], ..ObservedTraffic::default() };
        play.model.world.routers[0].served = Some(Ok(Served { traffic, balancers: Vec::new() }));
    };
    let verified = |play: &Play| play.status().canary.and_then(|canary| canary.weights?.verified);
    let mut play =
        routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({"abortScaleDownDelaySeconds": 2}));
    serve(&mut play, 0);
    play.update("app:2", 60);
    assert_eq!((shown(&play), verified(&play)), (50, Some(false)));
    assert_eq!(play.status().current_step_index, Some(0), "it is written, and not served");
    serve(&mut play, 50);
    play.run(15);
    assert_eq!((play.phase().as_str(), verified(&play)), ("Paused", Some(true)));
    play.act("abort", 0);
    play.run(60);
    assert_eq!((shown(&play), play.set("h2").replicas), (0, 2), "it is still sent requests");
    serve(&mut play, 0);
    play.run(15);
    assert_eq!(play.set("h2").replicas, 0);
    let told: Vec<_> =
        play.model.events.iter().filter(|(reason, _)| reason.starts_with("TargetGroup")).collect();
    let reasons: Vec<&str> = told.iter().map(|(reason, _)| reason.as_str()).collect();
    let (yes, no) = ("TargetGroupVerified", "TargetGroupUnverified");
    assert_eq!(reasons, [yes, no, yes, no, yes]);
}

#[test]
fn no_pods_are_made_for_what_a_router_has_not_said() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({"dynamicStableScale": true}));
    play.update("app:2", 60);
    let sizes = |play: &Play| (play.set("h1").replicas, play.set("h2").replicas);
    assert_eq!((play.phase().as_str(), sizes(&play)), ("Paused", (2, 2)));
    for served in [Ok(Served::default()), Err("AccessDenied: not allowed".to_owned())] {
        play.model.world.routers[0].served = Some(served);
        play.run(60);
        assert_eq!(sizes(&play), (2, 2));
    }
}

#[test]
fn a_router_that_should_say_what_it_serves_and_does_not_holds_all() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({}));
    play.model.world.routers[0].served = Some(Err("AccessDenied: not allowed".to_owned()));
    play.update("app:2", 60);
    assert_eq!((shown(&play), play.status().current_step_index), (50, Some(0)));
    let error = ("TargetGroupVerifyError".to_owned(), "AccessDenied: not allowed".to_owned());
    assert!(play.model.events.contains(&error), "{:?}", play.model.events);
    play.model.world.routers[0].served = None;
    play.run(15);
    assert_eq!(play.phase(), "Paused", "it goes on when it is not asked any more");
}

#[test]
fn weight_stays_with_an_open_service_while_the_stable_version_is_small() {
    let mut play = routed(&json!([{"setWeight": 50}, {"pause": {}}]), &json!({"dynamicStableScale": true}));
    play.update("app:2", 90);
    assert_eq!((shown(&play), play.set("h1").replicas, play.set("h2").replicas), (50, 2, 2));
    // Somebody takes the hash out: the Service reaches all pods, and nobody knows any more whose weight it is.
    let canary = play.model.world.services.get_mut("canary").unwrap();
    canary.selector.remove("rollouts-pod-template-hash");
    canary.annotations.clear();
    play.model.set_image("app:3");
    play.watch(120, |play| {
        let available = |hash| play.find(hash).map_or(0, |set| set.counts.available.min(set.replicas));
        let (small, all) = (available("h1"), available("h1") + available("h2") + available("h3"));
        assert!(100 - shown(play) <= small * 25, "{} % for {small} pods", 100 - shown(play));
        assert!(all >= 3, "{all} pods");
    });
    assert_eq!((shown(&play), play.set("h2").replicas, play.selected("canary").as_str()), (50, 0, "h3"));
}

#[test]
fn a_canary_gives_up_nothing_while_the_stable_version_has_nothing() {
    let steps = json!([{"setWeight": 75}, {"pause": {}}, {"setWeight": 25}, {"pause": {}}]);
    let mut play = routed(&steps, &json!({}));
    play.update("app:2", 60);
    assert_eq!((shown(&play), play.set("h2").replicas), (75, 3));
    let set = play.set("h1").name.clone();
    play.model.pods.retain(|pod| pod.set != set);
    // Somebody else has put all weight on the stable version: nothing is sent to the canary.
    let split = &mut play.model.world.routers[0].observed.as_mut().unwrap().splits[0];
    (split.canary, split.stable) = (0, 100);
    play.act("promote", 0);
    let mut missing = false;
    play.watch(60, |play| {
        let nothing = play.set("h1").counts.available == 0;
        missing |= nothing;
        assert!(!nothing || play.set("h2").replicas == 3, "four of four pods are missing");
    });
    assert!(missing);
    assert_eq!((shown(&play), play.set("h2").replicas), (25, 1));
}

#[test]
fn a_stable_version_that_lacks_pods_is_relieved_of_what_the_canary_carries() {
    let mut play = routed(&json!([{"setWeight": 25}, {"pause": {}}]), &json!({}));
    let set = play.set("h1").name.clone();
    play.model.pods.iter_mut().filter(|pod| pod.set == set).take(2).for_each(|pod| pod.ready = None);
    play.run(5);
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), shown(&play), play.set("h1").counts.available), ("Paused", 25, 2));
}

#[test]
fn the_only_version_has_as_many_pods_as_people_want() {
    let mut play = routed(&json!([{"setWeight": 25}, {"pause": {}}]), &json!({}));
    let set = play.set("h1").name.clone();
    play.model.pods.iter_mut().filter(|pod| pod.set == set).for_each(|pod| pod.ready = None);
    play.run(5);
    play.model.patch(&json!({"spec": {"replicas": 1}}));
    play.run(60);
    assert_eq!(play.set("h1").replicas, 1);
}
