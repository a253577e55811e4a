//! Time that goes on while a question is asked.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// The time that a caller passed in, moved on by tokio's clock: a signature after some pauses must not be an old one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    begin: DateTime<Utc>,
    since: Instant,
}

impl Clock {
    pub(crate) fn starting_at(begin: DateTime<Utc>) -> Self {
        Self { begin, since: Instant::now() }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.since.elapsed()).unwrap_or(TimeDelta::zero());
        self.begin.checked_add_signed(elapsed).unwrap_or(self.begin)
    }
}
