//! The Job controller, for Jobs without indexes: pods until enough have succeeded, or until it gives up.
//!
//! Not modelled: completion indexes, pod failure policies, success policies and `podReplacementPolicy: Failed`.

mod outcome;
#[cfg(test)]
mod tests;

use super::condition::{Condition, Truth, find, set};
use super::pod::{Owner, PodPhase, PodView, job_surplus_order};
use crds::Time;
use std::time::Duration;

/// Wait after a failed pod before the next is made; it doubles with each further failure.
pub const BACK_OFF_FIRST: Duration = Duration::from_secs(10);
/// Longest such wait.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(600);
/// Most pods that one step creates or deletes.
pub const BURST_MAX: usize = 500;
/// Finalizer that keeps a pod until it has been counted.
pub const TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";

/// Types of a Job's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobConditionKind {
    /// `spec.suspend`.
    Suspended,
    /// Enough pods have succeeded; some may still be ending.
    SuccessCriteriaMet,
    /// It has failed; some pods may still be ending.
    FailureTarget,
    /// All is over, well.
    Complete,
    /// All is over, badly.
    Failed,
}

impl JobConditionKind {
    /// As it is written in a status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspended => "Suspended",
            Self::SuccessCriteriaMet => "SuccessCriteriaMet",
            Self::FailureTarget => "FailureTarget",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }
}

/// A condition of a Job.
pub type JobCondition = Condition<JobConditionKind>;

/// A Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// `spec.parallelism`.
    pub parallelism: i32,
    /// `spec.completions`; without it one success is enough.
    pub completions: Option<i32>,
    /// `spec.backoffLimit`.
    pub backoff_limit: i32,
    /// `spec.activeDeadlineSeconds`.
    pub active_deadline_seconds: Option<i64>,
    /// `spec.ttlSecondsAfterFinished`.
    pub ttl_seconds: Option<i32>,
    /// `spec.suspend`.
    pub suspend: bool,
    /// The restart policy of its pods is `OnFailure`: restarts count towards the back-off limit.
    pub restarts_count: bool,
    /// It has a deletion timestamp.
    pub deleting: bool,
    /// Its status.
    pub status: JobStatus,
    /// Failures one after the other, as the last step returned them; empty after a restart of the controller.
    pub failures: Failures,
}

impl Default for JobView {
    /// A Job with the defaults of the API server.
    fn default() -> Self {
        Self {
            parallelism: 1,
            completions: Some(1),
            backoff_limit: 6,
            active_deadline_seconds: None,
            ttl_seconds: None,
            suspend: false,
            restarts_count: false,
            deleting: false,
            status: JobStatus::default(),
            failures: Failures::default(),
        }
    }
}

/// `status` of a Job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobStatus {
    /// `startTime`.
    pub started: Option<Time>,
    /// `completionTime`.
    pub completed: Option<Time>,
    /// Pods that are neither over nor being deleted.
    pub active: i32,
    /// Those of them that are ready.
    pub ready: i32,
    /// Pods that are being deleted and not over.
    pub terminating: i32,
    /// Pods that have succeeded.
    pub succeeded: i32,
    /// Pods that have failed.
    pub failed: i32,
    /// Conditions.
    pub conditions: Vec<JobCondition>,
}

impl JobStatus {
    /// The condition that says that it is over, when it is.
    #[must_use]
    pub fn end(&self) -> Option<&JobCondition> {
        let kinds = [JobConditionKind::Complete, JobConditionKind::Failed];
        kinds.into_iter().find_map(|kind| find(&self.conditions, kind).filter(|end| end.truth == Truth::True))
    }
}

/// Failures since the last success: the controller keeps them in memory only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// When the last pod failed.
    pub last: Option<Time>,
}

/// A pod of a Job.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobPod<'a> {
    /// What every pod has.
    pub pod: PodView<'a>,
    /// It has [`TRACKING_FINALIZER`] and so has not been counted.
    pub tracked: bool,
    /// When its last container ended, or else when it stopped being ready.
    pub finished: Option<Time>,
}

impl JobPod<'_> {
    /// It counts as failed: it has failed, or it is being deleted before it has succeeded.
    fn has_failed(&self) -> bool {
        self.pod.phase == PodPhase::Failed || (self.pod.deleting && self.pod.phase != PodPhase::Succeeded)
    }

    fn end(&self) -> Time {
        self.finished.unwrap_or(self.pod.created)
    }
}

