//! Plays recorded scenarios of Argo Rollouts against the planner and compares what an observer sees.
#![allow(clippy::disallowed_methods, reason = "recordings are read from where the environment says")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod phases;
mod play;
#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use support::Model;

/// Scenarios that need what is not built yet, or what the model does not have.
const NOT_PLAYED: [(&str, &str); 2] = [
    ("experiment-", "experiments"),
    ("canary-delete", "nothing is planned for a Rollout that goes; garbage collection does it"),
];

const GOES_BACK_ONCE: &str = "a Service that is left after an abort goes back once, not many times a second";
const SHRINKS_LATER: &str = "the stable version gives pods up once routers show its new weight, and steps that end at once are recorded first";

/// Scenarios whose difference is meant; each has its reason.
const DIFFERS: [(&str, &str); 13] = [
    ("analysis-background-fail-mid", "the start of a run is told once, not twice"),
    ("canary-bad-image-deadline-abort", "an abort at the deadline is told once, not twice"),
    ("canary-spec-and-scale", "the new version gets the size of its first step at once, not all pods before"),
    (
        "canary-services",
        "the stable Service leaves a version before that is emptied, not after the promotion",
    ),
    ("nginx-abort", GOES_BACK_ONCE),
    ("nginx-abort-delay-zero", GOES_BACK_ONCE),
    ("nginx-abort-retry-within-delay", GOES_BACK_ONCE),
    ("nginx-dynamic-stable-scale", SHRINKS_LATER),
    ("nginx-dynamic-stable-scale-abort", SHRINKS_LATER),
    ("nginx-dynamic-stable-scale-abort-delay", SHRINKS_LATER),
    ("nginx-dynamic-stable-scale-rollback", SHRINKS_LATER),
    ("nginx-v3-mid", "a router is edited once for a new version, not twice"),
    (
        "workloadref-plain",
        "the making of the first ReplicaSet is told, whatever the watch of the workload does",
    ),
];

/// Names of the scenarios that can be played, as documents cite them.
const PLAYED: &str = include_str!("../../../recordings/played.txt");

/// Messages that come and go while pods become ready: how often depends on the order of milliseconds.
const PASSING: [&str; 4] = [
    // Argo Rollouts is Healthy then. `[status.traffic]`
    "traffic is still sent to another version",
    "updated replicas are still becoming available",
    "old replicas are pending termination",
    "active service cutover pending",
];

/// Scaling events in a row count as one: into how many moves a change is cut depends on when pods become ready.
fn fold_scaling<'a>(events: &[&'a str]) -> Vec<&'a str> {
    let mut folded: Vec<&str> = events.to_vec();
    folded.dedup_by(|a, b| a == b && *a == "ScalingReplicaSet");
    folded
}

/// Plays one scenario; `Err` says what differs.
fn differs(scenario: &Value, lines: &[Value]) -> Result<(), Vec<String>> {
    let model = play::played(scenario, lines).map_err(|why| vec![why])?;
    compare(&model, lines)
}

