//! Stepgate installed from its own image and manifests.

use crate::Cluster;
use crate::process::run;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Namespace of the installation for the whole cluster.
pub const NAMESPACE: &str = "argo-rollouts";
const READY_LIMIT: &str = "--timeout=90s";

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

/// Installs it for the whole cluster, as the README says.
///
/// # Errors
/// When the API server refuses something, or the controller does not get ready.
pub fn cluster_wide(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    cluster.kubectl(&["apply", "-k", &manifests().join("install").to_string_lossy()])?;
    ready(cluster, NAMESPACE)
}

/// Installs it for the whole cluster with Helm, as the README says, from images of this tag.
///
/// # Errors
/// As [`cluster_wide`].
pub fn chart(cluster: &Cluster, tag: &str) -> Result<()> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/stepgate");
    let tag = format!("controller.image.tag={tag}");
    run(Command::new(cluster.helm())
        .arg("--kubeconfig")
        .arg(cluster.outer_kubeconfig())
        .args(["install", "stepgate"])
        .arg(chart)
        .args(["--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", "90s"])
        .args(["--set", &tag, "--set", "controller.readinessProbe.initialDelaySeconds=1"]))?;
    Ok(())
}

/// The chart is without a fault in Helm's eyes, installs a controller that gets ready, and goes without the CRDs.
///
/// # Errors
/// When one of these is not so.
pub fn chart_comes_and_goes(cluster: &Cluster, tag: &str) -> Result<()> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/stepgate");
    run(Command::new(cluster.helm()).args(["lint", "--strict"]).arg(chart))?;
    self::chart(cluster, tag)?;
    let mut helm = Command::new(cluster.helm());
    helm.arg("--kubeconfig").arg(cluster.outer_kubeconfig());
    run(helm.args(["uninstall", "stepgate", "--namespace", NAMESPACE, "--wait", "--timeout", "90s"]))?;
    cluster.kubectl(&["get", "crd", "rollouts.argoproj.io"]).context("the CRDs must outlive the release")?;
    cluster.kubectl(&["delete", "namespace", NAMESPACE, "--wait", "--timeout=90s"])?;
    println!("ok     the chart passes lint, installs, and leaves the CRDs when it is uninstalled");
    Ok(())
}

/// Removes the CRDs, and with them all that is of their kinds.
///
/// # Errors
/// When some of them do not go.
pub fn remove_crds(cluster: &Cluster) -> Result<()> {
    let all = cluster.kubectl(&["get", "crd", "--output=name"])?;
    let ours: Vec<&str> = all.lines().filter(|name| name.ends_with(".argoproj.io")).collect();
    let mut args = vec!["delete", "--wait", "--timeout=60s"];
    args.extend(ours);
    cluster.kubectl(&args)?;
    Ok(())
}

/// Installs controllers for one namespace, with an instance id of the same name: they leave alone what is not labelled
/// with it, and the cluster-wide controller leaves alone what is.
///
/// # Errors
/// As [`cluster_wide`].
pub fn namespaced(cluster: &Cluster, namespace: &str, replicas: u32) -> Result<()> {
    let folder = manifests().join("namespace-install");
    let text = cluster.kubectl(&["kustomize", &folder.to_string_lossy()])?;
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text)?;
    let deployment = objects
        .iter_mut()
        .find(|object| object.pointer("/kind") == Some(&json!("Deployment")))
        .context("the manifests have no Deployment")?;
    let set = |deployment: &mut Value, pointer: &str, key: &str, value: Value| -> Result<()> {
        let at = deployment.pointer_mut(pointer).and_then(Value::as_object_mut);
        at.with_context(|| format!("no {pointer}"))?.insert(key.to_owned(), value);
        Ok(())
    };
    set(deployment, "/spec", "replicas", json!(replicas))?;
    let args = deployment
        .pointer_mut("/spec/template/spec/containers/0/args")
        .and_then(Value::as_array_mut)
        .context("the container has no args")?;
    args.push(json!(format!("--instance-id={namespace}")));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let path = cluster.state.join(format!("install-{namespace}.json"));
    std::fs::write(&path, list.to_string())?;
    cluster.kubectl(&["apply", "-n", namespace, "-f", &path.to_string_lossy()])?;
    ready(cluster, namespace)
}

fn ready(cluster: &Cluster, namespace: &str) -> Result<()> {
    let status = ["rollout", "status", "deployment/argo-rollouts", "-n", namespace, READY_LIMIT];
    cluster.kubectl(&status).map(drop).map_err(|error| {
        let pods = cluster.kubectl(&["describe", "pods", "-n", namespace]).unwrap_or_default();
        let logs = ["logs", "-n", namespace, "deployment/argo-rollouts", "--tail=20"];
        let logs = cluster.kubectl(&logs).unwrap_or_default();
        error.context(format!("the controller did not get ready; its pods:\n{pods}\nits log:\n{logs}"))
    })
}
