//! Target groups that are asked which pods they have. `[traffic.registered]`

use crate::play::{Play, analysis};
use crds::analysis::AnalysisPhase;
use planner::{Registered, Targets};
use serde_json::{Value, json};

/// Two ready pods, and as many of them in the target group, and beyond their first health checks.
fn bound(registered: usize, checked: usize) -> Targets {
    Targets::Bound(Registered { groups: vec!["targetgroup/web/1".to_owned()], pods: 2, registered, checked })
}

/// What target groups say of a Service from here on.
fn say(play: &mut Play, service: &str, targets: Targets) {
    let service = play.model.world.services.get_mut(service).unwrap();
    service.targets_are_news = service.targets != targets;
    service.targets = targets;
}

fn asks(play: &Play) -> Vec<String> {
    planner::plan(&play.model.world, play.model.now).asks.into_iter().collect()
}

fn told(play: &Play) -> Vec<(&str, &str)> {
    let events = play.model.events.iter().map(|(reason, message)| (reason.as_str(), message.as_str()));
    events.filter(|(reason, _)| reason.starts_with("TargetGroup")).collect()
}

fn blue_green(more: &Value) -> Play {
    let mut strategy = json!({"activeService": "active", "scaleDownDelaySeconds": 1});
    strategy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut play = Play::new(2, &json!({"blueGreen": strategy}));
    play.model.world.settings.verifies_targets = true;
    play
}

#[test]
fn blue_green_ends_when_the_new_pods_are_targets() {
    let mut play = blue_green(&json!({}));
    assert!(asks(&play).is_empty(), "at rest nothing is asked");
    play.update("app:2", 60);
    let waits = |play: &Play| {
        assert_eq!((play.selected("active").as_str(), play.stable().as_str()), ("h2", "h1"));
        assert_eq!(play.status().message, "waiting for post-promotion verification to complete");
        assert_eq!((play.set("h1").replicas, asks(play)), (2, vec!["active".to_owned()]));
    };
    waits(&play);
    assert!(told(&play).is_empty(), "nobody has said anything");
    for said in [bound(1, 0), bound(0, 0), Targets::Silent("AccessDenied".to_owned())] {
        say(&mut play, "active", said);
        play.run(60);
        waits(&play);
    }
    say(&mut play, "active", bound(2, 0));
    play.run(20);
    assert_eq!(
        (play.stable().as_str(), play.phase().as_str(), play.set("h1").replicas),
        ("h2", "Healthy", 0)
    );
    assert!(asks(&play).is_empty());
    let of = |count| format!("Service \"active\": {count} of 2 ready pods are targets of targetgroup/web/1");
    let (one, none, two) = (of(1), of(0), of(2));
    let (yes, no, error) = ("TargetGroupVerified", "TargetGroupUnverified", "TargetGroupVerifyError");
    let all = [(no, one.as_str()), (no, &none), (error, "Service \"active\": AccessDenied"), (yes, &two)];
    assert_eq!(told(&play), all);
}

#[test]
fn the_analysis_behind_the_switch_begins_when_the_new_pods_are_targets() {
    let mut play = blue_green(&json!({"postPromotionAnalysis": analysis()}));
    play.script("demo-h2-2-post", 5000, AnalysisPhase::Successful);
    play.update("app:2", 60);
    assert_eq!((play.selected("active").as_str(), play.model.world.analysis_runs.len()), ("h2", 0));
    say(&mut play, "active", bound(2, 2));
    play.run(30);
    assert_eq!((play.stable().as_str(), play.model.world.analysis_runs.len()), ("h2", 1));
}

#[test]
fn a_full_promotion_and_a_rollback_wait_for_targets_and_an_abort_does_not() {
    let mut play = blue_green(&json!({"autoPromotionEnabled": false, "scaleDownDelaySeconds": 600}));
    play.update("app:2", 30);
    play.act("promoteFull", 30);
    assert_eq!((play.selected("active").as_str(), play.stable().as_str()), ("h2", "h1"));
    play.act("abort", 0);
    assert_eq!(play.selected("active"), "h1", "it goes back at once");
    play.run(600);
    assert_eq!(play.set("h2").replicas, 2, "load balancers may still send requests to it");
    say(&mut play, "active", bound(2, 2));
    play.run(20);
    assert_eq!(play.set("h2").replicas, 0);
    play.update("app:3", 30);
    play.act("promote", 10);
    say(&mut play, "active", bound(2, 2));
    play.run(20);
    assert_eq!(play.stable(), "h3");
    play.update("app:1", 60);
    assert_eq!((play.selected("active").as_str(), play.stable().as_str()), ("h1", "h3"), "a fast rollback");
    say(&mut play, "active", Targets::Unbound);
    play.run(10);
    assert_eq!(play.stable(), "h1", "no target group has to know");
}

#[test]
fn a_canary_without_a_router_gives_up_what_its_service_has_left() {
    let canary = json!({"stableService": "stable", "steps": [{"setWeight": 50}], "maxSurge": 1});
    let mut play = Play::new(2, &json!({"canary": canary}));
    play.model.world.settings.verifies_targets = true;
    play.model.set_image("app:2");
    let mut most = 2;
    play.watch(120, |play| {
        let old = play.set("h1").replicas;
        if play.selected("stable") == "h2" {
            assert_eq!(old, most, "its pods may still be targets");
        }
        most = old;
    });
    assert_eq!((play.selected("stable").as_str(), asks(&play)), ("h2", vec!["stable".to_owned()]));
    assert!(most > 0);
    say(&mut play, "stable", bound(2, 0));
    play.run(20);
    assert_eq!((play.phase().as_str(), play.set("h1").replicas), ("Healthy", 0));
}

