//! The shadow: it looks at the same objects as the live controller, plans each Rollout, and tells what it would do that
//! the live one does not. It takes no lease and writes nothing. `[shadow]`
//!
//! The two never act in the same moment, so a plan by itself is no difference: what is planned counts once it has been
//! planned without a break for the grace, with the same value each time. Each look plans anew, and a look follows each
//! change that a watch tells of: whatever the live controller has done is not planned any more.
//!
//! What the live controller has done is judged, too: by the laws that every plan keeps. A write that breaks none, and leads
//! to a state that the shadow would not change, is no difference.

mod deeds;
mod report;
#[cfg(test)]
mod tests;
mod wishes;

use crate::apply::ApplyError;
use crate::cache::version_of;
use crate::clock::Clock;
use crate::metrics::Page;
use crate::queue::{Key, Kind, Outcome};
use crate::rollouts::Rollouts;
use crds::{Rollout, Time};
use kube::ResourceExt;
use planner::World;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wishes::Wish;

/// Most broken laws that are remembered of one update.
const BROKEN_MAX: usize = 10;

/// What is planned for a Rollout and not done, and what was done that would not have been planned.
#[derive(Debug, Default)]
struct Planned {
    /// Each with when it was first planned, and whether it has been told.
    wishes: BTreeMap<Wish, Standing>,
    /// Laws that what was done has broken since the newest version came up.
    broken: Vec<Broken>,
    /// What the last look saw.
    seen: Option<World>,
    /// Resource versions that ended a pause or promote in full, and that no look has seen yet.
    resumed: Vec<u64>,
    /// Why nothing could be planned.
    unknown: Option<String>,
}

#[derive(Clone, Debug)]
struct Standing {
    since: Time,
    reason: String,
    overdue: bool,
}

/// A law that was broken.
#[derive(Clone, Debug)]
struct Broken {
    rule: &'static str,
    what: String,
    at: Time,
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
        self.judge(key, world, now);
        let wake = plan.wake.as_ref().map(|wake| wake.at);
        let next = [wake, due].into_iter().flatten().min();
        next.map_or(Outcome::Done, |at| Outcome::Wake(self.clock.instant(at)))
    }

    /// Takes in each state of a Rollout that the watch tells of: a look may come after several, and what people do in
    /// between is to be seen in none of those that it compares.
    pub(crate) fn passed(&self, old: Option<&Rollout>, new: &Rollout) {
        if !old.is_some_and(|old| deeds::is_resumed(old, new)) {
            return;
        }
        let namespace = new.namespace().unwrap_or_default();
        let key = Key { namespace, kind: Kind::Rollout, name: new.name_any() };
        self.lock().entry(key).or_default().resumed.push(version_of(new));
    }

    fn not_planned(&self, key: &Key, error: &ApplyError) -> Outcome {
        tracing::warn!(namespace = key.namespace, name = key.name, %error, "shadow: a Rollout could not be planned");
        let mut all = self.lock();
        let planned = all.entry(key.clone()).or_default();
        // What changes until the next look is not known step by step.
        (planned.unknown, planned.seen) = (Some(error.to_string()), None);
        Outcome::Retry
    }

    /// Judges what was done since the last look.
    fn judge(&self, key: &Key, world: World, now: Time) {
        let mut all = self.lock();
        let planned = all.entry(key.clone()).or_default();
        let seen = version_of(&world.rollout);
        let resumed = planned.resumed.iter().any(|version| *version <= seen);
        planned.resumed.retain(|version| *version > seen);
        if let Some(before) = &planned.seen {
            if version(before) != version(&world) {
                planned.broken.clear();
            }
            let faults = if resumed { Vec::new() } else { deeds::broken(before, &world, now) };
            for fault in faults {
                let (namespace, name, rule) = (&key.namespace, &key.name, fault.rule);
                tracing::warn!(namespace, name, rule, "shadow: done and not to be planned: {}", fault.what);
                if planned.broken.len() < BROKEN_MAX {
                    planned.broken.push(Broken { rule, what: fault.what, at: now });
                }
            }
        }
        planned.seen = Some(world);
    }

    /// Takes in what is planned now; gives when the next of it is overdue.
    fn compare(&self, key: &Key, wishes: BTreeMap<Wish, String>, now: Time) -> Option<Time> {
        let mut all = self.lock();
        let known = all.remove(key).unwrap_or_default();
        let Planned { wishes: before, broken, seen, resumed, .. } = known;
        let had = before.values().any(|standing| standing.overdue);
        let mut planned = Planned { broken, seen, resumed, ..Planned::default() };
        let mut due = None::<Time>;
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

/// The version of pods that is newest.
fn version(world: &World) -> &str {
    world.rollout.status.as_ref().map_or("", |status| status.current_pod_hash.as_str())
}
