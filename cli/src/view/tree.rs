//! `get rollout`: what a person sees of a Rollout, made from objects alone. `[cli.tree]`

use super::style::{icon, paint};
use super::{summary, table};
use crate::{images, phase};
use crds::analysis::AnalysisPhase;
use crds::{AnalysisRun, Rollout, Time, defaults, meta};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Width of the labels on the left.
const LABEL_WIDTH: usize = 17;
/// Metadata of a measurement by a Job.
const JOB_NAME: &str = "job-name";

/// The objects around a Rollout.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    pub(crate) replica_sets: Vec<ReplicaSet>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) runs: Vec<AnalysisRun>,
}

/// One line of the tree: name, kind, status, when it was made, and notes.
struct Row {
    name: String,
    kind: &'static str,
    status: String,
    created: Option<Time>,
    info: String,
}

/// The whole text; without `now` it has no ages.
pub(crate) fn render(rollout: &Rollout, objects: &Objects, now: Option<Time>, colour: bool) -> String {
    let mut out = String::new();
    let status = rollout.status.clone().unwrap_or_default();
    let (phase, message) = phase::phase(rollout);
    let mut line = |label: &str, value: &str| {
        let text = format!("{label:<LABEL_WIDTH$}{value}");
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line("Name:", &rollout.name_any());
    line("Namespace:", &rollout.namespace().unwrap_or_default());
    line("Status:", &paint(&format!("{} {phase}", icon(&phase)), colour));
    if !message.is_empty() {
        line("Message:", &message);
    }
    line("Strategy:", summary::strategy(rollout));
    if let Some(step) = summary::step(rollout) {
        line("  Step:", &step);
    }
    let canary_available = objects
        .replica_sets
        .iter()
        .filter(|set| hash(set) == status.current_pod_hash && status.current_pod_hash != status.stable_rs)
        .map(available)
        .sum();
    if let Some(weight) = summary::set_weight(rollout) {
        line("  SetWeight:", &weight.to_string());
    }
    if let Some(weight) = summary::actual_weight(rollout, canary_available) {
        line("  ActualWeight:", &weight.to_string());
    }
    for (place, (image, roles)) in used_images(rollout, objects).iter().enumerate() {
        let roles = if roles.is_empty() { String::new() } else { format!(" ({})", roles.join(", ")) };
        line(if place == 0 { "Images:" } else { "" }, &format!("{image}{roles}"));
    }
    line("Replicas:", "");
    line("  Desired:", &defaults::replicas(rollout).to_string());
    line("  Current:", &status.replicas.to_string());
    line("  Updated:", &status.updated_replicas.to_string());
    line("  Ready:", &status.ready_replicas.to_string());
    line("  Available:", &status.available_replicas.to_string());
    out.push('\n');
    out.push_str(&tree(&rows(rollout, objects, &phase, now), now, colour));
    out
}

fn hash(set: &ReplicaSet) -> String {
    set.labels().get(meta::POD_TEMPLATE_HASH_LABEL).cloned().unwrap_or_default()
}

fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

/// Images that have pods, in the order of their names, with what their versions are to the Rollout.
fn used_images(rollout: &Rollout, objects: &Objects) -> BTreeMap<String, Vec<&'static str>> {
    let mut used: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for set in &objects.replica_sets {
        if set.status.as_ref().is_none_or(|status| status.replicas == 0) {
            continue;
        }
        let template = set.spec.as_ref().and_then(|spec| serde_json::to_value(&spec.template).ok());
        for image in images::of_template(&template.unwrap_or_default()) {
            let roles = used.entry(image).or_default();
            for role in roles_of(rollout, set) {
                if !roles.contains(&role) {
                    roles.push(role);
                }
            }
        }
    }
    used
}

fn created<K: kube::Resource>(object: &K) -> Option<Time> {
    // The clock of the API server, in whole seconds.
    object.meta().creation_timestamp.as_ref().and_then(|time| Time::from_unix_seconds(time.0.as_second()))
}

