//! Times and durations as the HTTP API and the language write them.

use chrono::DateTime;

use super::number;

/// The units of a duration in the order in which they may follow each other, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];
/// The longest duration, in milliseconds: a hundred years, far beyond what is kept.
const LONGEST_MS: i64 = 100 * 365 * 24 * 3_600_000;

/// A point in time as a number of seconds since the epoch or in RFC 3339, in milliseconds.
pub(super) fn time(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) => number::milliseconds(seconds),
        Err(_) => DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis()),
    }
}

/// A step or a timeout as a number of seconds or a duration like `1m30s`, in milliseconds.
pub(super) fn step(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) => number::milliseconds(seconds),
        Err(_) => duration(text),
    }
}

/// A duration of whole numbers with units, the greater units first: `1h30m` is 5400000 ms. The numbers have 32 bits,
/// since the language's parser reads no more.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (mut rest, mut total, mut units) = (text, 0_i64, UNITS.iter());
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|one: char| one.is_ascii_digit()).len();
        let (amount, after) = rest.split_at_checked(digits)?;
        let letters = after.len() - after.trim_start_matches(|one: char| one.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at_checked(letters)?;
        // The iterator goes on where it was: a unit that came before, or a greater one, is not found any more.
        let (_, milliseconds) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(i64::from(amount.parse::<u32>().ok()?).checked_mul(*milliseconds)?)?;
        rest = after;
    }
    (!text.is_empty() && total <= LONGEST_MS).then_some(total)
}
