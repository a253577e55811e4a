//! The demo on a real cluster.

use super::Args;
use crate::real::Images;
use anyhow::Result;
use e2e::git::Repository;
use e2e::stage::{RealStage, connect};
use e2e::syncer::{Syncer, kubectl_command};
use e2e::{Cluster, install, requirements};
use scenarios::show::{self, SYNCED, Screen, Team};
use serde_json::Value;
use std::cell::RefCell;
use std::time::Instant;

/// Namespace of what the demo releases.
const NAMESPACE: &str = "demo";

pub(super) fn run(args: &Args) -> Result<()> {
    let screen = Screen::stdout();
    screen.title("Stepgate: three releases on a real Kubernetes");
    screen.say("Runs on this machine alone: etcd, the control plane, a node with containerd, DNS and Prometheus, in a");
    screen.say("network namespace of their own. Needs Linux, root, Go and Debian's package tools.");
    let missing = requirements::missing();
    if !missing.is_empty() {
        anyhow::bail!(
            "this machine cannot run the real cluster (`cargo xtask demo` alone needs none of this):\n- {}",
            lines(&missing)
        );
    }
    screen.say("Builds what is not built yet: Stepgate's images (about 4 minutes the first time) and Kubernetes from its");
    screen.say("Go modules (about 8 minutes the first time; both are kept).");
    let begun = Instant::now();
    let images = Images::build()?;
    let cluster = Cluster::up(&args.run_id, args.keep, &std::env::current_exe()?)?;
    images.add_to(&cluster)?;
    install::chart(&cluster, crate::real::TAG)?;
    screen.say(&format!(
        "The cluster is up and Stepgate installed by its chart, after {} s.",
        begun.elapsed().as_secs()
    ));
    let theatre = images.theatre(&cluster, &crate::house::target().join("e2e").join(&args.run_id))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let story = Instant::now();
    let ends = runtime.block_on(async {
        let client = connect(&theatre.kubeconfig).await?;
        let stage = RealStage::open(&theatre, client, NAMESPACE, false).await?;
        let repository = Repository::create(&cluster.folder("repository"))?;
        let team = Git { kubectl: kubectl_command(&cluster), repository, syncer: RefCell::default() };
        anyhow::Ok(show::tell(&stage, &team, &screen).await?)
    })?;
    screen.title(&format!("How the three releases ended ({} s)", story.elapsed().as_secs()));
    for end in &ends {
        screen.say(end);
    }
    if args.keep {
        let (kubeconfig, cli) = (theatre.kubeconfig.display(), theatre.cli.display());
        let kubectl = cluster.kubectl_path();
        screen.title("The cluster is yours");
        screen.say(&format!("    export KUBECONFIG={kubeconfig}"));
        screen.say(&format!("    {} get rollouts -n {NAMESPACE}", kubectl.display()));
        screen.say(&format!("    {cli} -n {NAMESPACE} get rollout web"));
        screen.say(&format!("    {cli} -n {NAMESPACE} undo shop"));
        screen.say(&format!("    {cli} -n {NAMESPACE} get rollout shop -w"));
        screen.say(&format!("    {cli} -n {NAMESPACE} restart web"));
        screen.say(&format!("    cargo xtask e2e --run-id {} down", args.run_id));
    } else {
        screen.say("");
        screen.say(
            "The cluster is gone again. `cargo xtask demo --cluster real --keep` leaves it running, with commands to try.",
        );
    }
    Ok(())
}

/// A repository on disk, and a syncer that applies it from its first commit on.
struct Git {
    kubectl: Vec<String>,
    repository: Repository,
    syncer: RefCell<Option<Syncer>>,
}

impl Team for Git {
    type Error = anyhow::Error;

    fn commit(&self, message: &str, files: &[(&str, Vec<Value>)]) -> Result<()> {
        // JSON is YAML.
        let text =
            |objects: &[Value]| objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n");
        let files: Vec<(&str, String)> = files.iter().map(|(name, objects)| (*name, text(objects))).collect();
        let files: Vec<(&str, Option<&str>)> =
            files.iter().map(|(name, text)| (*name, Some(text.as_str()))).collect();
        self.repository.commit(message, &files)?;
        self.syncer.borrow_mut().get_or_insert_with(|| {
            Syncer::start(self.kubectl.clone(), self.repository.clone(), NAMESPACE, SYNCED.1)
        });
        Ok(())
    }

    fn revert(&self) -> Result<()> {
        self.repository.revert().map(drop)
    }
}

fn lines<T: ToString>(missing: &[T]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n- ")
}
