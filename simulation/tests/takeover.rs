//! What Argo Rollouts leaves at a moment is taken over as if nothing had happened: by the whole controller, over the
//! cluster in memory. `[takeover]` `[identify.record]`
#![allow(clippy::disallowed_methods, reason = "recordings are read from where the environment says")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crds::meta::SCALE_DOWN_DEADLINE_ANNOTATION;
use crds::{PodTemplate, Time, hash};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use recordings::{Hashes, Left, NEVER_READY, Seen, is_played, left, read};
use sandbox::{Call, Fate, Nature, PodChange, PodRule, Weather};
use serde_json::{Value, json};
use simulation::l2::metrics::Answer;
use simulation::l2::{House, NAMESPACE, Settings};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Which moments are kept as fixtures: scenario, and what the Rollout says of itself.
const KEPT: [(&str, &str); 16] = [
    ("canary-basic-n5", "Healthy"),
    ("canary-basic-n5", "Paused \"CanaryPauseStep\" step 1"),
    ("canary-timed-pauses", "Paused \"CanaryPauseStep\""),
    ("canary-services", "Paused"),
    ("canary-ephemeral-metadata", "Paused"),
    ("canary-abort-retry", "Degraded"),
    ("canary-spec-paused", "Paused"),
    ("analysis-background-endless", "Paused"),
    ("analysis-web-failure-limit", "Degraded"),
    ("analysis-web-inconclusive-resume", "Paused"),
    ("analysis-step-job-success", "Progressing"),
    ("bluegreen-manual", "Paused"),
    ("bluegreen-manual", "Healthy"),
    ("bluegreen-pre-manual", "Paused"),
    ("bluegreen-abort", "Degraded"),
    ("bluegreen-preview-count", "Paused"),
];

/// What is otherwise than in the recording, and why: scenario, field, reason.
const DIFFERS: [(&str, &str, &str); 5] = [
    ("canary-missing-service", "", "a Service that comes is noticed seconds later there, and at once here"),
    ("nginx-abort", "patch services/ canary", "it goes to and fro there, and here to the stable version"),
    ("nginx-dynamic-stable-scale-abort", "patch services/ canary", "as above"),
    ("nginx-basic foreign 12.7", "", "the delay of the old version begins with the next pass"),
    ("nginx-basic ours 12.7", "", "as above"),
];

/// Most fields of the status that a moment's first status write may touch.
const DECISIONS: [&str; 14] = [
    "phase",
    "message",
    "stableRS",
    "currentPodHash",
    "currentStepIndex",
    "abort",
    "controllerPause",
    "pauseConditions",
    "promoteFull",
    "blueGreen.activeSelector",
    "blueGreen.previewSelector",
    "blueGreen.scaleUpPreviewCheckPoint",
    "canary.currentStepAnalysisRunStatus",
    "canary.currentBackgroundAnalysisRunStatus",
];

/// Hears what the controller writes.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<String>>>);

impl Weather for Ear {
    fn call(&mut self, call: &Call, _: Time) -> Fate {
        if call.client != "user" && call.is_write() && !["leases", "events"].contains(&call.resource.as_str())
        {
            let (verb, resource, name) = (call.verb, &call.resource, &call.name);
            let body = if call.verb == "create" { "" } else { std::str::from_utf8(&call.body).unwrap_or("") };
            self.0.lock().unwrap().push(format!("{verb} {resource}/{} {name} {body}", call.subresource));
        }
        Fate::Answered
    }
}

fn nature() -> Nature {
    let never = |about: &&str| PodRule { about: (*about).to_owned(), change: PodChange::NeverReady };
    Nature { stop: Duration::ZERO, pods: NEVER_READY.iter().map(never).collect(), ..Nature::default() }
}

fn api(house: &House, version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let client = kube::Client::new(house.cluster.client("user"), NAMESPACE);
    Api::namespaced_with(
        client,
        NAMESPACE,
        &ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)),
    )
}

