//! Numbers from many numbers, shared by aggregations and the functions over time.

use super::super::number::{self, Sum};

/// The mean, found step by step so that the sum of great numbers does not overflow.
pub(in super::super) fn mean(values: &[f64]) -> f64 {
    let mut mean = 0.0_f64;
    for (before, value) in values.iter().enumerate() {
        let count = number::count(before + 1);
        if stays_infinite(mean, *value) {
            continue;
        }
        mean += value / count - mean / count;
    }
    mean
}

/// The mean, with the rounding errors added up beside it.
pub(super) fn exact_mean(values: &[f64]) -> f64 {
    let mut mean = Sum::default();
    for (before, value) in values.iter().enumerate() {
        let count = number::count(before + 1);
        if stays_infinite(mean.rough(), *value) {
            continue;
        }
        mean.add(value / count - mean.rough() / count);
    }
    mean.total()
}

/// Whether a mean is infinite and the value leaves it so, where a step would result in NaN.
fn stays_infinite(mean: f64, value: f64) -> bool {
    mean.is_infinite() && !value.is_nan() && (value.is_finite() || (mean > 0.0) == (value > 0.0))
}

/// The greatest; NaN only when there is nothing else.
pub(in super::super) fn max(values: &[f64]) -> f64 {
    values.iter().fold(f64::NAN, |max, value| max.max(*value))
}

/// The least; NaN only when there is nothing else.
pub(in super::super) fn min(values: &[f64]) -> f64 {
    values.iter().fold(f64::NAN, |min, value| min.min(*value))
}

/// The variance of all values (not of a sample of them), found in one pass. As in Prometheus the first value is the
/// first mean, whatever it is: of one value, even NaN, the variance is zero.
pub(in super::super) fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares) = (values.first().copied().unwrap_or(f64::NAN), 0.0);
    for (before, value) in values.iter().enumerate().skip(1) {
        let delta = value - mean;
        mean += delta / number::count(before + 1);
        squares += delta * (value - mean);
    }
    squares / number::count(values.len())
}

/// The variance, with the rounding errors added up beside it.
pub(super) fn exact_variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares) = (Sum::default(), Sum::default());
    for (before, value) in values.iter().enumerate() {
        let delta = value - mean.total();
        mean.add(delta / number::count(before + 1));
        squares.add(delta * (value - mean.total()));
    }
    squares.total() / number::count(values.len())
}
