#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crds::analysis::Metric;

fn metric(name: &str) -> Metric {
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
    let job = json!({"metadata": {"labels": {"team": "a"}}, "spec": {"template": {"spec": pod}}});
    serde_json::from_value(json!({"name": name, "provider": {"job": job}})).unwrap()
}

fn context(metric: &Metric) -> MetricContext<'_> {
    let now = Time::parse("2026-01-01T00:00:00Z").unwrap();
    MetricContext {
        run_name: "run",
        run_namespace: "ns",
        run_uid: "0f6a7d67-b8fe-4e08-b43d-8790254623b0",
        metric,
        attempt: 2,
        run_started_at: Some(now),
        now,
    }
}

fn measurement(seconds_ago: i64) -> Measurement {
    let started = Time::parse("2026-01-01T00:00:00Z").unwrap().plus_seconds(-seconds_ago);
    Measurement { started_at: Some(started), ..Measurement::default() }
}

#[test]
fn a_job_is_named_labelled_and_owned() {
    let metric = metric("check");
    let made = manifest(context(&metric), &Settings::default()).unwrap();
    let uid = "0f6a7d67-b8fe-4e08-b43d-8790254623b0";
    assert_eq!(made["metadata"]["name"], format!("{uid}.check.2"));
    assert_eq!(made["metadata"]["labels"], json!({"team": "a", "analysisrun.argoproj.io/uid": uid}));
    assert_eq!(made["spec"]["template"]["metadata"]["labels"], json!({"analysisrun.argoproj.io/uid": uid}));
    assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], uid);
    assert_eq!(made["metadata"]["namespace"], "ns");
}

#[test]
fn a_long_name_is_cut_to_what_a_label_holds() {
    let metric = metric(&"m".repeat(100));
    let name = name(context(&metric));
    assert_eq!(name.len(), NAME_MAX);
    assert!(name.ends_with("m.2"), "{name}");
}

#[test]
fn a_job_elsewhere_has_no_owner() {
    let metric = metric("check");
    let there = Settings { job_namespace: Some("jobs".to_owned()), ..Settings::default() };
    let made = manifest(context(&metric), &there).unwrap();
    assert_eq!(
        (&made["metadata"]["namespace"], &made["metadata"]["ownerReferences"]),
        (&json!("jobs"), &json!([]))
    );
    let Reading::Pending { metadata, .. } = started(context(&metric), &there) else { panic!("not pending") };
    assert_eq!(metadata[JOB_NAMESPACE], "jobs");
    let other = Settings { jobs_elsewhere: true, ..Settings::default() };
    assert_eq!(manifest(context(&metric), &other).unwrap()["metadata"]["ownerReferences"], json!([]));
}

#[test]
fn only_complete_and_failed_are_ends() {
    let job =
        |kind: &str, status: &str| json!({"status": {"conditions": [{"type": kind, "status": status}]}});
    assert_eq!(ended(&job("Complete", "True")), Some(AnalysisPhase::Successful));
    assert_eq!(ended(&job("Failed", "True")), Some(AnalysisPhase::Failed));
    for running in [job("Failed", "False"), job("Suspended", "True"), job("FailureTarget", "True"), json!({})]
    {
        assert_eq!(ended(&running), None, "{running}");
    }
}

#[test]
fn an_image_that_cannot_be_had_ends_the_wait() {
    let now = Time::parse("2026-01-01T00:00:00Z").unwrap();
    let pod = |reason: &str| {
        json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [
            {"name": "c", "state": {"waiting": {"reason": reason, "message": "no such image"}}}]}})
    };
    let suspended = json!({"status": {"conditions": [{"type": "Suspended", "status": "False"}]}});
    let Reading::Decided { phase, message, .. } =
        interpret(&suspended, &[pod("ErrImagePull")], &measurement(1), now)
    else {
        panic!("not decided")
    };
    assert_eq!(phase, AnalysisPhase::Inconclusive);
    assert_eq!(message, "Pod p, container c has terminal error (ErrImagePull): no such image\n");
    for (ago, wait) in [(50, 10), (200, 20)] {
        let reading = interpret(&suspended, &[pod("ContainerCreating")], &measurement(ago), now);
        let Reading::Pending { resume_at, .. } = reading else { panic!("not pending") };
        assert_eq!(resume_at, now.plus_seconds(wait));
    }
}
