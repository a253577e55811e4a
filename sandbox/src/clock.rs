//! The cluster's clock: a fixed beginning plus tokio's time since, so that paused tokio time moves it, too.

use crds::Time;
use std::time::Duration;
use tokio::time::Instant;

/// Tells the time of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: Time,
    start: Instant,
}

impl Clock {
    /// A clock that shows `base` now. Must be called within a tokio runtime when its time is paused.
    #[must_use]
    pub fn starting_at(base: Time) -> Self {
        Self { base, start: Instant::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.base.plus(self.start.elapsed())
    }

    /// Time since the clock was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The point of tokio's time at which this clock shows `time`.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        self.start + self.base.until(time)
    }
}
