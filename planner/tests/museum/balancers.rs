//! Load balancers that keep lists of pods and can be asked, and other writers of routes.

use crate::mesh::{behind_a_route, weight};
use crate::play::Play;
use planner::traffic::{Authors, ObservedTraffic, Served, Split};
use planner::{Registered, Targets};
use serde_json::{Value, json};

/// Seconds between two looks of a load balancer at the pods: longer than any delay and settle time here.
const LATE: i64 = 120;
const SETTLE: i64 = 5;

fn paused_at_half() -> Value {
    json!([{"setWeight": 50}, {"pause": {}}])
}

/// From now on the load balancer is there, and is believed.
fn listed(mut play: Play) -> Play {
    let lists = json!({"stepgate.dev/traffic-lists-pods": "true"});
    play.model.patch(&json!({"metadata": {"annotations": lists}}));
    play.model.world.settings.settle_seconds = SETTLE;
    play.model.add_balancer(LATE);
    play.run(20);
    play
}

fn routed(more: &Value) -> Play {
    let play = behind_a_route(4, &paused_at_half(), more);
    assert_eq!(play.selected("stable"), "h1");
    listed(play)
}

fn serves(play: &Play, service: &str) {
    let now = play.model.now;
    assert!(play.model.listed(service) > 0, "{now}: no pod in the list of {service} is there");
}

#[test]
pub(crate) fn load_balancer_hears_late() {
    let strategy = json!({"activeService": "active", "scaleDownDelaySeconds": 1});
    let mut play = listed(Play::new(4, &json!({"blueGreen": strategy})));
    let answers = |play: &mut Play, is: bool| play.model.balancer.as_mut().unwrap().answers = is;
    answers(&mut play, false);
    play.model.set_image("app:2");
    play.watch(3 * LATE as u64, |play| serves(play, "active"));
    let stays = |play: &Play| (play.selected("active"), play.stable(), play.set("h1").replicas);
    assert_eq!(stays(&play), ("h2".to_owned(), "h1".to_owned(), 4), "nobody knows what it has");
    answers(&mut play, true);
    play.watch(60, |play| serves(play, "active"));
    assert_eq!(
        (play.phase().as_str(), play.stable().as_str(), play.set("h1").replicas),
        ("Healthy", "h2", 0)
    );
}

/// The third version comes while the list of the stable Service still has the pods of the first.
#[test]
pub(crate) fn third_version_while_it_has_not_heard() {
    let canary = json!({"stableService": "stable", "steps": [{"setWeight": 50}], "maxSurge": 4});
    let mut play = listed(Play::new(4, &json!({"canary": canary})));
    play.model.set_image("app:2");
    while play.stable() != "h2" {
        play.run(1);
    }
    play.model.set_image("app:3");
    play.watch(4 * LATE as u64, |play| serves(play, "stable"));
    assert_eq!(
        (play.phase().as_str(), play.stable().as_str(), play.set("h1").replicas),
        ("Healthy", "h3", 0)
    );
}

/// The third version overtakes the second while that has weight, and a stable version that has shrunk cannot carry it.
#[test]
pub(crate) fn overtaken_while_it_has_not_heard() {
    let mut play = routed(&json!({"dynamicStableScale": true}));
    play.update("app:2", 3 * LATE as u64);
    assert_eq!((weight(&play), play.set("h1").replicas, play.set("h2").replicas), (50, 2, 2));
    play.model.set_image("app:3");
    play.watch(4 * LATE as u64, |play| {
        serves(play, "stable");
        if weight(play) > 0 {
            serves(play, "canary");
        }
    });
    assert_eq!((play.phase().as_str(), weight(&play), play.set("h2").replicas), ("Paused", 50, 0));
}

