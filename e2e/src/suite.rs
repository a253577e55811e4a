//! All stories on a real cluster, and what must be true of the cluster around them.

use crate::stage::{CONTROLLER_SELECTOR, RealStage, Theatre, connect};
use crate::{Cluster, audit, beside_syncer, install, interleavings};
use anyhow::{Result, ensure};
use futures::{StreamExt, stream};
use scenarios::{Play, STORIES, Seen, tell};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// More at once would make the pods wait for the processor, and the stories for the pods.
const STORIES_AT_ONCE: usize = 4;
/// How long the rest is watched for writes.
const REST: Duration = Duration::from_secs(20);

/// What is played in a namespace of its own.
#[derive(Debug, Clone, Copy)]
struct Act {
    /// Its name and that of its namespace.
    name: &'static str,
    shows: &'static str,
    /// How many controllers of its own it needs.
    controllers: u32,
}

/// What only a real cluster can play.
const REAL: [Act; 2] = [
    Act {
        name: interleavings::NAME,
        shows: "100 promotions, aborts and retries at the moment of the controller's writes: none lost, none twice",
        controllers: 0,
    },
    Act {
        name: beside_syncer::NAME,
        shows: "beside a syncer: pause, promotion and abort survive it, nothing is written at rest, a revert rolls back",
        controllers: 0,
    },
];

/// How an act ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) name: String,
    pub(crate) shows: &'static str,
    pub(crate) result: Result<()>,
    pub(crate) log: Vec<String>,
    pub(crate) took: Duration,
    pub(crate) users: Vec<(String, Seen)>,
}

/// Plays the acts whose names contain one of `only` (all when it is empty), and prints how each ended.
///
/// # Errors
/// When one does not end well; each that does not is printed with its log.
pub fn play(cluster: &Cluster, theatre: &Theatre, only: &[String]) -> Result<()> {
    let stories =
        STORIES.map(|story| Act { name: story.name, shows: story.shows, controllers: story.controllers });
    let wanted = |act: &Act| only.is_empty() || only.iter().any(|name| act.name.contains(name.as_str()));
    let chosen: Vec<Act> = REAL.into_iter().chain(stories).filter(wanted).collect();
    ensure!(!chosen.is_empty(), "nothing to play is named {}", only.join(" or "));
    let act = async |client, act| one(cluster, theatre, client, act).await;
    well(&all_of(theatre, chosen, STORIES_AT_ONCE, act)?)
}

/// Plays acts, so many at once, and prints how each ended.
///
/// # Errors
/// When the stage itself fails.
pub(crate) fn all_of<A>(
    theatre: &Theatre,
    acts: Vec<A>,
    at_once: usize,
    one: impl AsyncFn(kube::Client, A) -> Result<Ended>,
) -> Result<Vec<Ended>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begun = Instant::now();
    let ended = runtime.block_on(async {
        let client = connect(&theatre.kubeconfig).await?;
        let mut all = Vec::new();
        let mut ends = stream::iter(acts).map(|act| one(client.clone(), act)).buffer_unordered(at_once);
        while let Some(ended) = ends.next().await {
            let ended = ended?;
            report(&ended);
            all.push(ended);
        }
        anyhow::Ok(all)
    })?;
    println!("played in {} s", begun.elapsed().as_secs());
    Ok(ended)
}

/// All acts ended well.
///
/// # Errors
/// When one did not, with its name.
pub(crate) fn well(ended: &[Ended]) -> Result<()> {
    let bad = ended.iter().filter(|ended| ended.result.is_err());
    let failed: Vec<&str> = bad.map(|ended| ended.name.as_str()).collect();
    ensure!(failed.is_empty(), "did not end well: {}", failed.join(", "));
    println!("all ended well");
    Ok(())
}

async fn one(cluster: &Cluster, theatre: &Theatre, client: kube::Client, act: Act) -> Result<Ended> {
    let begun = Instant::now();
    let stage = RealStage::open(theatre, client, act.name, act.controllers > 0).await?;
    if act.controllers > 0 {
        install::namespaced(cluster, act.name, act.controllers)?;
    }
    let play = Play::on(&stage);
    let result = match act.name {
        interleavings::NAME => {
            let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            interleavings::check(&play, seed).await
        }
        beside_syncer::NAME => beside_syncer::check(cluster, &play).await,
        story => tell(story, &play).await.map_err(anyhow::Error::from),
    };
    let users = users(&stage, &play).await?;
    let (name, shows) = (act.name.to_owned(), act.shows);
    Ok(Ended { name, shows, result, log: play.log(), took: begun.elapsed(), users })
}

/// What all users of a story saw.
pub(crate) async fn users<'t>(
    stage: &RealStage<'t>,
    play: &Play<'_, RealStage<'t>>,
) -> Result<Vec<(String, Seen)>> {
    let mut users = Vec::new();
    for name in stage.visited() {
        let seen = play.seen(&name).await?;
        users.push((name, seen));
    }
    Ok(users)
}

fn report(ended: &Ended) {
    let verdict = if ended.result.is_ok() { "ok    " } else { "FAILED" };
    println!("{verdict} {} ({} s): {}", ended.name, ended.took.as_secs(), ended.shows);
    for (name, seen) in &ended.users {
        println!("         users of {name}: {seen}");
    }
    if let Err(error) = &ended.result {
        println!("         {error:#}");
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

/// No controller panicked, failed, or made a plan that breaks a law of its own house.
///
/// # Errors
/// When one did, with what it said.
pub fn clean_logs(cluster: &Cluster) -> Result<()> {
    const NEVER: [&str; 3] = ["breaks a law", "panicked", " ERROR "];
    let own = STORIES.iter().filter(|story| story.controllers > 0).map(|story| story.name);
    let (mut lines, mut bad) = (0_usize, Vec::new());
    for namespace in own.chain([install::NAMESPACE]) {
        // Of a story that was not told there is no namespace, and no log.
        let args = ["logs", "-n", namespace, "-l", CONTROLLER_SELECTOR, "--prefix", "--tail=-1"];
        let log = cluster.kubectl(&args)?;
        lines += log.lines().count();
        bad.extend(
            log.lines().filter(|line| NEVER.iter().any(|word| line.contains(word))).map(str::to_owned),
        );
    }
    ensure!(bad.is_empty(), "controllers said:\n{}", bad.join("\n"));
    ensure!(lines > 0, "the controllers have no logs");
    println!("ok     {lines} lines of controllers' logs: no panic, no error, no plan that breaks a law");
    Ok(())
}
