//! Looks at a router's objects, and edits of them, per second; `elem/s` of the output are edits.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use planner::traffic::{Intent, Share};
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;
use traffic::{Objects, Router};

/// Rules of a route, or paths of an Ingress, that do not lead to the Rollout.
const FOREIGN: usize = 10;

fn router(routing: &Value) -> Box<dyn Router> {
    let rollout = json!({"metadata": {"name": "web", "namespace": "team"}, "spec": {"strategy": {"canary": {
        "stableService": "stable", "canaryService": "canary", "trafficRouting": routing}}}});
    let rollout = serde_json::from_value(rollout).unwrap();
    let mut routers = traffic::routers(&rollout, &|_| Vec::new());
    routers.swap_remove(0)
}

/// The objects of a router, as a user has made them.
fn objects(router: &dyn Router, object: &Value) -> Objects {
    let mut object = object.clone();
    object["metadata"] = json!({"name": "web", "namespace": "team", "resourceVersion": "1"});
    let reference = router.references().swap_remove(0);
    Objects([(reference, Arc::new(object))].into_iter().collect())
}

fn http_route() -> Value {
    let to = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    let ours = json!({"backendRefs": [to("stable", 100), to("canary", 0)]});
    let foreign = (0..FOREIGN).map(|index| json!({"backendRefs": [to(&format!("other-{index}"), 1)]}));
    json!({"spec": {"rules": foreign.chain([ours]).collect::<Vec<_>>()}})
}

fn virtual_service() -> Value {
    let to = |host: &str, weight: u8| json!({"destination": {"host": host}, "weight": weight});
    let ours = json!({"name": "primary", "route": [to("stable", 100), to("canary", 0)]});
    let foreign = (0..FOREIGN).map(
        |index| json!({"name": format!("other-{index}"), "route": [to(&format!("other-{index}"), 100)]}),
    );
    json!({"spec": {"http": foreign.chain([ours]).collect::<Vec<_>>()}})
}

fn ingress() -> Value {
    let to = |service: &str| json!({"service": {"name": service, "port": {"name": "use-annotation"}}});
    let path =
        |path: String, service: &str| json!({"path": path, "pathType": "Prefix", "backend": to(service)});
    let foreign = (0..FOREIGN).map(|index| path(format!("/{index}"), &format!("other-{index}")));
    let paths: Vec<_> = foreign.chain([path("/".to_owned(), "stable")]).collect();
    json!({"spec": {"rules": [{"http": {"paths": paths}}]}})
}

fn intent(weight: i32) -> Intent {
    let share = |service: &str, weight| Share { service: service.to_owned(), hash: String::new(), weight };
    Intent {
        total: 100,
        canary: share("canary", weight),
        stable: share("stable", 100 - weight),
        ..Intent::default()
    }
}

fn edits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("edit");
    group.throughput(Throughput::Elements(1));
    let routers = [
        ("HTTPRoute", json!({"gatewayAPI": {"httpRoute": "web"}}), http_route()),
        (
            "VirtualService",
            json!({"istio": {"virtualService": {"name": "web", "routes": ["primary"]}}}),
            virtual_service(),
        ),
        ("Ingress of ALB", json!({"alb": {"ingress": "web", "servicePort": 80}}), ingress()),
    ];
    for (name, routing, object) in routers {
        let router = router(&routing);
        let objects = objects(&*router, &object);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let observed = router.observe(black_box(&objects)).unwrap();
                assert!(!observed.shows(&intent(20)));
                router.edit(black_box(&objects), &intent(20)).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, edits);
criterion_main!(benches);
