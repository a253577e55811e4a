//! What there is to tell about the queue, under the names of client-go's work queues.

use super::{Key, Kind, State};
use crate::metrics::{ADDS, DEPTH, Histogram, LONGEST, OLDEST, Page, QUEUED, RETRIES, UNFINISHED, WORKED};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Bounds of the histograms, in seconds, as client-go has them.
const BOUNDS: [f64; 10] = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];

impl Kind {
    /// Name of its queue: Argo Rollouts has one for each kind.
    fn queue(&self) -> &'static str {
        match self {
            Self::Rollout => "Rollouts",
            Self::AnalysisRun => "AnalysisRuns",
            Self::Service => "Services",
            Self::Route => "Routes",
        }
    }
}

struct Counted {
    adds: u64,
    retries: u64,
    queued: Histogram,
    worked: Histogram,
}

impl Default for Counted {
    fn default() -> Self {
        let histogram = || Histogram::new(&BOUNDS);
        Self { adds: 0, retries: 0, queued: histogram(), worked: histogram() }
    }
}

/// What was counted, by kind.
pub(super) struct Stats(BTreeMap<Kind, Counted>);

impl Default for Stats {
    fn default() -> Self {
        let kinds = [Kind::Rollout, Kind::AnalysisRun, Kind::Service, Kind::Route];
        Self(kinds.into_iter().map(|kind| (kind, Counted::default())).collect())
    }
}

impl Stats {
    pub(super) fn added(&mut self, key: &Key) {
        let counted = self.0.entry(key.kind.clone()).or_default();
        counted.adds = counted.adds.saturating_add(1);
    }

    pub(super) fn failed(&mut self, key: &Key) {
        let counted = self.0.entry(key.kind.clone()).or_default();
        counted.retries = counted.retries.saturating_add(1);
    }

    pub(super) fn begun(&mut self, key: &Key, waited: Duration) {
        self.0.entry(key.kind.clone()).or_default().queued.observe(waited.as_secs_f64());
    }

    pub(super) fn ended(&mut self, key: &Key, took: Duration) {
        self.0.entry(key.kind.clone()).or_default().worked.observe(took.as_secs_f64());
    }
}

/// Adds the series of a queue.
pub(super) fn show(state: &State, page: &mut Page, now: Instant) {
    let all = &state.stats.0;
    let waits = |kind: &Kind| {
        let of_kind = state.queued.iter().filter(|(key, _)| key.kind == *kind);
        of_kind.map(|(_, since)| now.duration_since(since.since)).collect::<Vec<_>>()
    };
    let works = |kind: &Kind| {
        let of_kind = state.running.iter().filter(|(key, _)| key.kind == *kind);
        of_kind.map(|(_, since)| now.duration_since(since.since)).collect::<Vec<_>>()
    };
    let longest = |all: Vec<Duration>| all.into_iter().max().unwrap_or_default().as_secs_f64();
    for kind in all.keys() {
        page.add(&DEPTH, &[kind.queue()], waits(kind).len());
    }
    for kind in all.keys() {
        page.add(&OLDEST, &[kind.queue()], longest(waits(kind)));
    }
    for (kind, counted) in all {
        page.add(&ADDS, &[kind.queue()], counted.adds);
    }
    for (kind, counted) in all {
        page.add(&RETRIES, &[kind.queue()], counted.retries);
    }
    for (kind, counted) in all {
        page.add_histogram(&QUEUED, &[kind.queue()], &counted.queued);
    }
    for (kind, counted) in all {
        page.add_histogram(&WORKED, &[kind.queue()], &counted.worked);
    }
    for kind in all.keys() {
        page.add(&UNFINISHED, &[kind.queue()], works(kind).iter().sum::<Duration>().as_secs_f64());
    }
    for kind in all.keys() {
        page.add(&LONGEST, &[kind.queue()], longest(works(kind)));
    }
}
