//! Conversions between numbers, and numbers as Prometheus writes them.

/// Milliseconds as seconds.
#[allow(clippy::cast_precision_loss, reason = "milliseconds of any year fit a double exactly")]
pub(super) fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// A count as a number to calculate with.
#[allow(clippy::cast_precision_loss, reason = "counts are of samples and series, far below 2^53")]
pub(super) fn count(number: usize) -> f64 {
    number as f64
}

/// The index that a number rounds down to; below zero it is zero.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float's cast saturates, and callers ask a slice with get"
)]
pub(super) fn index(number: f64) -> usize {
    number as usize
}

/// The milliseconds that a number of seconds rounds to, `None` when it is no time at all or out of range.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(super) fn milliseconds(seconds: f64) -> Option<i64> {
    // 2^53 milliseconds are 285 thousand years: beyond, a double cannot tell milliseconds apart.
    const BEYOND: f64 = 9_007_199_254_740_992.0;
    let rounded = (seconds * 1000.0).round();
    (-BEYOND..BEYOND).contains(&rounded).then_some(rounded as i64)
}

/// A scalar as Prometheus writes it: never with an exponent, `0.25`, `NaN`, `+Inf`.
pub(super) fn plain(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        number.to_string()
    }
}

/// A sample's value as Prometheus writes it: like a scalar, but with an exponent of at least two digits below 1e-6 and
/// from 1e21, `1e-07`, `1e+21`.
pub(super) fn short(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() || size == 0.0 || (1e-6..1e21).contains(&size) {
        return plain(number);
    }
    let text = format!("{number:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

/// The greater of two numbers. Unlike in [`f64::max`] NaN wins, over everything but infinity.
pub(super) fn greater(left: f64, right: f64) -> f64 {
    let infinite = left == f64::INFINITY || right == f64::INFINITY;
    if !infinite && (left.is_nan() || right.is_nan()) { f64::NAN } else { left.max(right) }
}

/// The lesser of two numbers. Unlike in [`f64::min`] NaN wins, over everything but negative infinity.
pub(super) fn lesser(left: f64, right: f64) -> f64 {
    -greater(-left, -right)
}

/// The sum of a series of numbers with the rounding errors added up beside it (Neumaier's summation), as Prometheus
/// sums over time.
#[derive(Default)]
pub(super) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    /// Adds a number.
    pub(super) fn add(&mut self, number: f64) {
        let sum = self.sum + number;
        self.lost += if self.sum.abs() >= number.abs() {
            (self.sum - sum) + number
        } else {
            (number - sum) + self.sum
        };
        self.sum = sum;
    }

    /// The sum without what rounding lost.
    pub(super) fn rough(&self) -> f64 {
        self.sum
    }

    /// The sum.
    pub(super) fn total(&self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }
}