/// The object with times in place of seconds from now, and the owner's uid.
fn at_last(object: &Value, now: Time, uid: &str) -> Value {
    match object {
        Value::String(text) => {
            let text = text.replace("@uid", uid);
            match text.strip_prefix('@').and_then(|seconds| seconds.parse().ok()) {
                Some(seconds) => now.plus_seconds(seconds).to_string().into(),
                None => text.into(),
            }
        }
        Value::Array(list) => list.iter().map(|value| at_last(value, now, uid)).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), at_last(value, now, uid))).collect())
        }
        other => other.clone(),
    }
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Creates an object of the moment.
fn create(house: &House, object: &Value) -> Result<(), String> {
    let owner = object.pointer("/metadata/ownerReferences/0").cloned().unwrap_or_default();
    let of = house.cluster.object(
        text(&owner, "/apiVersion"),
        text(&owner, "/kind"),
        NAMESPACE,
        text(&owner, "/name"),
    );
    let uid = of.map(|of| text(&of, "/metadata/uid").to_owned()).unwrap_or_default();
    let mut object = at_last(object, house.now(), &uid);
    let (version, kind) = (text(&object, "/apiVersion").to_owned(), text(&object, "/kind").to_owned());
    if let Some(Value::Object(annotations)) = object.pointer_mut("/metadata/annotations") {
        // Counted from the last moment.
        annotations.remove(SCALE_DOWN_DEADLINE_ANNOTATION);
    }
    if kind != "AnalysisRun" {
        object.as_object_mut().unwrap().remove("status");
    }
    let made = house.cluster.create(&version, &kind, NAMESPACE, object.clone());
    made.map(drop).map_err(|failure| format!("{kind} {}: {failure:?}", text(&object, "/metadata/name")))
}

