//! What is looked at, and by whom: keys of the queue, each by the part that it is of.

use crate::analysis_runs::AnalysisRuns;
use crate::apply::Applier;
use crate::args::{Args, Part};
use crate::cache::Caches;
use crate::lease::Claim;
use crate::queue::{Key, Kind, Outcome, Queue};
use crate::rollouts::{Rollouts, UNTOLD};
use crate::shadow::Shadow;
use crate::{routes, services, watches};
use crds::rollout::RolloutStatus;
use futures::FutureExt;
use kube::ResourceExt;
use planner::defect;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Looks at every object when this process begins to lead, and from time to time: what no watch tells is found then.
pub(crate) async fn look_at_all(caches: Caches, queue: Arc<Queue>, claim: Claim, every: Duration) {
    loop {
        claim.held().await;
        for rollout in caches.rollouts.all() {
            queue.add(Key {
                namespace: rollout.namespace().unwrap_or_default(),
                kind: Kind::Rollout,
                name: rollout.name_any(),
            });
        }
        for run in caches.runs.all() {
            queue.add(Key {
                namespace: run.namespace().unwrap_or_default(),
                kind: Kind::AnalysisRun,
                name: run.name_any(),
            });
        }
        for service in caches.services.all() {
            queue.add(Key {
                namespace: service.namespace().unwrap_or_default(),
                kind: Kind::Service,
                name: service.name_any(),
            });
        }
        tokio::select! {
            biased;
            () = claim.lost() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// What a controller looks after.
#[derive(Clone)]
pub(crate) enum Duty {
    /// Everything.
    All,
    /// AnalysisRuns only.
    Analyses,
    /// It compares what it would do with what another one does.
    Shadow(Shadow),
}

impl Duty {
    pub(crate) fn of(args: &Args, shadow: Option<Shadow>) -> Self {
        match shadow {
            Some(shadow) => Self::Shadow(shadow),
            None if args.controllers.contains(&Part::Analysis) => Self::Analyses,
            None => Self::All,
        }
    }
}

/// Takes keys from the queue and looks at their objects.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) queue: Arc<Queue>,
    pub(crate) rollouts: Rollouts,
    pub(crate) runs: AnalysisRuns,
    pub(crate) applier: Applier,
    pub(crate) claim: Claim,
    pub(crate) duty: Duty,
}

impl Work {
    pub(crate) async fn run(self) {
        loop {
            self.claim.held().await;
            let key = self.queue.next().await;
            // A defect in one object's handling must not stop the others.
            let outcome = AssertUnwindSafe(self.look(&key)).catch_unwind().await.unwrap_or_else(|_| {
                tracing::error!(?key, "a look at this object panicked; it is tried again");
                Outcome::Retry
            });
            self.queue.done(key, outcome);
        }
    }

    async fn look(&self, key: &Key) -> Outcome {
        match (&key.kind, &self.duty) {
            (Kind::Rollout, Duty::All) => {
                let outcome = self.rollouts.look(key, self.queue.told(key)).await;
                self.begin_runs(key);
                outcome
            }
            (Kind::AnalysisRun, Duty::All | Duty::Analyses) => self.look_at_run(key).await,
            (Kind::Route, Duty::All) => {
                routes::look(&self.applier, key, self.rollouts.settings.gives_back).await
            }
            (Kind::Service, Duty::All) => services::look(&self.applier, &self.queue, key).await,
            (Kind::Rollout, Duty::Shadow(shadow)) => shadow.look(&self.rollouts, key).await,
            (Kind::Service, Duty::Shadow(_)) => {
                services::wake(&self.applier.caches, &self.queue, key);
                Outcome::Done
            }
            (Kind::Rollout, Duty::Analyses) => {
                self.begin_runs(key);
                Outcome::Done
            }
            (Kind::AnalysisRun, Duty::Shadow(_))
            | (Kind::Service, Duty::Analyses)
            | (Kind::Route, Duty::Shadow(_) | Duty::Analyses) => Outcome::Done,
        }
    }

    /// Wakes the runs that the Rollout names and that have not begun.
    fn begin_runs(&self, key: &Key) {
        let caches = &self.applier.caches;
        let rollout = caches.rollouts.get(&key.namespace, &key.name);
        let status = rollout.as_ref().and_then(|rollout| rollout.status.as_ref());
        for named in status.into_iter().flat_map(RolloutStatus::analysis_runs) {
            let run = caches.runs.get(&key.namespace, &named.name);
            if run.is_some_and(|run| run.status.is_none()) {
                let (namespace, name) = (key.namespace.clone(), named.name.clone());
                self.queue.add(Key { namespace, kind: Kind::AnalysisRun, name });
            }
        }
    }

    /// What a run has come to is its Rollout's business, too, also when no watch tells of it.
    async fn look_at_run(&self, key: &Key) -> Outcome {
        let runs = &self.applier.caches.runs;
        let before = runs.get(&key.namespace, &key.name).and_then(|run| run.resource_version());
        let outcome = self.runs.look(key).await;
        let after = runs.get(&key.namespace, &key.name);
        if let Some(after) =
            after.filter(|after| after.resource_version() != before && !defect!(VerdictWakesNobody))
        {
            watches::enqueue_owner(&after.metadata, &|namespace, name| {
                self.queue.add_at(Key { namespace, kind: Kind::Rollout, name }, Instant::now() + UNTOLD);
            });
        }
        outcome
    }
}
