//! What a real Prometheus 2.42 answered, query by query, and whether the sandbox answers the same.
//!
//! `vectors.json` holds the data (in promtool's notation for series), the queries and the answers. To record the
//! answers again, or after a query was added, start a Prometheus with an empty configuration and an empty folder:
//!
//! ```text
//! prometheus --config.file=empty.yml --storage.tsdb.path=data --storage.tsdb.retention.time=50y \
//!   --web.enable-remote-write-receiver --web.listen-address=127.0.0.1:9099
//! PROMETHEUS=127.0.0.1:9099 cargo test -p sandbox promql::vectors::record -- --ignored
//! ```

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod record;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Database, Labels, NAME, answer};

/// The file.
#[derive(Serialize, Deserialize)]
struct Vectors {
    /// When the data begin, in milliseconds since the epoch; all other times are relative to it.
    start_ms: i64,
    data: Vec<Series>,
    cases: Vec<Case>,
}

/// A series.
#[derive(Serialize, Deserialize)]
struct Series {
    /// `name{label="value"}`.
    series: String,
    first_ms: i64,
    every_ms: i64,
    /// `1+2x3` is `1 3 5 7`, `_` is a missing sample, `stale` ends the series.
    values: String,
}

/// A query, when it was asked, and what the real one said.
#[derive(Serialize, Deserialize)]
struct Case {
    query: String,
    #[serde(flatten)]
    when: When,
    /// The status code; an error's text is not compared.
    #[serde(default)]
    status: u16,
    /// The type of the answer, and a line for each result; or the type of the error.
    #[serde(default)]
    answer: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum When {
    At { at_ms: i64 },
    Over { from_ms: i64, to_ms: i64, step_ms: i64 },
}

fn read() -> Vectors {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

impl Series {
    /// The labels. The file's label values have no quotes and commas.
    fn labels(&self) -> Labels {
        let (name, rest) = self.series.split_once('{').unwrap();
        let pairs = rest.trim_end_matches('}').split(',').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('"').to_owned())
        });
        pairs.chain([(NAME.to_owned(), name.to_owned())]).collect()
    }

    /// The samples; a value of `None` ends the series.
    fn samples(&self, start_ms: i64) -> Vec<(i64, Option<f64>)> {
        let mut values = Vec::new();
        for word in self.values.split_whitespace() {
            match word.split_once('x') {
                Some(("_", times)) => (0..times.parse::<u32>().unwrap()).for_each(|_| values.push(None)),
                Some((word, times)) => {
                    let (first, step) = word.split_once('+').unwrap_or((word, "0"));
                    let (first, step): (f64, f64) = (first.parse().unwrap(), step.parse().unwrap());
                    let times: u32 = times.parse().unwrap();
                    values.extend((0..=times).map(|n| Some(Some(first + step * f64::from(n)))));
                }
                None if word == "_" => values.push(None),
                None if word == "stale" => values.push(Some(None)),
                None => values.push(Some(Some(word.parse().unwrap()))),
            }
        }
        let times = (0..).map(|n| start_ms + self.first_ms + n * self.every_ms);
        times.zip(values).filter_map(|(time_ms, value)| Some((time_ms, value?))).collect()
    }
}

fn database(vectors: &Vectors) -> Database {
    let mut database = Database::default();
    for series in &vectors.data {
        let labels = series.labels();
        for (time_ms, value) in series.samples(vectors.start_ms) {
            match value {
                Some(value) => database.append(&labels, time_ms, value).unwrap(),
                None => database.end(time_ms, |ended| *ended == labels),
            }
        }
    }
    database
}

