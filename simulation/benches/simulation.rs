//! How fast simulated days pass: requests a second to the cluster in memory through the Kubernetes client, whole
//! releases, hours of a Rollout that stands, turns of the planner against the models. `elem/s` is what each group's
//! name says.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::json;
use simulation::l1;
use simulation::l2::scenario::Scenario;
use simulation::l2::{Faults, House, NAMESPACE, Run, Settings, play, scenarios};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulated hours that a Rollout stands still.
const HOURS: u64 = 10;
/// Requests of one round: a create, gets, patches, a list, a delete.
const ROUND: u64 = 10;

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn requests(criterion: &mut Criterion) {
    let runtime = paused();
    let api = runtime.block_on(async {
        let house = House::open(Settings::default());
        let client = kube::Client::new(house.cluster.client("bench"), NAMESPACE);
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
        // Nothing but the API server: the built-in controllers end with the house.
        Api::<DynamicObject>::default_namespaced_with(client, &kind)
    });
    let map = serde_json::from_value(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "one"}, "data": {"a": "1", "b": "2"}}))
    .unwrap();
    let mut group = criterion.benchmark_group("requests");
    group.throughput(Throughput::Elements(ROUND));
    group.bench_function("through the client", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                api.create(&PostParams::default(), &map).await.unwrap();
                for number in 0..3 {
                    let patch = Patch::Merge(json!({"data": {"a": number.to_string()}}));
                    api.patch("one", &PatchParams::default(), &patch).await.unwrap();
                    api.get("one").await.unwrap();
                }
                for _ in 0..2 {
                    api.list(&ListParams::default()).await.unwrap();
                }
                api.delete("one", &DeleteParams::default()).await.unwrap();
            });
        });
    });
    group.finish();
}

fn scenario(name: &str) -> Scenario {
    scenarios::all().into_iter().find(|scenario| scenario.name == name).unwrap()
}

fn releases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("releases");
    group.throughput(Throughput::Elements(1));
    for name in ["timed-pauses", "gate-passed", "blue-green-gated"] {
        let scenario = scenario(name);
        let run =
            Run { scenario: &scenario, seed: 1, faults: Faults::default(), overlay: true, trace: false };
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert!(play(&run).violation.is_none()));
        });
    }
    group.finish();
}

fn hours(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hours");
    group.throughput(Throughput::Elements(HOURS)).sample_size(10);
    group.bench_function("a paused Rollout", |bencher| {
        bencher.iter(|| {
            paused().block_on(async {
                let mut house = House::open(Settings::default());
                house.start_controller("one", 0);
                for object in scenario("promoted").objects {
                    house.cluster.create("argoproj.io/v1alpha1", "Rollout", NAMESPACE, object).unwrap();
                }
                tokio::time::sleep(Duration::from_secs(HOURS * 3_600)).await;
            });
        });
    });
    group.finish();
}

fn turns(criterion: &mut Criterion) {
    let turns = l1::run(1, &l1::Options::default()).unwrap().turns;
    let mut group = criterion.benchmark_group("turns");
    group.throughput(Throughput::Elements(turns));
    group.bench_function("planner against models", |bencher| {
        bencher.iter(|| l1::run(1, &l1::Options::default()).unwrap());
    });
    group.finish();
}

criterion_group!(benches, requests, releases, hours, turns);
criterion_main!(benches);
