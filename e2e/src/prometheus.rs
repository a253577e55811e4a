//! Prometheus on the node, from Debian's package. That build finds no pods by itself, so a process of ours writes the
//! list of targets that it reads.

use crate::cluster::{Cluster, NODE_ADDRESS};
use crate::stage::connect;
use crate::{dns, process};
use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Where pods, the controller and analyses find it.
pub const ADDRESS: &str = "http://prometheus.monitoring.svc:9090";
const PORT: u16 = 9090;
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at the pods.
const LOOK: Duration = Duration::from_secs(1);
const SCRAPE: &str = "prometheus.io/scrape";
const SCRAPE_PORT: &str = "prometheus.io/port";
const DEFAULT_SCRAPE_PORT: &str = "8080";
const HASH_LABEL: &str = "rollouts-pod-template-hash";

/// Starts it and the process that writes its targets.
pub(crate) fn start(cluster: &Cluster) -> Result<()> {
    let (state, folder) = (&cluster.state, cluster.state.join("prometheus"));
    fs::create_dir_all(&folder)?;
    let targets = folder.join("targets.json");
    fs::write(&targets, "[]")?;
    let settings = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": "pods", "file_sd_configs": [{"files": [targets], "refresh_interval": "1s"}]}],
    });
    let config = folder.join("prometheus.json");
    fs::write(&config, settings.to_string())?;
    let mut program = cluster.inside(cluster.programs.prometheus());
    program.arg("--config.file").arg(&config).arg("--storage.tsdb.path").arg(folder.join("data"));
    process::start(state, "prometheus", program.arg(format!("--web.listen-address={NODE_ADDRESS}:{PORT}")))?;
    let mut writer = cluster.inside(&cluster.helper);
    process::start(
        state,
        "targets",
        writer.args(["e2e", "targets"]).arg(cluster.kubeconfig()).arg(&targets),
    )?;
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: monitoring}\n---\n";
    cluster.apply(
        "prometheus",
        &(namespace.to_owned() + &dns::service("prometheus", "monitoring", None, "9090")),
    )
}

/// Waits until it answers.
pub(crate) fn wait_ready(cluster: &Cluster) -> Result<()> {
    let url = format!("http://{NODE_ADDRESS}:{PORT}/-/ready");
    process::wait(&cluster.state, "prometheus", READY_LIMIT, || cluster.answers(&url))
}

/// Writes the targets again and again, until it is killed with the cluster.
///
/// # Errors
///
/// When the kubeconfig cannot be read or the file not be written; an API server that does not answer is asked again.
pub fn write_targets(kubeconfig: &Path, file: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let pods: Api<Pod> = Api::all(connect(kubeconfig).await?);
        let mut written = String::new();
        loop {
            match pods.list(&ListParams::default()).await {
                Ok(list) => {
                    let text = Value::from_iter(list.items.iter().filter_map(target)).to_string();
                    if text != written {
                        let whole = file.with_extension("new");
                        fs::write(&whole, &text)?;
                        fs::rename(&whole, file).with_context(|| format!("write {}", file.display()))?;
                        written = text;
                    }
                }
                Err(error) => eprintln!("list pods: {error}"),
            }
            tokio::time::sleep(LOOK).await;
        }
    })
}

/// What to scrape of a pod, if it asks for it.
fn target(pod: &Pod) -> Option<Value> {
    let of =
        |map: &Option<std::collections::BTreeMap<String, String>>, key: &str| map.as_ref()?.get(key).cloned();
    let status = pod.status.as_ref()?;
    let running = status.phase.as_deref() == Some("Running");
    if !running || of(&pod.metadata.annotations, SCRAPE)? != "true" {
        return None;
    }
    let port = of(&pod.metadata.annotations, SCRAPE_PORT).unwrap_or_else(|| DEFAULT_SCRAPE_PORT.to_owned());
    let address = format!("{}:{port}", status.pod_ip.as_ref()?);
    Some(json!({
        "targets": [address],
        "labels": {
            "namespace": pod.metadata.namespace,
            "pod": pod.metadata.name,
            "app": of(&pod.metadata.labels, "app").unwrap_or_default(),
            "hash": of(&pod.metadata.labels, HASH_LABEL).unwrap_or_default(),
        },
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn pod(phase: &str, annotations: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "n", "annotations": annotations,
                "labels": {"app": "web", HASH_LABEL: "abc"}},
            "status": {"phase": phase, "podIP": "10.0.0.7"},
        }))
        .unwrap()
    }

    #[test]
    fn only_running_pods_that_ask_are_scraped() {
        let asks = json!({SCRAPE: "true", SCRAPE_PORT: "81"});
        let labels = json!({"namespace": "n", "pod": "p", "app": "web", "hash": "abc"});
        assert_eq!(
            target(&pod("Running", &asks)),
            Some(json!({"targets": ["10.0.0.7:81"], "labels": labels}))
        );
        let default = target(&pod("Running", &json!({SCRAPE: "true"}))).unwrap();
        assert_eq!(default.pointer("/targets/0"), Some(&json!("10.0.0.7:8080")));
        assert_eq!(target(&pod("Pending", &asks)), None);
        assert_eq!(target(&pod("Running", &json!({}))), None);
    }
}
