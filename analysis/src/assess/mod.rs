//! The life of an AnalysisRun, one look at a time.
//!
//! The caller goes round like this, and writes the status once at the end:
//!
//! 1. [`assess`] looks at the run and says which [`Task`]s are due;
//! 2. the caller carries all of them out at once through the providers, and makes an [`Answer`] of each;
//! 3. [`record`] puts the answers into the status;
//! 4. [`assess`] looks again; tasks that are due by now wait for the next round ([`Assessment::wake`]).
//!
//! All that is remembered stands in the status. After a crash between 2 and the write, the measurements of one
//! round are taken again; nothing else is lost.

mod metric;
mod run;
mod tasks;
#[cfg(test)]
mod tests;

use crate::arguments::{ArgumentError, Secrets, resolve_metric, resolve_metrics};
use crate::provider::Metadata;
use crate::validate;
use crds::Time;
use crds::analysis::{AnalysisPhase, AnalysisRunSpec, AnalysisRunStatus, Measurement, Metric, MetricResult};
use std::collections::{BTreeMap, BTreeSet};

/// A run as it was observed.
#[derive(Clone, Copy, Debug)]
pub struct RunView<'a> {
    /// What is wanted.
    pub spec: &'a AnalysisRunSpec,
    /// What stands in the run by now.
    pub status: &'a AnalysisRunStatus,
    /// The Secrets that [`crate::arguments::secret_names`] lists. Those that are missing make the run end in Error,
    /// so a Secret that could not be read for another reason must keep the caller from asking.
    pub secrets: &'a Secrets,
}

/// What is to be done about a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assessment {
    /// The complete new status.
    pub status: AnalysisRunStatus,
    /// What is due now, in the order of the metrics. They are independent of each other.
    pub tasks: Vec<Task>,
    /// Events on the run, in order, to be sent once the status is written.
    pub notices: Vec<Notice>,
    /// Measurements that the new status does not keep. What they left behind (Jobs) is removed before the status
    /// is written, or it is not found any more.
    pub garbage: Vec<Garbage>,
    /// When to look again; `None` when only a change of the run matters. It may lie in the past: then at once.
    pub wake: Option<Time>,
    /// The run's time to live is over: delete it.
    pub delete: bool,
}

/// One thing to do for one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Place of the metric in the spec.
    pub index: usize,
    /// Name of the metric, arguments put in.
    pub metric: String,
    /// Number of the measurement, from 1: measurements that count, plus errors, plus one.
    pub attempt: i64,
    /// Whether the metric is measured without counting.
    pub dry_run: bool,
    /// What to do.
    pub kind: TaskKind,
}

/// What to do for a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskKind {
    /// Begin a measurement.
    Measure,
    /// Look again at a measurement that takes long.
    Resume(Measurement),
    /// End a measurement that takes long; nobody waits for it any more. Its answer must be a completed one.
    Terminate(Measurement),
}

impl Task {
    /// The metric with all its arguments, Secrets included: for the provider only, never for a log or a status.
    ///
    /// # Errors
    /// When a placeholder or a Secret is missing.
    pub fn metric(&self, run: RunView<'_>) -> Result<Metric, ArgumentError> {
        let args = run.spec.args.as_deref().unwrap_or_default();
        let metric = run.spec.metrics.get(self.index).ok_or_else(|| ArgumentError::Malformed {
            metric: self.metric.clone(),
            reason: "the run has no such metric".to_owned(),
        })?;
        resolve_metric(metric, args, Some(run.secrets))
    }
}

/// The outcome of a [`Task`].
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Name of the metric.
    pub metric: String,
    /// Whether the metric is measured without counting.
    pub dry_run: bool,
    /// The measurement, secrets taken out by a [`crate::Redactor`].
    pub measurement: Measurement,
    /// The provider's notes on the metric; used with its first measurement.
    pub metadata: Metadata,
}

impl Answer {
    /// The outcome of `task`.
    #[must_use]
    pub fn new(task: &Task, measurement: Measurement, metadata: Metadata) -> Self {
        Self { metric: task.metric.clone(), dry_run: task.dry_run, measurement, metadata }
    }
}

