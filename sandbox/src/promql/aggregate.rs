//! Aggregations: many samples become one, or the first few.

use std::collections::BTreeMap;

use promql_parser::parser::AggregateExpr;
use promql_parser::parser::token::{
    T_AVG, T_BOTTOMK, T_COUNT, T_GROUP, T_MAX, T_MIN, T_QUANTILE, T_STDDEV, T_STDVAR, T_SUM, T_TOPK,
    TokenType,
};

use super::error::Error;
use super::eval::Eval;
use super::functions::{quantile, statistics};
use super::labels::{self, Key};
use super::query::Sample;
use super::{functions, number};

/// The aggregations of the subset.
const KNOWN: &str = "avg, bottomk, count, group, max, min, quantile, stddev, stdvar, sum, topk";

/// How a group becomes its result.
#[derive(Clone, Copy)]
pub(super) enum Aggregation {
    /// One number from all.
    Fold(fn(&[f64]) -> f64),
    /// The quantile that the parameter names.
    Quantile,
    /// As many of the greatest as the parameter says.
    Top,
    /// As many of the least.
    Bottom,
}

impl Aggregation {
    /// The aggregation of a token.
    ///
    /// # Errors
    ///
    /// [`Error::Aggregation`] when it is outside the subset.
    pub(super) fn of(token: TokenType) -> Result<Self, Error> {
        Ok(match token.id() {
            T_SUM => Self::Fold(|values| values.iter().sum::<f64>()),
            T_AVG => Self::Fold(statistics::mean),
            T_MAX => Self::Fold(statistics::max),
            T_MIN => Self::Fold(statistics::min),
            T_COUNT => Self::Fold(|values| number::count(values.len())),
            T_GROUP => Self::Fold(|_| 1.0),
            T_STDDEV => Self::Fold(|values| statistics::variance(values).sqrt()),
            T_STDVAR => Self::Fold(statistics::variance),
            T_QUANTILE => Self::Quantile,
            T_TOPK => Self::Top,
            T_BOTTOMK => Self::Bottom,
            _ => return Err(Error::Aggregation { name: token.to_string(), known: KNOWN.to_owned() }),
        })
    }
}

/// The value of an aggregation.
pub(super) fn aggregate(eval: Eval<'_>, expr: &AggregateExpr) -> Result<Vec<Sample>, Error> {
    let place = format!("aggregation {:?}", expr.op.to_string());
    let aggregation = Aggregation::of(expr.op)?;
    let parameter = match &expr.param {
        Some(parameter) => eval.scalar(parameter, &place)?,
        None => f64::NAN,
    };
    let samples = eval.vector(&expr.expr, &place)?;
    let grouped = groups(&samples, expr);
    let fold = |fold: &dyn Fn(&[f64]) -> f64| {
        let result = |(key, group): &(Key<'_>, Vec<&Sample>)| {
            let values: Vec<f64> = group.iter().map(|sample| sample.value).collect();
            Sample { labels: labels::owned(key), value: fold(&values) }
        };
        grouped.iter().map(result).collect()
    };
    match aggregation {
        Aggregation::Fold(of) => Ok(fold(&of)),
        Aggregation::Quantile => Ok(fold(&|values| quantile::of_values(parameter, values))),
        Aggregation::Top => first(&grouped, parameter, true),
        Aggregation::Bottom => first(&grouped, parameter, false),
    }
}

/// The samples by the labels that the aggregation keeps, in the order in which the groups are met.
fn groups<'a>(samples: &'a [Sample], expr: &AggregateExpr) -> Vec<(Key<'a>, Vec<&'a Sample>)> {
    let mut places = BTreeMap::new();
    let mut groups: Vec<(Key<'a>, Vec<&'a Sample>)> = Vec::new();
    for sample in samples {
        // Without a modifier everything is one group.
        let key = expr
            .modifier
            .as_ref()
            .map_or_else(Key::new, |_| labels::key(&sample.labels, expr.modifier.as_ref()));
        let place = *places.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push(sample),
            None => groups.push((key, vec![sample])),
        }
    }
    groups
}

/// The `k` greatest or least of each group, the greatest or least first, with all their labels.
fn first(groups: &[(Key<'_>, Vec<&Sample>)], k: f64, greatest: bool) -> Result<Vec<Sample>, Error> {
    // Beyond, a double does not fit 64 bits.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if !(-BEYOND..BEYOND).contains(&k) {
        return Err(Error::Overflow(number::plain(k)));
    }
    let mut results = Vec::new();
    for (_, group) in groups {
        let mut group: Vec<Sample> = group.iter().copied().cloned().collect();
        functions::sort(&mut group, greatest);
        group.truncate(number::index(k));
        results.append(&mut group);
    }
    Ok(results)
}
