//! The quantile of numbers.

use std::cmp::Ordering;

use super::super::number;

/// The `q`-quantile: between two values it lies on the line from one to the other. NaN counts as the least.
///
/// Of 1, 2, 3 and 4 the 0.5-quantile has the rank 0.5 * 3 = 1.5, half way between 2 and 3: 2.5.
pub(in super::super) fn of_values(q: f64, values: &[f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(|left, right| {
        left.partial_cmp(right).unwrap_or_else(|| match (left.is_nan(), right.is_nan()) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => Ordering::Equal,
        })
    });
    let rank = q * number::count(sorted.len() - 1);
    let lower = number::index(rank);
    let weight = rank - rank.floor();
    let at = |index: usize| sorted.get(index).or(sorted.last()).copied().unwrap_or(f64::NAN);
    at(lower) * (1.0 - weight) + at(lower + 1) * weight
}
