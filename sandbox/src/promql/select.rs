//! Selectors: the samples that a query reads.

use std::collections::VecDeque;
use std::time::Duration;

use promql_parser::parser::{MatrixSelector, Offset, VectorSelector};

use super::eval::Eval;
use super::query::{Sample, SampleRange};
use super::series::Point;

/// How far back an instant selector looks for a sample, in milliseconds: Prometheus's default.
const LOOKBACK_MS: i64 = 5 * 60 * 1000;

/// The time from which to which a range selector reads, both included, in milliseconds since the epoch.
#[derive(Clone, Copy)]
pub(super) struct Window {
    /// From.
    pub(super) start_ms: i64,
    /// To.
    pub(super) end_ms: i64,
}

impl Window {
    /// The window of a range selector.
    pub(super) fn of(eval: Eval<'_>, selector: &MatrixSelector) -> Self {
        let end_ms = eval.time_ms.saturating_sub(offset(&selector.vs));
        Self { start_ms: end_ms.saturating_sub(milliseconds(selector.range)), end_ms }
    }
}

/// The last sample of each series, if it is younger than the lookback and the series has not ended.
pub(super) fn instant(eval: Eval<'_>, selector: &VectorSelector) -> Vec<Sample> {
    let end_ms = eval.time_ms.saturating_sub(offset(selector));
    let start_ms = end_ms.saturating_sub(LOOKBACK_MS);
    let sample = |samples: &VecDeque<Point>| {
        let after = samples.partition_point(|one| one.time_ms <= end_ms);
        let last = after.checked_sub(1).and_then(|at| samples.get(at)).copied()?;
        (last.time_ms >= start_ms && !last.is_stale()).then_some(last.value)
    };
    eval.database
        .select(selector)
        .filter_map(|(labels, samples)| Some(Sample { labels: labels.clone(), value: sample(samples)? }))
        .collect()
}

/// The samples of each series within the window; series without any are left out.
pub(super) fn range(eval: Eval<'_>, selector: &MatrixSelector) -> Vec<SampleRange> {
    let window = Window::of(eval, selector);
    let points = |samples: &VecDeque<Point>| -> Vec<Point> {
        let from = samples.partition_point(|one| one.time_ms < window.start_ms);
        let to = samples.partition_point(|one| one.time_ms <= window.end_ms);
        samples.range(from..to.max(from)).filter(|one| !one.is_stale()).copied().collect()
    };
    eval.database
        .select(&selector.vs)
        .map(|(labels, samples)| SampleRange { labels: labels.clone(), points: points(samples) })
        .filter(|series| !series.points.is_empty())
        .collect()
}

/// How far back a selector is moved, in milliseconds; negative when it looks ahead.
fn offset(selector: &VectorSelector) -> i64 {
    match &selector.offset {
        None => 0,
        Some(Offset::Pos(duration)) => milliseconds(*duration),
        Some(Offset::Neg(duration)) => -milliseconds(*duration),
    }
}

/// A duration in milliseconds. The text's durations are bounded before parsing, so that nothing saturates.
fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
