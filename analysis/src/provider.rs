//! What a metric provider is asked, and what its answer means.
//!
//! A provider turns an answer from the outside world into a [`Reading`]; [`interpret_reading`] turns the reading
//! into the measurement that stands in the AnalysisRun, by the metric's conditions. Providers know nothing of
//! conditions, and conditions nothing of providers.

use crate::condition;
use crds::Time;
use crds::analysis::{AnalysisPhase, Measurement, Metric};
use serde_json::Value;
use std::collections::BTreeMap;

/// Notes of a provider on a measurement or on a metric.
pub type Metadata = BTreeMap<String, String>;

/// The value that conditions see as `result`. Which variant it is decides the type that conditions are checked
/// against, so it follows from the kind of answer and not from its content.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadingValue {
    /// One number, such as a Prometheus scalar.
    Number(f64),
    /// A list of numbers, such as a Prometheus vector; it may be empty.
    Numbers(Vec<f64>),
    /// Any JSON value, such as what a JSONPath found in a web answer; its numbers are 64-bit floats.
    Json(Value),
    /// The text of an answer that is not JSON.
    Text(String),
}

/// What a provider's answer says, before conditions look at it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A value; the metric's conditions decide.
    Value {
        /// What conditions see as `result`.
        value: ReadingValue,
        /// The value as `measurement.value` shows it.
        text: String,
        /// Notes for `measurement.metadata`.
        metadata: Metadata,
    },
    /// The provider decides by itself, as a Job does; conditions are not asked.
    Decided {
        /// A completed phase.
        phase: AnalysisPhase,
        /// Why; may be empty.
        message: String,
        /// Notes for `measurement.metadata`.
        metadata: Metadata,
    },
    /// The measurement takes longer: look at it again.
    Pending {
        /// When to look again.
        resume_at: Time,
        /// Notes for `measurement.metadata`: all that the provider needs to find the measurement again.
        metadata: Metadata,
    },
    /// The measurement could not be taken.
    Error {
        /// What went wrong, for `measurement.message`.
        message: String,
        /// Notes for `measurement.metadata`.
        metadata: Metadata,
    },
}

/// What a provider may look at when it prepares its question.
#[derive(Clone, Copy, Debug)]
pub struct MetricContext<'a> {
    /// Name of the AnalysisRun.
    pub run_name: &'a str,
    /// Namespace of the AnalysisRun.
    pub run_namespace: &'a str,
    /// Uid of the AnalysisRun.
    pub run_uid: &'a str,
    /// The metric; every placeholder is replaced, secrets included.
    pub metric: &'a Metric,
    /// Number of this measurement in its metric, from 1: measurements that count, plus errors, plus one.
    pub attempt: i64,
    /// When the run began; providers that look back need it.
    pub run_started_at: Option<Time>,
    /// The time of the question.
    pub now: Time,
}

/// Makes the measurement that stands in the AnalysisRun from what a provider read.
///
/// `started_at` is when the measurement began, `now` when the reading came in: it becomes `finishedAt` unless the
/// measurement goes on. Conditions are evaluated as of `now`. A condition that cannot be evaluated makes an Error
/// measurement without a value.
#[must_use]
pub fn interpret_reading(metric: &Metric, reading: Reading, started_at: Time, now: Time) -> Measurement {
    let begun = Measurement { started_at: Some(started_at), ..Measurement::default() };
    match reading {
        Reading::Value { value, text, metadata } => match condition::judge(metric, &value, now) {
            Ok(phase) => Measurement {
                phase,
                value: text,
                finished_at: Some(now),
                metadata: non_empty(metadata),
                ..begun
            },
            Err(error) => Measurement {
                phase: AnalysisPhase::Error,
                message: error.to_string(),
                finished_at: Some(now),
                metadata: non_empty(metadata),
                ..begun
            },
        },
        Reading::Decided { phase, message, metadata } => {
            Measurement { phase, message, finished_at: Some(now), metadata: non_empty(metadata), ..begun }
        }
        Reading::Pending { resume_at, metadata } => Measurement {
            phase: AnalysisPhase::Running,
            resume_at: Some(resume_at),
            metadata: non_empty(metadata),
            ..begun
        },
        Reading::Error { message, metadata } => Measurement {
            phase: AnalysisPhase::Error,
            message,
            finished_at: Some(now),
            metadata: non_empty(metadata),
            ..begun
        },
    }
}

/// `None` for an empty map: an empty `metadata: {}` is never written.
fn non_empty(metadata: Metadata) -> Option<Metadata> {
    (!metadata.is_empty()).then_some(metadata)
}
