//! AnalysisRuns.

use crate::Time;
use crate::analysis::AnalysisPhase;
use crate::analysis::template::{Argument, DryRun, MeasurementRetention, Metric};
use crate::scalar::zero;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run measures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunSpec {
    /// What is measured.
    pub metrics: Vec<Metric>,
    /// Arguments with their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<Argument>>,
    /// End the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate: Option<bool>,
    /// Metrics that are measured but do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<Vec<DryRun>>,
    /// How many measurements are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurement_retention: Option<Vec<MeasurementRetention>>,
    /// When a finished run is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_strategy: Option<TtlStrategy>,
}

/// When a finished run is deleted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TtlStrategy {
    /// Seconds after any end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_after_completion: Option<i32>,
    /// Seconds after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_after_failure: Option<i32>,
    /// Seconds after a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_after_success: Option<i32>,
}

/// What a run has measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunStatus {
    /// Where the run stands.
    pub phase: AnalysisPhase,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Results by metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_results: Option<Vec<MetricResult>>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// Metrics by outcome.
    #[serde(default, skip_serializing_if = "zero::any")]
    pub run_summary: RunSummary,
    /// Metrics of the dry run by outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run_summary: Option<RunSummary>,
}

/// Metrics by outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// All metrics.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub count: i32,
    /// Successful ones.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub successful: i32,
    /// Failed ones.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub failed: i32,
    /// Inconclusive ones.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub inconclusive: i32,
    /// Errored ones.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub error: i32,
}

/// What was measured of one metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricResult {
    /// The metric's name.
    pub name: String,
    /// Where the metric stands.
    pub phase: AnalysisPhase,
    /// The latest measurements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurements: Option<Vec<Measurement>>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Measurements that count (without errors).
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub count: i32,
    /// Successful ones.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub successful: i32,
    /// Failed ones.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub failed: i32,
    /// Inconclusive ones.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub inconclusive: i32,
    /// Errors.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub error: i32,
    /// Errors in a row.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub consecutive_error: i32,
    /// Successes in a row.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub consecutive_success: i32,
    /// It does not count.
    #[serde(default, skip_serializing_if = "zero::bool")]
    pub dry_run: bool,
    /// The provider's notes on the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// One measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// How it came out.
    pub phase: AnalysisPhase,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// What was measured, as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// The provider's notes on the measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// When a measurement that takes long is looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Time>,
}
