//! The base scenarios, which every fault is tried on.

use super::metrics::Answer;
use super::scenario::{Deed, End, Scenario, When};
use sandbox::{PodChange, PodRule};
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

/// All base scenarios.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut all = canaries();
    all.extend(gates());
    all.extend(blue_greens());
    all.extend(people());
    all
}

fn canaries() -> Vec<Scenario> {
    vec![
        Scenario::new("first-deploy", "the first version comes up", vec![rollout(2, &canary(&paused_steps()))])
            .ends(End::Is("healthy", |web| web.is_done()), "v1"),
        Scenario::new("timed-pauses", "a canary passes timed pauses", vec![rollout(
            4,
            &canary(&json!([{"setWeight": 25}, {"pause": {"duration": "10s"}}, {"setWeight": 75}, {"pause": {"duration": "5s"}}])),
        )])
        .then(DONE, Deed::Image("v2"))
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("promoted", "a canary waits for a person", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("no-steps", "a rolling update", vec![rollout(3, &canary(&json!([])))])
            .then(DONE, Deed::Image("v2"))
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("aborted", "a canary is aborted at its pause", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Abort)
            .ends(End::Is("degraded", |web| web.phase() == "Degraded"), "v1"),
        Scenario::new("retried", "an aborted canary is tried again", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Abort)
            .then(When::Is("degraded", |web| web.phase() == "Degraded"), Deed::Retry)
            .then(AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("rolled-back", "back to the stable version in flight", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Image("v1"))
            .ends(End::Is("healthy", |web| web.is_done()), "v1"),
        Scenario::new("superseded", "a third version in the middle of the second", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Image("v3"))
            .then(NEWEST_AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(End::Is("healthy", |web| web.is_done()), "v3"),
        Scenario::new(
            "services",
            "stable and canary Services follow their versions",
            vec![service("stable"), service("canary"), rollout(
                2,
                &json!({"canary": {"stableService": "stable", "canaryService": "canary", "maxSurge": 1, "maxUnavailable": 0, "steps": paused_steps()}}),
            )],
        )
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Promote)
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
    ]
}

fn gates() -> Vec<Scenario> {
    let gated = json!([{"setWeight": 50}, {"analysis": analysis("gate")}, {"setWeight": 75}, {"pause": {"duration": "5s"}}]);
    let behind = json!({"canary": {
        "maxSurge": 1, "maxUnavailable": 0,
        "analysis": {"templates": [{"templateName": "behind"}], "startingStep": 1},
        "steps": [{"setWeight": 25}, {"pause": {"duration": "20s"}}, {"setWeight": 50}, {"pause": {}}],
    }});
    vec![
        Scenario::new(
            "gate-passed",
            "an analysis step lets a version through",
            vec![gate("gate", 2), rollout(2, &canary(&gated))],
        )
        .then(DONE, Deed::Image("v2"))
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "gate-failed",
            "an analysis step stops a version",
            vec![gate("gate", 2), rollout(2, &canary(&gated))],
        )
        .then(DONE, Deed::Answer("errors_gate", Answer::Value(0.5)))
        .then(secs(0), Deed::Image("v2"))
        .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
        Scenario::new(
            "background-failed",
            "analysis in the background stops a version",
            vec![gate("behind", 1000), rollout(4, &behind)],
        )
        .then(DONE, Deed::Image("v2"))
        .then(
            When::Is("at step 3", |web| web.is_paused_at(3)),
            Deed::Answer("errors_behind", Answer::Value(0.5)),
        )
        .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
        Scenario::new(
            "background-passed",
            "analysis in the background ends with the update",
            vec![gate("behind", 1000), rollout(4, &behind)],
        )
        .then(DONE, Deed::Image("v2"))
        .then(When::Is("at step 3", |web| web.is_paused_at(3)), Deed::Promote)
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
    ]
}

fn blue_green(more: &Value) -> Value {
    let mut strategy = json!({
        "activeService": "active", "previewService": "preview", "scaleDownDelaySeconds": 15,
    });
    if let (Some(map), Some(more)) = (strategy.as_object_mut(), more.as_object()) {
        map.extend(more.clone());
    }
    json!({"blueGreen": strategy})
}

fn blue_greens() -> Vec<Scenario> {
    let objects = |more: Value| vec![service("active"), service("preview"), rollout(2, &blue_green(&more))];
    let gated = || {
        let mut all = objects(json!({
            "autoPromotionEnabled": true,
            "prePromotionAnalysis": analysis("before"), "postPromotionAnalysis": analysis("after"),
        }));
        all.extend([gate("before", 2), gate("after", 2)]);
        all
    };
    vec![
        Scenario::new("blue-green", "a blue-green version goes live by itself", objects(json!({})))
            .then(DONE, Deed::Image("v2"))
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "blue-green-by-hand",
            "a blue-green version waits for a person",
            objects(json!({"autoPromotionEnabled": false})),
        )
        .then(DONE, Deed::Image("v2"))
        .then(When::Is("paused", |web| web.phase() == "Paused"), Deed::Promote)
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("blue-green-gated", "both analyses let a version through", gated())
            .then(DONE, Deed::Image("v2"))
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("blue-green-stopped", "the analysis before the promotion stops a version", gated())
            .then(DONE, Deed::Answer("errors_before", Answer::Value(0.5)))
            .then(secs(0), Deed::Image("v2"))
            .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
        Scenario::new(
            "blue-green-taken-back",
            "the analysis after the promotion takes a version back",
            gated(),
        )
        .then(DONE, Deed::Answer("errors_after", Answer::Value(0.5)))
        .then(secs(0), Deed::Image("v2"))
        .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
    ]
}

