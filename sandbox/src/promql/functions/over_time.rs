//! Functions over all samples of a window.

use super::super::error::Error;
use super::super::labels;
use super::super::number::{self, Sum};
use super::super::query::{Sample, Value};
use super::super::select::{self, Window};
use super::super::series::Point;
use super::{Arguments, instant, quantile as quantiles, statistics};

pub(super) fn avg(points: &[Point], _window: Window) -> Option<f64> {
    Some(statistics::exact_mean(&values(points)))
}

pub(super) fn min(points: &[Point], _window: Window) -> Option<f64> {
    Some(statistics::min(&values(points)))
}

pub(super) fn max(points: &[Point], _window: Window) -> Option<f64> {
    Some(statistics::max(&values(points)))
}

pub(super) fn sum(points: &[Point], _window: Window) -> Option<f64> {
    let mut sum = Sum::default();
    points.iter().for_each(|point| sum.add(point.value));
    Some(sum.total())
}

pub(super) fn count(points: &[Point], _window: Window) -> Option<f64> {
    Some(number::count(points.len()))
}

pub(super) fn present(_points: &[Point], _window: Window) -> Option<f64> {
    Some(1.0)
}

pub(super) fn stdvar(points: &[Point], _window: Window) -> Option<f64> {
    Some(statistics::exact_variance(&values(points)))
}

pub(super) fn stddev(points: &[Point], window: Window) -> Option<f64> {
    stdvar(points, window).map(f64::sqrt)
}

/// How often the value changed; from NaN to NaN is no change.
pub(super) fn changes(points: &[Point], _window: Window) -> Option<f64> {
    let changed = |before: f64, after: f64| before != after && !(before.is_nan() && after.is_nan());
    Some(number::count(pairs(points).filter(|(before, after)| changed(*before, *after)).count()))
}

/// How often a counter went down.
pub(super) fn resets(points: &[Point], _window: Window) -> Option<f64> {
    Some(number::count(pairs(points).filter(|(before, after)| after < before).count()))
}

/// The last sample of each series, which keeps its name.
pub(super) fn last(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let series = select::range(arguments.eval, arguments.range(0)?);
    let last = |series: super::super::query::SampleRange| {
        Some(Sample { value: series.points.last()?.value, labels: series.labels })
    };
    Ok(Value::Vector(series.into_iter().filter_map(last).collect()))
}

pub(super) fn quantile(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let q = arguments.scalar(0)?;
    let of = |points: &[Point], _: Window| Some(quantiles::of_values(q, &values(points)));
    Ok(Value::Vector(labels::distinct(arguments.each_window(1, of)?)?))
}

/// One, with the labels that the selector demands, when no series has a sample.
pub(super) fn absent(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let selector = arguments.range(0)?;
    let is_absent = select::range(arguments.eval, selector).is_empty();
    Ok(Value::Vector(instant::one_if(is_absent, instant::demanded(&selector.vs))))
}

fn values(points: &[Point]) -> Vec<f64> {
    points.iter().map(|point| point.value).collect()
}

/// Each value with the one after it.
fn pairs(points: &[Point]) -> impl Iterator<Item = (f64, f64)> {
    points.iter().zip(points.iter().skip(1)).map(|(before, after)| (before.value, after.value))
}
