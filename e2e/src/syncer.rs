//! A GitOps syncer, as users run beside us: it applies a Git folder again and again, heals what was changed by hand, and
//! prunes what left the folder.

use crate::Cluster;
use crate::git::Repository;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);
/// The label by which a syncer knows what is its own; Argo CD's default.
pub const LABEL: &str = "app.kubernetes.io/instance";
/// What may be pruned.
const PRUNED: [&str; 3] =
    ["argoproj.io/v1alpha1/Rollout", "argoproj.io/v1alpha1/AnalysisTemplate", "core/v1/Service"];

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    rounds: AtomicUsize,
    said: Mutex<Vec<String>>,
    failed: Mutex<Option<String>>,
}

/// A syncer at work; dropping it ends it.
#[derive(Debug)]
pub struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Starts it for the application `name` in a namespace. `kubectl` is the program with its connection flags.
    #[must_use]
    pub fn start(kubectl: Vec<String>, repository: Repository, namespace: &str, name: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let (ours, namespace, name) = (Arc::clone(&shared), namespace.to_owned(), name.to_owned());
        let thread = std::thread::spawn(move || {
            while !ours.stop.load(Ordering::Relaxed) {
                let round = Instant::now();
                match sync(&kubectl, &repository, &namespace, &name) {
                    Ok(said) => lock(&ours.said).extend(said),
                    Err(error) => *lock(&ours.failed) = Some(format!("{error:#}")),
                }
                ours.rounds.fetch_add(1, Ordering::Relaxed);
                while round.elapsed() < EVERY && !ours.stop.load(Ordering::Relaxed) {
                    std::thread::sleep(LOOK);
                }
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// How many rounds were made.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.shared.rounds.load(Ordering::Relaxed)
    }

    /// What it changed, by kubectl's words, and forgets it.
    ///
    /// # Errors
    /// When a round failed, with what kubectl said.
    pub fn changes(&self) -> Result<Vec<String>> {
        if let Some(error) = lock(&self.shared.failed).take() {
            bail!("the syncer failed: {error}");
        }
        Ok(std::mem::take(&mut *lock(&self.shared.said)))
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, and then its test has failed already.
            drop(thread.join());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// kubectl with what it needs to reach the cluster.
#[must_use]
pub fn kubectl_command(cluster: &Cluster) -> Vec<String> {
    let kubeconfig = cluster.outer_kubeconfig().to_string_lossy().into_owned();
    vec![cluster.kubectl_path().to_string_lossy().into_owned(), "--kubeconfig".to_owned(), kubeconfig]
}

/// One round; gives the lines of what was changed.
fn sync(kubectl: &[String], repository: &Repository, namespace: &str, name: &str) -> Result<Vec<String>> {
    let (program, flags) = kubectl.split_first().context("no kubectl")?;
    let mut child = Command::new(program)
        .args(flags)
        .args(["apply", "--namespace", namespace, "--filename", "-"])
        .args(["--prune", "--selector", &format!("{LABEL}={name}")])
        .args(PRUNED.map(|kind| format!("--prune-allowlist={kind}")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start kubectl")?;
    let manifests = repository.manifests()?;
    child.stdin.take().context("no input")?.write_all(manifests.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("kubectl apply: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(said.lines().filter(|line| !line.ends_with(" unchanged")).map(str::to_owned).collect())
}
