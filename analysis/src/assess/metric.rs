//! Where one metric stands.

use super::last;
use crate::validate::{Limits, effective_count};
use crds::Time;
use crds::analysis::{AnalysisPhase, Measurement, Metric, MetricResult};

/// Puts a measurement into a result: in the place of the one that was under way, or at the end.
pub(super) fn record(result: &mut MetricResult, mut measurement: Measurement, now: Time) {
    let phase = measurement.phase;
    if phase.is_completed() && measurement.finished_at.is_none() {
        measurement.finished_at = Some(now);
    }
    match phase {
        AnalysisPhase::Successful => {
            result.successful = result.successful.saturating_add(1);
            result.consecutive_success = result.consecutive_success.saturating_add(1);
        }
        AnalysisPhase::Failed => result.failed = result.failed.saturating_add(1),
        AnalysisPhase::Inconclusive => result.inconclusive = result.inconclusive.saturating_add(1),
        AnalysisPhase::Error => {
            result.error = result.error.saturating_add(1);
            result.consecutive_error = result.consecutive_error.saturating_add(1);
        }
        AnalysisPhase::New | AnalysisPhase::Pending | AnalysisPhase::Running => {}
    }
    if phase.is_completed() {
        // An error is no measurement: it does not count, and only it keeps a row of errors going.
        if phase != AnalysisPhase::Error {
            result.count = result.count.saturating_add(1);
            result.consecutive_error = 0;
        }
        if phase != AnalysisPhase::Successful {
            result.consecutive_success = 0;
        }
    }
    let measurements = result.measurements.get_or_insert_default();
    match measurements.last_mut() {
        Some(under_way) if under_way.finished_at.is_none() => *under_way = measurement,
        _ => measurements.push(measurement),
    }
}

/// Where a metric stands by its measurements. `terminating` ends it unless a measurement is under way.
pub(super) fn phase(metric: &Metric, result: Option<&MetricResult>, terminating: bool) -> AnalysisPhase {
    let waiting = if terminating { AnalysisPhase::Successful } else { AnalysisPhase::Pending };
    let Some(result) = result else { return waiting };
    if result.phase.is_completed() {
        return result.phase;
    }
    let Some(last) = last(result) else { return waiting };
    if !last.phase.is_completed() {
        return AnalysisPhase::Running;
    }
    let limits = Limits::of(metric);
    let (verdict, _) = beyond_limits(limits, result);
    if verdict != AnalysisPhase::Successful {
        return verdict;
    }
    let success = limits.consecutive_success;
    if success > 0 && i64::from(result.consecutive_success) >= success {
        return AnalysisPhase::Successful;
    }
    if effective_count(metric).is_some_and(|count| i64::from(result.count) >= count) {
        return match (success > 0, limits.failure >= 0) {
            (false, _) => AnalysisPhase::Successful,
            (true, true) => AnalysisPhase::Inconclusive,
            (true, false) => AnalysisPhase::Failed,
        };
    }
    if terminating { AnalysisPhase::Successful } else { AnalysisPhase::Running }
}

/// Which limit is exceeded and why; Successful without words when none is. A later check overrides an earlier one.
pub(super) fn beyond_limits(limits: Limits, result: &MetricResult) -> (AnalysisPhase, String) {
    let mut verdict = (AnalysisPhase::Successful, String::new());
    let mut check = |phase, name: &str, value: i32, limit_name: &str, limit: i64| {
        if limit >= 0 && i64::from(value) > limit {
            verdict = (phase, format!("{name} ({value}) > {limit_name} ({limit})"));
        }
    };
    check(AnalysisPhase::Failed, "failed", result.failed, "failureLimit", limits.failure);
    check(
        AnalysisPhase::Inconclusive,
        "inconclusive",
        result.inconclusive,
        "inconclusiveLimit",
        limits.inconclusive,
    );
    check(
        AnalysisPhase::Error,
        "consecutiveErrors",
        result.consecutive_error,
        "consecutiveErrorLimit",
        limits.consecutive_error,
    );
    verdict
}
