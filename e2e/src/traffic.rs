//! Stories of users who come through a real data plane, a fast one and a late one.

use crate::stage::{RealStage, Theatre};
use crate::suite::{self, Ended};
use crate::traefik::{self, Speed};
use crate::{Cluster, install};
use anyhow::{Result, bail};
use scenarios::{Play, ROUTED, Story, tell_routed};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// Each brings 300 requests a second; more at once would make users wait for the processor.
const AT_ONCE: usize = 2;
/// What the test command plays: the fast plane by both of its interfaces, and the late one.
pub const OF_THE_TESTS: [&str; 3] = ["late-steps", "fast-aborts", "fast-traefik-steps"];

/// A story with one of the planes.
#[derive(Debug, Clone, Copy)]
struct Act {
    story: Story,
    speed: Speed,
}

impl Act {
    /// Its name and that of its namespace.
    fn name(self) -> String {
        format!("{}-{}", self.speed.class(), self.story.name)
    }
}

/// Starts the data planes and gives the controller the one right that it lacks, as the guide says.
///
/// # Errors
/// When one does not get ready.
pub fn prepare(cluster: &Cluster) -> Result<()> {
    traefik::up(cluster)?;
    let rights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/gateway-api");
    cluster.kubectl(&["apply", "-k", &rights.to_string_lossy()]).map(drop)
}

/// Plays the stories whose names, such as `late-aborts`, contain one of `only` (all when it is empty), and prints a
/// table of what users saw.
///
/// # Errors
/// When one does not end well.
pub fn play(cluster: &Cluster, theatre: &Theatre, only: &[&str]) -> Result<()> {
    // Late ones first: they take longest.
    let late_first = [Speed::Late, Speed::Fast];
    let all = late_first.into_iter().flat_map(|speed| ROUTED.map(|story| Act { story, speed }));
    let wanted = |act: &Act| only.is_empty() || only.iter().any(|word| act.name().contains(word));
    let chosen: Vec<Act> = all.filter(wanted).collect();
    if chosen.is_empty() {
        bail!("no story of routes is named {}", only.join(" or "));
    }
    let act = async |client, act| one(cluster, theatre, client, act).await;
    let ended = suite::all_of(theatre, chosen, AT_ONCE, act)?;
    table(&ended);
    suite::well(&ended)
}

async fn one(cluster: &Cluster, theatre: &Theatre, client: kube::Client, act: Act) -> Result<Ended> {
    let (begun, name) = (Instant::now(), act.name());
    let own = act.story.controllers > 0;
    let stage = RealStage::open(theatre, client, &name, own).await?.through(act.speed);
    if own {
        install::namespaced(cluster, &name, act.story.controllers)?;
        cluster.apply(&format!("rights-{name}"), &rights_in(&name))?;
    }
    let play = Play::on(&stage);
    let result = tell_routed(act.story.name, &play).await.map_err(anyhow::Error::from);
    let users = suite::users(&stage, &play).await?;
    Ok(Ended { name, shows: act.story.shows, result, log: play.log(), took: begun.elapsed(), users })
}

/// The right that a controller of one namespace lacks.
pub(crate) fn rights_in(namespace: &str) -> String {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "argo-rollouts-gateway-api", "namespace": namespace},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "argo-rollouts-gateway-api",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "argo-rollouts", "namespace": namespace}],
    })
    .to_string()
}

/// Requests sent, failed, and by which version they were answered.
fn table(ended: &[Ended]) {
    println!("| story | seconds | requests | failed | answered by |");
    println!("|---|---|---|---|---|");
    for one in ended {
        let of = |sum: fn(&scenarios::Seen) -> u64| one.users.iter().map(|(_, seen)| sum(seen)).sum::<u64>();
        let failed = of(scenarios::Seen::failed) + of(scenarios::Seen::unanswered);
        let mut versions = std::collections::BTreeMap::<&str, u64>::new();
        for (_, seen) in &one.users {
            for (name, version) in &seen.versions {
                *versions.entry(name).or_default() += version.answered;
            }
        }
        versions.retain(|_, answered| *answered > 0);
        let shares: Vec<String> =
            versions.iter().map(|(name, answered)| format!("{name} {answered}")).collect();
        let (seconds, requests) = (one.took.as_secs(), of(scenarios::Seen::total));
        println!("| {} | {seconds} | {requests} | {failed} | {} |", one.name, shares.join(", "));
    }
}
