//! `get rollout`: what a person sees of a Rollout, made from objects alone. `[cli.tree]`

use crate::phase;
use crds::analysis::AnalysisPhase;
use crds::{AnalysisRun, Rollout, defaults, meta};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Width of the labels on the left.
const LABEL_WIDTH: usize = 17;

/// The objects around a Rollout.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    pub(crate) replica_sets: Vec<ReplicaSet>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) runs: Vec<AnalysisRun>,
}

/// One line of the tree: name, kind, status and notes.
struct Row {
    name: String,
    kind: &'static str,
    status: String,
    info: String,
}

fn icon(phase: &str) -> &'static str {
    match phase {
        "Healthy" | "Successful" | "Running" => "✔",
        "Degraded" | "Failed" => "✖",
        "Paused" => "॥",
        "Error" => "⚠",
        "Inconclusive" => "?",
        "ScaledDown" => "•",
        _ => "◌",
    }
}

/// The whole text.
pub(crate) fn render(rollout: &Rollout, objects: &Objects) -> String {
    let mut out = String::new();
    let status = rollout.status.clone().unwrap_or_default();
    let strategy = rollout.spec.strategy.clone().unwrap_or_default();
    let (phase, message) = phase::phase(rollout);
    let mut line = |label: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{label:<LABEL_WIDTH$}{value}");
    };
    line("Name:", &rollout.name_any());
    line("Namespace:", &rollout.namespace().unwrap_or_default());
    line("Status:", &format!("{} {phase}", icon(&phase)));
    if !message.is_empty() {
        line("Message:", &message);
    }
    line("Strategy:", if strategy.blue_green.is_some() { "BlueGreen" } else { "Canary" });
    let steps = strategy.canary.as_ref().and_then(|canary| canary.steps.as_ref()).map_or(0, Vec::len);
    if let Some(index) = status.current_step_index.filter(|_| steps > 0) {
        line("  Step:", &format!("{index}/{steps}"));
    }
    line("Replicas:", "");
    line("  Desired:", &defaults::replicas(rollout).to_string());
    line("  Current:", &status.replicas.to_string());
    line("  Updated:", &status.updated_replicas.to_string());
    line("  Ready:", &status.ready_replicas.to_string());
    line("  Available:", &status.available_replicas.to_string());
    out.push('\n');
    out.push_str(&table(&rows(rollout, objects, &phase)));
    out
}

fn rows(rollout: &Rollout, objects: &Objects, phase: &str) -> Vec<Row> {
    let status = format!("{} {phase}", icon(phase));
    let mut rows =
        vec![Row {
            name: format!("⟳ {}", rollout.name_any()), kind: "Rollout", status, info: String::new()
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
            info: String::new(),
        });
        let runs: Vec<&AnalysisRun> =
            objects.runs.iter().filter(|run| revision(run.annotations()) == number.0).collect();
        for (index, set) in sets.iter().enumerate() {
            let end = index + 1 == sets.len() && runs.is_empty();
            rows.extend(replica_set(rollout, set, objects, below, end));
        }
        for (index, run) in runs.iter().enumerate() {
            let branch = if index + 1 == runs.len() { "└──" } else { "├──" };
            rows.push(analysis_run(run, &format!("{below}{branch}")));
        }
    }
    rows
}