fn people() -> Vec<Scenario> {
    let bad = |change| Deed::Pods(PodRule { about: "v2".to_owned(), change });
    vec![
        Scenario::new(
            "scaled",
            "the scale changes in the middle of an update",
            vec![rollout(4, &canary(&paused_steps()))],
        )
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Scale(8))
        .then(secs(10), Deed::Scale(2))
        .then(secs(10), Deed::Promote)
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "never-ready",
            "a version that never gets ready, and the way back",
            vec![rollout(3, &canary(&json!([{"setWeight": 50}])))],
        )
        .then(DONE, bad(PodChange::NeverReady))
        .then(secs(0), Deed::Image("v2"))
        .then(When::Is("degraded", |web| web.phase() == "Degraded"), Deed::Image("v1"))
        .ends(End::Is("healthy", |web| web.is_done()), "v1"),
        Scenario::new(
            "crashing",
            "a version that crashes after its start, and the next one",
            vec![rollout(3, &canary(&paused_steps()))],
        )
        .then(DONE, bad(PodChange::CrashesAfter(Duration::from_secs(2))))
        .then(secs(0), Deed::Image("v2"))
        .then(secs(30), Deed::Image("v3"))
        .then(NEWEST_AT_FIRST_PAUSE, Deed::PromoteFull)
        .ends(End::Is("healthy", |web| web.is_done()), "v3"),
        Scenario::new("restarted", "all pods are restarted", vec![rollout(3, &canary(&paused_steps()))])
            .then(DONE, Deed::Restart)
            .then(secs(30), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "deleted",
            "a Rollout is deleted in the middle of an update",
            vec![rollout(3, &canary(&paused_steps()))],
        )
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Delete("argoproj.io/v1alpha1", "Rollout", ROLLOUT))
        .ends(End::Gone, ""),
        Scenario::new(
            "mended",
            "a wrong Rollout says so, and is mended",
            vec![rollout(2, &json!({"canary": {"stableService": "later", "canaryService": "later-too"}}))],
        )
        .then(When::Is("degraded", |web| web.phase() == "Degraded"), Deed::Apply(service("later")))
        .then(secs(5), Deed::Apply(service("later-too")))
        .ends(End::Is("healthy", |web| web.is_done()), "v1"),
        Scenario::new(
            "steps-edited",
            "the steps change under way",
            vec![rollout(4, &canary(&paused_steps()))],
        )
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Steps(json!([{"setWeight": 10}, {"pause": {"duration": "5s"}}])))
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "two-controllers",
            "one of two controllers leads",
            vec![rollout(2, &canary(&paused_steps()))],
        )
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Promote)
        .ends(End::Is("healthy", |web| web.is_done()), "v2")
        .with_controllers(2),
    ]
}
