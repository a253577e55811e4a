//! Two runs of a scenario, side by side.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Reasons of the Rollout's Events, in order. Scalings in a row count as one: into how many moves a change is cut
    /// depends on when pods get ready.
    Events,
    /// What Events say.
    Messages,
    /// Phase, message and step, in order.
    Phases,
    /// Decisions in the status, each in order.
    Decisions,
    /// What Ingresses say, in order.
    Routes,
    /// The status at the end.
    End,
    /// What is told of the duration.
    Duration,
    /// Conditions at the end.
    Conditions,
    /// Sizes of ReplicaSets: the way up and down, and the end.
    Sizes,
    /// Annotations of ReplicaSets at the end.
    Sets,
    /// What Services select, in order.
    Services,
    /// AnalysisRuns at the end.
    Runs,
    /// The size of a Deployment that is referred to: the way up and down.
    Deployments,
}

/// Something that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// What it is about.
    pub topic: Topic,
    /// Both sides.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.topic, self.what)
    }
}

/// Messages that come and go while pods become ready: how often depends on the order of milliseconds.
const PASSING: [&str; 5] = [
    // Argo Rollouts is Healthy then. `[status.traffic]`
    "traffic is still sent to another version",
    "updated replicas are still becoming available",
    "old replicas are pending termination",
    "active service cutover pending",
    "more replicas need to be updated",
];
/// After this many events the recorder of Argo Rollouts drops what comes: client-go's limit for one object.
const EVENTS_BEFORE_DROPS: usize = 25;

/// Decisions, whose order is compared.
const DECISIONS: [&str; 15] = [
    "stableRS",
    "currentPodHash",
    "currentStepIndex",
    "abort",
    "controllerPause",
    "pauseConditions",
    "promoteFull",
    "workloadObservedGeneration",
    "blueGreen.activeSelector",
    "blueGreen.previewSelector",
    "blueGreen.scaleUpPreviewCheckPoint",
    "blueGreen.prePromotionAnalysisRunStatus",
    "blueGreen.postPromotionAnalysisRunStatus",
    "canary.currentStepAnalysisRunStatus",
    "canary.currentBackgroundAnalysisRunStatus",
];
/// What is told of the duration, whose order is compared.
const DURATION: [&str; 4] = [
    "duration.rolloutStartedAt",
    "duration.manualPauseStartedAt",
    "duration.finishedAt",
    "duration.completionStatus",
];
/// Fields that are compared at the end only.
const AT_THE_END: [&str; 10] = [
    "phase",
    "message",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "HPAReplicas",
    "selector",
    "abortedAt",
    "restartedAt",
];

/// What differs between two runs: lines as [`Seen`](crate::Seen) gives them, and a recording.
#[must_use]
pub fn compare(ours: &[Value], theirs: &[Value]) -> Vec<Difference> {
    let (ours, theirs) = (&workload_names(ours)[..], &workload_names(theirs)[..]);
    let mut all = Vec::new();
    let mut add = |topic, what: Option<String>| all.extend(what.map(|what| Difference { topic, what }));
    add(Topic::Events, events(ours, theirs));
    add(Topic::Messages, messages(ours, theirs));
    add(Topic::Phases, phases(ours, theirs));
    for key in DECISIONS {
        add(
            Topic::Decisions,
            differ(key, &sequence(ours, "Rollout", key), &sequence(theirs, "Rollout", key)),
        );
    }
    for key in DURATION {
        add(Topic::Duration, differ(key, &sequence(ours, "Rollout", key), &sequence(theirs, "Rollout", key)));
    }
    let (our_end, their_end) = (end(ours, "Rollout"), end(theirs, "Rollout"));
    add(
        Topic::End,
        differ(
            "the end",
            &only(&our_end, |key| AT_THE_END.contains(&key)),
            &only(&their_end, |key| AT_THE_END.contains(&key)),
        ),
    );
    let is_condition = |key: &str| key.starts_with("cond.");
    add(Topic::Conditions, differ("the end", &only(&our_end, is_condition), &only(&their_end, is_condition)));
    let (our_sets, their_sets) = (turns(ours, "ReplicaSet"), turns(theirs, "ReplicaSet"));
    add(Topic::Sizes, differ("sizes", &our_sets, &their_sets));
    let is_note = |key: &str| {
        [
            "available",
            "revision",
            "revision-history",
            "desired-replicas",
            "ephemeral-metadata",
            "template.labels",
        ]
        .contains(&key)
    };
    add(
        Topic::Sets,
        differ(
            "the end",
            &only(&end(ours, "ReplicaSet"), is_note),
            &only(&end(theirs, "ReplicaSet"), is_note),
        ),
    );
    add(Topic::Services, differ("selectors", &selectors(ours), &selectors(theirs)));
    for key in ["annotations", "backends"] {
        let of = |lines| sequence_of_each(lines, "Ingress", key);
        add(Topic::Routes, differ(&format!("{key} of Ingresses"), &of(ours), &of(theirs)));
    }
    let is_verdict = |key: &str| !key.starts_with("metric.") && key != "completedAt" && key != "args";
    add(
        Topic::Runs,
        differ(
            "the end",
            &only(&end(ours, "AnalysisRun"), is_verdict),
            &only(&end(theirs, "AnalysisRun"), is_verdict),
        ),
    );
    add(Topic::Deployments, differ("sizes", &turns(ours, "Deployment"), &turns(theirs, "Deployment")));
    all
}

