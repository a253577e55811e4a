//! An HTTP endpoint that answers JSON or text. `[provider.web]`

use crate::http::{self, Executor, Request, Response};
use crate::{error, oauth2};
use analysis::jsonpath::JsonPath;
use analysis::provider::{Metadata, MetricContext, Reading, ReadingValue};
use serde_json::Value;
use std::time::Duration;

/// Seconds that an exchange may take where the metric says nothing.
const TIMEOUT_SECONDS: u64 = 10;

/// The request of a metric.
///
/// # Errors
/// What is wrong with the metric.
pub fn prepare(context: MetricContext<'_>) -> Result<Request, String> {
    let web = context.metric.provider.web.as_ref().ok_or("the metric has no web provider")?;
    let method = web.method.clone().filter(|method| !method.is_empty()).unwrap_or_else(|| "GET".to_owned());
    let body = web.body.clone().unwrap_or_default();
    if !body.is_empty() && web.json_body.is_some() {
        return Err("use either Body or JSONBody; both cannot exists for WebMetric payload".to_owned());
    }
    if method == "GET" && (!body.is_empty() || web.json_body.is_some()) {
        return Err("Body/JSONBody can only be used with POST or PUT WebMetric Method types".to_owned());
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    for header in web.headers.iter().flatten() {
        http::set(&mut headers, &header.key, &header.value);
    }
    let body = match &web.json_body {
        Some(json) => {
            http::set(&mut headers, "Content-Type", "application/json");
            json.0.to_string()
        }
        None => body,
    };
    let seconds =
        web.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    Ok(Request {
        method,
        url: web.url.clone(),
        headers,
        body,
        timeout: Duration::from_secs(seconds.unwrap_or(TIMEOUT_SECONDS)),
        insecure: web.insecure.unwrap_or(false),
    })
}

/// What an answer means.
#[must_use]
pub fn interpret(context: MetricContext<'_>, response: &Response) -> Reading {
    if !(200..300).contains(&response.status) {
        return error(format!("received non 2xx response code: {}", response.status));
    }
    let web = context.metric.provider.web.as_ref();
    let path = web.and_then(|web| web.json_path.clone()).filter(|path| !path.is_empty());
    let path = match JsonPath::parse(path.as_deref().unwrap_or("{$}")) {
        Ok(path) => path,
        Err(problem) => return error(problem.to_string()),
    };
    let Ok(document) = serde_json::from_slice::<Value>(&response.body) else {
        let text = String::from_utf8_lossy(&response.body).into_owned();
        return Reading::Value { value: ReadingValue::Text(text.clone()), text, metadata: Metadata::new() };
    };
    match path.first(&document) {
        Ok(Some(value)) => {
            let text = value.to_string();
            Reading::Value { value: ReadingValue::Json(value), text, metadata: Metadata::new() }
        }
        Ok(None) => error("result of web metric produced no value"),
        Err(problem) => error(format!("Could not find JSONPath in body: {problem}")),
    }
}

pub(crate) async fn measure(executor: Executor, context: MetricContext<'_>) -> Reading {
    let mut request = match prepare(context) {
        Ok(request) => request,
        Err(problem) => return error(problem),
    };
    let auth = context.metric.provider.web.as_ref().and_then(|web| web.authentication.as_ref());
    if let Err(problem) =
        oauth2::log_in(&executor, auth.and_then(|auth| auth.oauth2.as_ref()), &mut request).await
    {
        return error(problem);
    }
    match http::send(executor, request).await {
        Ok(response) => interpret(context, &response),
        Err(no_answer) => error(no_answer.to_string()),
    }
}
