//! Load balancers that keep lists of pods, and hear of a Service that moved as late as they like, under whatever people
//! do: every list that requests are sent to has a pod that is there, every plan is linted, and it comes to rest.
//! `[traffic.registered]`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
#![allow(dead_code, reason = "shared with the museum, of which this uses a part")]

#[path = "museum/mesh.rs"]
mod mesh;
#[path = "museum/play.rs"]
mod play;
#[path = "support/mod.rs"]
mod support;

use mesh::{behind_a_route, weight};
use play::Play;
use proptest::prelude::*;
use serde_json::{Value, json};

/// How long a router may take here: shorter than any list is late, so that only their word helps.
const SETTLE: i64 = 2;

#[derive(Clone, Copy, Debug)]
enum Kind {
    BlueGreen,
    Canary,
    Routed,
    Dynamic,
}

/// What a person does.
#[derive(Clone, Debug)]
enum Act {
    Image(u8),
    Scale(i32),
    Verb(&'static str),
}

fn act() -> impl Strategy<Value = (Act, u64)> {
    let verbs = ["promote", "promote", "promote", "promoteFull", "abort", "retry"];
    let act = prop_oneof![
        3 => (1..5_u8).prop_map(Act::Image),
        1 => prop::sample::select(vec![2, 4, 8]).prop_map(Act::Scale),
        4 => prop::sample::select(verbs.to_vec()).prop_map(Act::Verb),
    ];
    (act, prop::sample::select(vec![0, 1, 5, 20, 60, 150]))
}

fn deployed(kind: Kind, gated: bool, delay: i32, period: i64) -> Play {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let mut play = match kind {
        Kind::BlueGreen => Play::new(
            4,
            &json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": !gated,
                "scaleDownDelaySeconds": delay, "abortScaleDownDelaySeconds": delay}}),
        ),
        Kind::Canary => {
            let steps = if gated { steps } else { json!([{"setWeight": 50}]) };
            Play::new(4, &json!({"canary": {"stableService": "stable", "maxSurge": 2, "steps": steps}}))
        }
        Kind::Routed => behind_a_route(4, &steps, &json!({"scaleDownDelaySeconds": delay})),
        Kind::Dynamic => behind_a_route(4, &steps, &json!({"dynamicStableScale": true})),
    };
    let lists = json!({"stepgate.dev/traffic-lists-pods": "true"});
    play.model.patch(&json!({"metadata": {"annotations": lists}}));
    play.model.world.settings.settle_seconds = SETTLE;
    play.model.add_balancer(period);
    play.run(20);
    play
}

/// Each list that requests are sent to has a pod that is there.
fn is_served(play: &Play, kind: Kind) {
    let sends = match kind {
        Kind::BlueGreen => vec!["active"],
        Kind::Canary => vec!["stable"],
        Kind::Routed | Kind::Dynamic => {
            let weight = weight(play);
            let shares = [("stable", 100 - weight), ("canary", weight)];
            shares.into_iter().filter(|(_, share)| *share > 0).map(|(name, _)| name).collect()
        }
    };
    for service in sends {
        let now = play.model.now;
        assert!(
            play.model.listed(service) > 0,
            "{now}: no pod of {service}'s list is there: {:?}",
            play.status()
        );
    }
}

fn carry_out(play: &mut Play, act: &Act) {
    match act {
        Act::Image(version) => play.model.set_image(&format!("app:{version}")),
        Act::Scale(replicas) => assert!(play.model.act("scale", &json!(replicas))),
        Act::Verb(verb) => assert!(play.model.act(verb, &Value::Null)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_list_is_without_a_pod_whatever_people_do(
        kind in prop::sample::select(vec![Kind::BlueGreen, Kind::Canary, Kind::Routed, Kind::Dynamic]),
        gated in any::<bool>(),
        delay in prop::sample::select(vec![1, 30, 90]),
        period in prop::sample::select(vec![7, 40, 170]),
        acts in prop::collection::vec(act(), 1..7),
    ) {
        let mut play = deployed(kind, gated, delay, period);
        for (act, seconds) in &acts {
            carry_out(&mut play, act);
            play.watch(*seconds, |play| is_served(play, kind));
        }
        play.watch(2000, |play| is_served(play, kind));
        let phase = play.phase();
        prop_assert!(["Healthy", "Paused", "Degraded"].contains(&phase.as_str()), "{phase}");
        if phase == "Healthy" {
            for set in &play.model.world.replica_sets {
                let is_stable = set.hash() == play.status().stable_rs;
                prop_assert_eq!(set.replicas > 0, is_stable, "{}", play.model.plain(set.hash()));
            }
        }
        let writes = play.model.writes;
        play.run(600);
        prop_assert_eq!(play.model.writes, writes);
    }
}