/// What the next controller finds of us that differs from what it would find of Argo Rollouts: after each act of the
/// scenario was prepared for, and at the end. Fields that are compared: all of the Rollout's status but counts, phase
/// and message; annotations and sizes of ReplicaSets; selectors; AnalysisRuns.
#[must_use]
pub fn handed_back(ours: &[Value], theirs: &[Value]) -> Vec<String> {
    let (ours, theirs) = (&workload_names(ours)[..], &workload_names(theirs)[..]);
    let cuts = |lines: &[Value]| -> Vec<usize> {
        let acts = lines.iter().enumerate().filter(|(_, line)| line["kind"] == "Action");
        acts.map(|(index, _)| index).chain([lines.len()]).collect()
    };
    let counted =
        ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "HPAReplicas", "available"];
    let own = [
        "observedGeneration",
        "phase",
        "message",
        "managed-by",
        "ready",
        "args",
        "completedAt",
        "runSummary",
    ];
    let told = |key: &str| {
        let skipped = counted.contains(&key) || own.contains(&key);
        !skipped && !["spec.", "metric.", "values."].iter().any(|part| key.starts_with(part))
    };
    let mut all = BTreeSet::new();
    for (number, (our_cut, their_cut)) in cuts(ours).into_iter().zip(cuts(theirs)).enumerate() {
        for kind in ["Rollout", "ReplicaSet", "Service", "AnalysisRun"] {
            let left = |lines: &[Value], cut: usize| {
                let mut left = only(&end(lines.get(..cut).unwrap_or_default(), kind), told);
                for value in left.values_mut() {
                    if value.as_str().is_some_and(|text| text.starts_with("set ")) {
                        *value = "set".into();
                    }
                    if let Some(map) = value.as_object_mut() {
                        map.retain(|_, value| !is_nothing(value));
                    }
                }
                left
            };
            let (ours, theirs) = (left(ours, our_cut), left(theirs, their_cut));
            for (key, value) in &theirs {
                let own = ours.get(key).unwrap_or(&Value::Null);
                if own != value {
                    all.insert(format!(
                        "before act {} {kind} {key}: recorded {value}, ours {own}",
                        number + 1
                    ));
                }
            }
            for key in ours.keys().filter(|key| !theirs.contains_key(*key)) {
                let own = ours.get(key).unwrap_or(&Value::Null);
                all.insert(format!("before act {} {kind} {key}: not recorded, ours {own}", number + 1));
            }
        }
    }
    all.into_iter().collect()
}

/// Lines in which the ReplicaSets of Deployments have plain names: w1, w2, ... in the order of their appearance. Their
/// hashes come from the cluster, and each cluster has its own.
fn workload_names(lines: &[Value]) -> Vec<Value> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for line in lines.iter().filter(|line| line["kind"] == "ReplicaSet") {
        let named = line["name"]
            .as_str()
            .zip(line.pointer("/template.labels/pod-template-hash").and_then(Value::as_str));
        if let Some(named) = named.filter(|named| !names.contains(named)) {
            names.push(named);
        }
    }
    let mut renamed = lines.to_vec();
    for line in renamed.iter_mut().filter(|line| line["kind"] == "ReplicaSet") {
        let known = names.iter().enumerate().find(|(_, (name, _))| line["name"] == *name);
        let Some((index, (name, hash))) = known else { continue };
        let plain = format!("w{}", index + 1);
        line["name"] = name.replace(hash, &plain).into();
        if let Some(label) = line.pointer_mut("/template.labels/pod-template-hash") {
            *label = plain.into();
        }
    }
    renamed
}

fn differ<T: PartialEq + fmt::Debug>(what: &str, ours: &T, theirs: &T) -> Option<String> {
    (ours != theirs).then(|| format!("{what}\n      recorded {theirs:?}\n      ours     {ours:?}"))
}

fn of_kind<'l>(lines: &'l [Value], kind: &'l str) -> impl Iterator<Item = &'l Map<String, Value>> {
    lines.iter().filter(move |line| line["kind"] == kind).filter_map(Value::as_object)
}

fn name(line: &Map<String, Value>) -> String {
    line.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false))
        || value.as_str() == Some("")
        || value.as_i64() == Some(0)
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(Map::is_empty)
}

/// The values that a field had, one after the other.
fn sequence(lines: &[Value], kind: &str, key: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for value in of_kind(lines, kind).filter_map(|line| line.get(key)) {
        let mut value = if is_nothing(value) { Value::Null } else { value.clone() };
        if let Some(run) = value.as_object_mut() {
            run.retain(|_, value| !is_nothing(value));
        }
        if all.last().unwrap_or(&Value::Null) != &value {
            all.push(value);
        }
    }
    all
}

