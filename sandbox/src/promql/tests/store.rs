//! The series.

use super::super::{
    Database, Error, MAX_SAMPLES, MAX_SERIES, MAX_STEPS, Query, RETENTION_MS, Rejected, Value,
};
use super::{ask, labels};

#[test]
fn samples_come_in_order_and_with_a_name() {
    let mut database = Database::default();
    let up = labels("up", &[]);
    database.append(&up, 1_000, 1.0).unwrap();
    assert_eq!(database.append(&up, 1_000, 1.0), Ok(()), "the same again");
    let refused = Rejected::OutOfOrder { time_ms: 1_000, last_ms: 1_000 };
    assert_eq!(database.append(&up, 1_000, 2.0), Err(refused));
    let refused = Rejected::OutOfOrder { time_ms: 999, last_ms: 1_000 };
    assert_eq!(database.append(&up, 999, 1.0), Err(refused));
    assert_eq!(database.append(&[("app".into(), "web".into())].into(), 1, 1.0), Err(Rejected::Nameless));
    assert_eq!(database.append(&labels("", &[]), 1, 1.0), Err(Rejected::Nameless));
    assert_eq!(ask(&database, "up", 1_000), [1.0]);
    assert_eq!(database.len(), 1);
}

#[test]
fn an_empty_label_is_no_label() {
    let mut database = Database::default();
    database.append(&labels("up", &[("app", ""), ("job", "a")]), 1_000, 1.0).unwrap();
    database.append(&labels("up", &[("job", "a")]), 2_000, 2.0).unwrap();
    assert_eq!(database.len(), 1);
    assert_eq!(ask(&database, r#"up{app=""}"#, 2_000), [2.0]);
}

#[test]
fn a_sample_is_found_for_five_minutes() {
    let mut database = Database::default();
    database.append(&labels("up", &[]), 1_000, 1.0).unwrap();
    assert_eq!(ask(&database, "up", 999), [0.0; 0]);
    assert_eq!(ask(&database, "up", 301_000), [1.0]);
    assert_eq!(ask(&database, "up", 301_001), [0.0; 0]);
}

#[test]
fn an_ended_series_has_no_value_until_it_begins_again() {
    let mut database = Database::default();
    let (one, other) = (labels("up", &[("pod", "a")]), labels("up", &[("pod", "b")]));
    database.append(&one, 1_000, 1.0).unwrap();
    database.append(&other, 1_000, 2.0).unwrap();
    database.end(2_000, |labels| labels["pod"] == "a");
    database.end(3_000, |labels| labels["pod"] == "a");
    assert_eq!(ask(&database, "up", 1_999), [1.0, 2.0]);
    assert_eq!(ask(&database, "up", 2_000), [2.0]);
    assert_eq!(ask(&database, "count_over_time(up[10s])", 4_000), [1.0, 1.0], "the end is no sample");
    database.append(&one, 4_000, 3.0).unwrap();
    assert_eq!(ask(&database, "up", 4_000), [3.0, 2.0]);
}

#[test]
fn a_not_a_number_is_a_value_and_not_an_end() {
    let mut database = Database::default();
    database.append(&labels("ratio", &[]), 1_000, f64::NAN).unwrap();
    let values = ask(&database, "ratio", 1_000);
    assert!(values.len() == 1 && values[0].is_nan(), "{values:?}");
}

#[test]
fn old_samples_and_series_are_forgotten() {
    let mut database = Database::default();
    let (gone, stays) = (labels("up", &[("pod", "gone")]), labels("up", &[("pod", "stays")]));
    database.append(&gone, 0, 1.0).unwrap();
    for time_ms in [0, 60_000, RETENTION_MS, RETENTION_MS + 1] {
        database.append(&stays, time_ms, 1.0).unwrap();
    }
    assert_eq!(database.len(), 2, "a sweep waits for a new series");
    assert_eq!(ask(&database, "count_over_time(up{pod='stays'}[2h])", RETENTION_MS + 1), [3.0]);
    database.append(&labels("up", &[("pod", "new")]), RETENTION_MS + 1, 1.0).unwrap();
    assert_eq!(database.len(), 2);
    assert_eq!(ask(&database, "count(up offset 1h)", RETENTION_MS), [0.0; 0]);
}

#[test]
fn a_series_and_the_database_are_bounded() {
    let mut database = Database::default();
    for time_ms in 0..=i64::try_from(MAX_SAMPLES).unwrap() {
        database.append(&labels("fast", &[]), time_ms, 1.0).unwrap();
    }
    let Value::Matrix(series) = Query::parse("fast[1h]").unwrap().at(&database, 10_000).unwrap() else {
        panic!("a range")
    };
    assert_eq!((series[0].points.len(), series[0].points[0].time_ms), (MAX_SAMPLES, 1));
    for pod in 1..MAX_SERIES {
        database.append(&labels("up", &[("pod", &pod.to_string())]), 5_000, 1.0).unwrap();
    }
    assert_eq!(database.append(&labels("up", &[]), 5_000, 1.0), Err(Rejected::Full));
    database.append(&labels("fast", &[]), 5_000, 2.0).unwrap();
    let later = 5_000 + 2 * RETENTION_MS;
    assert_eq!(database.append(&labels("up", &[]), later, 1.0), Ok(()), "the old ones have made room");
    assert_eq!(database.len(), 1);
}

#[test]
fn a_clone_is_a_database_of_its_own() {
    let mut database = Database::default();
    database.append(&labels("up", &[]), 1_000, 1.0).unwrap();
    let before = database.clone();
    database.append(&labels("up", &[]), 2_000, 5.0).unwrap();
    assert_eq!((ask(&before, "up", 2_000), ask(&database, "up", 2_000)), (vec![1.0], vec![5.0]));
}

#[test]
fn a_range_of_time_has_both_its_ends_and_a_bound() {
    let mut database = Database::default();
    database.append(&labels("up", &[]), 1_000, 1.0).unwrap();
    let times = |start_ms, end_ms, step_ms| {
        let series = Query::parse("up").unwrap().over(&database, start_ms, end_ms, step_ms).unwrap();
        series.iter().flat_map(|one| &one.points).map(|point| point.time_ms).collect::<Vec<_>>()
    };
    assert_eq!(times(0, 4_000, 2_000), [2_000, 4_000]);
    assert_eq!(times(1_000, 4_999, 2_000), [1_000, 3_000]);
    assert_eq!(times(1_000, 1_000, 0), [1_000]);
    assert_eq!(times(2_000, 1_000, 1), [0; 0]);
    assert_eq!(times(i64::MAX - 1, i64::MAX, 5), [0; 0]);
    let bound = Query::parse("1").unwrap().over(&database, i64::MIN, i64::MAX, 1);
    assert_eq!(bound, Err(Error::Resolution { most: MAX_STEPS }));
}
