//! How long ago something was, in the few letters that kubectl prints.

use chrono::{DateTime, TimeDelta, Utc};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// A duration as kubectl prints it: two units while the larger one is small, then one.
///
/// 119 s is `119s`, 130 s `2m10s`, 600 s `10m`, 3 h 5 min `3h5m`, 9 h `9h`, 49 h `2d1h`, 8 d `8d`, 3 years and
/// 2 days `3y2d`. The clocks of two machines differ a little, so that one second ahead is `0s`; more is
/// `<invalid>`.
#[must_use]
pub fn human(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds();
    let two = |large: i64, unit: char, small: i64, of: i64, small_unit: char| {
        let rest = seconds % of / small;
        if rest == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{rest}{small_unit}") }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => two(seconds / MINUTE, 'm', 1, MINUTE, 's'),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(seconds / HOUR, 'h', MINUTE, HOUR, 'm'),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(seconds / DAY, 'd', HOUR, DAY, 'h'),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(seconds / YEAR, 'y', DAY, YEAR, 'd'),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// The time since `timestamp` (RFC 3339), none when it is not one.
pub(super) fn since(timestamp: &str, now: DateTime<Utc>) -> Option<String> {
    DateTime::parse_from_rfc3339(timestamp).ok().map(|then| human(now - then.with_timezone(&Utc)))
}
