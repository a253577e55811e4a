//! Calls of the planner per second; `elem/s` of the output are calls.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use planner::plan;
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Duration;
use support::Model;

/// Updates before the one that is looked at: a Rollout that has lived for a while has this many old ReplicaSets.
const HISTORY: usize = 10;

fn rollout(strategy: &Value) -> Value {
    let template = json!({"metadata": {"labels": {"app": "demo"}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]}});
    json!({"apiVersion": crds::API_VERSION, "kind": "Rollout", "metadata": {"name": "demo"}, "spec": {
        "replicas": 10, "selector": {"matchLabels": {"app": "demo"}}, "template": template, "strategy": strategy}})
}

fn settled(strategy: &Value) -> Model {
    let mut model = Model::new();
    let service = |name: &str| json!({"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": "demo"}}});
    model.create(&service("active"));
    model.create(&rollout(strategy));
    for version in 2..HISTORY + 2 {
        until(&mut model, "Healthy");
        model.set_image(&format!("app:{version}"));
    }
    until(&mut model, "Healthy");
    model
}

fn until(model: &mut Model, phase: &str) {
    let there = model.run_until(Duration::from_millis(800), Duration::from_secs(120), |model| {
        let generation = model.world.rollout.metadata.generation.unwrap().to_string();
        let status = model.world.rollout.status.as_ref();
        status.is_some_and(|status| status.phase == phase && status.observed_generation == generation)
    });
    assert!(there, "never {phase}: {:?}", model.world.rollout.status);
}

fn calls(criterion: &mut Criterion) {
    let canary =
        json!({"canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "3s"}}, {"setWeight": 60}]}});
    let blue_green = json!({"blueGreen": {"activeService": "active"}});
    let at_rest = settled(&canary);
    // The first plan after a new version: it makes a ReplicaSet, and scales.
    let mut begins = at_rest.clone();
    begins.set_image("app:new");
    let mut paused = begins.clone();
    until(&mut paused, "Paused");
    let mut switches = settled(&blue_green);
    switches.set_image("app:new");

    let mut group = criterion.benchmark_group("plan");
    group.throughput(Throughput::Elements(1));
    for (name, model) in [
        ("canary at rest", &at_rest),
        ("canary begins an update", &begins),
        ("canary paused", &paused),
        ("blue-green begins an update", &switches),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| plan(black_box(&model.world), black_box(model.now)));
        });
    }
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
