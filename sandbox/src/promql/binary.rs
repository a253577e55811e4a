//! Operators between two expressions.

use promql_parser::parser::token::{
    T_ADD, T_ATAN2, T_DIV, T_EQLC, T_GTE, T_GTR, T_LAND, T_LOR, T_LSS, T_LTE, T_LUNLESS, T_MOD, T_MUL, T_NEQ,
    T_POW, T_SUB, TokenType,
};
use promql_parser::parser::{BinModifier, BinaryExpr};

use super::error::Error;
use super::eval::Eval;
use super::labels::{self, NAME};
use super::matching;
use super::query::{Sample, Value};

/// The operators of the subset.
const OPERATORS: &str = "use + - * / % ^ == != > >= < <= and or unless";

/// An operator.
#[derive(Clone, Copy)]
pub(super) enum Operator {
    /// A number from two numbers.
    Arithmetic(fn(f64, f64) -> f64),
    /// A filter, or with `bool` one and zero.
    Comparison(fn(&f64, &f64) -> bool),
    /// An operator between sets of labels.
    Set(Set),
}

/// An operator between sets of labels.
#[derive(Clone, Copy)]
pub(super) enum Set {
    /// The left samples that have a match.
    And,
    /// The left samples, and the right ones that have no match.
    Or,
    /// The left samples that have no match.
    Unless,
}

impl Operator {
    /// The operator of a token.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when the parser has learned a new one.
    pub(super) fn of(token: TokenType) -> Result<Self, Error> {
        Ok(match token.id() {
            T_ADD => Self::Arithmetic(|left, right| left + right),
            T_SUB => Self::Arithmetic(|left, right| left - right),
            T_MUL => Self::Arithmetic(|left, right| left * right),
            T_DIV => Self::Arithmetic(|left, right| left / right),
            T_MOD => Self::Arithmetic(|left, right| left % right),
            T_POW => Self::Arithmetic(f64::powf),
            T_EQLC => Self::Comparison(f64::eq),
            T_NEQ => Self::Comparison(f64::ne),
            T_GTR => Self::Comparison(f64::gt),
            T_GTE => Self::Comparison(f64::ge),
            T_LSS => Self::Comparison(f64::lt),
            T_LTE => Self::Comparison(f64::le),
            T_LAND => Self::Set(Set::And),
            T_LOR => Self::Set(Set::Or),
            T_LUNLESS => Self::Set(Set::Unless),
            T_ATAN2 => {
                return Err(Error::Unsupported { what: "the operator atan2", instead: OPERATORS });
            }
            _ => {
                return Err(Error::Unsupported { what: "an operator of this query", instead: OPERATORS });
            }
        })
    }

    /// The result of two numbers, `None` when a comparison drops it. `kept` is what a comparison lets through.
    pub(super) fn apply(self, left: f64, right: f64, kept: f64, one_or_zero: bool) -> Option<f64> {
        match self {
            Self::Arithmetic(of) => Some(of(left, right)),
            Self::Comparison(holds) if one_or_zero => Some(if holds(&left, &right) { 1.0 } else { 0.0 }),
            Self::Comparison(holds) => holds(&left, &right).then_some(kept),
            Self::Set(_) => None,
        }
    }

    /// Whether the results are no longer what the metric's name says.
    pub(super) fn drops_name(self, one_or_zero: bool) -> bool {
        one_or_zero || matches!(self, Self::Arithmetic(_))
    }
}

/// The value of an operator between two expressions.
pub(super) fn binary(eval: Eval<'_>, expr: &BinaryExpr) -> Result<Value, Error> {
    let operator = Operator::of(expr.op)?;
    let plain = BinModifier::default();
    let modifier = expr.modifier.as_ref().unwrap_or(&plain);
    let one_or_zero = modifier.return_bool;
    let (left, right) = (eval.value(&expr.lhs)?, eval.value(&expr.rhs)?);
    let samples = match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            let result = operator.apply(left, right, left, one_or_zero);
            return result.map(Value::Scalar).ok_or_else(|| unfit(expr, "scalar"));
        }
        (Value::Vector(left), Value::Vector(right)) => match operator {
            Operator::Set(set) => matching::set(set, left, &right, modifier),
            _ => matching::join(operator, &left, &right, modifier)?,
        },
        (Value::Vector(left), Value::Scalar(right)) => {
            let result = |sample: f64| operator.apply(sample, right, sample, one_or_zero);
            each(left, result, operator.drops_name(one_or_zero))
        }
        (Value::Scalar(left), Value::Vector(right)) => {
            let result = |sample: f64| operator.apply(left, sample, sample, one_or_zero);
            each(right, result, operator.drops_name(one_or_zero))
        }
        (Value::Scalar(_) | Value::Vector(_), other) | (other, _) => return Err(unfit(expr, other.kind())),
    };
    Ok(Value::Vector(labels::distinct(samples)?))
}

/// The result of each sample with the scalar on the other side.
fn each(samples: Vec<Sample>, result: impl Fn(f64) -> Option<f64>, drops_name: bool) -> Vec<Sample> {
    let sample = |mut sample: Sample| {
        sample.value = result(sample.value)?;
        if drops_name {
            sample.labels.remove(NAME);
        }
        Some(sample)
    };
    samples.into_iter().filter_map(sample).collect()
}

fn unfit(expr: &BinaryExpr, got: &'static str) -> Error {
    let place = format!("binary expression with {:?}", expr.op.to_string());
    Error::Type { expected: "scalar or instant vector", place, got }
}
