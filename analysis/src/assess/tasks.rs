//! What is due, when to look again, and what is kept no longer.

use super::{Garbage, Resolved, Task, TaskKind, last, result_of};
use crate::validate::{self, DEFAULT_RETAINED_MEASUREMENTS, effective_count};
use crds::analysis::{AnalysisPhase, AnalysisRunStatus, Metric, MetricResult};
use crds::{GoDuration, Time};

/// After an error a metric is measured again after this time, whatever its interval is.
const ERROR_RETRY_SECONDS: i64 = 10;

/// What comes next for a metric.
enum Next {
    /// Nothing, until something else changes.
    Nothing,
    /// Begin a measurement at this time.
    Measure(Time),
    /// Look again at the one under way at this time; without one, at once.
    Resume(Option<Time>),
}

/// The tasks that are due. When the run is ending, measurements under way are ended and none is begun.
pub(super) fn due(
    resolved: &Resolved,
    status: &AnalysisRunStatus,
    terminating: bool,
    now: Time,
) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (index, metric) in resolved.metrics.iter().enumerate() {
        let result = result_of(status, &metric.name);
        let under_way = result.and_then(last).cloned().unwrap_or_default();
        let kind = match next_of(metric, result, status) {
            Next::Resume(_) if terminating => TaskKind::Terminate(under_way),
            Next::Resume(at) if at.is_none_or(|at| at <= now) => TaskKind::Resume(under_way),
            Next::Measure(at) if !terminating && at <= now => TaskKind::Measure,
            _ => continue,
        };
        let taken = result.map_or(0, |result| i64::from(result.count) + i64::from(result.error));
        tasks.push(Task {
            index,
            metric: metric.name.clone(),
            attempt: taken.saturating_add(1),
            dry_run: resolved.dry_run.contains(&metric.name),
            kind,
        });
    }
    tasks
}

/// The earliest time at which something is due.
pub(super) fn next(resolved: &Resolved, status: &AnalysisRunStatus) -> Option<Time> {
    let times = resolved.metrics.iter().filter_map(|metric| {
        match next_of(metric, result_of(status, &metric.name), status) {
            Next::Nothing => None,
            Next::Measure(at) => Some(at),
            Next::Resume(at) => at.or(status.started_at),
        }
    });
    times.min()
}

fn next_of(metric: &Metric, result: Option<&MetricResult>, status: &AnalysisRunStatus) -> Next {
    if result.is_some_and(|result| result.phase.is_completed()) {
        return Next::Nothing;
    }
    let Some((result, last)) = result.and_then(|result| Some((result, last(result)?))) else {
        // `assess` has set the start before it asks.
        let Some(started) = status.started_at else { return Next::Nothing };
        return Next::Measure(plus(started, validate::initial_delay(metric)));
    };
    let Some(finished) = last.finished_at else { return Next::Resume(last.resume_at) };
    if effective_count(metric).is_some_and(|count| i64::from(result.count) >= count) {
        return Next::Nothing;
    }
    Next::Measure(match last.phase {
        AnalysisPhase::Error => finished.plus_seconds(ERROR_RETRY_SECONDS),
        _ => plus(finished, validate::interval(metric)),
    })
}

/// A negative or missing duration adds nothing.
fn plus(time: Time, duration: Option<GoDuration>) -> Time {
    time.plus(duration.and_then(GoDuration::to_std).unwrap_or_default())
}

/// Takes the oldest measurements out that are beyond a metric's limit.
pub(super) fn collect_garbage(resolved: &Resolved, status: &mut AnalysisRunStatus) -> Vec<Garbage> {
    let mut garbage = Vec::new();
    for result in status.metric_results.iter_mut().flatten() {
        let keep = resolved.retention.get(&result.name).copied().unwrap_or(DEFAULT_RETAINED_MEASUREMENTS);
        let Some(measurements) = &mut result.measurements else { continue };
        let surplus = measurements.len().saturating_sub(keep);
        garbage.extend(
            measurements
                .drain(..surplus)
                .map(|measurement| Garbage { metric: result.name.clone(), measurement }),
        );
    }
    garbage
}
