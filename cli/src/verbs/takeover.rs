//! `takeover-check`: what the controller would do first to each Rollout that another one has looked after so far.
//! Nothing is written. `[cli.takeover-check]`

use super::plan::{differences, told};
use crate::args::{Output, TakeoverCheck as Args};
use crate::cluster::Cluster;
use crate::view::table;
use crds::Rollout;
use crds::rollout::RolloutStatus;
use kube::core::DeserializeGuard;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

/// Exit code when something but statuses would be written, or a Rollout would be refused.
const WRITES: u8 = 1;
/// Most writes of one Rollout that are told in the table.
const TOLD_MAX: usize = 3;

/// What would happen to one Rollout.
struct Verdict {
    namespace: String,
    name: String,
    /// Writes to ReplicaSets, Services, runs, pods and the Rollout's annotations, each with its reason.
    writes: Vec<(String, String)>,
    /// Fields of the status that would change.
    status: Vec<String>,
    /// Why it would become invalid, and be left alone from then on.
    refused: Option<String>,
    /// Why nothing can be said.
    unknown: Option<String>,
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Self { unknown: Some(_), .. } => "unknown",
            Self { refused: Some(_), .. } => "refused",
            Self { writes, .. } if !writes.is_empty() => "writes",
            Self { status, .. } if !status.is_empty() => "status only",
            _ => "no-op",
        }
    }

    /// Nothing happens that anybody has to know of.
    fn is_quiet(&self) -> bool {
        matches!(self.word(), "no-op" | "status only")
    }

    fn why(&self) -> String {
        if let Some(error) = self.unknown.as_ref().or(self.refused.as_ref()) {
            return error.clone();
        }
        let mut parts: Vec<String> =
            self.writes.iter().take(TOLD_MAX).map(|(write, reason)| format!("{write} ({reason})")).collect();
        if self.writes.len() > TOLD_MAX {
            parts.push(format!("{} more: see `plan {}`", self.writes.len() - TOLD_MAX, self.name));
        }
        if !self.status.is_empty() {
            parts.push(format!("status: {}", self.status.join(", ")));
        }
        parts.join("; ")
    }
}

pub(crate) async fn run(cluster: &Cluster<'_>, args: &Args) -> anyhow::Result<u8> {
    let client = cluster.client().clone();
    // One object that cannot be read must not hide the others.
    let api: Api<DeserializeGuard<Rollout>> =
        if args.all_namespaces { Api::all(client) } else { Api::namespaced(client, cluster.namespace()) };
    let rollouts = api.list(&kube::api::ListParams::default()).await?.items;
    if rollouts.is_empty() {
        cluster.terminal.warn("No resources found.");
        return Ok(0);
    }
    let mut verdicts = Vec::new();
    for guard in rollouts {
        verdicts.push(one(cluster, guard).await);
    }
    if args.output == Some(Output::Json) {
        let all: Vec<Value> = verdicts.iter().map(as_json).collect();
        cluster.terminal.say(serde_json::to_string_pretty(&all)?)?;
    } else {
        tell(cluster, args, &verdicts)?;
    }
    Ok(if verdicts.iter().all(Verdict::is_quiet) { 0 } else { WRITES })
}

async fn one(cluster: &Cluster<'_>, guard: DeserializeGuard<Rollout>) -> Verdict {
    let mut verdict = Verdict {
        namespace: guard.namespace().unwrap_or_default(),
        name: guard.name_any(),
        writes: Vec::new(),
        status: Vec::new(),
        refused: None,
        unknown: None,
    };
    if let Err(error) = guard.0 {
        verdict.unknown = Some(format!("cannot be read: {}", error.error));
        return verdict;
    }
    let now = cluster.terminal.now();
    match controller::preview(cluster.client(), &verdict.namespace, &verdict.name, now).await {
        Ok((plan, world)) => {
            verdict.writes = plan.writes.iter().map(|one| (told(&one.write), one.reason.clone())).collect();
            let before = world.rollout.status.clone().unwrap_or_default();
            let after = plan.status.as_ref();
            let changed = after.map(|after| differences(&before, after)).unwrap_or_default();
            verdict.status = changed.into_iter().map(|(field, ..)| field).collect();
            verdict.refused = after.and_then(invalid).filter(|_| invalid(&before).is_none());
        }
        Err(error) => verdict.unknown = Some(error.to_string()),
    }
    verdict
}

/// What is wrong with a Rollout, as its status says.
fn invalid(status: &RolloutStatus) -> Option<String> {
    let conditions = status.conditions.iter().flatten();
    let mut invalid = conditions.filter(|one| one.kind == "InvalidSpec" && one.status == "True");
    invalid.next().map(|one| one.message.clone())
}

fn tell(cluster: &Cluster<'_>, args: &Args, verdicts: &[Verdict]) -> anyhow::Result<()> {
    let row = |namespace: &str, rest: [&str; 3]| {
        let namespace = args.all_namespaces.then(|| namespace.to_owned());
        namespace.into_iter().chain(rest.map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut rows = vec![row("NAMESPACE", ["NAME", "VERDICT", "WHAT AND WHY"])];
    rows.extend(verdicts.iter().map(|one| row(&one.namespace, [&one.name, one.word(), &one.why()])));
    cluster.terminal.print(table::table(&rows, false))?;
    let writes = verdicts.iter().filter(|one| !one.writes.is_empty()).count();
    let unknown = verdicts.iter().filter(|one| one.unknown.is_some()).count();
    let refused = verdicts.iter().filter(|one| one.refused.is_some()).count();
    let mut line = format!("{} Rollouts: {writes} would be changed", verdicts.len());
    if refused > 0 {
        line.push_str(&format!(", {refused} would be refused"));
    }
    if unknown > 0 {
        line.push_str(&format!(", {unknown} cannot be judged"));
    }
    cluster.terminal.say(format!("{line}. Nothing was written."))?;
    Ok(())
}

fn as_json(verdict: &Verdict) -> Value {
    json!({
        "namespace": verdict.namespace,
        "name": verdict.name,
        "verdict": verdict.word(),
        "writes": verdict.writes.iter().map(|(write, reason)| json!({"write": write, "reason": reason})).collect::<Vec<_>>(),
        "statusFields": verdict.status,
        "error": verdict.unknown.as_ref().or(verdict.refused.as_ref()),
    })
}