fn rows(rollout: &Rollout, objects: &Objects, phase: &str, now: Option<Time>) -> Vec<Row> {
    let mut rows = vec![Row {
        name: format!("⟳ {}", rollout.name_any()),
        kind: "Rollout",
        status: format!("{} {phase}", icon(phase)),
        created: created(rollout),
        info: String::new(),
    }];
    let mut revisions: BTreeMap<std::cmp::Reverse<i64>, Vec<&ReplicaSet>> = BTreeMap::new();
    for set in &objects.replica_sets {
        revisions.entry(std::cmp::Reverse(revision(set.annotations()))).or_default().push(set);
    }
    let count = revisions.len();
    for (place, (number, sets)) in revisions.into_iter().enumerate() {
        let last = place + 1 == count;
        let (branch, below) = if last { ("└──", "   ") } else { ("├──", "│  ") };
        rows.push(Row {
            name: format!("{branch}# revision:{}", number.0),
            kind: "",
            status: String::new(),
            created: None,
            info: String::new(),
        });
        let runs: Vec<&AnalysisRun> =
            objects.runs.iter().filter(|run| revision(run.annotations()) == number.0).collect();
        for (index, set) in sets.iter().enumerate() {
            let end = index + 1 == sets.len() && runs.is_empty();
            rows.extend(replica_set(rollout, set, objects, (below, end), now));
        }
        for (index, run) in runs.iter().enumerate() {
            let branch = if index + 1 == runs.len() { "└──" } else { "├──" };
            rows.extend(analysis_run(run, &format!("{below}{branch}"), &format!("{below}{}", gap(branch))));
        }
    }
    rows
}

fn revision(annotations: &BTreeMap<String, String>) -> i64 {
    annotations.get(meta::REVISION_ANNOTATION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What stands below a branch.
fn gap(branch: &str) -> &'static str {
    if branch == "└──" { "   " } else { "│  " }
}

fn replica_set(
    rollout: &Rollout,
    set: &ReplicaSet,
    objects: &Objects,
    (indent, end): (&str, bool),
    now: Option<Time>,
) -> Vec<Row> {
    let (branch, below) = if end { ("└──", "   ") } else { ("├──", "│  ") };
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
    let conditions = set.status.as_ref().and_then(|status| status.conditions.as_ref());
    let fails = conditions
        .is_some_and(|all| all.iter().any(|one| one.type_ == "ReplicaFailure" && one.status == "True"));
    let status = match (wanted, available(set)) {
        (0, _) => "ScaledDown",
        _ if fails => "ReplicaFailure",
        (wanted, available) if available >= wanted => "Healthy",
        _ => "Progressing",
    };
    let mut info: Vec<String> = roles_of(rollout, set).into_iter().map(str::to_owned).collect();
    info.extend(delay(set, now));
    let mut rows = vec![Row {
        name: format!("{indent}{branch}⧉ {}", set.name_any()),
        kind: "ReplicaSet",
        status: format!("{} {status}", icon(status)),
        created: created(set),
        info: info.join(","),
    }];
    let uid = set.uid();
    let owned = |pod: &&Pod| pod.owner_references().iter().any(|owner| Some(&owner.uid) == uid.as_ref());
    let pods: Vec<&Pod> = objects.pods.iter().filter(owned).collect();
    for (index, pod) in pods.iter().enumerate() {
        let twig = if index + 1 == pods.len() { "└──" } else { "├──" };
        rows.push(pod_row(pod, &format!("{indent}{below}{twig}")));
    }
    rows
}

/// What a version is to the Rollout: stable, canary, active, preview, ping or pong.
fn roles_of(rollout: &Rollout, set: &ReplicaSet) -> Vec<&'static str> {
    let status = rollout.status.clone().unwrap_or_default();
    let hash = hash(set);
    let blue_green = status.blue_green.clone().unwrap_or_default();
    let is_canary = rollout.spec.strategy.as_ref().is_some_and(|strategy| strategy.canary.is_some());
    let strategy = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    let takes_turns = strategy.is_some_and(|canary| canary.ping_pong.is_some());
    let is_new = is_canary && status.current_pod_hash == hash && status.stable_rs != hash;
    // PARITY: nothing recorded counts as pong.
    let is_ping = status.canary.as_ref().is_some_and(|canary| canary.stable_ping_pong == "ping");
    let turn = |stable: bool| takes_turns && if stable { status.stable_rs == hash } else { is_new };
    let roles = [
        (status.stable_rs == hash, "stable"),
        (is_new, "canary"),
        (turn(is_ping), "ping"),
        (turn(!is_ping), "pong"),
        (blue_green.active_selector == hash, "active"),
        (blue_green.preview_selector == hash && blue_green.active_selector != hash, "preview"),
    ];
    roles.iter().filter(|(holds, _)| *holds).map(|(_, name)| *name).collect()
}

