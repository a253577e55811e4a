//! The network behind [`crate::http::Executor`].

use crate::http::{Executor, NoAnswer, Request, Response};
use std::error::Error;
use tower::util::BoxCloneSyncService;

/// Most bytes of an answer that are read; a metric's answer is a few kilobytes.
const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The executor that speaks HTTP. It trusts the system's roots (`SSL_CERT_FILE` is honoured) and uses the proxies of
/// the environment. [`crate::install_tls`] must have been called.
#[must_use]
pub fn network() -> Executor {
    let build = |insecure: bool| {
        let builder = reqwest::Client::builder().user_agent(concat!("stepgate/", env!("CARGO_PKG_VERSION")));
        builder.danger_accept_invalid_certs(insecure).build().map_err(|error| NoAnswer(describe(&error)))
    };
    // Built once: each keeps its connections. A failure (no root certificates) is told with each measurement.
    let (secure, insecure) = (build(false), build(true));
    BoxCloneSyncService::new(tower::service_fn(move |request: Request| {
        let client = if request.insecure { insecure.clone() } else { secure.clone() };
        async move { exchange(&client?, request).await }
    }))
}

async fn exchange(client: &reqwest::Client, request: Request) -> Result<Response, NoAnswer> {
    let place = format!("{} {:?}", verb(&request.method), shown(&request.url));
    let method = reqwest::Method::from_bytes(request.method.as_bytes())
        .map_err(|_| NoAnswer(format!("net/http: invalid method {:?}", request.method)))?;
    let mut builder = client.request(method, &request.url).timeout(request.timeout);
    for (key, value) in &request.headers {
        builder = builder.header(key, value);
    }
    if !request.body.is_empty() {
        builder = builder.body(request.body);
    }
    let failed = |error: &reqwest::Error| NoAnswer(format!("{place}: {}", describe(error)));
    let mut answer = builder.send().await.map_err(|error| failed(&error))?;
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_MAX_BYTES {
            return Err(NoAnswer(format!("{place}: the answer is longer than {BODY_MAX_BYTES} bytes")));
        }
    }
    Ok(Response { status, body })
}

/// `Get`, `Post`: how errors name the method.
fn verb(method: &str) -> String {
    let mut letters = method.chars();
    letters.next().map_or_else(String::new, |first| format!("{first}{}", letters.as_str().to_lowercase()))
}

/// The chain of causes, without the URL that the first ones repeat.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned();
    }
    let mut cause: Option<&dyn Error> = error.source();
    let mut text = None;
    while let Some(error) = cause {
        text = Some(error.to_string());
        cause = error.source();
    }
    text.unwrap_or_else(|| error.to_string())
}

/// A URL as errors may show it: without user, password and query, which may be secret.
fn shown(url: &str) -> String {
    let (place, query) = url.split_once('?').map_or((url, ""), |(place, _)| (place, "?*****"));
    let Some((scheme, rest)) = place.split_once("://") else { return format!("{place}{query}") };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://*****@{host}{path}{query}"),
        None => format!("{scheme}://{authority}{path}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_show_no_credentials() {
        assert_eq!(shown("http://user:hunter2@h:1/x?token=hunter2"), "http://*****@h:1/x?*****");
        assert_eq!(shown("http://h/a@b"), "http://h/a@b");
        assert_eq!(shown(":bad"), ":bad");
    }
}
