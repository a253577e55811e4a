//! The conformance cases on the real API server: they are recorded here, and played again to see that the recordings
//! hold.

use crate::Cluster;
use ::conformance::{
    Case, Difference, Line, LineBuffer, Lines, Place, Played, Recorded, Recording, Topic, Transport, compare,
    play, read,
};
use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, BodyStream};
use kube::client::Body;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// More at once would make the pods wait for the processor, and the cases for the pods.
const CASES_AT_ONCE: usize = 8;
/// The server itself gives up after a minute.
const ANSWER_LIMIT: Duration = Duration::from_secs(70);
/// Longest wait for the API server to serve our kinds.
const SERVED_LIMIT: Duration = Duration::from_secs(60);
/// Of the digits of the time that tell the namespaces of two runs apart.
const RUN_MODULUS: u64 = 100_000;
/// No answer of a case is larger; the largest is a table of columns with their descriptions.
const LINE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// What a run needs besides the cluster.
#[derive(Debug, Clone)]
pub struct Room {
    /// Image of the demo server, which the cluster has.
    pub image: String,
    /// Folder of the CRDs that some cases use.
    pub crds: PathBuf,
    /// Folder of the cases and recordings.
    pub cases: PathBuf,
}

/// Plays the cases whose names contain one of `only` (all when it is empty) and keeps what was answered.
///
/// # Errors
/// When a case does not come to its end; the others are kept.
pub fn record(cluster: &Cluster, room: &Room, only: &[String]) -> Result<()> {
    let Run { server, topics, mut played } = run(cluster, room, only)?;
    let mut failed = Vec::new();
    for (name, topic) in topics {
        let mut recording = Recording::read(&room.cases, &name)?;
        let old = std::mem::take(&mut recording.cases);
        for case in &topic.cases {
            let kept = old.iter().find(|recorded| recorded.case == case.name).cloned();
            match played.remove(&(name.clone(), case.name.clone())) {
                Some(Played { answers, end: Ok(()) }) => recording.cases.push(Recorded::new(case, answers)?),
                Some(Played { end: Err(_), .. }) => {
                    failed.push(case.name.clone());
                    recording.cases.extend(kept);
                }
                None => recording.cases.extend(kept),
            }
        }
        recording.server.clone_from(&server);
        recording.write(&room.cases, &name)?;
        println!("{name}: {} of {} cases are recorded", recording.cases.len(), topic.cases.len());
    }
    ensure!(failed.is_empty(), "not recorded: {}", failed.join(", "));
    Ok(())
}

/// Plays cases and compares what was answered with what is recorded.
///
/// # Errors
/// When anything differs; all differences are printed.
pub fn check(cluster: &Cluster, room: &Room, only: &[String]) -> Result<()> {
    let begun = Instant::now();
    let Run { topics, played, .. } = run(cluster, room, only)?;
    let (cases, mut differing) = (played.len(), Vec::new());
    for (name, topic) in topics {
        let recording = Recording::read(&room.cases, &name)?;
        for case in topic.cases {
            let Some(played) = played.get(&(name.clone(), case.name.clone())) else { continue };
            let Some(recorded) = recording.of(&case.name).filter(|recorded| recorded.is_of(&case)) else {
                println!("{name}/{}: not recorded as it is now; use --record", case.name);
                differing.push(case.name);
                continue;
            };
            let differences: Vec<Difference> = compare(recorded, played);
            differences.iter().for_each(|difference| println!("{name}/{difference}"));
            if !differences.is_empty() {
                differing.push(case.name);
            }
        }
    }
    ensure!(differing.is_empty(), "not as recorded: {}", differing.join(", "));
    println!("ok     {cases} conformance cases as recorded, in {} s", begun.elapsed().as_secs());
    Ok(())
}

/// What became of the cases that were played.
struct Run {
    /// Version of the server.
    server: String,
    topics: BTreeMap<String, Topic>,
    /// By topic and case.
    played: BTreeMap<(String, String), Played<TransportError>>,
}

