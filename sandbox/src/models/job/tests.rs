#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(1_900_000_000 + seconds).unwrap()
}

/// A Job and its pods, carried on from step to step.
struct Run {
    job: JobView,
    pods: Vec<JobPod<'static>>,
}

impl Run {
    fn new(job: JobView) -> Self {
        Self { job, pods: Vec::new() }
    }

    /// One step, carried out: deleted pods end within the step when `end` says so.
    fn step(&mut self, seconds: i64) -> JobStep {
        let step = step(&self.job, &self.pods, at(seconds));
        (self.job.status, self.job.failures) = (step.status.clone(), step.failures);
        step.untrack.iter().for_each(|index| self.pods[*index].tracked = false);
        step.delete.iter().for_each(|index| self.pods[*index].pod.deleting = true);
        for _ in 0..step.create {
            let pod = PodView { owner: Owner::Us, created: at(seconds), ..PodView::default() };
            self.pods.push(JobPod { pod, tracked: true, finished: None });
        }
        step
    }

    fn finish(&mut self, index: usize, phase: PodPhase, seconds: i64) {
        (self.pods[index].pod.phase, self.pods[index].finished) = (phase, Some(at(seconds)));
    }

    fn conditions(&self) -> Vec<(&str, &str)> {
        let conditions = &self.job.status.conditions;
        conditions.iter().map(|condition| (condition.kind.as_str(), condition.reason.as_str())).collect()
    }
}

#[test]
fn it_runs_until_enough_have_succeeded() {
    let mut run = Run::new(JobView { parallelism: 2, completions: Some(3), ..JobView::default() });
    assert_eq!(run.step(0).create, 2);
    run.finish(0, PodPhase::Succeeded, 5);
    assert_eq!((run.step(5).create, run.job.status.succeeded), (1, 1));
    run.finish(1, PodPhase::Succeeded, 6);
    assert_eq!((run.step(6).create, run.job.status.active), (0, 1));
    run.finish(2, PodPhase::Succeeded, 9);
    run.step(9);
    let reason = "CompletionsReached";
    assert_eq!(run.conditions(), [("SuccessCriteriaMet", reason), ("Complete", reason)]);
    assert_eq!((run.job.status.completed, run.job.status.succeeded), (Some(at(9)), 3));
    assert_eq!(run.pods.iter().filter(|pod| pod.tracked).count(), 0);
}

#[test]
fn failures_are_waited_out_and_counted() {
    let mut run = Run::new(JobView { backoff_limit: 2, ..JobView::default() });
    run.step(0);
    run.finish(0, PodPhase::Failed, 1);
    let waits = run.step(1);
    assert_eq!((waits.create, waits.wake), (0, Some(at(11))));
    assert_eq!(run.step(11).create, 1);
    run.finish(1, PodPhase::Failed, 12);
    assert_eq!(run.step(12).wake, Some(at(32)), "twice as long");
    run.step(32);
    run.finish(2, PodPhase::Failed, 33);
    run.step(33);
    let reason = "BackoffLimitExceeded";
    assert_eq!(run.conditions(), [("FailureTarget", reason), ("Failed", reason)]);
    assert_eq!((run.job.status.failed, run.job.status.completed), (3, None));
    let many = Failures { count: 20, last: Some(at(0)) };
    assert_eq!(many.wait_until(), Some(at(600)));
}

#[test]
fn it_is_over_only_when_its_pods_have_ended() {
    let mut run = Run::new(JobView { active_deadline_seconds: Some(30), ..JobView::default() });
    assert_eq!(run.step(0).wake, Some(at(30)));
    assert_eq!(run.step(29).delete, [0; 0]);
    assert_eq!(run.step(30).delete, [0]);
    assert_eq!(run.conditions(), [("FailureTarget", "DeadlineExceeded")]);
    assert_eq!((run.job.status.active, run.job.status.terminating), (0, 1));
    assert_eq!(run.step(35).untrack, [0], "a pod that is deleted has failed");
    run.finish(0, PodPhase::Failed, 40);
    run.step(40);
    let reason = "DeadlineExceeded";
    assert_eq!(run.conditions(), [("FailureTarget", reason), ("Failed", reason)]);
    assert_eq!(run.job.status.failed, 1);
}

#[test]
fn restarts_count_where_containers_restart() {
    let mut run = Run::new(JobView { restarts_count: true, backoff_limit: 3, ..JobView::default() });
    run.step(0);
    run.pods[0].pod.restarts = 2;
    run.step(50);
    assert_eq!(run.conditions(), []);
    run.pods[0].pod.restarts = 3;
    run.step(90);
    assert_eq!(run.conditions(), [("FailureTarget", "BackoffLimitExceeded")]);
}

#[test]
fn a_suspended_job_has_no_pods_and_no_deadline() {
    let job = JobView { suspend: true, active_deadline_seconds: Some(10), ..JobView::default() };
    let mut run = Run::new(job);
    assert_eq!((run.step(0).create, run.job.status.started), (0, None));
    run.job.suspend = false;
    run.step(100);
    assert_eq!((run.job.status.started, run.pods.len()), (Some(at(100)), 1));
    assert_eq!(run.conditions(), [("Suspended", "JobResumed")]);
    run.job.suspend = true;
    assert_eq!(run.step(105).delete, [0]);
    assert_eq!(run.conditions(), [("Suspended", "JobSuspended")]);
}

#[test]
fn without_completions_the_first_success_counts_and_the_rest_may_end() {
    let mut run = Run::new(JobView { parallelism: 3, completions: None, ..JobView::default() });
    assert_eq!(run.step(0).create, 3);
    run.finish(1, PodPhase::Succeeded, 4);
    assert_eq!(run.step(4).create, 0);
    run.finish(0, PodPhase::Failed, 5);
    assert_eq!((run.step(5).create, run.conditions().len()), (0, 0));
    run.finish(2, PodPhase::Succeeded, 6);
    run.step(6);
    assert_eq!(run.conditions().last(), Some(&("Complete", "CompletionsReached")));
}

#[test]
fn an_old_end_expires() {
    let mut run = Run::new(JobView { ttl_seconds: Some(60), ..JobView::default() });
    run.step(0);
    run.finish(0, PodPhase::Succeeded, 5);
    run.step(5);
    let kept = run.step(10);
    assert_eq!((kept.expired, kept.wake), (false, Some(at(65))));
    assert!(run.step(65).expired);
}
