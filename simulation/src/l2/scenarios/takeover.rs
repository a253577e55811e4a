//! What Argo Rollouts leaves in a cluster, taken over: complete, at a pause, in an analysis, aborted, before and after a
//! switch. What is at rest stays untouched until somebody acts.

use super::super::deeds::ITS_UID;
use super::super::scenario::{Deed, End, Scenario, When};
use super::super::weather::Mishap;
use super::blue_greens::blue_green;
use super::{
    AT_FIRST_PAUSE, DONE, ROLLOUT, analysis, canary, gate, paused_steps, rollout, secs, service, template,
};
use crds::PodTemplate;
use crds::hash::{pod_template_hash, step_hash};
use crds::meta::{
    DESIRED_REPLICAS_ANNOTATION, MANAGED_BY_ANNOTATION, POD_TEMPLATE_HASH_LABEL, REVISION_ANNOTATION,
    SCALE_DOWN_DEADLINE_ANNOTATION,
};
use serde_json::{Value, json};

/// When all of it happened: ten minutes before the simulation begins.
const THEN: &str = "2025-12-31T23:50:00Z";
/// A hash that another version of Argo Rollouts, with other fields in its types, gave to the template of `v1`.
const FOREIGN: &str = "5d8c7f9b64";

fn hash(tag: &str) -> String {
    pod_template_hash(&PodTemplate(template(tag)), None)
}

/// A ReplicaSet of a version, as it is left.
fn set(tag: &str, hash: &str, revision: u32, replicas: i64, wanted: i64) -> Value {
    let mut pods = template(tag);
    put(&mut pods, "/spec", "someDay", some_day());
    let labels = json!({"app": "web", POD_TEMPLATE_HASH_LABEL: hash});
    put(&mut pods, "/metadata", "labels", labels.clone());
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{ROLLOUT}-{hash}"), "labels": labels.clone(),
            "annotations": {
                REVISION_ANNOTATION: revision.to_string(), DESIRED_REPLICAS_ANNOTATION: wanted.to_string(),
                // The Rollout's own annotations are copied.
                "team": "shop",
            },
            "ownerReferences": [owner()],
        },
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pods},
    })
}

/// A field of pods that nobody here knows, and that must survive.
fn some_day() -> Value {
    json!({"later": [1, 2]})
}

fn owner() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": ROLLOUT, "uid": ITS_UID,
        "controller": true, "blockOwnerDeletion": true,
    })
}

fn put(object: &mut Value, pointer: &str, key: &str, value: Value) {
    if let Some(map) = object.pointer_mut(pointer).and_then(Value::as_object_mut) {
        map.insert(key.to_owned(), value);
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastUpdateTime": THEN, "lastTransitionTime": THEN,
    })
}

/// The Rollout as it is left: its status is that of a complete one, with these fields set anew.
fn left(mut web: Value, tag: &str, revision: u32, more: &Value) -> Value {
    put(&mut web, "/spec", "template", template(tag));
    put(&mut web, "/spec/template/spec", "someDay", some_day());
    put(
        &mut web,
        "/metadata",
        "annotations",
        json!({REVISION_ANNOTATION: revision.to_string(), "team": "shop"}),
    );
    let size = web.pointer("/spec/replicas").cloned().unwrap_or_default();
    let mut status = json!({
        "phase": "Healthy", "observedGeneration": "1", "selector": "app=web",
        "replicas": size, "updatedReplicas": size, "readyReplicas": size, "availableReplicas": size,
        "HPAReplicas": size, "canary": {}, "blueGreen": {}, "duration": {"completionStatus": "Promoted"},
        "conditions": [
            condition("Available", "True", "AvailableReason", "Rollout has minimum availability"),
            condition("Healthy", "True", "RolloutHealthy", "Rollout is healthy"),
            condition("Progressing", "True", "NewReplicaSetAvailable", "ReplicaSet has successfully progressed."),
            condition("Completed", "True", "RolloutCompleted", "RolloutCompleted"),
        ],
    });
    let steps = web.pointer("/spec/strategy/canary/steps").cloned();
    if let Some(steps) = steps.and_then(|steps| serde_json::from_value::<Vec<_>>(steps).ok()) {
        put(&mut status, "", "currentStepHash", step_hash(Some(&steps)).into());
        put(&mut status, "", "currentStepIndex", steps.len().into());
    }
    for (key, value) in more.as_object().into_iter().flatten() {
        put(&mut status, "", key, value.clone());
    }
    put(&mut web, "", "status", status);
    web
}