fn compare(model: &Model, lines: &[Value]) -> Result<(), Vec<String>> {
    let summary = lines.last().unwrap();
    let mut wrong = Vec::new();
    let events = summary["eventReasonsFromLog"].as_array().or(summary["eventReasons"].as_array()).unwrap();
    let events: Vec<&str> = events.iter().map(|reason| reason.as_str().unwrap()).collect();
    let (events, ours) = (fold_scaling(&events), fold_scaling(&model.reasons()));
    if events != ours {
        let same = events.iter().zip(&ours).take_while(|(a, b)| a == b).count();
        let from = same.saturating_sub(2);
        wrong.push(format!(
            "events differ at {same}\n    recorded {:?}\n    ours     {:?}",
            &events[from..],
            &ours[from..]
        ));
    }
    let recorded: Vec<(String, String, Option<i64>)> =
        serde_json::from_value(summary["phases"].clone()).unwrap();
    let mut left = recorded.iter();
    for (phase, message, step) in &model.phases {
        let ours = (phase.clone(), message.clone(), step.map(i64::from));
        if !PASSING.contains(&message.as_str()) && !left.any(|theirs| *theirs == ours) {
            wrong.push(format!(
                "phase {ours:?} is not in order\n    recorded {recorded:?}\n    ours     {:?}",
                model.phases
            ));
            break;
        }
    }
    // Those of a Deployment are its own business.
    let sets = summary["replicaSets"].as_object().unwrap();
    for (name, set) in sets.iter().filter(|(name, _)| !name.starts_with("web-")) {
        let ours = model.world.replica_sets.iter().find(|set| model.plain(&set.name) == *name);
        let ours = ours.map(|set| (i64::from(set.replicas), i64::from(set.counts.available)));
        let theirs = (set["spec"].as_i64().unwrap(), set["available"].as_i64().unwrap_or(0));
        if ours != Some(theirs) {
            wrong.push(format!("{name} has {ours:?}, recorded {theirs:?}"));
        }
    }
    let mut selectors = BTreeMap::new();
    for line in lines.iter().filter(|line| line["kind"] == "Service" && !line["selector"].is_null()) {
        selectors.insert(
            line["name"].as_str().unwrap(),
            line["selector"][crds::meta::POD_TEMPLATE_HASH_LABEL].as_str().unwrap_or(""),
        );
    }
    let spec = serde_json::to_string(&model.world.rollout.spec.strategy).unwrap();
    for (name, hash) in selectors {
        if hash.is_empty() && !spec.contains(&format!("\"{name}\"")) {
            // Nobody names it any more: the controller releases it, not a plan.
            continue;
        }
        let ours =
            model.world.services.get(name).map_or(String::new(), |service| model.plain(service.hash()));
        if ours != hash {
            wrong.push(format!("Service {name} selects {ours:?}, recorded {hash:?}"));
        }
    }
    wrong.extend(deployment(model, lines));
    wrong.extend(messages(model, lines));
    wrong.extend(conditions(model, lines));
    wrong.extend(fields(model, lines));
    wrong.extend(durations(model, lines));
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The referenced Deployment at the end, and whether the Rollout knows its generation. How many there were depends on when
/// pods become ready.
fn deployment(model: &Model, lines: &[Value]) -> Option<String> {
    let workload = model.world.workload.as_ref()?;
    let generation = workload.generation.to_string();
    let status = model.world.rollout.status.clone().unwrap_or_default();
    let annotations = model.world.rollout.metadata.annotations.clone().unwrap_or_default();
    let noted = annotations.get(crds::meta::WORKLOAD_GENERATION_ANNOTATION);
    let of_deployment = lines.iter().filter(|line| line["kind"] == "Deployment");
    let recorded = of_deployment.filter_map(|line| line["spec"].as_i64()).next_back();
    let differs = status.workload_observed_generation != generation
        || noted != Some(&generation)
        || workload.replicas.map(i64::from) != recorded;
    differs.then(|| format!("Deployment: {recorded:?} recorded; {noted:?}, {status:?}, {workload:?}"))
}

/// After this many events in a row the recorder of Argo Rollouts drops what comes: client-go's limit for one object.
const EVENTS_BEFORE_DROPS: usize = 25;

/// What events say; how often and in which order their reasons come is compared apart.
fn messages(model: &Model, lines: &[Value]) -> Option<String> {
    let is_compared = |reason: &str| reason != "ScalingReplicaSet";
    let of_rollout = |line: &&Value| {
        line["kind"] == "Event" && line["name"].as_str().is_some_and(|name| name.starts_with("Rollout/"))
    };
    let events: Vec<&Value> = lines.iter().filter(of_rollout).collect();
    let theirs: BTreeSet<String> = events
        .iter()
        .filter(|line| is_compared(line["reason"].as_str().unwrap()))
        .map(|line| format!("{}: {}", line["reason"].as_str().unwrap(), line["message"].as_str().unwrap()))
        .collect();
    let ours: BTreeSet<String> = model
        .events
        .iter()
        .filter(|(reason, _)| is_compared(reason))
        .map(|(reason, message)| format!("{reason}: {}", model.plain(message)))
        .collect();
    let missing: Vec<&String> = theirs.difference(&ours).collect();
    let more: Vec<&String> =
        ours.difference(&theirs).filter(|_| events.len() < EVENTS_BEFORE_DROPS).collect();
    let differ = !missing.is_empty() || !more.is_empty();
    differ.then(|| format!("messages differ\n    recorded {missing:?}\n    ours     {more:?}"))
}

/// Fields of the status that are compared at the end, by the names of the recordings.
const FIELDS: [&str; 17] = [
    "HPAReplicas",
    "abort",
    "availableReplicas",
    "blueGreen.activeSelector",
    "blueGreen.previewSelector",
    "blueGreen.scaleUpPreviewCheckPoint",
    "controllerPause",
    "currentPodHash",
    "currentStepIndex",
    "message",
    "phase",
    "promoteFull",
    "readyReplicas",
    "replicas",
    "selector",
    "stableRS",
    "updatedReplicas",
];

/// Other fields of the status at the end.
fn fields(model: &Model, lines: &[Value]) -> Option<String> {
    let mut theirs: BTreeMap<&str, String> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["kind"] == "Rollout") {
        for key in FIELDS {
            match line.get(key) {
                Some(Value::Null) => drop(theirs.remove(key)),
                Some(value) => drop(theirs.insert(key, plain_text(value))),
                None => {}
            }
        }
    }
    let status = serde_json::to_value(model.world.rollout.status.clone().unwrap_or_default()).unwrap();
    let of = |key: &str| {
        status.pointer(&format!("/{}", key.replace('.', "/"))).map(|value| model.plain(&plain_text(value)))
    };
    let nothing = |text: &String| ["", "0", "false"].contains(&text.as_str());
    theirs.retain(|_, text| !nothing(text));
    let ours: BTreeMap<&str, String> = FIELDS
        .into_iter()
        .filter_map(|key| Some((key, of(key)?)))
        .filter(|(_, text)| !nothing(text))
        .collect();
    (theirs != ours).then(|| format!("fields differ\n    recorded {theirs:?}\n    ours     {ours:?}"))
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Pauses in the model are as long as those recorded, but begin at other fractions of a second.
const PAUSE_SECONDS_APART_MAX: i64 = 3;

/// How `status.duration` went: ours may pass by what theirs shows for a moment, but ends the same.
fn durations(model: &Model, lines: &[Value]) -> Option<String> {
    let mut now: BTreeMap<&str, Value> = BTreeMap::new();
    let mut theirs: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| line["kind"] == "Rollout") {
        for (key, value) in line.as_object().unwrap() {
            let Some(key) = key.strip_prefix("duration.") else { continue };
            now.insert(key, value.clone());
        }
        let text = support::duration_text(|key| now.get(key).cloned().unwrap_or_default());
        if theirs.last() != Some(&text) {
            theirs.push(text);
        }
    }
    let mut left = theirs.iter();
    let in_order = model.durations.iter().all(|ours| left.any(|text| text == ours));
    let same_end = model.durations.last() == theirs.last();
    let paused = now.get("totalManualPauseDurationSeconds").and_then(Value::as_i64).unwrap_or(0);
    let status = model.world.rollout.status.clone().unwrap_or_default();
    let ours = status.duration.and_then(|d| d.total_manual_pause_duration_seconds).unwrap_or(0);
    let as_long = (paused - ours).abs() <= PAUSE_SECONDS_APART_MAX;
    let ours_text = &model.durations;
    (!in_order || !same_end || !as_long).then(|| {
        format!(
            "durations differ ({paused} and {ours} s paused)\n    recorded {theirs:?}\n    ours     {ours_text:?}"
        )
    })
}

