//! The one clock: wall time at the start plus tokio's time since, so that paused tokio time moves wall time, too.

use crds::Time;
use tokio::time::Instant;

/// Tells the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Time,
    start: Instant,
}

impl Clock {
    /// A clock that shows `base` now.
    pub(crate) fn starting_at(base: Time) -> Self {
        Self { base, start: Instant::now() }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Time {
        self.base.plus(self.start.elapsed())
    }

    /// The point of tokio's time at which this clock shows `time`.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        self.start + self.base.until(time)
    }
}

/// The machine's wall time.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub(crate) fn wall() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::from_unix_seconds(0).unwrap_or_default().plus(since)
}