impl Case {
    /// The path and the parameters that ask it.
    fn request(&self, start_ms: i64) -> (&'static str, Vec<(String, String)>) {
        let seconds = |ms: i64| {
            let ms = start_ms + ms;
            format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000))
        };
        let (path, times) = match self.when {
            When::At { at_ms } => ("/api/v1/query", vec![("time", seconds(at_ms))]),
            When::Over { from_ms, to_ms, step_ms } => {
                let step = format!("{}.{:03}", step_ms / 1000, step_ms % 1000);
                let times = vec![("start", seconds(from_ms)), ("end", seconds(to_ms)), ("step", step)];
                ("/api/v1/query_range", times)
            }
        };
        let query = [("query", self.query.clone())].into_iter();
        (path, query.chain(times).map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Whether the order of the results is part of the answer; elsewhere Prometheus promises none.
    fn is_ordered(&self) -> bool {
        let sorts = ["sort", "topk", "bottomk"].iter().any(|name| self.query.starts_with(name));
        matches!(self.when, When::Over { .. }) || sorts
    }

    /// What of a body is compared: the type and a line for each result, or an error's type.
    fn essence(&self, start_ms: i64, status: u16, body: &Json) -> Vec<String> {
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        if status != 200 {
            return vec![text(&body["errorType"])];
        }
        let kind = text(&body["data"]["resultType"]);
        let result = body["data"]["result"].as_array().unwrap();
        let mut lines: Vec<String> = match kind.as_str() {
            "vector" | "matrix" => result.iter().map(|one| line(one, start_ms)).collect(),
            _ => vec![point(&body["data"]["result"], start_ms)],
        };
        if !self.is_ordered() {
            lines.sort();
        }
        [vec![kind], lines].concat()
    }
}

/// A result: `name{label=value}`, then its values.
fn line(result: &Json, start_ms: i64) -> String {
    let mut labels: Labels = serde_json::from_value(result["metric"].clone()).unwrap();
    let name = labels.remove(NAME).unwrap_or_default();
    let labels: Vec<String> = labels.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let values = match &result["values"] {
        Json::Array(values) => values.iter().map(|value| point(value, start_ms)).collect(),
        _ => vec![point(&result["value"], start_ms)],
    };
    format!("{name}{{{}}} {}", labels.join(","), values.join(" "))
}

/// A value and its time: `0.25@15000`.
fn point(pair: &Json, start_ms: i64) -> String {
    let time_ms = (pair[0].as_f64().unwrap() * 1000.0).round();
    let value = pair[1].as_str().unwrap();
    // Both are whole and below 2^53, so that the difference is exact.
    format!("{value}@{}", time_ms - start_ms.to_string().parse::<f64>().unwrap())
}

/// Whether two lines are the same, numbers up to their last bits: a sum depends on the order of its parts, and
/// logarithms and powers on the machine.
fn same(one: &str, other: &str) -> bool {
    let words = |line: &str| line.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
    let (one, other) = (words(one), words(other));
    one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| same_word(one, other))
}

fn same_word(one: &str, other: &str) -> bool {
    let number = |word: &str| word.split_once('@').and_then(|(number, _)| number.parse::<f64>().ok());
    let rest =
        |word: &str| word.split_once('@').map(|(number, time)| (time.to_owned(), number.contains('e')));
    let near = |one: f64, other: f64| (one - other).abs() <= 4.0 * f64::EPSILON * one.abs();
    one == other
        || (rest(one) == rest(other)
            && number(one).zip(number(other)).is_some_and(|(one, other)| near(one, other)))
}

#[test]
fn the_sandbox_answers_as_a_real_prometheus_does() {
    let vectors = read();
    assert!(vectors.cases.len() >= 80, "{} cases", vectors.cases.len());
    let database = database(&vectors);
    let mut wrong = Vec::new();
    for case in &vectors.cases {
        let (path, parameters) = case.request(vectors.start_ms);
        let (status, body) = answer(&database, path, &parameters, 0);
        let got = case.essence(vectors.start_ms, status, &body);
        let agree = got.len() == case.answer.len()
            && got.iter().zip(&case.answer).all(|(one, other)| same(one, other));
        if case.status != status || !agree {
            let asked = serde_json::to_string(case).unwrap();
            wrong.push(format!("{asked}\n  the sandbox: {status} {got:?} {}", body["error"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), vectors.cases.len(), wrong.join("\n"));
}

#[test]
fn the_comparison_sees_what_differs() {
    assert!(same("a{x=1} 1@0 2@5", "a{x=1} 1.0000000000000002@0 2@5"));
    assert!(!same("a{x=1} 1@0", "a{x=1} 1@1"));
    assert!(!same("a{x=1} 1@0", "a{x=2} 1@0"));
    assert!(!same("a{x=1} 1@0", "a{x=1} 1.00000001@0"));
    assert!(!same("NaN@0", "0@0"));
    assert!(!same("0.0000001@0", "1e-07@0"));
    assert!(!same("a{} 1@0", "a{} 1@0 1@5"));
}
