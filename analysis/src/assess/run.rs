//! Where the whole run stands.

use super::{Assessment, Notice, Resolved, RunView, last, metric, result_of};
use crate::validate::Limits;
use crds::Time;
use crds::analysis::{AnalysisPhase, AnalysisRunSpec, AnalysisRunStatus, RunSummary};

/// Message of a run that was ended from outside.
const TERMINATED: &str = "Run Terminated";

/// A completed run: nothing is left but its time to live.
pub(super) fn finished(run: RunView<'_>, now: Time) -> Assessment {
    let deadline = deadline(run.spec, run.status);
    let delete = deadline.is_some_and(|deadline| deadline <= now);
    Assessment {
        status: run.status.clone(),
        delete,
        wake: deadline.filter(|_| !delete),
        ..Assessment::default()
    }
}

/// When a completed run is deleted. A run that was refused has no end and stays.
pub(super) fn deadline(spec: &AnalysisRunSpec, status: &AnalysisRunStatus) -> Option<Time> {
    let ttl = spec.ttl_strategy.as_ref()?;
    let special = match status.phase {
        AnalysisPhase::Successful => ttl.seconds_after_success,
        AnalysisPhase::Failed => ttl.seconds_after_failure,
        _ => None,
    };
    let seconds = special.or(ttl.seconds_after_completion)?;
    Some(status.completed_at?.plus_seconds(i64::from(seconds.max(0))))
}

/// A run whose arguments or spec are wrong ends in Error.
/// PARITY [analysis.start]: without `completedAt`; pinned by the recorded verdicts of the groups `invalid` and `args`.
pub(super) fn refused(run: RunView<'_>, message: String) -> Assessment {
    let status = AnalysisRunStatus { phase: AnalysisPhase::Error, message, ..run.status.clone() };
    Assessment { notices: vec![notice_of_end(status.phase)], status, ..Assessment::default() }
}

/// A run ends when it is told to, or when a metric that counts ended badly.
pub(super) fn is_terminating(spec: &AnalysisRunSpec, status: &AnalysisRunStatus) -> bool {
    let bad = [AnalysisPhase::Failed, AnalysisPhase::Error, AnalysisPhase::Inconclusive];
    spec.terminate.unwrap_or_default()
        || status.metric_results.iter().flatten().any(|result| !result.dry_run && bad.contains(&result.phase))
}

/// Brings metrics, phase, message and summaries up to date; tells which metrics ended.
pub(super) fn assess_status(
    spec: &AnalysisRunSpec,
    resolved: &Resolved,
    status: &mut AnalysisRunStatus,
    now: Time,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    status.started_at.get_or_insert(now.whole_seconds());
    let terminating = is_terminating(spec, status);
    let mut worst = Worst { phase: AnalysisPhase::Successful, message: String::new() };
    if spec.terminate.unwrap_or_default() {
        TERMINATED.clone_into(&mut worst.message);
    }
    let mut everything_completed = true;
    let (mut summary, mut dry_summary) = (RunSummary::default(), RunSummary::default());
    for metric in &resolved.metrics {
        let dry_run = resolved.dry_run.contains(&metric.name);
        let tally = if dry_run { &mut dry_summary } else { &mut summary };
        tally.count = tally.count.saturating_add(1);
        let phase = metric::phase(metric, result_of(status, &metric.name), terminating);
        everything_completed &= phase.is_completed();
        let results = status.metric_results.iter_mut().flatten();
        let Some(result) = results.into_iter().find(|result| result.name == metric.name) else { continue };
        if result.phase != phase {
            result.phase = phase;
            result.message = last(result).map(|last| last.message.clone()).unwrap_or_default();
            if phase.is_completed() {
                notices.push(notice_of_metric(&metric.name, phase));
            }
        }
        if !phase.is_completed() {
            continue;
        }
        let (verdict, why) = metric::beyond_limits(Limits::of(metric), result);
        count_outcome(tally, verdict);
        if dry_run {
            if !why.is_empty() {
                result.message = format!("Metric assessed {phase} due to {why}");
            }
        } else {
            worst.hear(&metric.name, phase, &why, &result.message);
        }
    }
    status.run_summary = summary;
    status.dry_run_summary = Some(dry_summary);
    status.phase = AnalysisPhase::Running;
    if everything_completed {
        status.phase = worst.phase;
        status.message = worst.message;
        status.completed_at = Some(now.whole_seconds());
    }
    notices
}

/// The worst that was heard of a metric that counts.
struct Worst {
    phase: AnalysisPhase,
    message: String,
}

impl Worst {
    fn hear(&mut self, name: &str, phase: AnalysisPhase, why: &str, error: &str) {
        if badness(phase) <= badness(self.phase) {
            return;
        }
        self.phase = phase;
        if !why.is_empty() {
            self.message = format!("Metric \"{name}\" assessed {phase} due to {why}");
            if !error.is_empty() {
                self.message.push_str(&format!(": \"Error Message: {error}\""));
            }
        }
    }
}

/// How bad a phase is beside others.
fn badness(phase: AnalysisPhase) -> u8 {
    match phase {
        AnalysisPhase::Successful | AnalysisPhase::New => 0,
        AnalysisPhase::Running => 1,
        AnalysisPhase::Pending => 2,
        AnalysisPhase::Inconclusive => 3,
        AnalysisPhase::Error => 4,
        AnalysisPhase::Failed => 5,
    }
}

/// PARITY [analysis.summary]: a summary counts by exceeded limits, so a metric that ended Inconclusive because its count was used up
/// is counted as successful; pinned by the recorded verdict `limit-success-2-interrupted-count`.
fn count_outcome(tally: &mut RunSummary, verdict: AnalysisPhase) {
    let place = match verdict {
        AnalysisPhase::Failed => &mut tally.failed,
        AnalysisPhase::Inconclusive => &mut tally.inconclusive,
        AnalysisPhase::Error => &mut tally.error,
        _ => &mut tally.successful,
    };
    *place = place.saturating_add(1);
}

fn is_warning(phase: AnalysisPhase) -> bool {
    matches!(phase, AnalysisPhase::Failed | AnalysisPhase::Error)
}

fn notice_of_metric(name: &str, phase: AnalysisPhase) -> Notice {
    Notice {
        warning: is_warning(phase),
        reason: format!("Metric{phase}"),
        message: format!("Metric '{name}' Completed. Result: {phase}"),
    }
}

/// The event at the end of a run.
pub(super) fn notice_of_end(phase: AnalysisPhase) -> Notice {
    Notice {
        warning: is_warning(phase),
        reason: format!("AnalysisRun{phase}"),
        message: format!("Analysis Completed. Result: {phase}"),
    }
}