/// Waits until the API server serves our kinds: it answers 404 for a moment after it has taken their definitions.
fn are_served(cluster: &Cluster) -> Result<()> {
    let begun = Instant::now();
    for plural in ["rollouts", "analysisruns", "analysistemplates", "clusteranalysistemplates", "experiments"]
    {
        let path = format!("/apis/argoproj.io/v1alpha1/{plural}");
        while let Err(error) = cluster.kubectl(&["get", "--raw", &path]) {
            ensure!(begun.elapsed() < SERVED_LIMIT, "{error}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

fn run(cluster: &Cluster, room: &Room, only: &[String]) -> Result<Run> {
    cluster.kubectl(&["apply", "--server-side", "-f", &room.crds.to_string_lossy()])?;
    are_served(cluster)?;
    let topics = read(&room.cases)?;
    let all = topics.iter().flat_map(|(name, topic)| topic.cases.iter().map(move |case| (name, case)));
    let wanted = |case: &Case| only.is_empty() || only.iter().any(|word| case.name.contains(word));
    let chosen: Vec<(&String, &Case)> = all.filter(|(_, case)| wanted(case)).collect();
    ensure!(!chosen.is_empty(), "no case is named {}", only.join(" or "));
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() % RUN_MODULUS;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (server, played) = runtime.block_on(async {
        let server = Server::connect(&cluster.outer_kubeconfig()).await?;
        let version = server.client.apiserver_version().await?.git_version;
        let played = stream::iter(chosen).map(|(topic, case)| {
            let place = Place { namespace: format!("c{run}-{}", case.name), image: room.image.clone() };
            one(&server, topic, case, place)
        });
        let played: BTreeMap<_, _> = played.buffer_unordered(CASES_AT_ONCE).collect().await;
        anyhow::Ok((version, played))
    })?;
    Ok(Run { server, topics, played })
}

async fn one(
    server: &Server,
    topic: &str,
    case: &Case,
    place: Place,
) -> ((String, String), Played<TransportError>) {
    let begun = Instant::now();
    let played = play(server, &place, case).await;
    if let Err(error) = &played.end {
        println!("FAILED {topic}/{} ({} s): {error}", case.name, begun.elapsed().as_secs());
    }
    ((topic.to_owned(), case.name.clone()), played)
}

/// The real server.
struct Server {
    client: kube::Client,
}

/// Why it gave no answer.
#[derive(Debug, thiserror::Error)]
enum TransportError {
    /// Of the client.
    #[error(transparent)]
    Client(#[from] kube::Error),
    /// The server is not there, or busy with itself.
    #[error("no answer in {} s", ANSWER_LIMIT.as_secs())]
    Silent,
    /// Nothing that a case asks for.
    #[error("a line of a watch is longer than {LINE_MAX_BYTES} bytes")]
    TooLong,
}

impl Server {
    async fn connect(kubeconfig: &Path) -> Result<Self> {
        // A second call finds the provider installed, which is what it wants.
        drop(rustls::crypto::ring::default_provider().install_default());
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &options).await?;
        // An answer of 429 or 504 is what some cases ask for.
        config.default_retry = false;
        Ok(Self { client: kube::Client::try_from(config)? })
    }

    async fn ask(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let asked = tokio::time::timeout(ANSWER_LIMIT, self.client.send(request.map(Body::from)));
        Ok(asked.await.map_err(|_| TransportError::Silent)??)
    }
}

impl Transport for Server {
    type Error = TransportError;
    type Lines = WatchLines;

    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let (head, body) = self.ask(request).await?.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        Ok(Response::from_parts(head, body))
    }

    async fn watch(&self, request: Request<Vec<u8>>) -> Result<Response<WatchLines>, TransportError> {
        let lines = |body| WatchLines { body: BodyStream::new(body), read: LineBuffer::default() };
        Ok(self.ask(request).await?.map(lines))
    }

    async fn rest(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The lines of a body as they come.
struct WatchLines {
    body: BodyStream<Body>,
    read: LineBuffer,
}

impl Lines for WatchLines {
    type Error = TransportError;

    async fn next(&mut self, limit: Duration) -> Result<Line, TransportError> {
        loop {
            if let Some(line) = self.read.line() {
                return Ok(Line::Text(line));
            }
            if self.read.waiting() > LINE_MAX_BYTES {
                return Err(TransportError::TooLong);
            }
            match tokio::time::timeout(limit, self.body.try_next()).await {
                Err(_) => return Ok(Line::Late),
                Ok(Err(error)) => return Err(error.into()),
                Ok(Ok(Some(frame))) => self.read.add(&frame.into_data().unwrap_or_default()),
                Ok(Ok(None)) => return Ok(self.read.last().map_or(Line::End, Line::Text)),
            }
        }
    }
}
