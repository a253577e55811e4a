//! What is wrong with the metrics of a run, and how its numbers are read.

#[cfg(test)]
mod tests;

use crds::analysis::provider::MetricProvider;
use crds::analysis::{DryRun, MeasurementRetention, Metric};
use crds::{GoDuration, IntOrString};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};

/// Measurements that are kept of a metric when no rule says otherwise.
pub const DEFAULT_RETAINED_MEASUREMENTS: usize = 10;
/// Errors in a row that a metric tolerates when it does not say.
const DEFAULT_CONSECUTIVE_ERROR_LIMIT: i64 = 4;

/// A run's metrics or rules make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Nothing is measured.
    #[error("no metrics specified")]
    NoMetrics,
    /// A metric is wrong.
    #[error("metrics[{index}]: {error}")]
    Metric {
        /// Place in the list.
        index: usize,
        /// What is wrong.
        error: MetricError,
    },
    /// A rule matches no metric; a rule that is no regular expression matches none.
    #[error("{list}[{index}]: Rule didn't match any metric name(s)")]
    UselessRule {
        /// `dryRun` or `measurementRetention`.
        list: &'static str,
        /// Place in the list.
        index: usize,
    },
}

/// A metric makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// Two metrics have one name.
    #[error("duplicate name '{0}'")]
    DuplicateName(String),
    /// Several measurements need a time between them.
    #[error("interval must be specified when count > 1")]
    IntervalMissing,
    /// `interval` is no duration.
    #[error("invalid interval string: {0}")]
    Interval(String),
    /// `initialDelay` is no duration.
    #[error("invalid startDelay string: {0}")]
    InitialDelay(String),
    /// `consecutiveSuccessLimit` is negative.
    #[error("consecutiveSuccessLimit must be >= 0")]
    ConsecutiveSuccessLimit,
    /// `failureLimit` is below -1.
    #[error("failureLimit must be >= 0, or -1 to be disabled")]
    FailureLimit,
    /// Nothing could end the metric as failed or successful.
    #[error("failureLimit and consecutiveSuccessLimit cannot both be disabled")]
    BothDisabled,
    /// The count cannot reach both limits.
    #[error(
        "count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failure} + {success}) if both >= 0"
    )]
    CountBelowLimits {
        /// `count`.
        count: i64,
        /// `failureLimit`.
        failure: i64,
        /// `consecutiveSuccessLimit`.
        success: i64,
    },
    /// The count cannot reach the successes that are asked for.
    #[error("count must be >= consecutiveSuccessLimit")]
    CountBelowSuccessLimit,
    /// `inconclusiveLimit` is negative.
    #[error("inconclusiveLimit must be >= 0")]
    InconclusiveLimit,
    /// The count is below `inconclusiveLimit`.
    #[error("count must be >= inconclusiveLimit")]
    CountBelowInconclusiveLimit,
    /// `consecutiveErrorLimit` is negative.
    #[error("consecutiveErrorLimit must be >= 0")]
    ConsecutiveErrorLimit,
    /// No provider.
    #[error("no provider specified")]
    NoProvider,
    /// More than one provider.
    #[error("multiple providers specified")]
    SeveralProviders,
}

/// The limits of a metric with their defaults. A text that is no number counts as 0, as in Argo Rollouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `count`; 0 when it is not set.
    pub count: i64,
    /// Failed measurements that are tolerated; negative for any number.
    pub failure: i64,
    /// Inconclusive measurements that are tolerated.
    pub inconclusive: i64,
    /// Errors in a row that are tolerated.
    pub consecutive_error: i64,
    /// Successes in a row that end the metric; 0 for off.
    pub consecutive_success: i64,
}

impl Limits {
    /// Reads the limits of a metric.
    #[must_use]
    pub fn of(metric: &Metric) -> Self {
        Self {
            count: number(metric.count.as_ref(), 0),
            failure: number(metric.failure_limit.as_ref(), 0),
            inconclusive: number(metric.inconclusive_limit.as_ref(), 0),
            consecutive_error: number(
                metric.consecutive_error_limit.as_ref(),
                DEFAULT_CONSECUTIVE_ERROR_LIMIT,
            ),
            consecutive_success: number(metric.consecutive_success_limit.as_ref(), 0),
        }
    }
}

fn number(value: Option<&IntOrString>, default: i64) -> i64 {
    match value {
        None => default,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(text)) => text.parse().unwrap_or(0),
    }
}

/// After how many measurements a metric ends; `None` for never. A negative count ends after one.
#[must_use]
pub fn effective_count(metric: &Metric) -> Option<i64> {
    let count = Limits::of(metric).count;
    match count {
        0 if metric.interval.as_deref().unwrap_or_default().is_empty() => Some(1),
        0 => None,
        _ => Some(count),
    }
}

/// Checks the metrics of a run.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate_metrics(metrics: &[Metric]) -> Result<(), SpecError> {
    if metrics.is_empty() {
        return Err(SpecError::NoMetrics);
    }
    let mut names = BTreeSet::new();
    for (index, metric) in metrics.iter().enumerate() {
        let outcome = if names.insert(metric.name.as_str()) {
            validate_metric(metric)
        } else {
            Err(MetricError::DuplicateName(metric.name.clone()))
        };
        outcome.map_err(|error| SpecError::Metric { index, error })?;
    }
    Ok(())
}

