//! Narrow scenarios: each leads to one place where a controller can go wrong unseen, with little time to get over it.

use super::super::metrics::Answer;
use super::super::scenario::{Deed, End, Scenario, When};
use super::{AT_FIRST_PAUSE, DONE, analysis, canary, gate, paused_steps, rollout, secs, service, template};
use serde_json::{Value, json};
use std::time::Duration;

/// What a scenario may take that waits for nothing but pods and short pauses: less than the wait until everything is
/// looked at again.
const BRISK: Duration = Duration::from_secs(120);

/// Name of the ReplicaSet of an image tag. The list of scenarios is made once for a process.
pub(super) fn set_of(tag: &str) -> &'static str {
    let hash = crds::hash::pod_template_hash(&crds::PodTemplate(template(tag)), None);
    Box::leak(format!("web-{hash}").into_boxed_str())
}

fn brisk(mut scenario: Scenario) -> Scenario {
    scenario.limit = BRISK;
    scenario
}

/// A ReplicaSet that matches the Rollout's selector and belongs to somebody else.
fn foreign() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "another", "labels": {"app": "web", "rollouts-pod-template-hash": "another"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "another",
                "uid": "7d1b6f0e-0000-4000-8000-000000000001", "controller": true}]},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web", "rollouts-pod-template-hash": "another"}},
            "template": {
                "metadata": {"labels": {"app": "web", "rollouts-pod-template-hash": "another"}},
                "spec": {"containers": [{"name": "web", "image": "other:v1"}]},
            },
        },
    })
}

/// Short timed pauses.
fn short() -> Value {
    json!([{"setWeight": 25}, {"pause": {"duration": "10s"}}, {"setWeight": 75}, {"pause": {"duration": "5s"}}])
}

/// The same, with Services for both versions.
fn services() -> Value {
    json!({"canary": {"stableService": "stable", "canaryService": "canary",
        "maxSurge": 1, "maxUnavailable": 0, "steps": short()}})
}

pub(super) fn all() -> Vec<Scenario> {
    let mut all = deleted();
    all.extend(small());
    all
}

/// Somebody deletes a ReplicaSet in flight.
fn deleted() -> Vec<Scenario> {
    vec![
        brisk(
            Scenario::new(
                "set-deleted",
                "somebody deletes the new ReplicaSet in flight, and it is made again",
                vec![rollout(3, &canary(&paused_steps()))],
            )
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Delete("apps/v1", "ReplicaSet", set_of("v2")))
            .then(secs(10), Deed::PromoteFull)
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        ),
        brisk(
            Scenario::new(
                "stable-deleted",
                "somebody deletes the ReplicaSet of the stable version in flight",
                vec![service("stable"), service("canary"), rollout(3, &services())],
            )
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Delete("apps/v1", "ReplicaSet", set_of("v1")))
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        ),
    ]
}

fn small() -> Vec<Scenario> {
    let (short, services) = (short(), services());
    vec![
        brisk(
            Scenario::new(
                "brisk",
                "a canary needs no second look to go on",
                vec![rollout(4, &canary(&short))],
            )
            .then(DONE, Deed::Image("v2"))
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        ),
        brisk(
            Scenario::new(
                "brisk-services",
                "Services and pods follow at once",
                vec![service("stable"), service("canary"), rollout(3, &services)],
            )
            .then(DONE, Deed::Image("v2"))
            .then(secs(12), Deed::Scale(5))
            .then(secs(2), Deed::Scale(3))
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        ),
        Scenario::new(
            "beside-another",
            "somebody else's ReplicaSet matches the selector, and all pods are restarted",
            vec![foreign(), rollout(2, &canary(&paused_steps()))],
        )
        .then(DONE, Deed::Restart)
        .then(secs(40), Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::PromoteFull)
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "gate-retried",
            "a gate stops a version, and lets it through on another try",
            vec![
                gate("gate", 2),
                rollout(2, &canary(&json!([{"setWeight": 50}, {"analysis": analysis("gate")}]))),
            ],
        )
        .then(DONE, Deed::Answer("errors_gate", Answer::Value(0.5)))
        .then(secs(0), Deed::Image("v2"))
        .then(
            When::Is("degraded", |web| web.phase() == "Degraded"),
            Deed::Answer("errors_gate", Answer::Value(0.0)),
        )
        .then(secs(1), Deed::Retry)
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
    ]
}