/// An event on the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether it is a warning.
    pub warning: bool,
    /// Reason in one word.
    pub reason: String,
    /// The text.
    pub message: String,
}

/// A measurement that is kept no longer.
#[derive(Clone, Debug, PartialEq)]
pub struct Garbage {
    /// Name of its metric.
    pub metric: String,
    /// The measurement.
    pub measurement: Measurement,
}

/// A run's metrics with their arguments, and what its rules say about them.
struct Resolved {
    metrics: Vec<Metric>,
    dry_run: BTreeSet<String>,
    retention: BTreeMap<String, usize>,
}

/// Looks at a run.
#[must_use]
pub fn assess(run: RunView<'_>, now: Time) -> Assessment {
    if run.status.phase.is_completed() {
        return run::finished(run, now);
    }
    let resolved = match resolve(run) {
        Ok(resolved) => resolved,
        Err(message) => return run::refused(run, message),
    };
    let mut status = run.status.clone();
    let mut notices = run::assess_status(run.spec, &resolved, &mut status, now);
    let garbage = tasks::collect_garbage(&resolved, &mut status);
    if status.phase.is_completed() {
        notices.push(run::notice_of_end(status.phase));
        let wake = run::deadline(run.spec, &status);
        return Assessment { status, notices, garbage, wake, ..Assessment::default() };
    }
    // Whether the run had begun before this look decides if a first measurement may wait for its delay.
    let terminating = run::is_terminating(run.spec, &status);
    let tasks = tasks::due(&resolved, &status, terminating, now);
    // A metric that just failed ends the others, but they are told in the next round only.
    let wake = if terminating { Some(now) } else { tasks::next(&resolved, &status) };
    Assessment { status, tasks, notices, garbage, wake, delete: false }
}

/// Puts the outcome of tasks into a status. Metrics that are not in it yet are appended, in the order of the answers.
#[must_use]
pub fn record(mut status: AnalysisRunStatus, answers: Vec<Answer>, now: Time) -> AnalysisRunStatus {
    let results = status.metric_results.get_or_insert_default();
    for answer in answers {
        let result = match results.iter_mut().position(|result| result.name == answer.metric) {
            Some(known) => results.get_mut(known),
            None => {
                results.push(MetricResult {
                    name: answer.metric.clone(),
                    phase: AnalysisPhase::Running,
                    dry_run: answer.dry_run,
                    metadata: (!answer.metadata.is_empty()).then(|| answer.metadata.clone()),
                    ..MetricResult::default()
                });
                results.last_mut()
            }
        };
        if let Some(result) = result {
            metric::record(result, answer.measurement, now);
        }
    }
    if results.is_empty() {
        status.metric_results = None;
    }
    status
}

/// Puts the arguments in and checks the spec; the error is the run's message.
fn resolve(run: RunView<'_>) -> Result<Resolved, String> {
    let spec = run.spec;
    let metrics = resolve_metrics(&spec.metrics, spec.args.as_deref().unwrap_or_default(), run.secrets)
        .map_err(|error| format!("Unable to resolve metric arguments: {error}"))?;
    let invalid = |error: validate::SpecError| format!("Analysis spec invalid: {error}");
    validate::validate_metrics(&metrics).map_err(invalid)?;
    let dry_run =
        validate::dry_run_names(&metrics, spec.dry_run.as_deref().unwrap_or_default()).map_err(invalid)?;
    let rules = spec.measurement_retention.as_deref().unwrap_or_default();
    let retention = validate::retention_limits(&metrics, rules).map_err(invalid)?;
    Ok(Resolved { metrics, dry_run, retention })
}

/// The result of a metric by name.
fn result_of<'a>(status: &'a AnalysisRunStatus, name: &str) -> Option<&'a MetricResult> {
    status.metric_results.iter().flatten().find(|result| result.name == name)
}

/// The latest measurement of a result.
fn last(result: &MetricResult) -> Option<&Measurement> {
    result.measurements.as_ref()?.last()
}