fn revision(annotations: &BTreeMap<String, String>) -> i64 {
    annotations.get(meta::REVISION_ANNOTATION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn replica_set(rollout: &Rollout, set: &ReplicaSet, objects: &Objects, indent: &str, end: bool) -> Vec<Row> {
    let (branch, below) = if end { ("└──", "   ") } else { ("├──", "│  ") };
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
    let available = set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0);
    let status = match (wanted, available) {
        (0, _) => "ScaledDown",
        (wanted, available) if available >= wanted => "Healthy",
        _ => "Progressing",
    };
    let mut rows = vec![Row {
        name: format!("{indent}{branch}⧉ {}", set.name_any()),
        kind: "ReplicaSet",
        status: format!("{} {status}", icon(status)),
        info: roles(rollout, set),
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

/// What a version is to the Rollout: stable, canary, active or preview.
fn roles(rollout: &Rollout, set: &ReplicaSet) -> String {
    let status = rollout.status.clone().unwrap_or_default();
    let hash = set.labels().get(meta::POD_TEMPLATE_HASH_LABEL).cloned().unwrap_or_default();
    let blue_green = status.blue_green.clone().unwrap_or_default();
    let is_canary = rollout.spec.strategy.as_ref().is_some_and(|strategy| strategy.canary.is_some());
    let roles = [
        (status.stable_rs == hash, "stable"),
        (is_canary && status.current_pod_hash == hash && status.stable_rs != hash, "canary"),
        (blue_green.active_selector == hash, "active"),
        (blue_green.preview_selector == hash && blue_green.active_selector != hash, "preview"),
    ];
    let named: Vec<&str> = roles.iter().filter(|(holds, _)| *holds).map(|(_, name)| *name).collect();
    named.join(",")
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
        info,
    }
}

fn analysis_run(run: &AnalysisRun, indent: &str) -> Row {
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
    let sign = if phase == AnalysisPhase::Running { "◌" } else { icon(phase.as_str()) };
    Row {
        name: format!("{indent}α {}", run.name_any()),
        kind: "AnalysisRun",
        status: format!("{sign} {phase}"),
        info: counts.join(","),
    }
}

fn table(rows: &[Row]) -> String {
    let width = |cell: fn(&Row) -> &str, title: &str| {
        rows.iter().map(|row| cell(row).chars().count()).chain([title.len()]).max().unwrap_or(0) + 2
    };
    let (name, kind, status) =
        (width(|r| &r.name, "NAME"), width(|r| r.kind, "KIND"), width(|r| &r.status, "STATUS"));
    let mut out = format!("{:<name$}{:<kind$}{:<status$}INFO\n", "NAME", "KIND", "STATUS");
    for row in rows {
        let text = format!("{:<name$}{:<kind$}{:<status$}{}", row.name, row.kind, row.status, row.info);
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_canary_in_flight() {
        let rollout: Rollout = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop", "generation": 2},
            "spec": {"replicas": 2, "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}},
            "status": {"observedGeneration": "2", "phase": "Paused", "message": "CanaryPauseStep", "currentStepIndex": 1,
                "stableRS": "aa", "currentPodHash": "bb", "replicas": 2, "updatedReplicas": 1, "readyReplicas": 2,
                "availableReplicas": 2},
        }))
        .unwrap();
        let set = |name: &str, hash: &str, revision: &str| {
            json!({"metadata": {"name": name, "uid": name, "labels": {"rollouts-pod-template-hash": hash},
                "annotations": {"rollout.argoproj.io/revision": revision}},
                "spec": {"replicas": 1, "selector": {}}, "status": {"replicas": 1, "availableReplicas": 1}})
        };
        let pod = json!({"metadata": {"name": "web-bb-1", "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-bb", "uid": "web-bb"}]},
            "status": {"phase": "Running", "containerStatuses": [
                {"name": "web", "ready": true, "restartCount": 2, "image": "", "imageID": ""}]}});
        let objects = Objects {
            replica_sets: vec![
                serde_json::from_value(set("web-aa", "aa", "1")).unwrap(),
                serde_json::from_value(set("web-bb", "bb", "2")).unwrap(),
            ],
            pods: vec![serde_json::from_value(pod).unwrap()],
            runs: Vec::new(),
        };
        let want = "\
Name:            web
Namespace:       shop
Status:          ॥ Paused
Message:         CanaryPauseStep
Strategy:        Canary
  Step:          1/2
Replicas:        \n  Desired:       2
  Current:       2
  Updated:       1
  Ready:         2
  Available:     2

NAME                  KIND        STATUS     INFO
⟳ web                 Rollout     ॥ Paused
├──# revision:2
│  └──⧉ web-bb        ReplicaSet  ✔ Healthy  canary
│     └──□ web-bb-1   Pod         ✔ Running  ready:1/1,restarts:2
└──# revision:1
   └──⧉ web-aa        ReplicaSet  ✔ Healthy  stable
";
        let got = render(&rollout, &objects);
        let squeeze = |text: &str| {
            text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(squeeze(&got), squeeze(want), "{got}");
    }
}
