//! The controller's turns: it is told something, it plans, it writes, it records.

use super::controller::Work;
use super::invariants::{self, Basis, Fault};
use super::people;
use super::turns::{Simulation, Step};
use super::view::{self, Kind};
use crds::rollout::RolloutStatus;
use planner::Write;

impl Simulation {
    /// A watch tells what it has, one change or several.
    pub(super) fn deliver(&mut self, kind: Kind) {
        let waiting = self.cluster.watches.waiting(kind);
        let count = if self.rng.bool() { waiting } else { self.rng.usize(1..=waiting.max(1)) };
        for _ in 0..count {
            let Some(event) = self.cluster.watches.next(kind) else { break };
            view::learn(&mut self.controller.seen, event);
        }
        self.controller.dirty = true;
        self.tell(|_| format!("watch  {kind:?}: {count} of {waiting} changes are seen"));
    }

    /// The controller plans, or carries on with its plan by one write.
    pub(super) fn control(&mut self) -> Step {
        let Some(mut work) = self.controller.work.take() else { return self.plan() };
        if self.chance(self.knobs.crash) {
            self.reach("the controller dies in a plan");
            self.tell(|_| format!("crash  {} of {} writes are done", work.done, work.plan.writes.len()));
            self.controller.restart(&mut self.cluster);
            return Ok(());
        }
        if work.done == work.plan.parts().0.len() && work.plan.status.is_some() {
            return self.record(work);
        }
        match work.plan.writes.get(work.done).map(|planned| planned.write.clone()) {
            Some(write) => {
                if let Err(refused) = self.cluster.admits(&write, &work.versions) {
                    self.reach("a write is refused");
                    self.tell(|_| format!("refuse {refused:?}: {write:?}"));
                    self.controller.stumble(&self.cluster, &write, refused);
                    return Ok(());
                }
                let fault = invariants::write(&self.cluster, &work.basis, self.losses, &write);
                self.tell(|_| {
                    let reason = work.plan.writes.get(work.done).map_or("", |planned| &planned.reason);
                    format!("write  {write:?}\n        because {reason}")
                });
                self.check(fault)?;
                let end = self.verdict(&write);
                self.cluster.decided = work.basis.at;
                self.cluster.apply(&write, &mut work.versions, end);
                self.summary.writes = self.summary.writes.saturating_add(1);
                work.done = work.done.saturating_add(1);
                if self.chance(self.knobs.lost_answers) {
                    self.reach("the answer to a write is lost");
                    self.tell(|_| "lost   the answer".to_owned());
                    self.controller.dirty = true;
                    return Ok(());
                }
                if self.knobs.overlay {
                    self.controller.hear(&self.cluster, &write);
                }
                self.controller.work = Some(work);
                if matches!(write, Write::SelectService { .. }) && self.chance(self.knobs.keen) {
                    people::meddle(self);
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn plan(&mut self) -> Step {
        let now = self.cluster.now;
        self.controller.fetch_pods(&self.cluster);
        self.controller.forget_refusals(now);
        let plan = planner::plan(&self.controller.seen, now);
        self.summary.plans = self.summary.plans.saturating_add(1);
        let broken = planner::check::check(&self.controller.seen, &plan, now).into_iter().next();
        self.controller.dirty = false;
        self.controller.wake =
            plan.wake.as_ref().map(|wake| wake.at).into_iter().chain(self.controller.refused_until()).min();
        self.tell(|_| {
            let trail = plan.trail.join("; ");
            let wake = plan.wake.as_ref().map(|wake| format!("{} {}", wake.at, wake.why));
            format!("plan   {} writes, wake {wake:?}: {trail}", plan.writes.len())
        });
        if let Some(fault) = broken {
            self.tell(|run| format!("{plan:#?}\n{:#?}", run.controller.seen.replica_sets));
            return Err(self.violation(Fault { invariant: fault.rule, what: fault.what }));
        }
        let same = plan.status == self.controller.seen.rollout.status;
        if plan.writes.is_empty() && (same || plan.status.is_none()) {
            return Ok(());
        }
        let basis = Basis::new(&self.controller.seen, &self.cluster, self.losses);
        let versions = [(String::new(), basis.rollout_version.clone())].into();
        self.controller.work = Some(Work { plan, done: 0, versions, basis });
        Ok(())
    }

    /// The status of a plan, which is its end where no writes follow.
    fn record(&mut self, mut work: Work) -> Step {
        let Some(mut status) = work.plan.status.take() else { return Ok(()) };
        if self.cluster.admits_rollout(&work.versions).is_err() {
            self.reach("a status is refused");
            self.tell(|_| "refuse the status".to_owned());
            self.controller.dirty = true;
            return Ok(());
        }
        if self.cluster.rollout.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let follows = work.plan.following > 0;
        if self.options.wire {
            let text = serde_json::to_string(&status).unwrap_or_default();
            status = serde_json::from_str(&text).unwrap_or_default();
        }
        self.tell(|_| format!("status {}", brief(&status)));
        let fault = invariants::status(&self.cluster, &work.basis, self.losses, &status);
        self.check(fault)?;
        self.cluster.decided = work.basis.at;
        self.cluster.record(&status, &mut work.versions);
        self.summary.writes = self.summary.writes.saturating_add(1);
        let is_lost = self.chance(self.knobs.lost_answers);
        if is_lost {
            self.controller.dirty = true;
        } else if self.knobs.overlay {
            let event = view::Event::Rollout(self.cluster.rollout.clone());
            view::learn(&mut self.controller.seen, event);
            self.controller.dirty = true;
        }
        if follows && !is_lost {
            self.reach("writes follow a status");
            self.controller.work = Some(work);
        }
        if self.chance(self.knobs.keen) {
            people::meddle(self);
        }
        Ok(())
    }
}

/// A status in one line.
fn brief(status: &RolloutStatus) -> String {
    let pauses: Vec<_> =
        status.pause_conditions.iter().flatten().map(|pause| pause.reason.as_str()).collect();
    let runs: Vec<_> = status.analysis_runs().map(|run| format!("{} {}", run.name, run.status)).collect();
    let flags = [
        (status.abort, " abort"),
        (status.promote_full, " promoteFull"),
        (status.controller_pause, " controllerPause"),
    ];
    let flags: String = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
    format!(
        "{} ({}): stable {}, current {}, step {:?}, {} available, generation {}{flags} {pauses:?} {runs:?}",
        status.phase,
        status.message,
        status.stable_rs,
        status.current_pod_hash,
        status.current_step_index,
        status.available_replicas,
        status.observed_generation
    )
}