#[test]
pub(crate) fn weight_waits_for_the_first_health_checks() {
    let mut play = routed(&json!({}));
    play.model.balancer = None;
    let say = |play: &mut Play, checked: usize| {
        let service = play.model.world.services.get_mut("canary").unwrap();
        let groups = vec!["targetgroup/web/1".to_owned()];
        service.targets = Targets::Bound(Registered { groups, pods: 2, registered: 2, checked });
    };
    play.update("app:2", 30);
    say(&mut play, 1);
    play.watch(300, |play| assert_eq!(weight(play), 0, "no request can be sent to one of the pods"));
    say(&mut play, 2);
    play.run(30);
    assert_eq!(weight(&play), 50);
}

#[test]
pub(crate) fn a_load_balancer_says_what_it_serves() {
    let mut play = behind_a_route(4, &paused_at_half(), &json!({"scaleDownDelaySeconds": 1}));
    play.model.world.settings.settle_seconds = SETTLE;
    // The objects are read anew with each look: what is said of them here stays.
    play.model.objects = None;
    let serve = |play: &mut Play, canary: i64| {
        let split = Split { canary, stable: 100 - canary, ..Split::default() };
        let traffic = ObservedTraffic { splits: vec![split], ..ObservedTraffic::default() };
        play.model.world.routers[0].served = Some(Ok(Served { traffic, balancers: Vec::new() }));
    };
    serve(&mut play, 0);
    play.update("app:2", 120);
    assert_eq!((weight(&play), play.status().current_step_index), (50, Some(0)), "it is only written");
    serve(&mut play, 50);
    play.run(20);
    assert_eq!((play.phase().as_str(), play.status().current_step_index), ("Paused", Some(1)));
    play.model.act("promote", &Value::Null);
    play.watch(300, |play| assert_eq!(play.set("h1").replicas, 4, "it may still be sent requests"));
    assert_eq!((play.stable().as_str(), weight(&play)), ("h2", 0));
    serve(&mut play, 0);
    play.run(60);
    assert_eq!((play.phase().as_str(), play.set("h1").replicas), ("Healthy", 0));
}

/// A router of which the API server notes who has changed it.
fn noted() -> Play {
    let mut play = behind_a_route(4, &paused_at_half(), &json!({}));
    play.model.world.settings.settle_seconds = SETTLE;
    play.model.world.settings.gives_back = true;
    play.model.objects = None;
    play
}

/// Somebody else has taken the weight to this, so many seconds after we have written.
fn overwrite(play: &mut Play, canary: i64, seconds: i64) {
    let own = Some(play.model.now.plus_seconds(-seconds));
    let view = &mut play.model.world.routers[0];
    view.authors = Authors { own, written: own, shared: true, other: Some("argocd".to_owned()) };
    let split = &mut view.observed.as_mut().unwrap().splits[0];
    (split.canary, split.stable) = (canary, 100 - canary);
}

#[test]
pub(crate) fn git_loses_its_routes() {
    let own = |play: &Play| play.model.world.routers[0].authors.own;
    let mut play = noted();
    play.update("app:2", 60);
    assert!(own(&play).is_some(), "an update is under way");
    play.model.act("promote", &Value::Null);
    play.watch(300, |play| {
        let changed = play.model.world.routers[0].changed.unwrap();
        let settled = play.model.now >= changed.plus_seconds(SETTLE);
        assert!(settled || own(play).is_some(), "routers may still read it");
    });
    assert_eq!(own(&play), None, "a change of Git is to be seen again");
    play.run(600);
    overwrite(&mut play, 30, 0);
    play.run(300);
    assert_eq!(weight(&play), 0, "what Git has is no weight of an update");
    assert!(own(&play).is_some(), "given back again, it would be changed again");
}

#[test]
pub(crate) fn weights_changed_by_somebody_stay() {
    let mut play = noted();
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), weight(&play)), ("Paused", 50));
    overwrite(&mut play, 0, 60);
    play.run(0);
    assert_eq!(weight(&play), 50, "it is put back at once");
    overwrite(&mut play, 0, 0);
    play.run(0);
    assert_eq!(weight(&play), 0, "the other is as fast as we are: a moment for each");
    play.run(3);
    assert_eq!(weight(&play), 50);
}
