//! A shadow beside the controller, as the guide says, for as long as the stories last.

use crate::{Cluster, audit, install};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

const NAME: &str = "stepgate-shadow";
/// Longer than the grace, after which what is planned and not done counts.
const LIMIT: Duration = Duration::from_secs(90);

/// The manifests in the guide.
fn manifests() -> Result<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/shadow.md");
    let guide = std::fs::read_to_string(path)?;
    let (_, from) = guide.split_once("```yaml\n").context("the guide has no manifests")?;
    let (text, _) = from.split_once("```").context("the guide's manifests have no end")?;
    Ok(serde_saphyr::from_multiple(text)?)
}

/// Starts it beside the controller of the whole cluster, from the same image.
///
/// # Errors
/// When it does not get ready.
pub fn start(cluster: &Cluster) -> Result<()> {
    let live = ["get", "deployment/argo-rollouts", "-n", install::NAMESPACE, "-o"];
    let image = cluster
        .kubectl(&[live.as_slice(), &["jsonpath={.spec.template.spec.containers[0].image}"]].concat())?;
    let mut objects = manifests()?;
    let container =
        objects.iter_mut().find_map(|object| object.pointer_mut("/spec/template/spec/containers/0"));
    let container = container.and_then(Value::as_object_mut).context("the guide has no container")?;
    container.insert("image".to_owned(), json!(image.trim()));
    let path = cluster.state.join("shadow.json");
    std::fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string())?;
    cluster.kubectl(&["apply", "-f", &path.to_string_lossy()])?;
    let status =
        ["rollout", "status", "deployment/stepgate-shadow", "-n", install::NAMESPACE, "--timeout=90s"];
    cluster.kubectl(&status).map(drop)
}

/// After all that has been played it would change nothing that the controller has left; it has written nothing, and asked
/// for nothing that its role does not allow.
///
/// # Errors
/// When one of these is not so.
pub fn agrees(cluster: &Cluster) -> Result<()> {
    let pod = format!("/api/v1/namespaces/{}/pods", install::NAMESPACE);
    let selector = ["get", "pods", "-n", install::NAMESPACE, "-l", "app=stepgate-shadow", "-o", "name"];
    let name = cluster.kubectl(&selector)?;
    let name = name.trim().strip_prefix("pod/").context("the shadow has no pod")?.to_owned();
    let page = format!("{pod}/{name}:8090/proxy/shadow");
    let begun = Instant::now();
    let report: Value = loop {
        let report: Value = serde_json::from_str(&cluster.kubectl(&["get", "--raw", &page])?)?;
        let of = |key: &str| report.pointer(&format!("/rollouts/{key}")).and_then(Value::as_u64).unwrap_or(0);
        let is_settled = of("same") > 0 && of("pending") + of("differs") + of("unknown") == 0;
        if is_settled || begun.elapsed() > LIMIT {
            break report;
        }
        std::thread::sleep(Duration::from_secs(2));
    };
    let count = |key: &str| report.pointer(&format!("/rollouts/{key}")).and_then(Value::as_u64).unwrap_or(0);
    ensure!(
        count("same") > 0 && count("pending") + count("differs") + count("unknown") == 0,
        "the shadow would do otherwise: {report:#}"
    );
    let (requests, _) = audit::requests_of(&cluster.state.join("audit.log"), 0, &format!(":{NAME}"))?;
    let bad: Vec<_> = requests.iter().filter(|request| request.is_write() || request.code == 403).collect();
    ensure!(bad.is_empty(), "the shadow wrote, or was refused: {bad:?}");
    ensure!(!requests.is_empty(), "the audit log knows of no request of the shadow");
    let log = cluster.kubectl(&["logs", "-n", install::NAMESPACE, &name, "--tail=-1"])?;
    let bad: Vec<&str> =
        log.lines().filter(|line| line.contains("panicked") || line.contains(" ERROR ")).collect();
    ensure!(bad.is_empty(), "the shadow said:\n{}", bad.join("\n"));
    let told = log.lines().filter(|line| line.contains("shadow: planned and not done")).count();
    println!(
        "ok     a shadow agrees about {} Rollouts, wrote nothing ({}), and told {told} times of differences on the way",
        count("same"),
        audit::summary(&requests)
    );
    Ok(())
}