fn validate_metric(metric: &Metric) -> Result<(), MetricError> {
    let limits = Limits::of(metric);
    let interval = metric.interval.as_deref().unwrap_or_default();
    if limits.count > 1 && interval.is_empty() {
        return Err(MetricError::IntervalMissing);
    }
    duration_of(interval).map_err(MetricError::Interval)?;
    duration_of(metric.initial_delay.as_deref().unwrap_or_default()).map_err(MetricError::InitialDelay)?;
    validate_limits(limits)?;
    match provider_count(&metric.provider) {
        0 => Err(MetricError::NoProvider),
        1 => Ok(()),
        _ => Err(MetricError::SeveralProviders),
    }
}

fn validate_limits(limits: Limits) -> Result<(), MetricError> {
    let Limits { count, failure, inconclusive, consecutive_error, consecutive_success: success } = limits;
    if success < 0 {
        return Err(MetricError::ConsecutiveSuccessLimit);
    }
    if failure < -1 {
        return Err(MetricError::FailureLimit);
    }
    if failure < 0 && success == 0 {
        return Err(MetricError::BothDisabled);
    }
    if count > 0 && failure >= 0 && count < failure.saturating_add(success) {
        return Err(MetricError::CountBelowLimits { count, failure, success });
    }
    if count > 0 && count < success {
        return Err(MetricError::CountBelowSuccessLimit);
    }
    if inconclusive < 0 {
        return Err(MetricError::InconclusiveLimit);
    }
    if count > 0 && count < inconclusive {
        return Err(MetricError::CountBelowInconclusiveLimit);
    }
    if consecutive_error < 0 {
        return Err(MetricError::ConsecutiveErrorLimit);
    }
    Ok(())
}

/// Reads a duration; the empty text is none. The error is worded as Go words it.
fn duration_of(text: &str) -> Result<Option<GoDuration>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.trim_start_matches(['+', '-']);
    let missing_unit = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    GoDuration::parse(text).map(Some).map_err(|_| {
        let problem = if missing_unit { "missing unit in duration" } else { "invalid duration" };
        format!("time: {problem} {text:?}")
    })
}

/// `interval` of a valid metric.
#[must_use]
pub fn interval(metric: &Metric) -> Option<GoDuration> {
    duration_of(metric.interval.as_deref().unwrap_or_default()).ok().flatten()
}

/// `initialDelay` of a valid metric.
#[must_use]
pub fn initial_delay(metric: &Metric) -> Option<GoDuration> {
    duration_of(metric.initial_delay.as_deref().unwrap_or_default()).ok().flatten()
}

fn provider_count(provider: &MetricProvider) -> usize {
    let named = [
        provider.prometheus.is_some(),
        provider.kayenta.is_some(),
        provider.web.is_some(),
        provider.datadog.is_some(),
        provider.wavefront.is_some(),
        provider.new_relic.is_some(),
        provider.job.is_some(),
        provider.cloud_watch.is_some(),
        provider.graphite.is_some(),
        provider.influxdb.is_some(),
        provider.skywalking.is_some(),
    ];
    let plugins = provider.plugin.as_ref().map_or(0, BTreeMap::len);
    named.into_iter().filter(|set| *set).count() + plugins
}

/// Names of the metrics that do not count.
///
/// # Errors
/// A rule that matches no metric.
pub fn dry_run_names(metrics: &[Metric], rules: &[DryRun]) -> Result<BTreeSet<String>, SpecError> {
    let mut names = BTreeSet::new();
    for (index, rule) in rules.iter().enumerate() {
        names.extend(matching(metrics, &rule.metric_name, "dryRun", index)?);
    }
    Ok(names)
}

/// How many measurements are kept, by metric; metrics without a rule are left out. The last rule wins, and a
/// limit below 1 is no limit of its own.
///
/// # Errors
/// A rule that matches no metric.
pub fn retention_limits(
    metrics: &[Metric],
    rules: &[MeasurementRetention],
) -> Result<BTreeMap<String, usize>, SpecError> {
    let mut limits = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        let names = matching(metrics, &rule.metric_name, "measurementRetention", index)?;
        let limit = usize::try_from(rule.limit).ok().filter(|limit| *limit > 0);
        for name in names {
            limits.insert(name, limit.unwrap_or(DEFAULT_RETAINED_MEASUREMENTS));
        }
    }
    Ok(limits)
}

/// Names that an unanchored regular expression matches.
fn matching(
    metrics: &[Metric],
    pattern: &str,
    list: &'static str,
    index: usize,
) -> Result<Vec<String>, SpecError> {
    let useless = || SpecError::UselessRule { list, index };
    let pattern = Regex::new(pattern).map_err(|_| useless())?;
    let names: Vec<String> =
        metrics.iter().map(|metric| &metric.name).filter(|name| pattern.is_match(name)).cloned().collect();
    if names.is_empty() { Err(useless()) } else { Ok(names) }
}
