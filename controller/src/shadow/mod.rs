//! The shadow: it looks at the same objects as the live controller, plans each Rollout, and tells what it would do that
//! the live one does not. It takes no lease and writes nothing. `[shadow]`
//!
//! The two never act in the same moment, so a plan by itself is no difference: what is planned counts once it has been
//! planned without a break for the grace, with the same value each time. Each look plans anew, and a look follows each
//! change that a watch tells of: whatever the live controller has done is not planned any more.
//!
//! Writes of the live controller that the shadow would not have made are not told by themselves: a write can only be
//! judged by what its maker saw, and the shadow does not see that. Where one leads to a state that the shadow would
//! change, that is told.

mod report;
#[cfg(test)]
mod tests;
mod wishes;

use crate::apply::ApplyError;
use crate::clock::Clock;
use crate::metrics::Page;
use crate::queue::{Key, Outcome};
use crate::rollouts::Rollouts;
use crds::Time;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wishes::Wish;

/// What is planned for a Rollout and not done.
#[derive(Debug, Default)]
struct Planned {
    /// Each with when it was first planned, and whether it has been told.
    wishes: BTreeMap<Wish, Standing>,
    /// Why nothing could be planned.
    unknown: Option<String>,
}

#[derive(Clone, Debug)]
struct Standing {
    since: Time,
    reason: String,
    overdue: bool,
}

/// Compares plans with what is done.
#[derive(Clone)]
pub(crate) struct Shadow {
    grace: Duration,
    clock: Clock,
    all: Arc<Mutex<BTreeMap<Key, Planned>>>,
}

impl Shadow {
    pub(crate) fn new(grace: Duration, clock: Clock) -> Self {
        Self { grace, clock, all: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Planned>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans one Rollout, and tells when to plan it again.
    pub(crate) async fn look(&self, rollouts: &Rollouts, key: &Key) -> Outcome {
        let Some(rollout) = rollouts.caches.rollouts.get(&key.namespace, &key.name) else {
            self.lock().remove(key);
            return Outcome::Done;
        };
        let now = self.clock.now();
        let (world, _) = match rollouts.world(&rollout, Vec::new(), now).await {
            Ok(Some(seen)) => seen,
            // The watch of its workload wakes it.
            Ok(None) => return Outcome::Done,
            Err(error) => return self.not_planned(key, &error),
        };
        let plan = planner::plan(&world, now);
        rollouts.caches.targets.want(key, &world, &plan, &rollouts.caches.services, false);
        let due = self.compare(key, wishes::of(&rollout, &plan), now);
        let wake = plan.wake.as_ref().map(|wake| wake.at);
        let next = [wake, due].into_iter().flatten().min();
        next.map_or(Outcome::Done, |at| Outcome::Wake(self.clock.instant(at)))
    }

    fn not_planned(&self, key: &Key, error: &ApplyError) -> Outcome {
        tracing::warn!(namespace = key.namespace, name = key.name, %error, "shadow: a Rollout could not be planned");
        self.lock().entry(key.clone()).or_default().unknown = Some(error.to_string());
        Outcome::Retry
    }

    /// Takes in what is planned now; gives when the next of it is overdue.
    fn compare(&self, key: &Key, wishes: BTreeMap<Wish, String>, now: Time) -> Option<Time> {
        let mut all = self.lock();
        let before = all.remove(key).unwrap_or_default().wishes;
        let had = before.values().any(|standing| standing.overdue);
        let (mut planned, mut due) = (Planned::default(), None::<Time>);
        for (wish, reason) in wishes {
            let known = before.get(&wish);
            let since = known.map_or(now, |known| known.since);
            let end = since.plus(self.grace);
            let overdue = now >= end;
            if overdue && !known.is_some_and(|known| known.overdue) {
                let (namespace, name, seconds) = (&key.namespace, &key.name, self.grace.as_secs());
                tracing::warn!(namespace, name, reason, seconds, "shadow: planned and not done: {wish}");
            }
            if !overdue {
                due = Some(due.map_or(end, |due| due.min(end)));
            }
            planned.wishes.insert(wish, Standing { since, reason, overdue });
        }
        if had && !planned.wishes.values().any(|standing| standing.overdue) {
            tracing::info!(namespace = key.namespace, name = key.name, "shadow: no difference any more");
        }
        all.insert(key.clone(), planned);
        due
    }

    /// The report as JSON.
    pub(crate) fn report(&self) -> serde_json::Value {
        report::report(&self.lock(), self.grace)
    }

    /// Adds the series of a shadow.
    pub(crate) fn show(&self, page: &mut Page) {
        report::show(&self.lock(), page);
    }
}
