//! The work queue: each key once, one worker a key, turns between namespaces, growing delays after failures, and
//! wake-ups at a time.

mod stats;
#[cfg(test)]
mod tests;

use crate::metrics::Page;
use planner::defect;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Delay after the first failure of a key; it doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_millis(5);
/// Longest delay after failures.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Most doublings that are counted.
const DOUBLINGS_MAX: u32 = 16;

/// What there is to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Rollout,
    AnalysisRun,
    Service,
    /// An object of a router; its name is the kind's in the plural, a slash, and its own.
    Route,
}

/// An object to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Look again when something changes.
    Done,
    /// Look again at that time, too.
    Wake(Instant),
    /// Look again after a delay that grows with each failure in a row.
    Retry,
}

/// Since when a key waits, or a worker has it.
#[derive(Clone, Copy)]
struct Since {
    since: Instant,
    /// When the first change was told that is to be looked at; `None` where only a time has come.
    told: Option<Instant>,
}

#[derive(Default)]
struct State {
    /// Keys that wait for a worker, by namespace.
    ready: BTreeMap<String, VecDeque<Key>>,
    queued: BTreeMap<Key, Since>,
    running: BTreeMap<Key, Since>,
    /// Keys that were added while a worker had them.
    again: BTreeMap<Key, Option<Instant>>,
    delayed: BTreeMap<(Instant, Key), ()>,
    due: BTreeMap<Key, Instant>,
    failures: BTreeMap<Key, u32>,
    /// The namespace that was served last.
    served: String,
    stats: stats::Stats,
}

/// The queue.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a look as soon as a worker is free.
    pub(crate) fn add(&self, key: Key) {
        let now = Instant::now();
        self.lock().push(key, Some(now), now);
        self.changed.notify_one();
    }

    /// Asks for a look at that time; an earlier one stays.
    pub(crate) fn add_at(&self, key: Key, at: Instant) {
        self.lock().delay(key, at);
        self.changed.notify_one();
    }

    /// The next key; waits until there is one. [`Queue::done`] must follow.
    pub(crate) async fn next(&self) -> Key {
        loop {
            let notified = self.changed.notified();
            let wait = {
                let mut state = self.lock();
                let now = Instant::now();
                state.wake_due(now);
                if let Some(key) = state.pop(now) {
                    if !state.queued.is_empty() {
                        self.changed.notify_one();
                    }
                    return key;
                }
                state.delayed.keys().next().map(|(at, _)| *at)
            };
            match wait {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = notified => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
                None => notified.await,
            }
        }
    }

    /// Gives a key back.
    pub(crate) fn done(&self, key: Key, outcome: Outcome) {
        let now = Instant::now();
        let mut state = self.lock();
        let begun = state.running.remove(&key);
        if let Some(begun) = begun {
            state.stats.ended(&key, now.duration_since(begun.since));
        }
        match outcome {
            Outcome::Done => state.failures.remove(&key).map_or((), |_| ()),
            Outcome::Wake(at) => {
                state.failures.remove(&key);
                state.delay(key.clone(), at);
            }
            Outcome::Retry if defect!(RetryIsForgotten) => {}
            Outcome::Retry => {
                let failures = state.failures.entry(key.clone()).or_default();
                *failures = failures.saturating_add(1);
                let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
                let delay = BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX);
                state.stats.failed(&key);
                state.delay(key.clone(), now + delay);
            }
        }
        if let Some(told) = state.again.remove(&key) {
            state.push(key, told, now);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// When the first change was told that the worker who has this key looks at.
    pub(crate) fn told(&self, key: &Key) -> Option<Instant> {
        self.lock().running.get(key).and_then(|begun| begun.told)
    }

    /// Adds the series of the queue.
    pub(crate) fn show(&self, page: &mut Page) {
        stats::show(&self.lock(), page, Instant::now());
    }
}

impl State {
    fn push(&mut self, key: Key, told: Option<Instant>, now: Instant) {
        if self.running.contains_key(&key) {
            if !defect!(RunningKeyLost) {
                let known = self.again.entry(key).or_insert(told);
                *known = known.or(told);
            }
        } else if let Some(waits) = self.queued.get_mut(&key) {
            waits.told = waits.told.or(told);
        } else {
            self.stats.added(&key);
            self.queued.insert(key.clone(), Since { since: now, told });
            self.ready.entry(key.namespace.clone()).or_default().push_back(key);
        }
    }

    /// Keeps the earliest wake-up of a key.
    fn delay(&mut self, key: Key, at: Instant) {
        if let Some(old) = self.due.get(&key) {
            if *old <= at || defect!(EarlierWakeLost) {
                return;
            }
            self.delayed.remove(&(*old, key.clone()));
        }
        self.due.insert(key.clone(), at);
        self.delayed.insert((at, key), ());
    }

    fn wake_due(&mut self, now: Instant) {
        while let Some(((at, key), ())) = self.delayed.pop_first() {
            if at > now {
                self.delayed.insert((at, key), ());
                return;
            }
            self.due.remove(&key);
            self.push(key, None, now);
        }
    }

    /// The first key of the namespace whose turn it is.
    fn pop(&mut self, now: Instant) -> Option<Key> {
        let after = (std::ops::Bound::Excluded(self.served.clone()), std::ops::Bound::Unbounded);
        let next = self.ready.range::<String, _>(after).next().or_else(|| self.ready.iter().next());
        let namespace = next.map(|(namespace, _)| namespace.clone())?;
        let keys = self.ready.get_mut(&namespace)?;
        let key = keys.pop_front();
        if keys.is_empty() {
            self.ready.remove(&namespace);
        }
        let key = key?;
        self.served = namespace;
        let waited = self.queued.remove(&key);
        self.stats.begun(&key, waited.map_or(Duration::ZERO, |waits| now.duration_since(waits.since)));
        self.running.insert(key.clone(), Since { since: now, told: waited.and_then(|waits| waits.told) });
        Some(key)
    }
}
