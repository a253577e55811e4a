//! Prometheus: instant and range queries. `[provider.prometheus]`

use crate::http::{self, Executor, Request, Response};
use crate::{Settings, error, oauth2};
use analysis::condition;
use analysis::provider::{Metadata, MetricContext, Reading, ReadingValue};
use crds::GoDuration;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Seconds that an exchange may take where the metric says nothing.
const TIMEOUT_SECONDS: u64 = 30;
/// Part of the addresses of Amazon's Prometheus.
const SIGNED_ADDRESS: &str = "aps-workspaces";
/// Key of the metric's note that shows the query with its arguments put in.
const RESOLVED_QUERY: &str = "ResolvedPrometheusQuery";

/// The request of a metric.
///
/// # Errors
/// What is wrong with the metric.
pub fn prepare(context: MetricContext<'_>, settings: &Settings) -> Result<Request, String> {
    let metric =
        context.metric.provider.prometheus.as_ref().ok_or("the metric has no prometheus provider")?;
    let given = metric.address.clone().filter(|address| !address.is_empty());
    let address = given.or_else(|| settings.prometheus_address.clone()).unwrap_or_default();
    if address.is_empty() {
        return Err("prometheus address is not configured".to_owned());
    }
    let (scheme, host) = address.split_once("://").unwrap_or_default();
    if scheme.is_empty() || host.is_empty() {
        return Err("prometheus address is not is url format".to_owned());
    }
    let seconds = metric.timeout.unwrap_or(0);
    if seconds < 0 {
        return Err("prometheus timeout should not be negative".to_owned());
    }
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).unwrap_or(TIMEOUT_SECONDS);
    let query = metric.query.clone().unwrap_or_default();
    let at = |time: crds::Time| format!("{:.3}", unix(time));
    let (path, body) = match &metric.range_query {
        None => ("query", http::form(&[("query", &query), ("time", &at(context.now))])),
        Some(range) => {
            let time = |name: &str, text: Option<&String>| {
                let text = text.map_or("", String::as_str);
                condition::time_of(text, context.now)
                    .map_err(|problem| format!("failed to parse rangeQuery.{name} as time: {problem}"))
            };
            let (start, end) = (time("start", range.start.as_ref())?, time("end", range.end.as_ref())?);
            let step = GoDuration::parse(range.step.as_deref().unwrap_or_default())
                .map_err(|_| step_problem(range.step.as_deref()))?;
            let step = format!("{}", seconds_of(step));
            let pairs = [("end", at(end)), ("query", query), ("start", at(start)), ("step", step)];
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (*key, value.as_str())).collect();
            ("query_range", http::form(&pairs))
        }
    };
    let mut headers = vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    for header in metric.headers.iter().flatten() {
        http::set(&mut headers, &header.key, &header.value);
    }
    if let Some(auth) = &metric.authentication
        && let Some(credentials) = login(auth, &address)?
    {
        // What the metric's own headers say goes before.
        http::set_default(&mut headers, "Authorization", &credentials);
    }
    Ok(Request {
        method: "POST".to_owned(),
        url: format!("{}/api/v1/{path}", address.trim_end_matches('/')),
        headers,
        body,
        timeout: Duration::from_secs(seconds),
        insecure: metric.insecure.unwrap_or(false),
    })
}

fn step_problem(step: Option<&str>) -> String {
    let text = step.unwrap_or_default();
    format!("failed to parse rangeQuery.step as duration: time: invalid duration {text:?}")
}