fn routed() -> Play {
    routed_with(&json!({"scaleDownDelaySeconds": 1}))
}

fn routed_with(more: &Value) -> Play {
    let mut canary = json!({"steps": [{"setWeight": 50}, {"pause": {}}], "stableService": "stable",
        "canaryService": "canary", "trafficRouting": {"nginx": {"stableIngress": "web"}}});
    canary.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut play = Play::new(4, &json!({"canary": canary}));
    let lists = json!({"metadata": {"annotations": {"stepgate.dev/traffic-lists-pods": "true"}}});
    play.model.patch(&lists);
    play.model.world.settings.verifies_targets = true;
    play.run(40);
    play
}

/// The weight that the router shows.
fn shown(play: &Play) -> i32 {
    play.model.world.routers[0].observed.as_ref().unwrap().canary(100)
}

#[test]
fn weight_rises_when_requests_can_be_sent_to_the_canary() {
    let mut play = routed();
    assert!(asks(&play).is_empty(), "at rest nothing is asked");
    play.update("app:2", 60);
    for said in [Targets::Unknown, bound(1, 1), bound(2, 1), Targets::Silent("down".to_owned())] {
        say(&mut play, "canary", said);
        play.run(120);
        assert_eq!((shown(&play), asks(&play)), (0, vec!["canary".to_owned()]));
    }
    say(&mut play, "canary", bound(2, 2));
    play.run(20);
    assert_eq!((shown(&play), play.phase().as_str()), (50, "Paused"));
    say(&mut play, "canary", Targets::Silent("down".to_owned()));
    play.act("abort", 0);
    assert_eq!(shown(&play), 0, "an abort waits for nobody");
}

#[test]
fn the_stable_service_gets_weight_again_and_the_old_version_goes_when_its_pods_are_targets() {
    let mut play = routed();
    play.update("app:2", 30);
    say(&mut play, "canary", bound(2, 2));
    play.run(30);
    play.act("promote", 120);
    assert_eq!((play.stable().as_str(), shown(&play)), ("h2", 100), "all goes to the canary's Service");
    assert_eq!((play.selected("stable").as_str(), play.set("h1").replicas), ("h2", 4));
    assert_eq!(asks(&play), ["stable"]);
    say(&mut play, "stable", bound(2, 1));
    play.run(120);
    assert_eq!((shown(&play), play.set("h1").replicas), (100, 0), "they are there, and not checked");
    say(&mut play, "stable", bound(2, 2));
    play.run(60);
    assert_eq!((shown(&play), play.phase().as_str()), (0, "Healthy"));
    assert!(asks(&play).is_empty());
}

#[test]
fn a_third_version_does_not_take_away_what_target_groups_may_have_of_the_first() {
    let canary = json!({"stableService": "stable", "steps": [{"setWeight": 50}], "maxSurge": 4});
    let mut unrouted = Play::new(4, &json!({"canary": canary}));
    unrouted.model.world.settings.verifies_targets = true;
    for (mut play, kept) in [(unrouted, 1), (routed(), 4)] {
        play.update("app:2", 60);
        say(&mut play, "canary", bound(2, 2));
        play.run(30);
        play.act("promote", 120);
        assert_eq!((play.stable().as_str(), play.selected("stable").as_str()), ("h2", "h2"));
        let left = play.set("h1").replicas;
        assert!(left >= kept, "{left} pods of the first version");
        play.update("app:3", 120);
        assert_eq!(play.set("h1").replicas, left);
        assert!(asks(&play).contains(&"stable".to_owned()), "{:?}", asks(&play));
        say(&mut play, "stable", bound(2, 0));
        play.run(20);
        assert_eq!(play.set("h1").replicas, 0, "they have heard of it");
    }
}

#[test]
fn an_overtaken_version_keeps_its_pods_while_its_service_is_sent_requests() {
    let mut play = routed_with(&json!({"dynamicStableScale": true}));
    play.update("app:2", 60);
    say(&mut play, "canary", bound(2, 2));
    play.run(60);
    assert_eq!((shown(&play), play.set("h1").replicas, play.set("h2").replicas), (50, 2, 2));
    play.update("app:3", 120);
    assert_eq!((play.selected("canary").as_str(), shown(&play)), ("h3", 50));
    assert_eq!((play.set("h2").replicas, asks(&play)), (2, vec!["canary".to_owned()]));
    say(&mut play, "canary", bound(2, 0));
    play.run(20);
    assert_eq!((play.set("h2").replicas, shown(&play)), (0, 50));
}

#[test]
fn where_no_target_group_is_bound_the_settle_time_counts() {
    let mut play = routed();
    play.model.world.settings.settle_seconds = 20;
    play.model.set_image("app:2");
    let mut moved = None;
    for _ in 0..90 {
        for service in ["stable", "canary"] {
            say(&mut play, service, Targets::Unbound);
        }
        play.run(1);
        if play.selected("canary") == "h2" {
            moved.get_or_insert(play.model.now);
        }
        let settled = moved.is_some_and(|at| play.model.now >= at.plus_seconds(19));
        assert!(settled || shown(&play) == 0);
    }
    assert_eq!(shown(&play), 50);
    assert!(told(&play).is_empty(), "there is nothing to tell");
}

#[test]
fn without_the_flag_nothing_is_asked() {
    let mut play = blue_green(&json!({}));
    play.model.world.settings.verifies_targets = false;
    play.model.set_image("app:2");
    play.watch(60, |play| assert!(asks(play).is_empty()));
    assert_eq!(play.stable(), "h2");
}
