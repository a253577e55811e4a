//! How fast a series moves: the functions that look at the first and last samples of a window.

use super::super::number;
use super::super::select::Window;
use super::super::series::Point;

/// A window's edge is taken for reached when the samples end within this many average intervals of it.
const NEAR_INTERVALS: f64 = 1.1;

/// The growth of a counter per second.
pub(super) fn rate(points: &[Point], window: Window) -> Option<f64> {
    let span = number::seconds(window.end_ms.saturating_sub(window.start_ms));
    // Prometheus divides the factor, not the result, which rounds differently.
    extrapolated(points, window, true, span)
}

/// The growth of a counter over the window.
pub(super) fn increase(points: &[Point], window: Window) -> Option<f64> {
    extrapolated(points, window, true, 1.0)
}

/// The change of a gauge over the window.
pub(super) fn delta(points: &[Point], window: Window) -> Option<f64> {
    extrapolated(points, window, false, 1.0)
}

/// The growth of a counter per second between its last two samples.
pub(super) fn irate(points: &[Point], _window: Window) -> Option<f64> {
    let [.., before, last] = points else { return None };
    // A counter that went down began again at zero.
    let growth = if last.value < before.value { last.value } else { last.value - before.value };
    Some(growth / number::seconds(last.time_ms - before.time_ms))
}

/// The difference between the last two samples of a gauge.
pub(super) fn idelta(points: &[Point], _window: Window) -> Option<f64> {
    let [.., before, last] = points else { return None };
    Some(last.value - before.value)
}

/// The change between the first and the last sample, carried on to the edges of the window and divided by `span`.
///
/// The samples rarely reach the edges. Near an edge the change is carried on to it, and otherwise by half an average
/// interval, since the series probably begins or ends there. A counter is not carried back beyond its zero.
///
/// A window of 60 s with samples at 10 s (5) and 50 s (25): the change is 20 in 40 s, the average interval is 40 s,
/// both edges are near (10 s < 44 s), and at that slope the counter was zero 10 s before its first sample. So the
/// increase is 20 * (10 + 40 + 10) / 40 = 30.
fn extrapolated(points: &[Point], window: Window, is_counter: bool, span: f64) -> Option<f64> {
    let [first, .., last] = points else { return None };
    let mut change = last.value - first.value;
    if is_counter {
        // Each time it went down it began again at zero: what it had before counts too.
        for (before, after) in points.iter().zip(points.iter().skip(1)) {
            if after.value < before.value {
                change += before.value;
            }
        }
    }
    let sampled = number::seconds(last.time_ms - first.time_ms);
    let interval = sampled / number::count(points.len() - 1);
    let mut to_start = number::seconds(first.time_ms - window.start_ms);
    let to_end = number::seconds(window.end_ms - last.time_ms);
    if is_counter && change > 0.0 && first.value >= 0.0 {
        let to_zero = sampled * (first.value / change);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    let carried = |to_edge: f64| if to_edge < interval * NEAR_INTERVALS { to_edge } else { interval / 2.0 };
    let whole = sampled + carried(to_start) + carried(to_end);
    Some(change * (whole / sampled / span))
}
