//! Order of events, and what holds for plans of every Rollout; needs no recorded data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use crds::rollout::RolloutStatus;
use planner::{World, plan};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;
use support::{Model, at};

fn rollout(replicas: i32, strategy: &Value) -> Value {
    let template = json!({"metadata": {"labels": {"app": "demo"}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]}});
    json!({"apiVersion": crds::API_VERSION, "kind": "Rollout", "metadata": {"name": "demo"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "demo"}}, "template": template, "strategy": strategy}})
}

fn canary() -> Value {
    json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {"duration": "3s"}}]}})
}

fn model(replicas: i32, strategy: &Value) -> Model {
    let mut model = Model::new();
    for name in ["active", "preview"] {
        model.create(
            &json!({"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": "demo"}}}),
        );
    }
    model.create(&rollout(replicas, strategy));
    model
}

fn until(model: &mut Model, phase: &str) {
    let settle = Duration::from_millis(800);
    let generation = |model: &Model| model.world.rollout.metadata.generation.unwrap().to_string();
    let there = model.run_until(settle, Duration::from_secs(90), |model| {
        let status = model.world.rollout.status.as_ref();
        status.is_some_and(|status| status.phase == phase && status.observed_generation == generation(model))
    });
    assert!(there, "never {phase}: {:?}", model.world.rollout.status);
}

#[test]
fn events_of_a_canary_come_in_the_known_order() {
    let mut model = model(1, &canary());
    until(&mut model, "Healthy");
    model.set_image("app:2");
    until(&mut model, "Paused");
    model.act("abort", &Value::Null);
    until(&mut model, "Degraded");
    model.act("retry", &Value::Null);
    until(&mut model, "Paused");
    until(&mut model, "Healthy");
    let expected = "RolloutAddedToInformer RolloutUpdated NewReplicaSetCreated RolloutNotCompleted \
        ScalingReplicaSet RolloutCompleted RolloutUpdated NewReplicaSetCreated RolloutNotCompleted \
        ScalingReplicaSet RolloutStepCompleted RolloutPaused ScalingReplicaSet RolloutAborted ScalingReplicaSet \
        RolloutStepCompleted RolloutPaused RolloutStepCompleted RolloutResumed ScalingReplicaSet RolloutCompleted";
    assert_eq!(model.reasons().join(" "), expected);
}

#[test]
fn events_of_a_blue_green_update_come_in_the_known_order() {
    let mut model = model(3, &json!({"blueGreen": {"activeService": "active"}}));
    until(&mut model, "Healthy");
    model.set_image("app:2");
    until(&mut model, "Healthy");
    let expected = "RolloutAddedToInformer RolloutUpdated NewReplicaSetCreated ScalingReplicaSet RolloutCompleted \
        SwitchService RolloutUpdated NewReplicaSetCreated RolloutNotCompleted ScalingReplicaSet SwitchService \
        RolloutCompleted";
    assert_eq!(model.reasons().join(" "), expected);
}

fn strategies() -> [Value; 4] {
    [
        canary(),
        json!({"canary": {}}),
        json!({"blueGreen": {"activeService": "active", "scaleDownDelaySeconds": 5}}),
        json!({"blueGreen": {"activeService": "active", "previewService": "preview", "previewReplicaCount": 1,
            "autoPromotionSeconds": 2, "scaleDownDelaySeconds": 5}}),
    ]
}

/// Sizes, selectors and phase: what must be the same however one got there.
fn outcome(model: &Model) -> Value {
    let sets: Vec<_> =
        model.world.replica_sets.iter().map(|set| (model.plain(&set.name), set.replicas)).collect();
    let services: Vec<_> = model.world.services.values().map(|s| (&s.name, model.plain(s.hash()))).collect();
    let status = model.world.rollout.status.clone().unwrap();
    json!([sets, services, status.phase, status.current_step_index, model.plain(&status.stable_rs)])
}

#[test]
fn a_converged_world_has_an_empty_plan() {
    for strategy in strategies() {
        let mut model = model(3, &strategy);
        until(&mut model, "Healthy");
        let plan = plan(&model.world, model.now.plus_seconds(3600));
        assert_eq!((plan.writes, plan.notices), (vec![], vec![]), "{strategy}");
        assert_eq!(plan.status, model.world.rollout.status, "{strategy}");
    }
}

/// Reconciles, and loses the process after the write with number `at` of the whole run (its status is not recorded).
fn reconcile_with_crash(model: &mut Model, written: &mut usize, crash_at: usize) {
    for _ in 0..60 {
        model.surroundings();
        let plan = plan(&model.world, model.now);
        model.wake = plan.wake.as_ref().map(|wake| wake.at);
        if plan.writes.is_empty() && plan.status == model.world.rollout.status {
            return;
        }
        let mut crashes = |model: &mut Model, writes: &[planner::Planned]| {
            writes.iter().any(|planned| {
                model.write(&planned.write);
                *written += 1;
                *written == crash_at
            })
        };
        let (before, following) = plan.parts();
        if !crashes(model, before) {
            model.record(&plan);
            crashes(model, following);
        }
    }
    panic!("planning does not end");
}

