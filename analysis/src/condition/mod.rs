//! Conditions on a metric's value, in the expr language that Argo Rollouts uses.
//!
//! A condition is first checked against the type of the value ([`check`]), as Go's compiler of the language does: a
//! comparison of a list with a number is an error and not simply false, or a typing mistake would look like a
//! failed release. The check also bounds what an expression may cost. Then the `expr-lang` crate evaluates it.
//! `now()` is the time that is passed in; two evaluations at one time are equal.

mod check;
mod evaluate;
mod lexer;
mod strict;
#[cfg(test)]
mod tests;

use crate::provider::ReadingValue;
use check::Kind;
use crds::Time;
use crds::analysis::{AnalysisPhase, Metric};
use serde_json::Value;

/// An expression gives no answer. The text is worded as Go's implementation words it where that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// It is not well formed, or does not fit the type of the value.
    #[error("{0}")]
    Check(String),
    /// It broke off while it was evaluated.
    #[error("{0}")]
    Evaluate(String),
    /// Its outcome is of another type.
    #[error("expected {expected}, but got {found}")]
    Outcome {
        /// The type that is needed.
        expected: &'static str,
        /// The type of the outcome.
        found: String,
    },
    /// There was no value to look at.
    #[error("metric result is nil or empty: no data returned from the metric provider")]
    NoData,
    /// Which condition of a metric it was.
    #[error("could not evaluate {field} {}: {error}", quoted(.text))]
    In {
        /// `successCondition` or `failureCondition`.
        field: &'static str,
        /// The condition as it was written.
        text: String,
        /// What is wrong.
        error: Box<Self>,
    },
}

/// The text between quotation marks, unescaped: so the people who know the message search for it.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// Decides what a value means by the metric's conditions: without any it is Successful; with one, that one decides;
/// with both, a true failure condition wins, and when neither is true the measurement is Inconclusive.
///
/// # Errors
/// When a condition cannot be evaluated or is neither true nor false.
pub fn judge(metric: &Metric, value: &ReadingValue, now: Time) -> Result<AnalysisPhase, ConditionError> {
    let evaluate = |field, condition: &Option<String>| match condition.as_deref().unwrap_or_default() {
        "" => Ok(None),
        text => condition_holds(text, value, now).map(Some).map_err(|error| ConditionError::In {
            field,
            text: text.to_owned(),
            error: Box::new(error),
        }),
    };
    let success = evaluate("successCondition", &metric.success_condition)?;
    let failure = evaluate("failureCondition", &metric.failure_condition)?;
    Ok(match (success, failure) {
        (_, Some(true)) | (Some(false), None) => AnalysisPhase::Failed,
        (Some(true) | None, _) => AnalysisPhase::Successful,
        (Some(false), Some(false)) => AnalysisPhase::Inconclusive,
    })
}

/// Evaluates one condition over a value as of `now`.
///
/// # Errors
/// When it cannot be evaluated or is neither true nor false.
pub fn condition_holds(text: &str, value: &ReadingValue, now: Time) -> Result<bool, ConditionError> {
    let outcome = check::check(text, kind_of(value)).and_then(|text| evaluate::condition(&text, value, now));
    // Whatever goes wrong over no data goes wrong because there is none.
    outcome.map_err(|error| if is_empty(value) { ConditionError::NoData } else { error })
}

/// Evaluates an expression for a point in time, such as `now() - duration("1h")`.
///
/// # Errors
/// When it cannot be evaluated or is no time.
pub fn time_of(text: &str, now: Time) -> Result<Time, ConditionError> {
    evaluate::time(&check::check_time(text)?, now)
}

fn is_empty(value: &ReadingValue) -> bool {
    match value {
        ReadingValue::Json(Value::Null) => true,
        ReadingValue::Json(Value::Array(items)) => items.is_empty(),
        ReadingValue::Numbers(numbers) => numbers.is_empty(),
        _ => false,
    }
}

fn kind_of(value: &ReadingValue) -> Kind {
    match value {
        ReadingValue::Number(_) => Kind::Float,
        ReadingValue::Numbers(_) => Kind::Floats,
        ReadingValue::Text(_) => Kind::Text,
        ReadingValue::Json(value) => match value {
            Value::Null => Kind::Any,
            Value::Bool(_) => Kind::Bool,
            Value::Number(_) => Kind::Float,
            Value::String(_) => Kind::Text,
            Value::Array(_) => Kind::List,
            Value::Object(_) => Kind::Map,
        },
    }
}
