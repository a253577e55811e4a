//! What Prometheus reads of pods: the demo server's metrics, with the labels that its targets have in a cluster.

use super::plane::{Facts, Key};
use super::pods::Pods;
use crate::Dig;
use crate::api::text;
use crate::promql::{Database, Labels, NAME};
use serde_json::Value;
use std::time::Duration;

/// Annotations by which a pod asks to be scraped, and says at which port.
const SCRAPE: &str = "prometheus.io/scrape";
const PORT: &str = "prometheus.io/port";
const DEFAULT_PORT: &str = "8080";
/// Upper bounds of the buckets in microseconds, and as the demo server writes them, in seconds.
const BUCKETS: [(u128, &str); 10] = [
    (1_000, "0.001"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1.0"),
    (2_500_000, "2.5"),
];
/// A request without latency still takes a moment.
const LEAST: Duration = Duration::from_micros(200);

/// What a process has counted since its start.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    answered: u64,
    failed: u64,
    /// By bucket, each without those before it.
    buckets: [u64; BUCKETS.len()],
    took: Duration,
}

impl Counters {
    pub(super) fn requests(&self) -> u64 {
        self.answered.saturating_add(self.failed)
    }

    pub(super) fn count(&mut self, fails: bool, latency: Duration) {
        let count = if fails { &mut self.failed } else { &mut self.answered };
        *count = count.saturating_add(1);
        let took = latency.max(LEAST);
        self.took = self.took.saturating_add(took);
        let index = BUCKETS.partition_point(|(bound, _)| *bound < took.as_micros());
        if let Some(bucket) = self.buckets.get_mut(index) {
            *bucket = bucket.saturating_add(1);
        }
    }

    /// The values in the order of the series of an [`Exposition`].
    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        let mut below = 0_u64;
        let buckets = self.buckets.iter().map(move |count| {
            below = below.saturating_add(*count);
            float(below)
        });
        let all = float(self.requests());
        [float(self.answered), float(self.failed)].into_iter().chain(buckets).chain([
            all,
            self.took.as_secs_f64(),
            all,
        ])
    }
}

/// A count as Prometheus holds it; what is lost beyond 2^53 is lost there, too.
fn float(count: u64) -> f64 {
    let high = u32::try_from(count >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high).mul_add(4_294_967_296.0, f64::from(low))
}

/// The series of a pod.
#[derive(Clone, Debug)]
pub(super) struct Exposition {
    up: Labels,
    series: Vec<Labels>,
    /// Whether it answered when it was last asked.
    was_up: bool,
}

impl Exposition {
    /// Whether a running pod is a target.
    pub(super) fn is_wanted(pod: &Value) -> bool {
        annotation(pod, SCRAPE) == Some("true") && !text(pod, "/status/podIP").is_empty()
    }

    /// What is read of a pod.
    pub(super) fn of(pod: &Value, facts: &Facts) -> Self {
        let backend = &facts.backend;
        let port = annotation(pod, PORT).unwrap_or(DEFAULT_PORT);
        let label = |name: &str| facts.labels.get(name).cloned().unwrap_or_default();
        let base: [(&str, String); 7] = [
            ("job", "pods".to_owned()),
            ("instance", format!("{}:{port}", text(pod, "/status/podIP"))),
            ("namespace", backend.namespace.clone()),
            ("pod", backend.pod.clone()),
            ("app", label("app")),
            // Both the short name and the one that a mapping of all pod labels gives.
            ("hash", backend.hash.clone()),
            ("rollouts_pod_template_hash", backend.hash.clone()),
        ];
        let with = |name: &str, more: &[(&str, &str)]| -> Labels {
            let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
            let all = base.iter().cloned().chain(more).chain([(NAME, name.to_owned())]);
            all.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
        };
        let version = &*backend.version;
        let requests = |code| with("http_requests_total", &[("code", code), ("version", version)]);
        let mut series = vec![requests("200"), requests("500")];
        let duration = "http_request_duration_seconds";
        for bound in BUCKETS.iter().map(|(_, text)| *text).chain(["+Inf"]) {
            series.push(with(&format!("{duration}_bucket"), &[("le", bound), ("version", version)]));
        }
        for part in ["sum", "count"] {
            series.push(with(&format!("{duration}_{part}"), &[("version", version)]));
        }
        Self { up: with("up", &[]), series, was_up: false }
    }
}

fn annotation<'v>(pod: &'v Value, name: &str) -> Option<&'v str> {
    pod.at("/metadata/annotations")?.get(name)?.as_str()
}

/// Reads all targets once, at this time in milliseconds since the epoch.
pub(super) fn scrape(pods: &mut Pods, database: &mut Database, time_ms: i64) {
    let ended = std::mem::take(&mut pods.ended);
    if !ended.is_empty() {
        database.end(time_ms, |labels| ended.iter().any(|pod| is_of(labels, pod)));
    }
    let mut silent: Vec<Key> = Vec::new();
    for pod in pods.iter_mut() {
        let Some(exposition) = &mut pod.exposition else { continue };
        // A database that is full refuses new series and says so to those who look at its size; the simulation goes on.
        let _ = database.append(&exposition.up, time_ms, if pod.runs { 1.0 } else { 0.0 });
        if pod.runs {
            for (labels, value) in exposition.series.iter().zip(pod.counters.values()) {
                let _ = database.append(labels, time_ms, value);
            }
        } else if exposition.was_up {
            let backend = &pod.facts.backend;
            silent.push((backend.namespace.clone(), backend.pod.clone()));
        }
        exposition.was_up = pod.runs;
    }
    if !silent.is_empty() {
        let is_up = |labels: &Labels| labels.get(NAME).is_some_and(|name| name == "up");
        database.end(time_ms, |labels| !is_up(labels) && silent.iter().any(|pod| is_of(labels, pod)));
    }
}

fn is_of(labels: &Labels, (namespace, pod): &Key) -> bool {
    labels.get("pod") == Some(pod) && labels.get("namespace") == Some(namespace)
}