/// Conditions of an update that has not ended, with the reason of `Progressing`.
fn under_way(progressing: Value, paused: bool) -> Value {
    let mut all = vec![
        condition("Available", "True", "AvailableReason", "Rollout has minimum availability"),
        condition("Healthy", "False", "RolloutHealthy", "Rollout is not healthy"),
        condition("Completed", "False", "RolloutCompleted", "RolloutCompleted"),
        progressing,
    ];
    if paused {
        all.push(condition("Paused", "True", "RolloutPaused", "Rollout is paused"));
    }
    all.into()
}

fn pausing() -> Value {
    under_way(condition("Progressing", "Unknown", "RolloutPaused", "Rollout is paused"), true)
}

fn pause(reason: &str, since: &str) -> Value {
    json!([{"reason": reason, "startTime": since}])
}

/// A Service that was pointed at a version.
fn selecting(name: &str, hash: &str) -> Value {
    let mut all = service(name);
    put(&mut all, "/metadata", "annotations", json!({MANAGED_BY_ANNOTATION: ROLLOUT}));
    put(&mut all, "/spec", "selector", json!({"app": "web", POD_TEMPLATE_HASH_LABEL: hash}));
    all
}

/// Of four pods one is of the new version, at the pause after the first step.
fn at_pause(steps: &Value, since: &str) -> Vec<Value> {
    let (old, new) = (hash("v1"), hash("v2"));
    let status = json!({
        "phase": "Paused", "message": "CanaryPauseStep", "controllerPause": true, "currentStepIndex": 1,
        "pauseConditions": pause("CanaryPauseStep", since), "currentPodHash": new, "stableRS": old,
        "updatedReplicas": 1, "conditions": pausing(), "duration": {"manualPauseStartedAt": THEN},
    });
    vec![
        left(rollout(4, &canary(steps)), "v2", 2, &status),
        set("v1", &old, 1, 3, 4),
        set("v2", &new, 2, 1, 4),
    ]
}

fn complete(hash: &str) -> Vec<Value> {
    let status = json!({"currentPodHash": hash, "stableRS": hash});
    vec![left(rollout(2, &canary(&paused_steps())), "v1", 1, &status), set("v1", hash, 1, 2, 2)]
}

/// Four pods, as before; the new version has none.
fn aborted() -> Vec<Value> {
    let (old, new) = (hash("v1"), hash("v2"));
    let message = "Rollout aborted update to revision 2";
    let status = json!({
        "phase": "Degraded", "message": format!("RolloutAborted: {message}"), "abort": true, "abortedAt": THEN,
        "currentStepIndex": 0, "currentPodHash": new, "stableRS": old, "updatedReplicas": 0,
        "conditions": under_way(condition("Progressing", "False", "RolloutAborted", message), false),
        "duration": {"completionStatus": "Aborted", "finishedAt": THEN},
    });
    vec![
        left(rollout(4, &canary(&paused_steps())), "v2", 2, &status),
        set("v1", &old, 1, 4, 4),
        set("v2", &new, 2, 0, 4),
    ]
}

/// Half the pods are new, and the analysis of step 1 is under way.
fn analysing() -> Vec<Value> {
    let (old, new) = (hash("v1"), hash("v2"));
    let steps = json!([{"setWeight": 50}, {"analysis": analysis("gate")}, {"pause": {}}]);
    let name = format!("{ROLLOUT}-{new}-2-1");
    let status = json!({
        "phase": "Progressing", "message": "more replicas need to be updated", "currentStepIndex": 1,
        "currentPodHash": new, "stableRS": old, "updatedReplicas": 1,
        "canary": {"currentStepAnalysisRunStatus": {"name": name, "status": "Running"}},
        "conditions": under_way(
            condition("Progressing", "True", "ReplicaSetUpdated", "ReplicaSet is progressing."), false),
    });
    let template = gate("gate", 3);
    let metrics = template.pointer("/spec/metrics").cloned().unwrap_or_default();
    let run = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
        "metadata": {
            "name": name, "ownerReferences": [owner()], "annotations": {REVISION_ANNOTATION: "2"},
            "labels": {"app": "web", POD_TEMPLATE_HASH_LABEL: new, "rollout-type": "Step", "step-index": "1"},
        },
        "spec": {"metrics": metrics},
        "status": {
            "phase": "Running", "startedAt": THEN, "runSummary": {"count": 1}, "dryRunSummary": {},
            "metricResults": [{
                "name": "errors", "phase": "Running", "count": 1, "successful": 1,
                "measurements": [{"phase": "Successful", "value": "[0]", "startedAt": THEN, "finishedAt": THEN}],
            }],
        },
    });
    vec![
        template,
        left(rollout(2, &canary(&steps)), "v2", 2, &status),
        set("v1", &old, 1, 1, 2),
        set("v2", &new, 2, 1, 2),
        run,
    ]
}

