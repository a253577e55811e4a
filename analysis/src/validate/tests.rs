#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use serde_json::json;

fn metric(mut fields: serde_json::Value) -> Metric {
    let object = fields.as_object_mut().unwrap();
    object.entry("name").or_insert(json!("m"));
    object.entry("provider").or_insert(json!({"web": {"url": "http://x"}}));
    serde_json::from_value(fields).unwrap()
}

fn problem(fields: serde_json::Value) -> String {
    validate_metrics(&[metric(fields)]).map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let table = [
        (json!({}), ""),
        (json!({"count": 2}), "metrics[0]: interval must be specified when count > 1"),
        (
            json!({"count": 2, "interval": "abc"}),
            "metrics[0]: invalid interval string: time: invalid duration \"abc\"",
        ),
        (
            json!({"count": 2, "interval": "10"}),
            "metrics[0]: invalid interval string: time: missing unit in duration \"10\"",
        ),
        (
            json!({"failureLimit": -1}),
            "metrics[0]: failureLimit and consecutiveSuccessLimit cannot both be disabled",
        ),
        (
            json!({"count": 2, "interval": "1s", "failureLimit": 1, "consecutiveSuccessLimit": 2}),
            "metrics[0]: count (2) must be >= failureLimit + consecutiveSuccessLimit (1 + 2) if both >= 0",
        ),
        (json!({"provider": {}}), "metrics[0]: no provider specified"),
        (json!({"provider": {"plugin": {"a/b": {}, "c/d": {}}}}), "metrics[0]: multiple providers specified"),
        (json!({"count": "abc", "interval": "1s"}), ""),
    ];
    for (fields, expected) in table {
        assert_eq!(problem(fields.clone()), expected, "{fields}");
    }
    assert_eq!(validate_metrics(&[]).unwrap_err(), SpecError::NoMetrics);
}

#[test]
fn a_count_that_is_no_number_never_ends() {
    assert_eq!(effective_count(&metric(json!({}))), Some(1));
    assert_eq!(effective_count(&metric(json!({"interval": "1s"}))), None);
    assert_eq!(effective_count(&metric(json!({"interval": "1s", "count": "50%"}))), None);
    assert_eq!(effective_count(&metric(json!({"interval": "1s", "count": -1}))), Some(-1));
    assert_eq!(effective_count(&metric(json!({"interval": "1s", "count": "3"}))), Some(3));
}

#[test]
fn rules_are_unanchored_and_the_last_wins() {
    let metrics = [metric(json!({"name": "good"})), metric(json!({"name": "bad"}))];
    let dry = |pattern: &str| dry_run_names(&metrics, &[DryRun { metric_name: pattern.into() }]);
    assert_eq!(dry("oo").unwrap(), BTreeSet::from(["good".to_owned()]));
    assert_eq!(dry("").unwrap().len(), 2);
    assert_eq!(dry("*").unwrap_err().to_string(), "dryRun[0]: Rule didn't match any metric name(s)");
    let keep = |limits: &[(&str, i32)]| {
        let rules: Vec<_> = limits
            .iter()
            .map(|(name, limit)| MeasurementRetention { metric_name: (*name).into(), limit: *limit })
            .collect();
        retention_limits(&metrics, &rules).unwrap()
    };
    assert_eq!(keep(&[(".*", 5), ("good", 2)])["good"], 2);
    assert_eq!(keep(&[("good", 2), (".*", -1)])["good"], DEFAULT_RETAINED_MEASUREMENTS);
}
