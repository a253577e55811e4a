//! A cluster leaves nothing behind, however it ends.

use crate::{Cluster, teardown};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The guard of a killed owner removes a cluster within it.
const GONE_LIMIT: Duration = Duration::from_secs(30);
const START_LIMIT: Duration = Duration::from_secs(120);
const STEP: Duration = Duration::from_millis(200);

/// Kills what runs a cluster, in two ways that give it no chance to clean up, and looks for what stays: programs of the
/// node while pods run, then the owner of a cluster that is starting.
///
/// # Errors
///
/// When anything is left, one line each.
pub fn leaves_nothing(run_id: &str, helper: &Path) -> Result<()> {
    let cluster = Cluster::up(run_id, true, helper)?;
    let killed = with_pods(&cluster).and_then(|()| kill_the_node(&cluster));
    let traces = Traces::of(&cluster);
    // Whatever was said: the cluster must go.
    cluster.down();
    killed?;
    traces.gone("programs of the node were killed, and the cluster taken down")?;

    let mut owner = start(run_id, helper)?;
    let cluster = Cluster::of(run_id, helper)?;
    let started = until(START_LIMIT, || cluster.folder("containerd.pid").exists());
    owner.kill()?;
    owner.wait()?;
    let traces = Traces::of(&cluster);
    // Here the guard removes it, not we.
    let gone = until(GONE_LIMIT, || traces.left().is_empty());
    ensure!(started, "the cluster did not start within {} s", START_LIMIT.as_secs());
    let verdict = traces.gone("its owner was killed while it started a cluster");
    if !gone {
        cluster.down();
    }
    verdict
}

/// Names of a cluster that is about to go.
struct Traces {
    state: std::path::PathBuf,
    namespace: String,
    containers: Vec<String>,
}

impl Traces {
    fn of(cluster: &Cluster) -> Self {
        let (state, namespace) = (cluster.state.clone(), cluster.namespace.clone());
        Self { containers: teardown::containers(&state), state, namespace }
    }

    fn left(&self) -> Vec<String> {
        teardown::leftovers(&self.state, &self.namespace, &self.containers)
    }

    fn gone(&self, when: &str) -> Result<()> {
        let left = self.left();
        if left.is_empty() {
            println!("nothing is left after {when}");
            return Ok(());
        }
        bail!("left after {when}:\n- {}", left.join("\n- "))
    }
}

/// Runs pods.
fn with_pods(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(&["create", "deployment", "web", "--image=nginx", "--replicas=3"])?;
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    let ids = teardown::containers(&cluster.state);
    ensure!(ids.len() >= 6, "three pods have six containers with their sandboxes, seen: {}", ids.join(", "));
    Ok(())
}

/// Kills containerd, then the shims of all pods: nobody is left who knows the containers.
fn kill_the_node(cluster: &Cluster) -> Result<()> {
    let containerd = fs::read_to_string(cluster.folder("containerd.pid"))?;
    kill(&containerd)?;
    let socket = cluster.folder("ctrd.sock");
    let mut shims = 0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        if line.contains("containerd-shim") && line.contains(&*socket.to_string_lossy()) {
            kill(&entry.file_name().to_string_lossy())?;
            shims += 1;
        }
    }
    ensure!(shims > 0, "no shim was found to kill");
    Ok(())
}

fn kill(pid: &str) -> Result<()> {
    let status = Command::new("kill").args(["-9", pid]).status()?;
    ensure!(status.success(), "kill -9 {pid}: {status}");
    Ok(())
}

/// Another process that starts a cluster, as a user does.
fn start(run_id: &str, helper: &Path) -> Result<Child> {
    let mut owner = Command::new(helper);
    owner.args(["e2e", "--run-id", run_id, "up"]).stdin(Stdio::null()).stdout(Stdio::null());
    owner.stderr(Stdio::null()).spawn().with_context(|| format!("start {}", helper.display()))
}

fn until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(STEP);
    }
    true
}
