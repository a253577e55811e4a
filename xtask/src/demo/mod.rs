//! `cargo xtask demo`: three releases on a real cluster, live.

mod frame;
mod screen;
mod story;

use crate::real::Images;
use anyhow::Result;
use e2e::stage::{RealStage, connect};
use e2e::{Cluster, install, requirements};
use screen::Screen;
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave the cluster running, to try things.
    #[arg(long)]
    keep: bool,
    /// Which cluster: several can run side by side.
    #[arg(long, default_value = "demo")]
    run_id: String,
}

/// Namespace, and name of the application, of what the demo releases.
const NAMESPACE: &str = "demo";

pub(crate) fn run(args: &Args) -> Result<()> {
    let screen = Screen::new();
    screen.title("Stepgate: three releases on a real Kubernetes");
    screen.say("Runs on this machine alone: etcd, the control plane, a node with containerd, DNS and Prometheus, in a");
    screen.say("network namespace of their own. Needs Linux, root, Go and Debian's package tools.");
    let missing = requirements::missing();
    if !missing.is_empty() {
        anyhow::bail!("this machine cannot run the demo's cluster:\n- {}", lines(&missing));
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
        story::tell(&cluster, &stage, &screen).await
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
            "The cluster is gone again. `cargo xtask demo --keep` leaves it running, with commands to try.",
        );
    }
    Ok(())
}

fn lines<T: ToString>(missing: &[T]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n- ")
}
