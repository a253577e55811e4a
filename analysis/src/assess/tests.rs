#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use serde_json::json;

fn spec(json: serde_json::Value) -> AnalysisRunSpec {
    serde_json::from_value(json).unwrap()
}

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(1_700_000_000 + seconds).unwrap()
}

fn look(spec: &AnalysisRunSpec, status: &AnalysisRunStatus, seconds: i64) -> Assessment {
    let secrets = Secrets::default();
    assess(RunView { spec, status, secrets: &secrets }, at(seconds))
}

fn answer(task: &Task, phase: AnalysisPhase, seconds: i64) -> Answer {
    let finished_at = phase.is_completed().then(|| at(seconds));
    let measurement =
        Measurement { phase, started_at: Some(at(seconds)), finished_at, ..Measurement::default() };
    Answer::new(task, measurement, Metadata::new())
}

fn web(name: &str, fields: &serde_json::Value) -> serde_json::Value {
    let mut metric = json!({"name": name, "provider": {"web": {"url": "http://x"}}});
    metric.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    metric
}

#[test]
fn one_measurement_makes_a_run() {
    let spec = spec(json!({"metrics": [web("m", &json!({}))]}));
    let first = look(&spec, &AnalysisRunStatus::default(), 0);
    assert_eq!(first.status.phase, AnalysisPhase::Running);
    assert_eq!(first.status.started_at, Some(at(0)));
    assert_eq!(first.tasks.len(), 1);
    assert_eq!((first.tasks[0].attempt, &first.tasks[0].kind), (1, &TaskKind::Measure));
    let answers = vec![answer(&first.tasks[0], AnalysisPhase::Successful, 1)];
    let second = look(&spec, &record(first.status, answers, at(1)), 1);
    assert_eq!(second.status.phase, AnalysisPhase::Successful);
    assert_eq!(second.status.completed_at, Some(at(1)));
    assert_eq!(second.wake, None);
    let reasons: Vec<_> = second.notices.iter().map(|notice| notice.reason.as_str()).collect();
    assert_eq!(reasons, ["MetricSuccessful", "AnalysisRunSuccessful"]);
    let third = look(&spec, &second.status, 2);
    assert_eq!(third, Assessment { status: second.status, ..Assessment::default() });
}

#[test]
fn a_delay_and_an_interval_are_waited_for() {
    let spec =
        spec(json!({"metrics": [web("m", &json!({"initialDelay": "10s", "interval": "1m", "count": 2}))]}));
    let first = look(&spec, &AnalysisRunStatus::default(), 0);
    assert_eq!((first.tasks.len(), first.wake), (0, Some(at(10))));
    let second = look(&spec, &first.status, 10);
    let status = record(second.status, vec![answer(&second.tasks[0], AnalysisPhase::Successful, 11)], at(11));
    let third = look(&spec, &status, 11);
    assert_eq!((third.tasks.len(), third.wake), (0, Some(at(71))));
    assert_eq!(look(&spec, &third.status, 71).tasks.len(), 1);
}

#[test]
fn an_error_is_retried_after_ten_seconds_and_does_not_count() {
    let spec = spec(json!({"metrics": [web("m", &json!({"interval": "1h", "count": 1}))]}));
    let first = look(&spec, &AnalysisRunStatus::default(), 0);
    let status = record(first.status, vec![answer(&first.tasks[0], AnalysisPhase::Error, 0)], at(0));
    let second = look(&spec, &status, 0);
    assert_eq!(second.wake, Some(at(10)));
    let result = &second.status.metric_results.as_ref().unwrap()[0];
    assert_eq!((result.count, result.error, result.consecutive_error), (0, 1, 1));
    let third = look(&spec, &second.status, 10);
    assert_eq!(third.tasks[0].attempt, 2);
}

#[test]
fn a_failed_metric_ends_the_others() {
    let spec = spec(
        json!({"metrics": [web("bad", &json!({})), web("slow", &json!({})), web("later", &json!({"initialDelay": "1h"}))]}),
    );
    let first = look(&spec, &AnalysisRunStatus::default(), 0);
    assert_eq!(first.tasks.len(), 2);
    let answers = vec![
        answer(&first.tasks[0], AnalysisPhase::Failed, 1),
        answer(&first.tasks[1], AnalysisPhase::Running, 1),
    ];
    let second = look(&spec, &record(first.status, answers, at(1)), 1);
    assert_eq!(second.status.phase, AnalysisPhase::Running);
    assert!(matches!(&second.tasks[..], [Task { kind: TaskKind::Terminate(_), .. }]));
    let answers = vec![answer(&second.tasks[0], AnalysisPhase::Successful, 2)];
    let third = look(&spec, &record(second.status, answers, at(2)), 2);
    assert_eq!(third.status.phase, AnalysisPhase::Failed);
    assert_eq!(third.status.message, "Metric \"bad\" assessed Failed due to failed (1) > failureLimit (0)");
}

#[test]
fn a_measurement_under_way_is_resumed_when_it_is_time() {
    let spec = spec(json!({"metrics": [web("m", &json!({}))]}));
    let first = look(&spec, &AnalysisRunStatus::default(), 0);
    let mut pending = answer(&first.tasks[0], AnalysisPhase::Running, 0);
    pending.measurement.resume_at = Some(at(5));
    let second = look(&spec, &record(first.status, vec![pending], at(0)), 1);
    assert_eq!((second.tasks.len(), second.wake), (0, Some(at(5))));
    let third = look(&spec, &second.status, 5);
    assert!(matches!(&third.tasks[..], [Task { kind: TaskKind::Resume(_), attempt: 1, .. }]));
    let done = record(third.status, vec![answer(&third.tasks[0], AnalysisPhase::Successful, 5)], at(5));
    assert_eq!(done.metric_results.unwrap()[0].measurements.as_ref().unwrap().len(), 1);
}

#[test]
fn old_measurements_are_handed_back_and_a_dead_run_is_deleted() {
    let spec = spec(json!({"metrics": [web("m", &json!({"interval": "1s", "count": 3}))],
        "measurementRetention": [{"metricName": "m", "limit": 1}], "ttlStrategy": {"secondsAfterSuccess": 5}}));
    let mut status = AnalysisRunStatus::default();
    let mut dropped = 0;
    for second in 0..3 {
        let due = look(&spec, &status, second);
        status =
            record(due.status, vec![answer(&due.tasks[0], AnalysisPhase::Successful, second)], at(second));
        let after = look(&spec, &status, second);
        dropped += after.garbage.len();
        status = after.status;
    }
    assert_eq!((status.phase, dropped), (AnalysisPhase::Successful, 2));
    let alive = look(&spec, &status, 6);
    assert_eq!((alive.delete, alive.wake), (false, Some(at(7))));
    assert!(look(&spec, &status, 7).delete);
}

#[test]
fn a_terminated_run_without_measurements_is_successful() {
    let spec = spec(json!({"metrics": [web("m", &json!({}))], "terminate": true}));
    let only = look(&spec, &AnalysisRunStatus::default(), 0);
    assert_eq!(only.tasks, []);
    assert_eq!(
        (only.status.phase, only.status.message.as_str()),
        (AnalysisPhase::Successful, "Run Terminated")
    );
    assert_eq!(only.status.run_summary.count, 1);
}

#[test]
fn what_is_wrong_with_the_spec_ends_the_run() {
    let spec = spec(json!({"metrics": []}));
    let only = look(&spec, &AnalysisRunStatus::default(), 0);
    assert_eq!(only.status.message, "Analysis spec invalid: no metrics specified");
    assert_eq!((only.status.phase, only.status.completed_at), (AnalysisPhase::Error, None));
}
