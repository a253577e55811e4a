//! Durations as Go's `time.ParseDuration` reads them, such as `10m` or `1h30m`.

use std::time::Duration;

/// A text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "time: invalid duration {text:?}: write it as a number with a unit, for example \"30s\", \"10m\" or \"1h30m\""
)]
pub struct DurationError {
    /// What was written.
    pub text: String,
}

/// A signed duration in the form of Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration {
    /// Nanoseconds; negative for `-10s`.
    pub nanoseconds: i64,
}

/// Units of Go's durations in nanoseconds, longest name first so that `ms` is not read as `m`.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

impl GoDuration {
    /// Reads a duration.
    ///
    /// # Errors
    /// When the text has no unit, an unknown unit, or is too long for 64 bits of nanoseconds (about 292 years).
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let error = || DurationError { text: text.to_owned() };
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Self { nanoseconds: 0 });
        }
        if rest.is_empty() {
            return Err(error());
        }
        let mut total = 0f64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
            let (number, tail) = rest.split_at(digits);
            let number: f64 = number.parse().map_err(|_| error())?;
            let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(end);
            let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?;
            total += number * factor;
            rest = tail;
        }
        let total = if negative { -total } else { total };
        // The limit of Go's own type: 2^63 nanoseconds.
        if !total.is_finite() || total.abs() >= 9.2e18 {
            return Err(error());
        }
        #[allow(clippy::cast_possible_truncation, reason = "the range was checked in the line above")]
        Ok(Self { nanoseconds: total.round() as i64 })
    }

    /// The duration; `None` when it is negative.
    #[must_use]
    pub fn to_std(self) -> Option<Duration> {
        u64::try_from(self.nanoseconds).ok().map(Duration::from_nanos)
    }

    /// Whole seconds, cut towards zero.
    #[must_use]
    pub fn whole_seconds(self) -> i64 {
        self.nanoseconds / 1_000_000_000
    }
}
