//! Canaries behind routers under whatever people do: at every moment each version has the available pods for the share
//! that a router up to a minute behind may send it, every plan is linted, and it comes to rest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
#![allow(dead_code, reason = "shared with the museum, of which this uses a part")]

#[path = "museum/mesh.rs"]
mod mesh;
#[path = "museum/play.rs"]
mod play;
#[path = "support/mod.rs"]
mod support;

use mesh::{LAG, behind_a_mesh, behind_a_route, everybody_is_served, has_pods, healthy, weight};
use play::Play;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What a person does, and how many seconds pass then.
#[derive(Clone, Debug)]
enum Act {
    Image(u8),
    Steps(Vec<i32>),
    Scale(i32),
    Verb(&'static str),
}

fn act() -> impl Strategy<Value = (Act, u64)> {
    let verbs = ["promote", "promote", "promoteFull", "abort", "retry"];
    let weights = prop::sample::select(vec![10, 25, 50, 75, 100]);
    let act = prop_oneof![
        3 => (1..5_u8).prop_map(Act::Image),
        1 => prop::collection::vec(weights, 1..3).prop_map(Act::Steps),
        1 => prop::sample::select(vec![1, 4, 16]).prop_map(Act::Scale),
        4 => prop::sample::select(verbs.to_vec()).prop_map(Act::Verb),
    ];
    (act, prop::sample::select(vec![0, 1, 2, 5, 30, 70, 200]))
}

fn steps(weights: &[i32]) -> Value {
    weights.iter().flat_map(|weight| [json!({"setWeight": weight}), json!({"pause": {}})]).collect()
}

fn carry_out(play: &mut Play, act: &Act) {
    match act {
        Act::Image(version) => play.model.set_image(&format!("app:{version}")),
        Act::Steps(weights) => {
            play.model.patch(&json!({"spec": {"strategy": {"canary": {"steps": steps(weights)}}}}));
        }
        Act::Scale(replicas) => assert!(play.model.act("scale", &json!(replicas))),
        Act::Verb(verb) => assert!(play.model.act(verb, &Value::Null)),
    }
}

/// A route between two Services that take turns.
fn route_of_a_pair() -> Value {
    let to = |name: &str, weight: i32| json!({"name": name, "port": 80, "weight": weight});
    json!({"kind": "HTTPRoute", "metadata": {"name": "web"}, "spec": {"rules": [
        {"backendRefs": [to("active", 100), to("preview", 0)]},
    ]}})
}

/// A canary behind an HTTPRoute between two Services that take turns.
fn behind_a_pair(replicas: i32, steps: &Value, more: &Value) -> Play {
    let mut more = more.clone();
    more["pingPong"] = json!({"pingService": "active", "pongService": "preview"});
    (more["stableService"], more["canaryService"]) = (Value::Null, Value::Null);
    let routing = json!({"gatewayAPI": {"httpRoute": "web"}});
    healthy(replicas, steps, &routing, &more, &[route_of_a_pair()], &json!({}))
}

/// The same, and behind a VirtualService between two other Services, that are named.
fn behind_two_pairs(replicas: i32, steps: &Value, more: &Value) -> Play {
    let to = |host: &str, weight: i32| json!({"destination": {"host": host}, "weight": weight});
    let service = json!({"kind": "VirtualService", "metadata": {"name": "web"}, "spec": {"http": [
        {"name": "primary", "route": [to("stable", 100), to("canary", 0)]},
    ]}});
    let routing = json!({"gatewayAPI": {"httpRoute": "web"}, "istio": {"virtualService": {"name": "web"}}});
    let mut more = more.clone();
    more["pingPong"] = json!({"pingService": "active", "pongService": "preview"});
    healthy(replicas, steps, &routing, &more, &[route_of_a_pair(), service], &json!({}))
}

/// A Rollout with so many pods, these steps, and more fields of its strategy.
type Make = fn(i32, &Value, &Value) -> Play;

/// Behind what.
const MADE: [(&str, Make); 4] = [
    ("mesh", behind_a_mesh),
    ("route", behind_a_route),
    ("pair", behind_a_pair),
    ("two pairs", behind_two_pairs),
];

/// Another number of pods is wanted at once, and there later: then nobody meets a version without pods, but it may have
/// fewer than its share.
fn judge(play: &Play, scaled: bool) {
    if scaled { has_pods(play, |_| 1) } else { everybody_is_served(play) }
}

/// Everything is where the phase says that it is.
fn is_at_rest(play: &Play) {
    let (status, replicas) = (play.status(), play.model.world.rollout.spec.replicas.unwrap());
    assert!(
        ["Healthy", "Paused", "Degraded"].contains(&status.phase.as_str()),
        "{}: {}",
        status.phase,
        status.message
    );
    if status.phase == "Healthy" {
        assert_eq!(weight(play), 0);
        for set in &play.model.world.replica_sets {
            let wanted = if set.hash() == status.stable_rs { replicas } else { 0 };
            assert_eq!(set.replicas, wanted, "{}", play.model.plain(set.hash()));
        }
    }
    let carried: i32 = play.model.world.replica_sets.iter().map(|set| set.counts.available).sum();
    assert!(carried >= replicas, "{carried} pods");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everybody_is_served_whatever_people_do(
        made in prop::sample::select(MADE.to_vec()),
        services in any::<bool>(),
        dynamic in any::<bool>(),
        delay in prop::sample::select(vec![1, 30, 90]),
        first in prop::sample::select(vec![10, 50, 75, 100]),
        acts in prop::collection::vec(act(), 1..7),
    ) {
        let mut more = json!({"dynamicStableScale": dynamic, "abortScaleDownDelaySeconds": delay});
        if !dynamic {
            more["scaleDownDelaySeconds"] = json!(delay);
        }
        if made.0 == "mesh" && !services {
            more["stableService"] = Value::Null;
            more["canaryService"] = Value::Null;
        }
        let mut play = made.1(8, &steps(&[first, 80]), &more);
        let mut scaled = false;
        for (act, seconds) in &acts {
            carry_out(&mut play, act);
            scaled |= matches!(act, Act::Scale(_));
            play.watch(*seconds, |play| judge(play, scaled));
        }
        play.watch(4 * LAG as u64 + 200, |play| judge(play, scaled));
        is_at_rest(&play);
        let writes = play.model.writes;
        play.run(600);
        prop_assert_eq!(play.model.writes, writes);
    }
}

/// Scaled up and overtaken in one moment: the weight stays until the stable version has the pods for its share, and that is
/// larger than its step's. It has to get them, or both wait for each other.
#[test]
fn a_stable_version_gets_the_pods_for_what_it_is_sent() {
    let more = json!({"dynamicStableScale": true, "abortScaleDownDelaySeconds": 1, "stableService": null,
        "canaryService": null});
    for (step, seconds, last) in [
        (25, 2, [Act::Scale(16), Act::Image(3)]),
        // What the second version has is half of what is wanted now: the third one carries all of it.
        (100, 70, [Act::Image(3), Act::Scale(16)]),
    ] {
        let mut play = behind_a_mesh(8, &steps(&[step]), &more);
        carry_out(&mut play, &Act::Image(2));
        play.watch(seconds, |play| judge(play, false));
        for act in last {
            carry_out(&mut play, &act);
            play.watch(0, |play| judge(play, true));
        }
        play.watch(600, |play| judge(play, true));
        is_at_rest(&play);
        assert_eq!((play.status().phase.as_str(), weight(&play)), ("Paused", step));
    }
}

/// A router that knows a pair which takes turns splits between that, and one that does not between the Services that are
/// named, where a Rollout has both. Neither pair moves for the other.
#[test]
fn two_pairs_of_services_lead_to_the_same_versions() {
    let mut play = behind_two_pairs(4, &steps(&[25]), &json!({"scaleDownDelaySeconds": 2}));
    let shows = |play: &Play| {
        let objects = &play.model.objects.as_ref().unwrap().0;
        let of = |kind: &str, at: &str, name: &str| -> Vec<(String, i64)> {
            let object = objects.iter().find(|(reference, _)| reference.kind.kind == kind).unwrap().1;
            let all = object.pointer(at).unwrap().as_array().unwrap().iter();
            let read =
                |one: &Value| (one.pointer(name)?.as_str().map(str::to_owned)).zip(one["weight"].as_i64());
            let mut all: Vec<_> = all.filter_map(read).collect();
            all.sort();
            all
        };
        let route = of("HTTPRoute", "/spec/rules/0/backendRefs", "/name");
        (route, of("VirtualService", "/spec/http/0/route", "/destination/host"))
    };
    let weights = |[active, preview]: [i64; 2], canary: i64| {
        let named = |all: [(&str, i64); 2]| all.map(|(name, weight)| (name.to_owned(), weight)).to_vec();
        (
            named([("active", active), ("preview", preview)]),
            named([("canary", canary), ("stable", 100 - canary)]),
        )
    };
    assert_eq!(shows(&play), weights([100, 0], 0));
    for (version, at_step, at_end) in [(2, [75, 25], [0, 100]), (3, [25, 75], [100, 0])] {
        play.model.set_image(&format!("app:{version}"));
        play.watch(200, everybody_is_served);
        assert_eq!((play.phase().as_str(), shows(&play)), ("Paused", weights(at_step, 25)));
        play.model.act("promote", &Value::Null);
        play.watch(600, everybody_is_served);
        assert_eq!((play.phase().as_str(), shows(&play)), ("Healthy", weights(at_end, 0)));
        let hash = play.stable();
        assert_eq!((play.selected("stable"), play.selected("canary")), (hash.clone(), hash));
    }
}

/// Promoted in full in the middle of its steps: the Service that was the stable one's has half of the requests until the
/// routers have heard that it is the canary's now.
#[test]
fn the_version_that_a_pair_leaves_keeps_its_pods_while_it_is_sent_requests() {
    for made in [behind_a_pair, behind_two_pairs as Make] {
        let mut play = made(8, &steps(&[50]), &json!({"dynamicStableScale": true}));
        for version in [2, 3] {
            carry_out(&mut play, &Act::Image(version));
            play.watch(if version == 2 { 70 } else { 0 }, everybody_is_served);
        }
        carry_out(&mut play, &Act::Verb("promoteFull"));
        play.watch(600, everybody_is_served);
        is_at_rest(&play);
        assert_eq!(play.phase(), "Healthy");
    }
}
