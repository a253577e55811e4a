//! What the controller weighs: resident memory and processor time, idle and with many Rollouts.

use crate::cluster::{Cluster, NODE_ADDRESS};
use crate::process;
use crate::stage::connect;
use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Api;
use kube::api::{DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use scenarios::{Release, rollout};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// As many as a large cluster has.
const ROLLOUTS: usize = 500;
const AT_ONCE: usize = 16;
const READY_LIMIT: Duration = Duration::from_secs(60);
const HEALTHY_LIMIT: Duration = Duration::from_secs(300);
/// Until events are sent and allocations of the start are given back.
const SETTLE: Duration = Duration::from_secs(20);
const NAME: &str = "controller";
/// Kernel ticks per second, the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Runs the controller outside of a pod against the cluster and prints what it takes: idle, with 500 Rollouts (without
/// pods: those are the node's load, not the controller's), and while 500 are updated on a node without containers.
///
/// # Errors
/// When the controller does not get ready, or the Rollouts not healthy.
pub fn measure(cluster: &Cluster, controller: &Path) -> Result<()> {
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/manifests/slim");
    cluster.kubectl(&["apply", "-f", &crds.to_string_lossy()])?;
    // Right after the apply `kubectl wait` may find no conditions at all, and gives up.
    let begun = Instant::now();
    let established = ["wait", "--for=condition=Established", "crd/rollouts.argoproj.io", "--timeout=5s"];
    while let Err(error) = cluster.kubectl(&established) {
        anyhow::ensure!(begun.elapsed() < READY_LIMIT, "{error}");
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut command = cluster.inside(controller);
    command.arg("--kubeconfig").arg(cluster.kubeconfig()).arg("--leader-elect=false");
    process::start(&cluster.state, NAME, &mut command)?;
    let ready = format!("http://{NODE_ADDRESS}:8080/readyz");
    process::wait(&cluster.state, NAME, READY_LIMIT, || cluster.answers(&ready))?;
    std::thread::sleep(SETTLE);
    println!("controller, idle: {}", Weight::of(cluster)?);
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(rollouts(cluster))?;
    println!("{ROLLOUTS} Rollouts were made and became healthy in {:.1} s", begun.elapsed().as_secs_f64());
    std::thread::sleep(SETTLE);
    println!("controller, {ROLLOUTS} Rollouts: {}", Weight::of(cluster)?);
    let before = Weight::of(cluster)?;
    std::thread::sleep(SETTLE);
    let used = Weight::of(cluster)?.processor_seconds - before.processor_seconds;
    println!(
        "controller, {ROLLOUTS} Rollouts at rest: {used:.2} s of processor time in {} s",
        SETTLE.as_secs()
    );
    runtime.block_on(crate::fleet::measure(cluster))
}

async fn rollouts(cluster: &Cluster) -> Result<()> {
    let client = connect(&cluster.outer_kubeconfig()).await?;
    let resource = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout"),
        "rollouts",
    );
    let api: Api<DynamicObject> = Api::namespaced_with(client, "default", &resource);
    let strategy =
        json!({"strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "10s"}}]}}});
    stream::iter(0..ROLLOUTS)
        .map(|number| {
            let object = rollout(&format!("web-{number}"), "none", Release::good("v1"), 0, strategy.clone());
            let api = api.clone();
            async move { anyhow::Ok(api.create(&PostParams::default(), &serde_json::from_value(object)?).await?) }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    let begun = Instant::now();
    loop {
        let list = api.list(&ListParams::default()).await?;
        let phase = |object: &DynamicObject| {
            object.data.pointer("/status/phase").and_then(Value::as_str) == Some("Healthy")
        };
        let healthy = list.items.iter().filter(|object| phase(object)).count();
        if healthy == ROLLOUTS {
            return Ok(());
        }
        anyhow::ensure!(
            begun.elapsed() < HEALTHY_LIMIT,
            "only {healthy} of {ROLLOUTS} Rollouts became healthy"
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// What the controller takes.
pub(crate) struct Weight {
    resident_kib: u64,
    peak_kib: u64,
    pub(crate) processor_seconds: f64,
}

impl Weight {
    pub(crate) fn of(cluster: &Cluster) -> Result<Self> {
        let pid = fs::read_to_string(cluster.state.join(format!("{NAME}.pid")))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the controller has ended")?;
        let kib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // After the name in parentheses; user and system time are the 12th and 13th of what follows.
        let rest = stat.rsplit(") ").next().unwrap_or_default();
        let ticks: f64 = rest.split(' ').skip(11).take(2).filter_map(|text| text.parse::<f64>().ok()).sum();
        Ok(Self {
            resident_kib: kib("VmRSS:").context("no VmRSS")?,
            peak_kib: kib("VmHWM:").context("no VmHWM")?,
            processor_seconds: ticks / TICKS_PER_SECOND,
        })
    }
}

impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} KiB resident (peak {} KiB), {:.2} s of processor time so far",
            self.resident_kib, self.peak_kib, self.processor_seconds
        )
    }
}