/// What our controller does about it: what is wrong with that.
async fn taken(left: &Left) -> Result<Vec<String>, String> {
    let mut house = House::open(Settings { nature: nature(), ..Settings::default() });
    house.answers.set("/version", Answer::Body(json!({"major": "1", "minor": "35"})));
    let is_late = |object: &&Value| ["AnalysisRun", "Job"].contains(&text(object, "/kind"));
    for object in left.objects.iter().filter(|object| !is_late(object)) {
        // Each is older than the next.
        tokio::time::sleep(Duration::from_secs(1)).await;
        create(&house, object)?;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    for object in left.objects.iter().filter(is_late) {
        create(&house, object)?;
    }
    let Some(rollout) = left.objects.iter().find(|object| object["kind"] == "Rollout") else {
        return Err("there is no Rollout".to_owned());
    };
    let name = text(rollout, "/metadata/name");
    for set in left.objects.iter().filter(|object| object["kind"] == "ReplicaSet") {
        let there =
            house.cluster.object("apps/v1", "ReplicaSet", NAMESPACE, text(set, "/metadata/name")).unwrap();
        let available = |set: &Value| set["status"]["availableReplicas"].as_i64().unwrap_or(0);
        if let Some(deadline) = set["metadata"]["annotations"].get(SCALE_DOWN_DEADLINE_ANNOTATION) {
            let deadline = at_last(deadline, house.now(), "");
            let patch = json!({"metadata": {"annotations": {SCALE_DOWN_DEADLINE_ANNOTATION: deadline}}});
            let sets = api(&house, "apps/v1", "ReplicaSet");
            let name = text(set, "/metadata/name");
            let patched = sets.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
            patched.map_err(|error| format!("the deadline: {error}"))?;
        }
        if available(&there) != available(set) {
            return Err(format!("{}: {} pods are available", text(set, "/metadata/name"), available(&there)));
        }
    }
    let patch = json!({"status": at_last(&rollout["status"], house.now(), "")});
    let patched = api(&house, crds::API_VERSION, "Rollout")
        .patch_status(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    patched.map_err(|error| format!("the status: {error}"))?;
    let look = || house.cluster.object(crds::API_VERSION, "Rollout", NAMESPACE, name).unwrap();
    let mut seen = Seen::new(NAMESPACE);
    seen.take("Rollout", &look(), 0.0);
    let (ear, lines) = (Ear::default(), seen.lines().len());
    house.cluster.set_weather(ear.clone());
    house.start_controller("controller", 0);
    tokio::time::sleep(Duration::from_secs_f64(left.rest)).await;
    let look = || house.cluster.object(crds::API_VERSION, "Rollout", NAMESPACE, name).unwrap();
    seen.take("Rollout", &look(), 1.0);
    let told = seen.lines().get(lines).cloned().unwrap_or_default();
    let writes = ear.0.lock().unwrap().clone();
    Ok(wrong(&writes, &told))
}

fn wrong(writes: &[String], told: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut statuses = 0;
    let mut confirmed = std::collections::BTreeSet::new();
    for write in writes {
        if write.starts_with("patch rollouts/status") {
            statuses += 1;
            if statuses > 1 {
                wrong.push(format!("a second write of the status: {write}"));
            }
        } else if is_confirmation(write) && confirmed.insert(write) {
            // Once: again and again would be a loop.
        } else if !is_meant(write) {
            wrong.push(write.clone());
        }
    }
    let changed = told.as_object().into_iter().flatten();
    wrong.extend(
        changed
            .filter(|(key, _)| DECISIONS.contains(&key.as_str()))
            .map(|(key, value)| format!("{key} becomes {value}")),
    );
    wrong
}

/// Runs go on, and what a foreign hash stands for is recorded at the Rollout.
fn is_meant(write: &str) -> bool {
    write.starts_with("patch analysisruns/")
        || (write.starts_with("patch rollouts/ ") && write.contains(crds::meta::ADOPTED_ANNOTATION))
}

/// It says nothing of a router's object but that it is to be as it was seen: it changes nothing, and pods are to go next,
/// as they do in the recording when its rest is over.
fn is_confirmation(write: &str) -> bool {
    let Some((place, body)) = write.split_once(" {") else { return false };
    place.starts_with("patch ingresses/ ")
        && body.starts_with("\"metadata\":{\"resourceVersion\":")
        && body.matches(':').count() == 2
}

fn taken_over(left: &Left) -> Vec<String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(taken(left)).unwrap_or_else(|error| vec![format!("not loaded: {error}")])
}

/// The hash of a version as another release of Argo Rollouts would have made it.
fn foreign(version: &str, _: &Value) -> String {
    format!("6d5f8c{}b9", version.trim_start_matches('h'))
}

fn ours(_: &str, template: &Value) -> String {
    hash::pod_template_hash(&PodTemplate(template.clone()), None)
}

fn steps(steps: &Value) -> String {
    let steps: Option<Vec<_>> = serde_json::from_value(steps.clone()).unwrap();
    hash::step_hash(steps.as_deref())
}

type Case = (String, Left);

/// Takes all over, on two threads; what is wrong, by case.
fn all_taken_over(cases: &[Case]) -> BTreeMap<String, Vec<String>> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((name, left)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let wrong = taken_over(left);
                    if !wrong.is_empty() {
                        found.lock().unwrap().insert(name.clone(), wrong);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

fn judge(found: &BTreeMap<String, Vec<String>>) -> String {
    let meant = |name: &str, what: &str| {
        DIFFERS.iter().any(|(scenario, field, _)| name.starts_with(scenario) && what.starts_with(field))
    };
    let mut out = String::new();
    for (name, wrong) in found {
        for what in wrong.iter().filter(|what| !meant(name, what)) {
            out.push_str(&format!("\n{name}: {what}"));
        }
    }
    out
}

/// Moments of recordings, as objects, in our own form. This test writes them from the recordings when `TAKEOVER_WRITE` is
/// set.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/takeover/left.jsonl")
}

fn keep(cases: &[Case]) {
    let mut lines = Vec::new();
    for (scenario, about) in KEPT {
        for kind in ["ours", "foreign"] {
            let fits = |(name, left): &&Case| {
                name.starts_with(&format!("{scenario} {kind} ")) && left.about.starts_with(about)
            };
            let (name, left) = cases.iter().rfind(fits).unwrap();
            let value =
                json!({"name": name, "about": left.about, "rest": left.rest, "objects": left.objects});
            lines.push(value.to_string());
        }
    }
    std::fs::write(fixtures(), lines.join("\n") + "\n").unwrap();
}

#[test]
fn what_is_recorded_is_taken_over_at_each_moment_at_rest() {
    let Ok(folder) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("STEPGATE_PEER_DIR is not set: recorded moments were not taken over");
        return;
    };
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let all = read(&Path::new(&folder).join("traces")).unwrap();
    let mut cases: Vec<Case> = Vec::new();
    for recording in all.iter().filter(|one| is_played(&one.scenario.name)) {
        let name = &recording.scenario.name;
        if !name.contains(&only) {
            continue;
        }
        for (kind, version) in [("ours", &ours as &dyn Fn(&str, &Value) -> String), ("foreign", &foreign)] {
            let moments = left(recording, Hashes { version, steps: &steps });
            cases.extend(
                moments
                    .into_iter()
                    .map(|left| (format!("{name} {kind} {:.1} {}", left.at, left.about), left)),
            );
        }
    }
    if std::env::var_os("TAKEOVER_WRITE").is_some() {
        keep(&cases);
    }
    println!("{} moments of {} recordings were taken over", cases.len(), all.len());
    let found = all_taken_over(&cases);
    let wrong = judge(&found);
    assert!(wrong.is_empty(), "{wrong}");
    assert!(!only.is_empty() || cases.len() > 300, "{} moments", cases.len());
}

#[test]
fn moments_of_argo_rollouts_are_taken_over() {
    let text_of_all = std::fs::read_to_string(fixtures()).unwrap();
    let parsed = text_of_all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let cases: Vec<Case> = parsed
        .map(|value| {
            let left = Left {
                at: 0.0,
                about: text(&value, "/about").to_owned(),
                rest: value["rest"].as_f64().unwrap(),
                objects: value["objects"].as_array().unwrap().clone(),
            };
            (text(&value, "/name").to_owned(), left)
        })
        .collect();
    assert_eq!(cases.len(), 2 * KEPT.len(), "the fixtures and their list go together");
    let wrong = judge(&all_taken_over(&cases));
    assert!(wrong.is_empty(), "{wrong}");
}