/// `Basic` credentials, if the metric has any.
fn login(auth: &crds::analysis::provider::Authentication, address: &str) -> Result<Option<String>, String> {
    if let Some(basic) = &auth.basic_auth {
        let user = basic.username.as_deref().unwrap_or_default();
        let password = basic.password.as_deref().unwrap_or_default();
        let missing = match (user.is_empty(), password.is_empty()) {
            (true, true) => return Ok(None),
            (true, false) => "username",
            (false, true) => "password",
            (false, false) => return Ok(Some(http::basic_auth(user, password))),
        };
        return Err(format!("missing mandatory parameter in metric for basic auth setup: {missing}"));
    }
    // Elsewhere the field has no meaning: only Amazon's Prometheus asks for such signatures.
    if auth.sigv4.is_some() && address.contains(SIGNED_ADDRESS) {
        return Err(
            "AWS Signature Version 4 login to Prometheus is not supported by this version of Stepgate yet"
                .to_owned(),
        );
    }
    Ok(None)
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of our time fit a double exactly")]
fn unix(time: crds::Time) -> f64 {
    time.0.timestamp_millis() as f64 / 1000.0
}

#[allow(clippy::cast_precision_loss, reason = "a step is far shorter than 2^53 nanoseconds")]
fn seconds_of(duration: GoDuration) -> f64 {
    duration.nanoseconds as f64 / 1e9
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    data: Value,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

/// What an answer means.
#[must_use]
pub fn interpret(response: &Response) -> Reading {
    let status = response.status;
    let answers_json = (200..300).contains(&status) || status == 400 || status == 422;
    if !answers_json {
        return match status {
            400..500 => error(format!("client_error: client error: {status}")),
            _ => error(format!("server_error: server error: {status}")),
        };
    }
    let answer: Answer = match serde_json::from_slice(&response.body) {
        Ok(answer) => answer,
        Err(problem) => {
            return error(format!("bad_response: the answer is not that of Prometheus: {problem}"));
        }
    };
    if answer.status != "success" {
        return error(format!("{}: {}", answer.error_type, answer.error));
    }
    let mut metadata = Metadata::new();
    if !answer.warnings.is_empty() {
        let quoted: Vec<String> = answer.warnings.iter().map(|warning| format!("{warning:?}")).collect();
        metadata.insert("warnings".to_owned(), quoted.join(", "));
    }
    match value_of(&answer.data) {
        Ok((value, text)) => Reading::Value { value, text, metadata },
        Err(message) => Reading::Error { message, metadata },
    }
}

fn value_of(data: &Value) -> Result<(ReadingValue, String), String> {
    let kind = data.get("resultType").and_then(Value::as_str).unwrap_or_default();
    let result = data.get("result").unwrap_or(&Value::Null);
    if kind == "scalar" {
        let number = sample(result)?;
        return Ok((ReadingValue::Number(number), text_of(number)));
    }
    let series = result.as_array().ok_or("bad_response: the answer has no list of results")?;
    let numbers: Result<Vec<f64>, String> = match kind {
        "vector" => series.iter().map(|series| sample(series.get("value").unwrap_or(&Value::Null))).collect(),
        "matrix" => series
            .iter()
            .flat_map(|series| series.get("values").and_then(Value::as_array).into_iter().flatten())
            .map(sample)
            .collect(),
        other => return Err(format!("Prometheus metric type not supported: {other:?}")),
    };
    let numbers = numbers?;
    let texts: Vec<String> = numbers.iter().map(|number| text_of(*number)).collect();
    Ok((ReadingValue::Numbers(numbers), format!("[{}]", texts.join(","))))
}

/// A sample is `[time, "value"]`.
fn sample(sample: &Value) -> Result<f64, String> {
    let text = sample.get(1).and_then(Value::as_str).ok_or("bad_response: a sample has no value")?;
    match text {
        "+Inf" | "Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        "NaN" => Ok(f64::NAN),
        text => text.parse().map_err(|_| format!("bad_response: {text:?} is not a number")),
    }
}

/// A number as Prometheus writes it: without an exponent.
fn text_of(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        format!("{number}")
    }
}

pub(crate) async fn measure(
    executor: Executor,
    context: MetricContext<'_>,
    settings: &Settings,
) -> (Reading, Metadata) {
    let query = context.metric.provider.prometheus.as_ref().and_then(|metric| metric.query.clone());
    let notes = Metadata::from([(RESOLVED_QUERY.to_owned(), query.unwrap_or_default())]);
    let mut request = match prepare(context, settings) {
        Ok(request) => request,
        Err(problem) => return (error(problem), notes),
    };
    let auth = context.metric.provider.prometheus.as_ref().and_then(|metric| metric.authentication.as_ref());
    if let Err(problem) =
        oauth2::log_in(&executor, auth.and_then(|auth| auth.oauth2.as_ref()), &mut request).await
    {
        return (error(problem), notes);
    }
    let first = http::send(executor.clone(), request.clone()).await;
    // Some proxies refuse POST: the same query goes as GET then.
    let answer = match first {
        Ok(response) if matches!(response.status, 405 | 501) => http::send(executor, as_get(request)).await,
        other => other,
    };
    match answer {
        Ok(response) => (interpret(&response), notes),
        Err(no_answer) => (error(no_answer.to_string()), notes),
    }
}

/// The same query as a GET.
#[must_use]
pub fn as_get(mut request: Request) -> Request {
    request.method = "GET".to_owned();
    request.url = format!("{}?{}", request.url, request.body);
    request.body = String::new();
    request.headers.retain(|(key, _)| !key.eq_ignore_ascii_case("Content-Type"));
    request
}
