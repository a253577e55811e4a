//! Writes whose end is not known, and what they may still do. `[apply.fence]`
//!
//! A request that was given up after its timeout may be carried out later: it waits in a queue, or a network sends it
//! again. Its precondition holds as long as nobody else changes the object. So where a decision counts on an object as
//! it was seen, a write that changes nothing is not enough while such a request may be under way: it has to change the
//! resource version, and what comes late meets a conflict.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a request may be under way after it was given up: the API server ends each after a minute by default.
const UNDER_WAY: Duration = Duration::from_secs(60);

/// An object that is written to: kind, namespace and name.
pub(super) type Subject = (&'static str, String, String);

/// What is in doubt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doubts(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// When a write to the object was given up.
    given_up: BTreeMap<Subject, Instant>,
    /// When the object was changed so that what was sent before comes to nothing.
    fenced: BTreeMap<Subject, Instant>,
}

impl Doubts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write to the object may or may not have been carried out.
    pub(super) fn give_up(&self, subject: Subject) {
        let now = Instant::now();
        let mut state = self.state();
        state.given_up.retain(|_, at| now < *at + UNDER_WAY);
        state.given_up.insert(subject, now);
    }

    /// The object was changed: what was sent before it meets a conflict.
    pub(super) fn fence(&self, subject: Subject) {
        let now = Instant::now();
        let mut state = self.state();
        state.fenced.retain(|_, at| now < *at + UNDER_WAY);
        state.fenced.insert(subject, now);
    }

    /// Whether a write of before may still be carried out. `inherited` is when this process began to lead after one
    /// that did not say what it left.
    pub(super) fn is_open(&self, subject: &Subject, inherited: Option<Instant>) -> bool {
        let state = self.state();
        let since = state.given_up.get(subject).copied().max(inherited);
        let fenced = |since: Instant| state.fenced.get(subject).is_some_and(|at| *at >= since);
        since.is_some_and(|since| Instant::now() < since + UNDER_WAY && !fenced(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Subject {
        ("ReplicaSet", "default".to_owned(), "web".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_given_up_is_in_doubt_until_it_is_fenced_or_old() {
        let doubts = Doubts::default();
        assert!(!doubts.is_open(&set(), None));
        doubts.give_up(set());
        assert!(doubts.is_open(&set(), None));
        doubts.fence(set());
        assert!(!doubts.is_open(&set(), None));
        tokio::time::advance(Duration::from_secs(1)).await;
        doubts.give_up(set());
        assert!(doubts.is_open(&set(), None), "the fence is older");
        tokio::time::advance(UNDER_WAY).await;
        assert!(!doubts.is_open(&set(), None));
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_process_left_is_in_doubt() {
        let doubts = Doubts::default();
        let began = Some(Instant::now());
        assert!(doubts.is_open(&set(), began));
        doubts.fence(set());
        assert!(!doubts.is_open(&set(), began));
        let other = ("Service", "default".to_owned(), "web".to_owned());
        assert!(doubts.is_open(&other, began));
        tokio::time::advance(UNDER_WAY).await;
        assert!(!doubts.is_open(&other, began));
    }
}
