//! The base scenarios, which every fault is tried on.

mod blue_greens;
mod canaries;
mod customers;
mod days;
mod gates;
mod narrow;
pub mod outages;
mod people;
mod routed;
mod takeover;
pub mod traps;

use super::scenario::{Scenario, When};
use serde_json::{Value, json};
use std::time::Duration;

/// Name of the Rollout of every scenario.
pub const ROLLOUT: &str = "web";

/// A pod template of an image tag.
#[must_use]
pub fn template(tag: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"terminationGracePeriodSeconds": 5, "containers": [{
            "name": "web", "image": format!("web:{tag}"),
            "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
        }]},
    })
}

/// A Rollout of this strategy at `v1`.
#[must_use]
pub fn rollout(replicas: i64, strategy: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": ROLLOUT},
        "spec": {
            "replicas": replicas, "progressDeadlineSeconds": 120,
            "selector": {"matchLabels": {"app": "web"}}, "strategy": strategy, "template": template("v1"),
        },
    })
}

fn canary(steps: &Value) -> Value {
    json!({"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}})
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    })
}

/// An AnalysisTemplate that asks a query by its own name so many times.
fn gate(name: &str, count: u32) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": name},
        "spec": {"metrics": [{
            "name": "errors", "interval": "5s", "count": count, "successCondition": "result[0] < 0.05",
            "provider": {"prometheus": {"address": "http://prometheus", "query": format!("errors_{name}")}},
        }]},
    })
}

fn analysis(template: &str) -> Value {
    json!({"templates": [{"templateName": template}]})
}

const DONE: When = When::Is("healthy", |web| web.is_done());
const AT_FIRST_PAUSE: When = When::Is("paused at step 1", |web| web.is_paused_at(1));

/// The newest version is what is paused: one whose ReplicaSet is refused, or that was not seen yet, is not.
const NEWEST_AT_FIRST_PAUSE: When =
    When::Is("the newest version paused at step 1", |web| web.is_paused_at(1) && web.is_newest());

fn secs(seconds: u64) -> When {
    When::After(Duration::from_secs(seconds))
}

fn paused_steps() -> Value {
    json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "10s"}}])
}

/// Of variants of other scenarios, one write in so many meets single faults.
const VARIANTS_SAMPLED: u32 = 5;
/// Of takeovers, which go on like other updates.
const TAKEOVERS_SAMPLED: u32 = 7;
/// Of canaries behind routers, which are many, and whose runs are long.
const ROUTED_SAMPLED: u32 = 10;
/// Where something goes wrong by design already, so that the fault is the second one.
const SECOND_SAMPLED: u32 = 20;

/// All base scenarios.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut all = canaries::all();
    all.extend(gates::all());
    all.extend(blue_greens::all());
    let sampled = [
        (people::all(), VARIANTS_SAMPLED),
        (narrow::all(), VARIANTS_SAMPLED),
        (takeover::all(), TAKEOVERS_SAMPLED),
        (days::all(), SECOND_SAMPLED),
        (customers::all(), SECOND_SAMPLED),
        (routed::all(), ROUTED_SAMPLED),
    ];
    all.extend(
        sampled.into_iter().flat_map(|(some, stride)| some.into_iter().map(move |s| s.sampled(stride))),
    );
    all
}
