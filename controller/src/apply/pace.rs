//! How often the numbers of pods alone are carried into a status. `[status.pace]`
//!
//! While pods come and go, each of them changes a count. People and autoscalers lose nothing when those come together,
//! twice a second, and the API server has a write less for each pod. Whatever else a status says is written at once, with
//! the counts as they are then.

use crds::Rollout;
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Shortest time between a write of a status and one that says only how many pods there are.
const PAUSE: Duration = Duration::from_millis(500);

/// Namespace and name of a Rollout.
type Name = (String, String);

/// When the status of each Rollout was written last, as far as that matters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<Mutex<BTreeMap<Name, Instant>>>);

impl Pace {
    fn written(&self) -> MutexGuard<'_, BTreeMap<Name, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status was written.
    pub(super) fn wrote(&self, rollout: &Rollout) {
        let now = Instant::now();
        let mut written = self.written();
        written.retain(|_, at| now < *at + PAUSE);
        written.insert(name(rollout), now);
    }

    /// Until when counts wait; `None` when they need not.
    pub(super) fn waits(&self, rollout: &Rollout) -> Option<Instant> {
        let next = *self.written().get(&name(rollout))? + PAUSE;
        (Instant::now() < next).then_some(next)
    }
}

fn name(rollout: &Rollout) -> Name {
    (rollout.namespace().unwrap_or_default(), rollout.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn counts_come_twice_a_second() {
        let (pace, one) = (Pace::default(), Rollout::default());
        let mut other = Rollout::default();
        other.metadata.name = Some("other".to_owned());
        assert_eq!(pace.waits(&one), None);
        let began = Instant::now();
        pace.wrote(&one);
        tokio::time::advance(PAUSE / 2).await;
        assert_eq!((pace.waits(&one), pace.waits(&other)), (Some(began + PAUSE), None));
        tokio::time::advance(PAUSE / 2).await;
        assert_eq!(pace.waits(&one), None);
    }
}
