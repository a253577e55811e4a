//! The answers of the HTTP API.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::error::Error;
use super::query::{Query, Value};
use super::series::{Database, Point};
use super::{Labels, number, time};

/// Answers a request: the status code and the body.
///
/// `path` is `/api/v1/query` or `/api/v1/query_range`, `parameters` are the decoded pairs of a POST's form and then of
/// the URL (the first of a name counts), `now_ms` is the time when a query names none, in milliseconds since the epoch.
/// A bad parameter or query is answered with status 400, a query that does not fit the data with 422, and another path
/// with 404, each with Prometheus's body for errors.
#[must_use]
pub fn answer(database: &Database, path: &str, parameters: &[(String, String)], now_ms: i64) -> (u16, Json) {
    let parameters = Parameters { pairs: parameters };
    let answered = match path {
        "/api/v1/query" => instant(database, &parameters, now_ms),
        "/api/v1/query_range" => range(database, &parameters),
        _ => Err(Failure::Path(path.to_owned())),
    };
    match answered {
        Ok(data) => (200, json!({"status": "success", "data": data})),
        Err(failure) => failure.answer(),
    }
}

/// Why a request has no answer.
enum Failure {
    Path(String),
    Parameter(&'static str, String),
    Query(Error),
}

impl Failure {
    fn answer(self) -> (u16, Json) {
        let (code, kind, text) = match self {
            Self::Path(path) => {
                let known = "/api/v1/query and /api/v1/query_range";
                (
                    404,
                    "not_found",
                    format!("the sandbox's Prometheus does not know {path:?}; it knows {known}"),
                )
            }
            Self::Parameter(name, reason) => {
                (400, "bad_data", format!("invalid parameter {name:?}: {reason}"))
            }
            Self::Query(error @ Error::Resolution { .. }) => (400, "bad_data", error.to_string()),
            Self::Query(error) if error.is_bad_data() => {
                (400, "bad_data", format!("invalid parameter \"query\": {error}"))
            }
            Self::Query(error) => (422, "execution", error.to_string()),
        };
        (code, json!({"status": "error", "errorType": kind, "error": text}))
    }
}

/// The parameters of a request.
struct Parameters<'a> {
    pairs: &'a [(String, String)],
}

impl Parameters<'_> {
    /// The value of a parameter; one that is missing is empty.
    fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    fn time(&self, name: &'static str) -> Result<i64, Failure> {
        let text = self.get(name);
        let reason = || format!("cannot parse {text:?} to a valid timestamp");
        time::time(text).ok_or_else(|| Failure::Parameter(name, reason()))
    }

    fn duration(&self, name: &'static str) -> Result<i64, Failure> {
        let text = self.get(name);
        let reason = || format!("cannot parse {text:?} to a valid duration");
        time::step(text).ok_or_else(|| Failure::Parameter(name, reason()))
    }

    fn query(&self, database: &Database) -> Result<Arc<Query>, Failure> {
        // The sandbox answers at once; a timeout only has to be one.
        if !self.get("timeout").is_empty() {
            self.duration("timeout")?;
        }
        database.query(self.get("query")).map_err(Failure::Query)
    }
}

fn instant(database: &Database, parameters: &Parameters<'_>, now_ms: i64) -> Result<Json, Failure> {
    let time_ms = if parameters.get("time").is_empty() { now_ms } else { parameters.time("time")? };
    let value = parameters.query(database)?.at(database, time_ms).map_err(Failure::Query)?;
    let (kind, result) = match value {
        Value::Scalar(value) => ("scalar", json!([seconds(time_ms), number::plain(value)])),
        Value::Text(text) => ("string", json!([seconds(time_ms), text])),
        Value::Vector(samples) => {
            let sample =
                |labels: &Labels, value| json!({"metric": labels, "value": pair(Point { time_ms, value })});
            ("vector", samples.iter().map(|one| sample(&one.labels, one.value)).collect())
        }
        Value::Matrix(series) => {
            ("matrix", series.iter().map(|one| values(&one.labels, &one.points)).collect())
        }
    };
    Ok(json!({"resultType": kind, "result": result}))
}

fn range(database: &Database, parameters: &Parameters<'_>) -> Result<Json, Failure> {
    let (start_ms, end_ms) = (parameters.time("start")?, parameters.time("end")?);
    if end_ms < start_ms {
        return Err(Failure::Parameter("end", "end timestamp must not be before start time".to_owned()));
    }
    let step_ms = parameters.duration("step")?;
    if step_ms <= 0 {
        let reason = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(Failure::Parameter("step", reason.to_owned()));
    }
    let query = parameters.query(database)?;
    let series = query.over(database, start_ms, end_ms, step_ms).map_err(Failure::Query)?;
    let result: Json = series.iter().map(|one| values(&one.labels, &one.points)).collect();
    Ok(json!({"resultType": "matrix", "result": result}))
}

fn values(labels: &Labels, points: &[Point]) -> Json {
    let points: Vec<Json> = points.iter().copied().map(pair).collect();
    json!({"metric": labels, "values": points})
}

/// A time and a value; the value is a string, since JSON has neither NaN nor infinity.
fn pair(point: Point) -> Json {
    json!([seconds(point.time_ms), number::short(point.value)])
}

/// A time in seconds: an integer when it is a whole second, as Prometheus writes it.
fn seconds(time_ms: i64) -> Json {
    if time_ms % 1000 == 0 { Json::from(time_ms / 1000) } else { Json::from(number::seconds(time_ms)) }
}