/// How long an old version is kept: `delay:25s`, or `delay:passed`.
fn delay(set: &ReplicaSet, now: Option<Time>) -> Option<String> {
    let deadline = set.annotations().get(meta::SCALE_DOWN_DEADLINE_ANNOTATION)?;
    let deadline = Time::parse(deadline)?;
    let left = now?.until(deadline);
    Some(if left.is_zero() { "delay:passed".to_owned() } else { format!("delay:{}", table::age(left)) })
}

fn pod_row(pod: &Pod, indent: &str) -> Row {
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let ready = containers.iter().filter(|container| container.ready).count();
    let restarts: i32 = containers.iter().map(|container| container.restart_count).sum();
    let waiting =
        containers.iter().find_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.clone());
    let phase =
        if pod.metadata.deletion_timestamp.is_some() { Some("Terminating".to_owned()) } else { waiting };
    let phase = phase.or(status.phase).unwrap_or_default();
    let mut info = format!("ready:{ready}/{}", containers.len());
    if restarts > 0 {
        let _ = write!(info, ",restarts:{restarts}");
    }
    Row {
        name: format!("{indent}□ {}", pod.name_any()),
        kind: "Pod",
        status: format!("{} {phase}", icon(&phase)),
        created: created(pod),
        info,
    }
}

/// The run, and the Jobs that its measurements made.
fn analysis_run(run: &AnalysisRun, indent: &str, below: &str) -> Vec<Row> {
    let status = run.status.clone().unwrap_or_default();
    let counted = |of: fn(&crds::analysis::MetricResult) -> i32| -> i32 {
        status.metric_results.iter().flatten().map(of).sum()
    };
    let counts = [
        ("✔", counted(|result| result.successful)),
        ("✖", counted(|result| result.failed)),
        ("?", counted(|result| result.inconclusive)),
        ("⚠", counted(|result| result.error)),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(icon, count)| format!("{icon} {count}"))
        .collect();
    let phase = if status.phase == AnalysisPhase::New { AnalysisPhase::Pending } else { status.phase };
    let mut rows = vec![Row {
        name: format!("{indent}α {}", run.name_any()),
        kind: "AnalysisRun",
        status: with_sign(phase),
        created: created(run),
        info: counts.join(","),
    }];
    let results = status.metric_results.iter().flatten();
    let measurements = results.flat_map(|result| result.measurements.iter().flatten());
    let jobs: Vec<(&String, AnalysisPhase)> =
        measurements.filter_map(|one| Some((one.metadata.as_ref()?.get(JOB_NAME)?, one.phase))).collect();
    for (index, (name, phase)) in jobs.iter().enumerate() {
        let twig = if index + 1 == jobs.len() { "└──" } else { "├──" };
        rows.push(Row {
            name: format!("{below}{twig}⊞ {name}"),
            kind: "Job",
            status: with_sign(*phase),
            created: None,
            info: String::new(),
        });
    }
    rows
}

/// A running analysis is on its way; a running pod has arrived.
fn with_sign(phase: AnalysisPhase) -> String {
    let sign = if phase == AnalysisPhase::Running { "◌" } else { icon(phase.as_str()) };
    format!("{sign} {phase}")
}

