//! Faults that are aimed: not at the number of a request, but at what it is about and when in the story it comes.

use super::weather::{CallFault, NewsFault};
use crds::Time;
use sandbox::{Call, Delivery, Fate, News};
use std::time::Duration;

/// What an aimed fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// To requests that write.
    Write(CallFault),
    /// To all requests, reads and watches left out.
    Answer(Duration),
    /// To lines of watches.
    News(NewsFault),
    /// Lines of watches come in batches, with so long between them.
    Batches(Duration),
}

/// An aimed fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aimed {
    /// Name of the resource in addresses; with an empty one all but leases and events.
    pub resource: &'static str,
    /// Name of the client; with an empty one all of them.
    pub client: &'static str,
    /// It begins when so many acts have been done.
    pub after_acts: usize,
    /// Of what fits, each of so many is hit, the first one included.
    pub every: u32,
    /// So many are hit at most.
    pub times: u32,
    /// What happens.
    pub blow: Blow,
}

/// So long it takes to deliver a batch.
const BATCH_MILLISECONDS: i64 = 20;
/// As often as it fits.
const ALWAYS: u32 = u32::MAX;

impl Aimed {
    /// At all that fits, from the beginning and without an end.
    #[must_use]
    pub const fn always(resource: &'static str, blow: Blow) -> Self {
        Self { resource, client: "", after_acts: 0, every: 1, times: ALWAYS, blow }
    }

    /// At the first that fits after so many acts.
    #[must_use]
    pub const fn once(resource: &'static str, after_acts: usize, blow: Blow) -> Self {
        Self { after_acts, times: 1, ..Self::always(resource, blow) }
    }

    /// How late it makes the controller know of things.
    #[must_use]
    pub fn lag(&self) -> Duration {
        match self.blow {
            Blow::Batches(late) | Blow::Answer(late) => late,
            Blow::News(NewsFault::Late) => Duration::from_secs(60),
            Blow::News(NewsFault::Stalled) => super::weather::STALL,
            Blow::Write(_) | Blow::News(_) => Duration::ZERO,
        }
    }

    fn fits(&self, resource: &str, client: &str, acts: usize) -> bool {
        let resource_fits = if self.resource.is_empty() {
            !matches!(resource, "leases" | "events")
        } else {
            self.resource == resource
        };
        resource_fits && (self.client.is_empty() || self.client == client) && acts >= self.after_acts
    }
}

/// The aimed faults of a run, and how often each has fitted and hit.
#[derive(Debug, Default)]
pub(super) struct Quiver {
    aimed: Vec<(Aimed, u32, u32)>,
    /// Acts that were done so far.
    pub(super) acts: usize,
}

impl Quiver {
    pub(super) fn new(aimed: &[Aimed]) -> Self {
        Self { aimed: aimed.iter().map(|one| (*one, 0, 0)).collect(), acts: 0 }
    }

    fn shoot<T>(&mut self, resource: &str, client: &str, pick: impl Fn(Blow) -> Option<T>) -> Option<T> {
        let acts = self.acts;
        self.aimed.iter_mut().find_map(|(aimed, fitted, hit)| {
            let picked = pick(aimed.blow).filter(|_| aimed.fits(resource, client, acts))?;
            *fitted = fitted.wrapping_add(1);
            let due = fitted.wrapping_sub(1).is_multiple_of(aimed.every.max(1)) && *hit < aimed.times;
            due.then(|| {
                *hit = hit.saturating_add(1);
                picked
            })
        })
    }

    /// What becomes of a request, when one of them hits it.
    pub(super) fn at_call(&mut self, call: &Call) -> Option<Fate> {
        if !call.is_write() && call.resource != "leases" {
            return None;
        }
        self.shoot(&call.resource, &call.client, |blow| match blow {
            Blow::Write(fault) => Some(fault.fate()),
            Blow::Answer(late) => Some(Fate::Slow { before: Duration::ZERO, after: late }),
            Blow::News(_) | Blow::Batches(_) => None,
        })
    }

    /// What becomes of a line of a watch, when one of them hits it.
    pub(super) fn at_news(&mut self, news: &News<'_>, now: Time) -> Option<Delivery> {
        self.shoot(news.resource, news.client, |blow| match blow {
            Blow::News(fault) => Some(fault.delivery(now, Duration::from_secs(60))),
            Blow::Batches(every) => next_batch(now, every).map(Delivery::Until),
            Blow::Write(_) | Blow::Answer(_) => None,
        })
    }
}

/// When the next batch comes; `None` while one is being delivered.
fn next_batch(now: Time, every: Duration) -> Option<Time> {
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    let over = now.0.timestamp_millis().rem_euclid(every);
    let wait = u64::try_from(every.saturating_sub(over)).unwrap_or(0);
    (over > BATCH_MILLISECONDS).then(|| now.plus(Duration::from_millis(wait)))
}
