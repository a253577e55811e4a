//! A query that has been read, and its answers.

use std::collections::BTreeMap;

use promql_parser::parser::value::ValueType;
use promql_parser::parser::{self, Expr};

use super::error::Error;
use super::eval::Eval;
use super::labels::Labels;
use super::series::{Database, Point};
use super::{check, functions, guard};

/// How many bytes of a query are read; hand-written ones have a few hundred.
pub const MAX_QUERY_BYTES: usize = 4_096;
/// How deep a query may be nested; it is followed by recursion.
pub const MAX_DEPTH: usize = 100;
/// How many steps a query over a range of time may have: Prometheus's own limit.
pub const MAX_STEPS: usize = 11_000;

/// A series' value at the time of the query.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The labels that the query left.
    pub labels: Labels,
    /// The value.
    pub value: f64,
}

/// A series' values over a range of time.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRange {
    /// The labels that the query left.
    pub labels: Labels,
    /// The values in the order of time.
    pub points: Vec<Point>,
}

/// What a query results in.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number without labels.
    Scalar(f64),
    /// One value for each set of labels.
    Vector(Vec<Sample>),
    /// Samples over a range of time for each set of labels.
    Matrix(Vec<SampleRange>),
    /// A string literal.
    Text(String),
}

impl Value {
    /// The type as Prometheus names it in errors.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "scalar",
            Self::Vector(_) => "instant vector",
            Self::Matrix(_) => "range vector",
            Self::Text(_) => "string",
        }
    }
}

/// A query that has been read and lies within the subset. Read it once when it is asked often: reading takes longer
/// than answering.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    expr: Expr,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    ///
    /// When it is not PromQL, too long, too deep, or outside the subset.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(Error::TooLong { bytes: text.len(), most: MAX_QUERY_BYTES });
        }
        guard::check(text)?;
        let expr = parser::parse(text).map_err(|reason| {
            let unknown = reason.strip_prefix("unknown function with name '");
            match unknown.and_then(|name| name.strip_suffix('\'')) {
                Some(name) => functions::unknown(name),
                None => Error::Syntax { reason, query: text.to_owned() },
            }
        })?;
        check::check(&expr, MAX_DEPTH)?;
        Ok(Self { expr })
    }

    /// The answer at one time, in milliseconds since the epoch.
    ///
    /// # Errors
    ///
    /// When the data do not fit the query, as with several samples on the "one" side of a match.
    pub fn at(&self, database: &Database, time_ms: i64) -> Result<Value, Error> {
        Eval { database, time_ms }.value(&self.expr)
    }

    /// The answers from `start_ms` to `end_ms` (both included), one each `step_ms`, in the order of their labels.
    ///
    /// # Errors
    ///
    /// As with [`Query::at`], and when the query results in a range or a string, or there are more than
    /// [`MAX_STEPS`] steps. A step that is not positive counts as one millisecond, and
    /// an end before the start leaves no step.
    pub fn over(
        &self,
        database: &Database,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Vec<SampleRange>, Error> {
        match self.expr.value_type() {
            ValueType::Scalar | ValueType::Vector => {}
            ValueType::Matrix => return Err(Error::RangeType("range vector")),
            ValueType::String => return Err(Error::RangeType("string")),
        }
        if end_ms < start_ms {
            return Ok(Vec::new());
        }
        let step_ms = step_ms.max(1);
        let steps = end_ms.saturating_sub(start_ms) / step_ms;
        if usize::try_from(steps).map_or(true, |steps| steps > MAX_STEPS) {
            return Err(Error::Resolution { most: MAX_STEPS });
        }
        let mut series: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
        for step in 0..=steps {
            // No overflow: it lies between the start and the end.
            let time_ms = start_ms + step * step_ms;
            let mut add = |labels, value| series.entry(labels).or_default().push(Point { time_ms, value });
            match self.at(database, time_ms)? {
                Value::Scalar(value) => add(Labels::new(), value),
                Value::Vector(samples) => samples.into_iter().for_each(|one| add(one.labels, one.value)),
                other => return Err(Error::RangeType(other.kind())),
            }
        }
        Ok(series.into_iter().map(|(labels, points)| SampleRange { labels, points }).collect())
    }
}
