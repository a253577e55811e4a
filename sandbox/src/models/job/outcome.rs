//! How many pods a Job is to have, and how it ends.

use super::{
    BURST_MAX, JobConditionKind, JobPod, JobStep, JobView, Truth, find, job_surplus_order, own, set,
};
use super::{Condition, PodPhase};
use crds::Time;

/// Decides between failing, succeeding, suspending and going on, and about pods.
pub(super) fn pursue(step: &mut JobStep, job: &JobView, pods: &[JobPod<'_>], active: &[usize], now: Time) {
    let decided = [JobConditionKind::SuccessCriteriaMet, JobConditionKind::FailureTarget];
    if decided.into_iter().any(|kind| find(&step.status.conditions, kind).is_some()) {
        step.delete = active.to_vec();
        return;
    }
    if let Some((reason, message)) = failure(step, job, pods, now) {
        let condition = Condition::new(JobConditionKind::FailureTarget, Truth::True, reason, message, now);
        set(&mut step.status.conditions, condition);
        step.delete = active.to_vec();
        return;
    }
    if !job.deleting {
        manage(step, job, pods, active, now);
    }
    let left = active.len().saturating_sub(step.delete.len()).saturating_add(step.create);
    let enough = job.completions.map_or(step.status.succeeded > 0, |count| step.status.succeeded >= count);
    if enough && left == 0 {
        let (kind, reason) = (JobConditionKind::SuccessCriteriaMet, "CompletionsReached");
        let message = "Reached expected number of succeeded pods";
        set(&mut step.status.conditions, Condition::new(kind, Truth::True, reason, message, now));
    } else if !job.deleting {
        suspend(step, job, now);
    }
}

/// Reason and message when it has to give up.
fn failure(
    step: &mut JobStep,
    job: &JobView,
    pods: &[JobPod<'_>],
    now: Time,
) -> Option<(&'static str, &'static str)> {
    let live = |phase: PodPhase| matches!(phase, PodPhase::Pending | PodPhase::Running);
    let restarts = || {
        let live = own(pods).filter(|(_, pod)| live(pod.pod.phase));
        live.fold(0_u32, |sum, (_, pod)| sum.saturating_add(pod.pod.restarts))
    };
    let limit = u32::try_from(job.backoff_limit).unwrap_or(0);
    let too_many_restarts = job.restarts_count && restarts() >= limit.max(1);
    if step.status.failed > job.backoff_limit || too_many_restarts {
        return Some(("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
    }
    let (seconds, false) = (job.active_deadline_seconds?, job.suspend) else { return None };
    let deadline = step.status.started?.plus_seconds(seconds);
    if deadline <= now {
        return Some(("DeadlineExceeded", "Job was active longer than specified deadline"));
    }
    step.wake = Some(deadline);
    None
}

/// Makes and deletes pods: never both in one step.
fn manage(step: &mut JobStep, job: &JobView, pods: &[JobPod<'_>], active: &[usize], now: Time) {
    let parallelism = usize::try_from(job.parallelism).unwrap_or(0);
    let wanted = match job.completions {
        _ if job.suspend => 0,
        Some(count) => {
            let missing = count.saturating_sub(step.status.succeeded);
            usize::try_from(missing).unwrap_or(0).min(parallelism)
        }
        None if step.status.succeeded > 0 => active.len(),
        None => parallelism,
    };
    if active.len() > wanted {
        let mut order = active.to_vec();
        order.sort_by(|a, b| match (pods.get(*a), pods.get(*b)) {
            (Some(a), Some(b)) => job_surplus_order(&a.pod, &b.pod),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        order.truncate(active.len().saturating_sub(wanted).min(BURST_MAX));
        step.delete = order;
    } else if active.len() < wanted {
        match step.failures.wait_until().filter(|until| *until > now) {
            Some(until) => step.wake = Some(step.wake.map_or(until, |wake| wake.min(until))),
            None => step.create = wanted.saturating_sub(active.len()).min(BURST_MAX),
        }
    }
}

/// Tells that it is suspended or goes on again; the deadline counts from when it goes on.
fn suspend(step: &mut JobStep, job: &JobView, now: Time) {
    let kind = JobConditionKind::Suspended;
    let was = find(&step.status.conditions, kind).map(|condition| condition.truth);
    let (truth, reason, message) = match (job.suspend, was) {
        (true, None | Some(Truth::False | Truth::Unknown)) => (Truth::True, "JobSuspended", "Job suspended"),
        (false, Some(Truth::True)) => {
            step.status.started = Some(now);
            (Truth::False, "JobResumed", "Job resumed")
        }
        _ => return,
    };
    set(&mut step.status.conditions, Condition::new(kind, truth, reason, message, now));
}

/// Writes the end once no pod is left that is still ending.
pub(super) fn conclude(step: &mut JobStep, now: Time) {
    let status = &mut step.status;
    if status.terminating > 0 || status.active > 0 {
        return;
    }
    let pairs = [
        (JobConditionKind::FailureTarget, JobConditionKind::Failed),
        (JobConditionKind::SuccessCriteriaMet, JobConditionKind::Complete),
    ];
    for (interim, end) in pairs {
        let Some(found) = find(&status.conditions, interim).cloned() else { continue };
        let condition = Condition::new(end, Truth::True, &found.reason, found.message, now);
        set(&mut status.conditions, condition);
        if end == JobConditionKind::Complete {
            status.completed = Some(now);
        }
    }
}