fn update_with_crash(strategy: &Value, crash_at: usize) -> (Value, usize) {
    let (mut model, mut written) = (model(3, strategy), 0);
    for image in ["app:1", "app:2"] {
        model.set_image(image);
        for _ in 0..200 {
            reconcile_with_crash(&mut model, &mut written, crash_at);
            let Some(next) = model.next_moment().filter(|next| *next < model.now.plus_seconds(60)) else {
                break;
            };
            model.now = next;
        }
    }
    (outcome(&model), written)
}

#[test]
fn a_crash_between_any_two_writes_comes_to_the_same_end() {
    for strategy in strategies() {
        let (whole, writes) = update_with_crash(&strategy, usize::MAX);
        assert!(writes > 5 && whole[2] == "Healthy", "{whole}");
        for crash_at in 1..=writes {
            let (end, _) = update_with_crash(&strategy, crash_at);
            assert_eq!(end, whole, "crash after write {crash_at} of {strategy}");
        }
    }
}

/// Whether a write changes nothing, and only fails when something is not as it was seen: a later plan asks again.
fn only_confirms(world: &planner::World, write: &planner::Write) -> bool {
    match write {
        planner::Write::AnnotateReplicaSet { annotations, min_ready_seconds: None, .. } => {
            annotations.is_empty()
        }
        planner::Write::SelectService { target, hash: Some(hash), .. } => {
            world.services.get(&target.name).is_some_and(|service| service.hash() == hash)
        }
        _ => false,
    }
}

#[test]
fn carrying_out_write_by_write_gives_the_same_writes() {
    for strategy in strategies() {
        let mut model = model(3, &strategy);
        until(&mut model, "Healthy");
        model.set_image("app:2");
        for _ in 0..200 {
            loop {
                model.surroundings();
                let whole = plan(&model.world, model.now);
                model.wake = whole.wake.as_ref().map(|wake| wake.at);
                if whole.writes.is_empty() && whole.status == model.world.rollout.status {
                    break;
                }
                let mut partial = model.clone();
                for (index, planned) in whole.parts().0.iter().enumerate() {
                    if only_confirms(&partial.world, &planned.write) {
                        continue;
                    }
                    let again = plan(&partial.world, partial.now);
                    let named = |write: &planner::Write| match write {
                        planner::Write::ScaleReplicaSet { target, to, .. } => {
                            format!("scale {} {to}", target.name)
                        }
                        planner::Write::SelectService { target, hash, .. } => {
                            format!("select {} {hash:?}", target.name)
                        }
                        other => format!("{other:?}").chars().take(24).collect(),
                    };
                    let mut writes = again.writes.iter().map(|planned| &planned.write);
                    let first = writes.find(|write| !only_confirms(&partial.world, write)).map(named);
                    assert_eq!(first, Some(named(&planned.write)), "write {index} of {strategy}");
                    partial.write(&planned.write);
                }
                model.carry_out(&whole);
            }
            let Some(next) = model.next_moment() else { break };
            model.now = next;
        }
    }
}

fn any_status() -> impl Strategy<Value = RolloutStatus> {
    let hash = || prop_oneof![Just(String::new()), Just("5b8f9c7d6f".to_owned()), Just("unknown".to_owned())];
    (
        (any::<bool>(), any::<bool>(), any::<bool>(), proptest::option::of(any::<i32>())),
        (hash(), hash(), hash(), any::<i32>(), any::<i32>()),
        (proptest::option::of(any::<i32>()), proptest::option::of(0_u64..100_000), any::<bool>()),
    )
        .prop_map(|(flags, texts, rest)| {
            let pauses = rest.2.then(|| {
                vec![crds::rollout::status::PauseCondition {
                    reason: "CanaryPauseStep".to_owned(),
                    start_time: at(0),
                }]
            });
            RolloutStatus {
                abort: flags.0,
                promote_full: flags.1,
                controller_pause: flags.2,
                current_step_index: flags.3,
                stable_rs: texts.0,
                current_pod_hash: texts.1,
                current_step_hash: texts.2,
                replicas: texts.3,
                updated_replicas: texts.4,
                collision_count: rest.0,
                aborted_at: rest.1.map(at),
                pause_conditions: pauses,
                ..RolloutStatus::default()
            }
        })
}

proptest! {
    #[test]
    fn no_world_makes_it_panic(
        status in any_status(), which in 0_usize..4, replicas in any::<i32>(),
        sizes in proptest::collection::vec((any::<i32>(), any::<i32>(), any::<i32>()), 0..4),
    ) {
        let mut model = model(3, &strategies()[which]);
        for image in ["app:1", "app:2", "app:3"] {
            model.set_image(image);
            model.reconcile();
        }
        model.world.rollout.spec.replicas = Some(replicas);
        model.world.rollout.status = Some(status);
        for (set, (size, pods, available)) in model.world.replica_sets.iter_mut().zip(sizes) {
            (set.replicas, set.counts.replicas, set.counts.available) = (size, pods, available);
        }
        let world: World = model.world;
        prop_assert_eq!(plan(&world, at(5000)), plan(&world, at(5000)));
    }
}
