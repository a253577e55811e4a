//! `plan`: what the controller would do next to a Rollout, and why; by its own code, over lists that are read once.
//! Nothing is written. `[cli.plan]`

use crate::args::{Output, Plan as Args};
use crate::cluster::Cluster;
use crds::rollout::RolloutStatus;
use planner::{EventType, Plan, Write, check};
use serde_json::{Value, json};

pub(crate) async fn run(cluster: &Cluster<'_>, args: &Args) -> anyhow::Result<()> {
    let now = cluster.terminal.now();
    let (plan, world) =
        controller::preview(cluster.client(), cluster.namespace(), &args.rollout, now).await?;
    let faults: Vec<String> = check::check(&world, &plan, now)
        .into_iter()
        .map(|fault| format!("{}: {}", fault.rule, fault.what))
        .collect();
    let before = world.rollout.status.clone().unwrap_or_default();
    let changes = plan.status.as_ref().map(|after| differences(&before, after)).unwrap_or_default();
    if args.output == Some(Output::Json) {
        return Ok(cluster.terminal.say(as_json(&plan, &changes, &faults, &args.rollout))?);
    }
    let mut out = Vec::new();
    let hash = |hash: &str| if hash.is_empty() { "none yet".to_owned() } else { hash.to_owned() };
    out.push(format!(
        "Rollout {}: {}; stable {}, current {}",
        args.rollout,
        phase(&world.rollout),
        hash(&before.stable_rs),
        hash(&before.current_pod_hash)
    ));
    let (writes, following) = plan.parts();
    let list = |writes: &[planner::Planned]| -> Vec<String> {
        writes.iter().map(|w| format!("{}  ({})", told(&w.write), w.reason)).collect()
    };
    section(&mut out, "Writes", list(writes));
    section(
        &mut out,
        "Status",
        changes.iter().map(|(path, from, to)| format!("{path}: {from} -> {to}")).collect(),
    );
    if !following.is_empty() {
        section(&mut out, "Writes after the status", list(following));
    }
    section(&mut out, "Why", plan.trail.clone());
    let notices = plan.notices.iter().map(|notice| {
        let kind = if notice.event_type == EventType::Warning { "Warning" } else { "Normal" };
        format!("{kind} {}: {}", notice.reason, notice.message)
    });
    section(&mut out, "Events", notices.collect());
    let wake = plan.wake.as_ref().map(|wake| format!("{}: {}", wake.at, wake.why));
    section(&mut out, "Looks again", vec![wake.unwrap_or_else(|| "when something changes".to_owned())]);
    if !faults.is_empty() {
        section(&mut out, "BREAKS A LAW of the house (please report this)", faults);
    }
    out.push("Nothing was written.".to_owned());
    Ok(cluster.terminal.say(out.join("\n"))?)
}

fn phase(rollout: &crds::Rollout) -> String {
    let (phase, message) = crate::phase::phase(rollout);
    if message.is_empty() { phase } else { format!("{phase} - {message}") }
}

fn section(out: &mut Vec<String>, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        out.push(format!("{title}: none"));
        return;
    }
    out.push(format!("{title}:"));
    out.extend(lines.into_iter().map(|line| format!("  {line}")));
}

/// A write in words.
pub(super) fn told(write: &Write) -> String {
    match write {
        Write::CreateReplicaSet { name, replicas, .. } => {
            format!("create ReplicaSet {name} with {replicas} pods")
        }
        Write::AdoptReplicaSet { target } => format!("adopt ReplicaSet {}", target.name),
        Write::ReleaseReplicaSet { target } => format!("release ReplicaSet {}", target.name),
        Write::ScaleReplicaSet { target, from, to, .. } => {
            format!("scale ReplicaSet {} from {from} to {to}", target.name)
        }
        Write::AnnotateReplicaSet { target, .. } => format!("annotate ReplicaSet {}", target.name),
        Write::DeleteReplicaSet { target } => format!("delete ReplicaSet {}", target.name),
        Write::SelectService { target, hash, .. } => match hash {
            Some(hash) => format!("point Service {} at {hash}", target.name),
            None => format!("point Service {} at every version", target.name),
        },
        Write::RouteTraffic { router, intent } => {
            let weight = intent.canary.weight;
            format!("have {router} send {weight} of {} to the canary", intent.total)
        }
        Write::GiveBackRoutes { router } => format!("give back the fields of {router}"),
        Write::AnnotateRollout { annotations } => {
            format!("annotate the Rollout: {}", annotations.keys().cloned().collect::<Vec<_>>().join(", "))
        }
        Write::SetRolloutReplicas { replicas } => format!("set the Rollout's spec.replicas to {replicas}"),
        Write::ScaleWorkload { target, from, to } => {
            format!("scale Deployment {} from {from} to {to}", target.name)
        }
        Write::CreateAnalysisRun { name, .. } => format!("create AnalysisRun {name}"),
        Write::TerminateAnalysisRun { target } => format!("end AnalysisRun {}", target.name),
        Write::DeleteAnalysisRun { target } => format!("delete AnalysisRun {}", target.name),
        Write::EditTemplate { target, .. } => format!("put metadata into ReplicaSet {}", target.name),
        Write::LabelPod { target, .. } => format!("label pod {}", target.name),
        Write::EvictPod { target } => format!("evict pod {}", target.name),
    }
}

/// Top-level fields of the status that change: path, before and after. Long values are cut.
pub(super) fn differences(before: &RolloutStatus, after: &RolloutStatus) -> Vec<(String, String, String)> {
    let value = |status| serde_json::to_value(status).unwrap_or_default();
    let (before, after) = (value(before), value(after));
    let empty = serde_json::Map::new();
    let (before, after) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed.map(|key| (key.clone(), short(before.get(key)), short(after.get(key)))).collect()
}

fn short(value: Option<&Value>) -> String {
    const LONGEST: usize = 240;
    let Some(value) = value else { return "unset".to_owned() };
    let conditions = value.as_array().filter(|all| all.iter().any(|one| one.get("type").is_some()));
    let text = conditions.map_or_else(
        || value.to_string(),
        |all| {
            let one = |c: &Value| {
                let part = |key: &str| c.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                format!("{}={}", part("type"), part("status"))
            };
            all.iter().map(one).collect::<Vec<_>>().join(" ")
        },
    );
    if text.chars().count() <= LONGEST {
        text
    } else {
        text.chars().take(LONGEST).chain("...".chars()).collect()
    }
}

fn as_json(plan: &Plan, changes: &[(String, String, String)], faults: &[String], rollout: &str) -> Value {
    let writes = plan.writes.iter().map(|w| json!({"write": told(&w.write), "reason": w.reason}));
    let notices = plan.notices.iter().map(|notice| {
        let kind = if notice.event_type == EventType::Warning { "Warning" } else { "Normal" };
        json!({"type": kind, "reason": notice.reason, "message": notice.message})
    });
    json!({
        "rollout": rollout,
        "writes": writes.collect::<Vec<_>>(),
        "writesAfterStatus": plan.following,
        "statusChanges": changes.iter().map(|(path, from, to)| json!({"field": path, "from": from, "to": to})).collect::<Vec<_>>(),
        "status": plan.status,
        "trail": plan.trail,
        "events": notices.collect::<Vec<_>>(),
        "wake": plan.wake.as_ref().map(|wake| json!({"at": wake.at, "why": wake.why})),
        "faults": faults,
    })
}