fn tree(rows: &[Row], now: Option<Time>, colour: bool) -> String {
    let mut cells = vec![["NAME", "KIND", "STATUS", "AGE", "INFO"].map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| {
        let age = match (now, row.created) {
            (Some(now), Some(created)) => table::age(created.until(now)),
            _ => String::new(),
        };
        vec![row.name.clone(), row.kind.to_owned(), row.status.clone(), age, row.info.clone()]
    }));
    table::table(&cells, colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LONG_AGO: &str = "2026-01-01T00:00:00Z";
    const LATELY: &str = "2026-01-01T01:59:15Z";

    #[test]
    fn a_canary_in_flight() {
        let rollout: Rollout = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop", "generation": 2, "uid": "u", "creationTimestamp": LONG_AGO},
            "spec": {"replicas": 2, "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}},
            "status": {"observedGeneration": "2", "phase": "Paused", "message": "CanaryPauseStep", "currentStepIndex": 1,
                "stableRS": "aa", "currentPodHash": "bb", "replicas": 2, "updatedReplicas": 1, "readyReplicas": 2,
                "availableReplicas": 2},
        }))
        .unwrap();
        let set = |name: &str, hash: &str, revision: &str, created: &str| {
            let annotations = if hash == "aa" {
                json!({"rollout.argoproj.io/revision": revision,
                    "scale-down-deadline": "2026-01-01T02:00:15Z"})
            } else {
                json!({"rollout.argoproj.io/revision": revision})
            };
            let template =
                json!({"spec": {"containers": [{"name": "web", "image": format!("web:{revision}")}]}});
            json!({"metadata": {"name": name, "uid": name, "creationTimestamp": created,
                "labels": {"rollouts-pod-template-hash": hash}, "annotations": annotations},
                "spec": {"replicas": 1, "selector": {}, "template": template},
                "status": {"replicas": 1, "availableReplicas": 1}})
        };
        let run = json!({"metadata": {"name": "web-bb-2-1", "creationTimestamp": LATELY,
            "annotations": {"rollout.argoproj.io/revision": "2"}}, "spec": {"metrics": []},
            "status": {"phase": "Failed", "metricResults": [{"name": "m", "phase": "Failed", "successful": 2, "failed": 1,
                "measurements": [{"phase": "Successful", "metadata": {"job-name": "job-1"}}]}]}});
        let pod = json!({"metadata": {"name": "web-bb-1", "creationTimestamp": LATELY, "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-bb", "uid": "web-bb"}]},
            "status": {"phase": "Running", "containerStatuses": [
                {"name": "web", "ready": true, "restartCount": 2, "image": "", "imageID": ""}]}});
        let objects = Objects {
            replica_sets: vec![
                serde_json::from_value(set("web-aa", "aa", "1", LONG_AGO)).unwrap(),
                serde_json::from_value(set("web-bb", "bb", "2", LATELY)).unwrap(),
            ],
            pods: vec![serde_json::from_value(pod).unwrap()],
            runs: vec![serde_json::from_value(run).unwrap()],
        };
        let want = "\
Name:            web
Namespace:       shop
Status:          ॥ Paused
Message:         CanaryPauseStep
Strategy:        Canary
  Step:          1/2
  SetWeight:     50
  ActualWeight:  50
Images:          web:1 (stable)
                 web:2 (canary)
Replicas:
  Desired:       2
  Current:       2
  Updated:       1
  Ready:         2
  Available:     2

NAME                 KIND         STATUS        AGE   INFO
⟳ web                Rollout      ॥ Paused      120m
├──# revision:2
│  ├──⧉ web-bb       ReplicaSet   ✔ Healthy     45s   canary
│  │  └──□ web-bb-1  Pod          ✔ Running     45s   ready:1/1,restarts:2
│  └──α web-bb-2-1   AnalysisRun  ✖ Failed      45s   ✔ 2,✖ 1
│     └──⊞ job-1     Job          ✔ Successful
└──# revision:1
   └──⧉ web-aa       ReplicaSet   ✔ Healthy     120m  stable,delay:15s
";
        let now = Time::parse("2026-01-01T02:00:00Z");
        assert_eq!(render(&rollout, &objects, now, false), want);
        let coloured = render(&rollout, &objects, now, true);
        assert!(coloured.contains("\u{1b}[31m✖ Failed\u{1b}[0m"), "{coloured}");
    }
}