/// What the controller does now. Indexes point into the pods that were passed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobStep {
    /// How many pods to create, with the tracking finalizer.
    pub create: usize,
    /// Pods to delete, in this order.
    pub delete: Vec<usize>,
    /// Pods that are counted now: the status first, then take the tracking finalizer away.
    pub untrack: Vec<usize>,
    /// The status to write.
    pub status: JobStatus,
    /// To be passed in again with the next step.
    pub failures: Failures,
    /// Its time to live after the end is over: delete the Job, its pods in the background.
    pub expired: bool,
    /// When time alone brings something.
    pub wake: Option<Time>,
}

/// What the controller does at `now` about the pods that the Job controls; others are ignored.
#[must_use]
pub fn step(job: &JobView, pods: &[JobPod<'_>], now: Time) -> JobStep {
    let mut step = JobStep { status: job.status.clone(), failures: job.failures, ..JobStep::default() };
    if let Some(end) = job.status.end() {
        let expiry = job.ttl_seconds.map(|seconds| end.changed.plus_seconds(i64::from(seconds)));
        step.expired = expiry.is_some_and(|expiry| expiry <= now);
        step.wake = expiry.filter(|expiry| *expiry > now);
        step.untrack = own(pods).filter(|(_, pod)| pod.tracked).map(|(index, _)| index).collect();
        return step;
    }
    if step.status.started.is_none() && !job.suspend {
        step.status.started = Some(now);
    }
    count_finished(&mut step, pods);
    let active: Vec<usize> =
        own(pods).filter(|(_, pod)| pod.pod.is_active()).map(|(index, _)| index).collect();
    let ending = own(pods).filter(|(_, pod)| pod.pod.deleting && !pod.pod.phase.is_over()).count();
    outcome::pursue(&mut step, job, pods, &active, now);
    let goes = |index: &usize| step.delete.contains(index);
    let ready = |index: &&usize| pods.get(**index).is_some_and(|pod| pod.pod.ready_since.is_some());
    let stays: Vec<&usize> = active.iter().filter(|index| !goes(index)).collect();
    step.status.ready = number(stays.iter().filter(|index| ready(index)).count());
    step.status.active = number(stays.len().saturating_add(step.create));
    step.status.terminating = number(ending.saturating_add(step.delete.len()));
    outcome::conclude(&mut step, now);
    step
}

fn own<'a, 'b: 'a>(pods: &'a [JobPod<'b>]) -> impl Iterator<Item = (usize, &'a JobPod<'b>)> {
    pods.iter().enumerate().filter(|(_, pod)| pod.pod.owner == Owner::Us)
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Counts pods that are over, once, and keeps the failures since the last success.
fn count_finished(step: &mut JobStep, pods: &[JobPod<'_>]) {
    let (mut failed, mut succeeded): (Vec<Time>, Vec<Time>) = (Vec::new(), Vec::new());
    for (index, pod) in own(pods).filter(|(_, pod)| pod.tracked) {
        if pod.pod.phase == PodPhase::Succeeded {
            succeeded.push(pod.end());
        } else if pod.has_failed() {
            failed.push(pod.end());
        } else {
            continue;
        }
        step.untrack.push(index);
    }
    step.status.succeeded = step.status.succeeded.saturating_add(number(succeeded.len()));
    step.status.failed = step.status.failed.saturating_add(number(failed.len()));
    if let Some(success) = succeeded.into_iter().max() {
        step.failures = Failures::default();
        failed.retain(|time| *time > success);
    }
    step.failures.count = step.failures.count.saturating_add(u32::try_from(failed.len()).unwrap_or(u32::MAX));
    step.failures.last = failed.into_iter().max().or(step.failures.last);
}

impl Failures {
    /// Until when no new pod is made: 10 s after the first failure, 20 s after the second, at most 10 min.
    #[must_use]
    pub fn wait_until(self) -> Option<Time> {
        let doubled = 1_u32.checked_shl(self.count.checked_sub(1)?).unwrap_or(u32::MAX);
        Some(self.last?.plus(BACK_OFF_FIRST.saturating_mul(doubled).min(BACK_OFF_MAX)))
    }
}