/// The fields that each object of a kind has at the end, by name and field; what is empty is left out.
fn end(lines: &[Value], kind: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for line in of_kind(lines, kind) {
        let name = name(line);
        if line.contains_key("deleted") {
            all.retain(|key: &String, _| !key.starts_with(&format!("{name} ")));
            continue;
        }
        for (key, value) in line {
            let at = format!("{name} {key}");
            if is_nothing(value) {
                all.remove(&at);
            } else if !["t", "kind", "name", "new", "generation"].contains(&key.as_str()) {
                all.insert(at, value.clone());
            }
        }
    }
    all
}

fn only(all: &BTreeMap<String, Value>, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Value> {
    let field = |key: &str| key.split_once(' ').is_some_and(|(_, field)| wanted(field));
    all.iter().filter(|(key, _)| field(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Sizes of each object of a kind, where they turn: how a way is cut depends on when pods get ready.
fn turns(lines: &[Value], kind: &str) -> BTreeMap<String, Vec<i64>> {
    let mut all: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for line in of_kind(lines, kind) {
        let Some(size) = line.get("spec").and_then(Value::as_i64) else { continue };
        // Made with its first pods or sized after it was made: it began with none.
        let sizes = all.entry(name(line)).or_insert_with(|| vec![0]);
        match sizes.as_slice() {
            [.., last] if *last == size => {}
            [.., before, last] if (before < last) == (*last < size) => {
                sizes.pop();
                sizes.push(size);
            }
            _ => sizes.push(size),
        }
    }
    all
}

fn selectors(lines: &[Value]) -> BTreeMap<String, Vec<Value>> {
    sequence_of_each(lines, "Service", "selector")
}

/// What a field of each object of a kind was, one after the other.
fn sequence_of_each(lines: &[Value], kind: &str, key: &str) -> BTreeMap<String, Vec<Value>> {
    let names: BTreeSet<String> = of_kind(lines, kind).map(name).collect();
    let of = |name: &String| {
        let own: Vec<Value> =
            lines.iter().filter(|line| line["kind"] == kind && line["name"] == **name).cloned().collect();
        sequence(&own, kind, key)
    };
    names.into_iter().map(|name| (name.clone(), of(&name))).collect()
}

fn rollout_events(lines: &[Value]) -> impl Iterator<Item = &Map<String, Value>> {
    of_kind(lines, "Event").filter(|line| name(line).starts_with("Rollout/"))
}

fn reasons(lines: &[Value]) -> Vec<String> {
    let summary = lines.last().filter(|line| line["kind"] == "Summary");
    let told = summary
        .and_then(|line| line["eventReasonsFromLog"].as_array().or_else(|| line["eventReasons"].as_array()));
    let mut all: Vec<String> = match told {
        Some(told) => told.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        None => {
            rollout_events(lines).filter_map(|line| line.get("reason")?.as_str()).map(str::to_owned).collect()
        }
    };
    all.dedup_by(|a, b| a == b && a == "ScalingReplicaSet");
    all
}

fn events(ours: &[Value], theirs: &[Value]) -> Option<String> {
    let (ours, theirs) = (reasons(ours), reasons(theirs));
    let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
    let from = |list: &[String]| list.get(same.saturating_sub(2)..).unwrap_or_default().to_vec();
    (ours != theirs)
        .then(|| format!("from {same}\n      recorded {:?}\n      ours     {:?}", from(&theirs), from(&ours)))
}

fn messages(ours: &[Value], theirs: &[Value]) -> Option<String> {
    let told = |lines: &[Value]| -> BTreeSet<String> {
        let text = |line: &Map<String, Value>, key: &str| {
            line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        rollout_events(lines)
            .filter(|line| line.get("reason").and_then(Value::as_str) != Some("ScalingReplicaSet"))
            .map(|line| format!("{}: {}", text(line, "reason"), text(line, "message")))
            .collect()
    };
    let is_whole = rollout_events(theirs).count() < EVENTS_BEFORE_DROPS;
    let (ours, theirs) = (told(ours), told(theirs));
    let missing: Vec<&String> = theirs.difference(&ours).collect();
    let more: Vec<&String> = ours.difference(&theirs).filter(|_| is_whole).collect();
    (!missing.is_empty() || !more.is_empty())
        .then(|| format!("recorded {missing:?}\n      ours     {more:?}"))
}

/// Phase, message and step after each change, without those that pass by.
fn told_phases(lines: &[Value]) -> Vec<(String, String, Option<i64>)> {
    let (mut phase, mut message, mut step) = (String::new(), String::new(), None);
    let mut all = Vec::new();
    for line in of_kind(lines, "Rollout") {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(value) = line.get("phase") {
            phase = text(value);
        }
        if let Some(value) = line.get("message") {
            message = text(value);
        }
        if let Some(value) = line.get("currentStepIndex") {
            step = value.as_i64().filter(|step| *step != 0);
        }
        if !phase.is_empty() && !PASSING.contains(&message.as_str()) {
            all.push((phase.clone(), message.clone(), step));
        }
    }
    all.dedup();
    all
}

fn phases(ours: &[Value], theirs: &[Value]) -> Option<String> {
    differ("in order", &told_phases(ours), &told_phases(theirs))
}
