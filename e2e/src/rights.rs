//! A controller whose role lacks what a router needs.

use crate::stage::{RealStage, Theatre, connect};
use crate::traffic::rights_in;
use crate::{Cluster, install};
use anyhow::{Result, ensure};
use scenarios::{Kind, Play, Release, RolloutView, rollout, service};
use serde_json::{Value, json};
use std::time::Duration;

/// Name of the namespace, the instance id and the Rollout.
const NAME: &str = "rights";
const SOON: Duration = Duration::from_secs(90);
/// What the Rollout says. The role of an installation for one namespace has no rule for the Gateway API.
const LACKS: &str = "the role of this controller does not allow list, watch, update in namespace rights";

fn route() -> Value {
    let backend = |name: &str| json!({"name": name, "port": 80});
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": NAME},
        "spec": {"rules": [{"backendRefs": [backend("stable"), backend("canary")]}]},
    })
}

/// A Rollout behind a route names the verbs that are missing, nothing that would be refused is asked for
/// ([`no_refusals`](crate::suite::no_refusals) looks at that), and it goes on by itself once they are granted.
///
/// # Errors
/// When one of these is not so.
pub fn are_asked_for(cluster: &Cluster, theatre: &Theatre) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = connect(&theatre.kubeconfig).await?;
        let stage = RealStage::open(theatre, client, NAME, true).await?;
        install::namespaced(cluster, NAME, 1)?;
        let play = Play::on(&stage);
        told_and_healed(cluster, &play, &theatre.image).await
    })?;
    println!("ok     {NAME}: rights that a router needs are asked for, named, and waited for");
    Ok(())
}

async fn told_and_healed(cluster: &Cluster, play: &Play<'_, RealStage<'_>>, image: &str) -> Result<()> {
    play.apply(route()).await?;
    play.apply(service("stable", NAME)).await?;
    play.apply(service("canary", NAME)).await?;
    let routing = json!({"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": NAME}}});
    let canary = json!({"stableService": "stable", "canaryService": "canary", "trafficRouting": routing,
        "steps": [{"setWeight": 50}, {"pause": {}}]});
    let web = |version| {
        rollout(NAME, image, Release::good(version), 1, json!({"strategy": {"canary": canary.clone()}}))
    };
    play.apply(web("v1")).await?;
    let lacking =
        play.until(NAME, "it says what is missing", SOON, |web| web.message().contains(LACKS)).await?;
    ensure!(lacking.phase() == "Degraded", "{}", lacking.line());

    cluster.apply("rights", &rights_in(NAME))?;
    play.until(NAME, "healthy with the rights", SOON, RolloutView::is_healthy).await?;
    play.apply(web("v2")).await?;
    play.until(NAME, "v2 has its half", SOON, |web| web.is_paused_at(1)).await?;
    // Events follow the status that they tell of: what comes next looks for writes at rest.
    let told = async || {
        let events = play.list(Kind::Event).await?;
        let is_it = |event: &Value| {
            event["reason"] == "RolloutPaused"
                && event.pointer("/involvedObject/name").is_some_and(|name| name == NAME)
        };
        Ok(if events.iter().any(is_it) { Ok(()) } else { Err(format!("{} events", events.len())) })
    };
    play.wait("the pause is told", SOON, told).await?;
    Ok(())
}
