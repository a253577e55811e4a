//! All stories on a real cluster, and what must be true of the cluster around them.

use crate::stage::{RealStage, Theatre, connect};
use crate::{Cluster, audit, install};
use anyhow::{Result, bail, ensure};
use futures::{StreamExt, stream};
use scenarios::{Play, STORIES, Story, tell};
use std::time::{Duration, Instant};

/// More at once would make the pods wait for the processor, and the stories for the pods.
const STORIES_AT_ONCE: usize = 4;
/// How long the rest is watched for writes.
const REST: Duration = Duration::from_secs(20);

/// How a story ended.
#[derive(Debug)]
struct Ended {
    story: Story,
    result: std::result::Result<(), String>,
    log: Vec<String>,
    took: Duration,
    users: Vec<String>,
}

/// Tells the stories whose names contain one of `only` (all when it is empty), and prints how each ended.
///
/// # Errors
/// When a story does not end well; each that does not is printed with its log.
pub fn stories(cluster: &Cluster, theatre: &Theatre, only: &[String]) -> Result<()> {
    let wanted =
        |story: &Story| only.is_empty() || only.iter().any(|name| story.name.contains(name.as_str()));
    let chosen: Vec<Story> = STORIES.into_iter().filter(wanted).collect();
    ensure!(!chosen.is_empty(), "no story is named {}", only.join(" or "));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begun = Instant::now();
    let failed = runtime.block_on(async {
        let client = connect(&theatre.kubeconfig).await?;
        let mut failed = Vec::new();
        let mut ends = stream::iter(chosen)
            .map(|story| tell_one(cluster, theatre, client.clone(), story))
            .buffer_unordered(STORIES_AT_ONCE);
        while let Some(ended) = ends.next().await {
            let ended = ended?;
            report(&ended);
            if ended.result.is_err() {
                failed.push(ended.story.name);
            }
        }
        anyhow::Ok(failed)
    })?;
    if !failed.is_empty() {
        bail!("stories that did not end well: {}", failed.join(", "));
    }
    println!("all stories ended well in {} s", begun.elapsed().as_secs());
    Ok(())
}

async fn tell_one(cluster: &Cluster, theatre: &Theatre, client: kube::Client, story: Story) -> Result<Ended> {
    let begun = Instant::now();
    let stage = RealStage::open(theatre, client, story.name, story.controllers > 0).await?;
    if story.controllers > 0 {
        install::namespaced(cluster, story.name, story.controllers)?;
    }
    let play = Play::on(&stage);
    let result = tell(story.name, &play).await.map_err(|error| error.to_string());
    let users = stage.all_seen()?;
    Ok(Ended { story, result, log: play.log(), took: begun.elapsed(), users })
}

fn report(ended: &Ended) {
    let verdict = if ended.result.is_ok() { "ok    " } else { "FAILED" };
    println!("{verdict} {} ({} s): {}", ended.story.name, ended.took.as_secs(), ended.story.shows);
    for users in &ended.users {
        println!("         users of {users}");
    }
    if let Err(error) = &ended.result {
        println!("         {error}");
        for line in &ended.log {
            println!("         {line}");
        }
    }
}

/// No controller was ever refused for want of rights.
///
/// # Errors
/// When one was, with what it asked.
pub fn no_refusals(cluster: &Cluster) -> Result<()> {
    let (requests, _) = audit::requests(&cluster.state.join("audit.log"), 0)?;
    let refused: Vec<_> = requests.iter().filter(|request| request.code == 403).collect();
    ensure!(refused.is_empty(), "refused for want of rights: {refused:?}");
    ensure!(!requests.is_empty(), "the audit log knows of no request of a controller");
    println!("ok     no 403 in {} requests: {}", requests.len(), audit::summary(&requests));
    Ok(())
}

/// At rest, no controller writes anything but its lease.
///
/// # Errors
/// When one did, with what it wrote.
pub fn nothing_written_at_rest(cluster: &Cluster) -> Result<()> {
    let (_, from) = audit::requests(&cluster.state.join("audit.log"), 0)?;
    std::thread::sleep(REST);
    let (requests, _) = audit::requests(&cluster.state.join("audit.log"), from)?;
    let writes: Vec<_> = requests.iter().filter(|request| request.is_write()).collect();
    ensure!(writes.is_empty(), "written at rest: {writes:?}");
    // The lease shows that the controllers were alive and the log was written.
    ensure!(!requests.is_empty(), "not one request in {} s: the controllers are dead", REST.as_secs());
    println!("ok     no write in {} s at rest ({})", REST.as_secs(), audit::summary(&requests));
    Ok(())
}
