//! What can be wrong with a query.

use thiserror::Error;

/// Why a query has no answer. The texts say what the query asks that cannot be, or that the sandbox does not know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The query is not PromQL.
    #[error("parse error: {reason} in {query:?}")]
    Syntax {
        /// What the parser found.
        reason: String,
        /// The query.
        query: String,
    },
    /// A duration without a unit, or one that is out of range.
    #[error(
        "parse error: {0:?} is not a duration: write a whole number and a unit (ms, s, m, h, d, w, y), like 5m"
    )]
    Duration(String),
    /// The query is longer than the sandbox reads.
    #[error("the query has {bytes} bytes; the sandbox's Prometheus reads at most {most}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// [`super::MAX_QUERY_BYTES`].
        most: usize,
    },
    /// Parentheses, operators and calls are nested deeper than the sandbox follows.
    #[error("the query is nested deeper than {most} levels, which the sandbox's Prometheus does not follow")]
    TooDeep {
        /// [`super::MAX_DEPTH`].
        most: usize,
    },
    /// A function outside the subset.
    #[error("the sandbox's Prometheus does not know the function {name:?}; it knows: {known}")]
    Function {
        /// The function.
        name: String,
        /// Those it knows.
        known: String,
    },
    /// An aggregation outside the subset.
    #[error("the sandbox's Prometheus does not know the aggregation {name:?}; it knows: {known}")]
    Aggregation {
        /// The aggregation.
        name: String,
        /// Those it knows.
        known: String,
    },
    /// Another part of the language outside the subset.
    #[error("the sandbox's Prometheus does not know {what}: {instead}")]
    Unsupported {
        /// The part.
        what: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// An argument of another type.
    #[error("expected type {expected} in {place}, got {got}")]
    Type {
        /// What belongs there.
        expected: &'static str,
        /// Where.
        place: String,
        /// What is there.
        got: &'static str,
    },
    /// A call with too few arguments.
    #[error("the function {0:?} has too few arguments")]
    Arguments(String),
    /// A query over a range of time whose type has no range.
    #[error("invalid expression type {0:?} for range query, must be Scalar or instant Vector")]
    RangeType(&'static str),
    /// A query over a range of time with more steps than Prometheus takes.
    #[error(
        "exceeded maximum resolution of {most} points per timeseries. Try decreasing the query resolution (?step=XX)"
    )]
    Resolution {
        /// [`super::MAX_STEPS`].
        most: usize,
    },
    /// `k` of `topk` or `bottomk` is not a number of series.
    #[error("scalar value {0} overflows int64: topk and bottomk need a number of series")]
    Overflow(String),
    /// A name that no label can have.
    #[error("invalid destination label name in label_replace(): {0}")]
    LabelName(String),
    /// A regular expression that cannot be read.
    #[error("invalid regular expression in label_replace(): {0}")]
    Regex(String),
    /// Two results with the same labels.
    #[error("vector cannot contain metrics with the same labelset: {0} occurs twice")]
    SameLabels(String),
    /// Several samples on the side of a match that may have one.
    #[error(
        "found duplicate series for the match group {group} on the {side} hand-side of the operation: [{one}, {other}];\
         many-to-many matching not allowed: matching labels must be unique on one side"
    )]
    ManyToMany {
        /// The labels that match.
        group: String,
        /// Which side.
        side: &'static str,
        /// One sample.
        one: String,
        /// Another of the same group.
        other: String,
    },
    /// Several samples on a side without `group_left` or `group_right`.
    #[error("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")]
    ManyToOne,
    /// `group_left` or `group_right` gives two results the same labels.
    #[error("multiple matches for labels: grouping labels must ensure unique matches")]
    Grouping,
}

impl Error {
    /// Whether the query itself is at fault, so that it fails whatever the data are: Prometheus calls it `bad_data`
    /// with status 400, and everything else `execution` with status 422.
    #[must_use]
    pub fn is_bad_data(&self) -> bool {
        matches!(
            self,
            Self::Syntax { .. }
                | Self::Duration(_)
                | Self::TooLong { .. }
                | Self::TooDeep { .. }
                | Self::Function { .. }
                | Self::Aggregation { .. }
                | Self::Unsupported { .. }
                | Self::Type { .. }
                | Self::Arguments(_)
                | Self::RangeType(_)
                | Self::Resolution { .. }
        )
    }
}
