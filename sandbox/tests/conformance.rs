//! The recordings of a real API server, played on the cluster in memory: it must answer the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use conformance::{Difference, Line, LineBuffer, Lines, Place, Recording, Transport, compare, play, read};
use futures::TryStreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, BodyStream, Full};
use sandbox::{Blueprint, Body, Broken, Cluster, Handle, Nature, Options};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use tower::ServiceExt;

/// Cases of what the cluster in memory does not have, with the reason. A case that agrees must not be here.
const NOT_THERE: &str = include_str!("../NOT_THERE.md");
/// Differences that are told of one case: the first ones say most.
const TOLD_MAX: usize = 12;

/// The table of what agrees, for people.
const TABLE_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/conformance.md");
const TABLE_HEAD: &str = "# The cluster in memory beside a real one

Requests that were played on a real API server, with real controllers and a real kubelet behind it, and what of them the
cluster in memory answers alike; the [cases](../conformance/cases/README.md) say what is compared. The test that
compares them makes this table. `cargo xtask e2e conformance` plays the same cases on a real cluster again, and so does
the run of `cargo xtask test`. Cases that do not agree stand with their reasons in
[NOT_THERE.md](../sandbox/NOT_THERE.md).

| Topic | What of | Recorded on | Cases | Agree |
| --- | --- | --- | --- | --- |
";

struct InMemory(Handle);

impl InMemory {
    async fn ask(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, Broken> {
        self.0.clone().oneshot(request.map(|body| Full::new(bytes::Bytes::from(body)))).await
    }
}

impl Transport for InMemory {
    type Error = Broken;
    type Lines = WatchLines;

    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Broken> {
        let (head, body) = self.ask(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes().to_vec()))
    }

    async fn watch(&self, request: Request<Vec<u8>>) -> Result<Response<WatchLines>, Broken> {
        Ok(self
            .ask(request)
            .await?
            .map(|body| WatchLines { body: BodyStream::new(body), read: LineBuffer::default() }))
    }

    async fn rest(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

struct WatchLines {
    body: BodyStream<Body>,
    read: LineBuffer,
}

impl Lines for WatchLines {
    type Error = Broken;

    async fn next(&mut self, limit: Duration) -> Result<Line, Broken> {
        loop {
            if let Some(line) = self.read.line() {
                return Ok(Line::Text(line));
            }
            match tokio::time::timeout(limit, self.body.try_next()).await {
                Err(_) => return Ok(Line::Late),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(Some(frame))) => self.read.add(&frame.into_data().unwrap_or_default()),
                Ok(Ok(None)) => return Ok(self.read.last().map_or(Line::End, Line::Text)),
            }
        }
    }
}

/// A cluster as the real one was when the recordings were made.
async fn cluster(blueprint: &Blueprint) -> Cluster {
    let nature = Nature { endpoint_objects: true, ..Nature::default() };
    let cluster = Cluster::new(&Options { nature, blueprint: blueprint.clone(), ..Options::default() });
    tokio::spawn(cluster.clone().run());
    tokio::time::sleep(Duration::from_secs(5)).await;
    // A real server has forgotten long ago how it began.
    cluster.with(sandbox::ApiServer::compact);
    cluster
}

/// Names of the listed cases with their reasons: lines of the form ``- `name`: reason``.
fn listed() -> BTreeMap<&'static str, &'static str> {
    let lines = NOT_THERE.lines().filter_map(|line| line.strip_prefix("- `"));
    lines.map(|line| line.split_once("`: ").expect("a reason")).collect()
}

/// Writes down differences. Of an answer with another status only status and message are told.
fn tell(topic: &str, found: &[Difference], report: &mut String) {
    let refused: BTreeSet<usize> =
        found.iter().filter(|one| one.pointer == "/code").map(|one| one.step).collect();
    let telling = |one: &&Difference| {
        !refused.contains(&one.step) || matches!(one.pointer.as_str(), "/code" | "/body/message")
    };
    for difference in found.iter().filter(telling).take(TOLD_MAX) {
        writeln!(report, "{topic}/{difference}").unwrap();
    }
    writeln!(report, "    {} differences\n", found.len()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_cluster_in_memory_answers_as_a_real_one() {
    let only = std::env::var("CASES").unwrap_or_default();
    let folder = Path::new(conformance::FOLDER);
    let listed = listed();
    let definitions = crds::manifest::all(crds::manifest::Detail::Full);
    let definitions: Vec<_> = definitions.into_iter().map(|(_, definition)| definition).collect();
    let blueprint = Blueprint::default().with(&definitions);
    let (mut agreed, mut report, mut met) = (0_usize, String::new(), 0_usize);
    let mut differing = Vec::new();
    let mut table = TABLE_HEAD.to_owned();
    for (topic, cases) in read(folder).unwrap() {
        let recording = Recording::read(folder, &topic).unwrap();
        let before = agreed;
        for case in cases.cases.iter().filter(|case| only.split(' ').any(|word| case.name.contains(word))) {
            let Some(recorded) = recording.of(&case.name).filter(|recorded| recorded.is_of(case)) else {
                differing.push(case.name.clone());
                writeln!(report, "{topic}/{}: not recorded as it is now\n", case.name).unwrap();
                continue;
            };
            let place = Place {
                namespace: format!("c1-{}", case.name),
                image: "demo.example.com/demo-server:dev".to_owned(),
            };
            let played = play(&InMemory(cluster(&blueprint).await.client("conformance")), &place, case).await;
            let differences = compare(recorded, &played);
            match (listed.get(case.name.as_str()), differences.as_slice()) {
                (None, []) => agreed += 1,
                (Some(_), [_, ..]) => met += 1,
                (Some(_), []) => {
                    differing.push(case.name.clone());
                    writeln!(report, "{topic}/{} agrees: take it out of NOT_THERE.md\n", case.name).unwrap();
                }
                (None, found) => {
                    differing.push(case.name.clone());
                    tell(&topic, found, &mut report);
                }
            }
        }
        let count = cases.cases.len();
        let (about, agree) = (cases.about.trim(), agreed - before);
        writeln!(table, "| {topic} | {about} | {} | {count} | {agree} |", recording.server).unwrap();
    }
    println!("{agreed} cases agree, {met} are listed as not there");
    assert!(
        report.is_empty(),
        "{report}\n{agreed} agree, {} do not: {}",
        differing.len(),
        differing.join(" ")
    );
    if !only.is_empty() {
        return;
    }
    assert_eq!(met, listed.len(), "NOT_THERE.md lists cases that are not there");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(TABLE_FILE, &table).unwrap();
    }
    let kept = std::fs::read_to_string(TABLE_FILE).unwrap();
    assert_eq!(kept, table, "the table is not what was found; UPDATE_GOLDEN=1 writes it anew");
}