/// Conditions at the end.
fn conditions(model: &Model, lines: &[Value]) -> Option<String> {
    let mut theirs: BTreeMap<String, String> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["kind"] == "Rollout") {
        for (key, value) in line.as_object().unwrap() {
            let Some(kind) = key.strip_prefix("cond.") else { continue };
            match value.as_array() {
                Some(parts) => theirs.insert(
                    kind.to_owned(),
                    parts.iter().map(|part| part.as_str().unwrap()).collect::<Vec<_>>().join(" | "),
                ),
                None => theirs.remove(kind),
            };
        }
    }
    let status = model.world.rollout.status.clone().unwrap_or_default();
    let ours: BTreeMap<String, String> = status
        .conditions
        .into_iter()
        .flatten()
        .map(|one| {
            (one.kind.clone(), model.plain(&format!("{} | {} | {}", one.status, one.reason, one.message)))
        })
        .collect();
    (theirs != ours).then(|| format!("conditions differ\n    recorded {theirs:?}\n    ours     {ours:?}"))
}

/// Every recorded scenario: its name, what is done, and what was seen.
fn all(directory: &Path) -> Vec<(String, Value, Vec<Value>)> {
    let root = directory.join("traces");
    let mut paths: Vec<_> =
        std::fs::read_dir(root.join("scenarios")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &Path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let scenario: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let trace = std::fs::read_to_string(root.join("traces").join(format!("{name}.jsonl"))).unwrap();
        (name, scenario, trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    };
    paths.iter().map(|path| read(path)).collect()
}

fn is_left_out(name: &str) -> bool {
    let fits = |start: &str| if start.ends_with('-') { name.starts_with(start) } else { name == start };
    NOT_PLAYED.iter().any(|(start, _)| fits(start))
}

#[test]
fn recorded_scenarios() {
    let Ok(directory) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("STEPGATE_PEER_DIR is not set: recorded scenarios were not played");
        return;
    };
    let only = std::env::var("SCENARIO").ok();
    let (mut played, mut failed) = (0, Vec::new());
    for (name, scenario, lines) in all(Path::new(&directory)) {
        let left_out = is_left_out(&name);
        let needs_more = NOT_PLAYED[..1].iter().any(|(start, _)| name.starts_with(start));
        assert_eq!(PLAYED.lines().any(|line| line == name), !needs_more, "{name}: recordings/played.txt");
        if left_out || only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        played += 1;
        let outcome = std::panic::catch_unwind(|| differs(&scenario, &lines));
        let outcome = outcome.unwrap_or_else(|_| Err(vec!["panicked".to_owned()]));
        let is_event =
            |wrong: &String| wrong.starts_with("events differ") || wrong.starts_with("messages differ");
        let meant = DIFFERS.iter().find(|(differs, _)| *differs == name);
        match (outcome, meant) {
            (Ok(()), None) => {}
            // Only the events may differ; sizes, selectors, phases, conditions and fields may not.
            (Err(wrong), Some(_)) if wrong.iter().all(is_event) => {}
            (Ok(()), Some((_, why))) => failed.push(format!("{name}: does not differ any more ({why})")),
            (Err(wrong), _) => failed.push(format!("{name}:\n  {}", wrong.join("\n  "))),
        }
    }
    println!("{played} scenarios played, {} differ", failed.len());
    assert!(only.is_some() || played == 107, "{played} scenarios were found");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
