//! `list rollouts`.

use crate::args::{Listing, Output};
use crate::cluster::Cluster;
use crate::phase;
use crate::view::{summary, table};
use crds::{Rollout, Time, defaults};
use futures::StreamExt;
use kube::ResourceExt;
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use std::collections::BTreeMap;

const COLUMNS: [&str; 9] =
    ["NAME", "STRATEGY", "STATUS", "STEP", "SET-WEIGHT", "READY", "DESIRED", "UP-TO-DATE", "AVAILABLE"];

pub(crate) async fn run(cluster: &Cluster<'_>, args: &Listing) -> anyhow::Result<()> {
    let api = if args.all_namespaces { cluster.all_rollouts() } else { cluster.rollouts() };
    let fields = args.name.as_ref().map(|name| format!("metadata.name={name}"));
    let params = ListParams { field_selector: fields.clone(), ..ListParams::default() };
    let rollouts = api.list(&params).await?.items;
    if args.output == Some(Output::Json) && !args.watch {
        let all: Vec<_> = rollouts.iter().map(as_json).collect();
        cluster.terminal.say(serde_json::to_string_pretty(&all)?)?;
        return Ok(());
    }
    if rollouts.is_empty() && !args.watch {
        cluster.terminal.warn("No resources found.");
        return Ok(());
    }
    let now = cluster.terminal.now();
    let mut rows = vec![header(args)];
    rows.extend(rollouts.iter().map(|rollout| row(rollout, args, now)));
    let json = args.output == Some(Output::Json);
    if !json {
        cluster.terminal.print(table::table(&rows, false))?;
    }
    if !args.watch {
        return Ok(());
    }
    let mut shown: BTreeMap<(Option<String>, String), Vec<String>> = BTreeMap::new();
    let key = |rollout: &Rollout| (rollout.namespace(), rollout.name_any());
    if !json {
        shown.extend(rollouts.iter().map(|rollout| (key(rollout), cells(rollout))));
    }
    let config = watcher::Config { field_selector: fields, ..watcher::Config::default() };
    let mut changes = watcher(api, config).default_backoff().applied_objects().boxed();
    while let Some(change) = changes.next().await {
        let rollout = match change {
            Ok(rollout) => rollout,
            Err(error) if super::is_refused(&error) => return Err(error.into()),
            Err(error) => {
                cluster.terminal.warn(format_args!("Warning: {error}; trying again"));
                continue;
            }
        };
        let cells = cells(&rollout);
        if shown.get(&key(&rollout)) == Some(&cells) {
            continue;
        }
        shown.insert(key(&rollout), cells);
        if json {
            cluster.terminal.say(as_json(&rollout))?;
        } else {
            // The columns were set by the table above; a longer name only shifts its own line.
            let lines = table::table(
                &[rows.clone(), vec![row(&rollout, args, cluster.terminal.now())]].concat(),
                false,
            );
            cluster.terminal.say(lines.lines().last().unwrap_or_default())?;
        }
    }
    Ok(())
}

fn as_json(rollout: &Rollout) -> serde_json::Value {
    let (phase, message) = phase::phase(rollout);
    summary::as_json(rollout, &phase, &message)
}

fn header(args: &Listing) -> Vec<String> {
    let time = args.timestamps.then_some("TIMESTAMP");
    let namespace = args.all_namespaces.then_some("NAMESPACE");
    time.into_iter().chain(namespace).chain(COLUMNS).map(str::to_owned).collect()
}

fn row(rollout: &Rollout, args: &Listing, now: Time) -> Vec<String> {
    let time = args.timestamps.then(|| now.to_string());
    let namespace = args.all_namespaces.then(|| rollout.namespace().unwrap_or_default());
    time.into_iter().chain(namespace).chain(cells(rollout)).collect()
}

fn cells(rollout: &Rollout) -> Vec<String> {
    let status = rollout.status.clone().unwrap_or_default();
    let none = || "-".to_owned();
    vec![
        rollout.name_any(),
        summary::strategy(rollout).to_owned(),
        phase::phase(rollout).0,
        summary::step(rollout).unwrap_or_else(none),
        summary::set_weight(rollout).map_or_else(none, |weight| weight.to_string()),
        format!("{}/{}", status.ready_replicas, status.replicas),
        defaults::replicas(rollout).to_string(),
        status.updated_replicas.to_string(),
        status.available_replicas.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_canary_and_a_blue_green_rollout() {
        let rollout = |value| serde_json::from_value::<Rollout>(value).unwrap();
        let canary = rollout(json!({
            "metadata": {"name": "web", "namespace": "shop", "generation": 1},
            "spec": {"replicas": 4, "strategy": {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}}},
            "status": {"observedGeneration": "1", "phase": "Paused", "currentStepIndex": 1, "readyReplicas": 3,
                "replicas": 5, "updatedReplicas": 1, "availableReplicas": 3},
        }));
        let blue_green = rollout(json!({
            "metadata": {"name": "api", "namespace": "shop", "generation": 1},
            "spec": {"strategy": {"blueGreen": {"activeService": "a"}}},
            "status": {"observedGeneration": "1", "phase": "Healthy", "readyReplicas": 1, "replicas": 1,
                "updatedReplicas": 1, "availableReplicas": 1},
        }));
        let args =
            Listing { name: None, all_namespaces: true, watch: false, timestamps: false, output: None };
        let text = table::table(
            &[header(&args), row(&canary, &args, Time::default()), row(&blue_green, &args, Time::default())],
            false,
        );
        let want = "\
NAMESPACE  NAME  STRATEGY   STATUS   STEP  SET-WEIGHT  READY  DESIRED  UP-TO-DATE  AVAILABLE
shop       web   Canary     Paused   1/2   25          3/5    4        1           3
shop       api   BlueGreen  Healthy  -     -           1/1    1        1           1
";
        assert_eq!(text, want);
    }
}