/// Both versions are there in full, and the active Service selects the old one.
fn before_the_switch() -> Vec<Value> {
    let (old, new) = (hash("v1"), hash("v2"));
    let status = json!({
        "phase": "Paused", "message": "BlueGreenPause", "controllerPause": true,
        "pauseConditions": pause("BlueGreenPause", THEN), "currentPodHash": new, "stableRS": old,
        "replicas": 4, "HPAReplicas": 2, "conditions": pausing(),
        "selector": format!("app=web,{POD_TEMPLATE_HASH_LABEL}={old}"),
        "blueGreen": {"activeSelector": old, "previewSelector": new},
    });
    vec![
        selecting("active", &old),
        selecting("preview", &new),
        left(rollout(2, &blue_green(&json!({"autoPromotionEnabled": false}))), "v2", 2, &status),
        set("v1", &old, 1, 2, 2),
        set("v2", &new, 2, 2, 2),
    ]
}

/// The new version is live, and the old one has its pods for some seconds more.
fn after_the_switch() -> Vec<Value> {
    let (old, new) = (hash("v1"), hash("v2"));
    let status = json!({
        "currentPodHash": new, "stableRS": new, "replicas": 4, "HPAReplicas": 2,
        "selector": format!("app=web,{POD_TEMPLATE_HASH_LABEL}={new}"),
        "blueGreen": {"activeSelector": new, "previewSelector": new},
    });
    let mut waiting = set("v1", &old, 1, 2, 2);
    put(&mut waiting, "/metadata/annotations", SCALE_DOWN_DEADLINE_ANNOTATION, "2026-01-01T00:00:40Z".into());
    vec![
        selecting("active", &new),
        selecting("preview", &new),
        left(rollout(2, &blue_green(&json!({}))), "v2", 2, &status),
        waiting,
        set("v2", &new, 2, 2, 2),
    ]
}

pub(super) fn all() -> Vec<Scenario> {
    let done = End::Is("healthy", |web| web.is_done());
    let timed = json!([{"setWeight": 25}, {"pause": {"duration": "12m"}}, {"setWeight": 50}]);
    vec![
        Scenario::new("takeover", "a complete Rollout is taken over and updated", complete(&hash("v1")))
            .at_rest()
            .then(secs(60), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(done, "v2"),
        Scenario::new(
            "takeover-foreign-hash",
            "a version whose hash we would not have given",
            complete(FOREIGN),
        )
        .at_rest()
        .then(secs(60), Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::PromoteFull)
        .ends(done, "v2"),
        Scenario::new(
            "takeover-paused",
            "an update is taken over at its pause",
            at_pause(&paused_steps(), THEN),
        )
        .at_rest()
        .then(secs(60), Deed::Promote)
        .ends(done, "v2"),
        Scenario::new(
            "takeover-timed",
            "a timed pause ends when Argo Rollouts would have ended it",
            at_pause(&timed, THEN),
        )
        .then(secs(60), Deed::Befalls(Mishap::Crash))
        .ends(done, "v2"),
        Scenario::new("takeover-analysis", "an update is taken over in an analysis", analysing())
            .then(When::Is("paused at step 2", |web| web.is_paused_at(2)), Deed::Promote)
            .ends(done, "v2"),
        Scenario::new("takeover-aborted", "an aborted update is taken over and tried again", aborted())
            .at_rest()
            .then(secs(60), Deed::Retry)
            .then(AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(done, "v2"),
        Scenario::new(
            "takeover-blue-green",
            "a blue-green update is taken over before its switch",
            before_the_switch(),
        )
        .at_rest()
        .then(secs(60), Deed::Promote)
        .ends(done, "v2"),
        Scenario::new(
            "takeover-switched",
            "a blue-green update is taken over after its switch",
            after_the_switch(),
        )
        .then(When::Is("v2", |web| web.is_done()), Deed::Befalls(Mishap::Crash))
        .then(secs(60), Deed::Image("v3"))
        .then(DONE, Deed::Scale(3))
        .ends(done, "v3"),
    ]
}
