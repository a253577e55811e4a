//! What the recorded answers do not show: the store, the bodies of the HTTP API, and what is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod http;
mod refused;
mod store;

use super::{Database, Labels, Query, Value};

/// Labels from `name` and pairs.
fn labels(name: &str, pairs: &[(&str, &str)]) -> Labels {
    [("__name__", name)].iter().chain(pairs).map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// The values of a query that results in a vector.
fn ask(database: &Database, query: &str, time_ms: i64) -> Vec<f64> {
    match Query::parse(query).unwrap().at(database, time_ms).unwrap() {
        Value::Vector(samples) => samples.iter().map(|sample| sample.value).collect(),
        other => panic!("{query}: {other:?}"),
    }
}
