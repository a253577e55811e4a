//! The network behind [`crate::http::Executor`].

use crate::http::{Executor, NoAnswer, Request, Response};
use std::error::Error;
use tower::util::BoxCloneSyncService;

/// Most bytes of an answer that are read; a metric's answer is a few kilobytes.
const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;

/// How Go tells that the headers came, and then the time was over.
const BODY_TIMEOUT: &str =
    "context deadline exceeded (Client.Timeout or context cancellation while reading body)";

/// The executor that speaks HTTP. It trusts the system's roots (`SSL_CERT_FILE` is honoured) and uses the proxies of
/// the environment. [`crate::install_tls`] must have been called.
#[must_use]
pub fn network() -> Executor {
    // Built once: each keeps its connections.
    let (secure, insecure) = (Secure::build(), client(|builder| builder.danger_accept_invalid_certs(true)));
    BoxCloneSyncService::new(tower::service_fn(move |request: Request| {
        let client = if request.insecure { insecure.clone() } else { secure.client_for(&request.url) };
        async move { exchange(&client?, request).await }
    }))
}

fn client(
    with: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, NoAnswer> {
    let builder = reqwest::Client::builder().user_agent(concat!("stepgate/", env!("CARGO_PKG_VERSION")));
    with(builder).build().map_err(|error| NoAnswer(describe(&error)))
}

/// The client that verifies certificates, and what is left where there are no root certificates to do so.
#[derive(Clone)]
struct Secure {
    verifying: Result<reqwest::Client, NoAnswer>,
    /// Trusts nobody: good for addresses without TLS.
    rootless: Result<reqwest::Client, NoAnswer>,
}

impl Secure {
    fn build() -> Self {
        Self { verifying: client(|builder| builder), rootless: client(|builder| builder.tls_certs_only([])) }
    }

    fn client_for(&self, url: &str) -> Result<reqwest::Client, NoAnswer> {
        match &self.verifying {
            Ok(client) => Ok(client.clone()),
            Err(_) if !url.starts_with("https:") => self.rootless.clone(),
            Err(problem) => Err(NoAnswer(format!(
                "the certificate of the server cannot be verified ({problem}): set SSL_CERT_FILE to a file of root \
                 certificates, or insecure: true in the metric"
            ))),
        }
    }
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
    } else if matches!(request.method.as_str(), "POST" | "PUT") {
        // Servers want to hear that there will be no body; the client says nothing of one that is empty.
        builder = builder.header("Content-Length", "0");
    }
    let failed = |error: &reqwest::Error| NoAnswer(format!("{place}: {}", describe(error)));
    let mut answer = builder.send().await.map_err(|error| failed(&error))?;
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    let broken = |error: &reqwest::Error| {
        let problem = if error.is_timeout() { BODY_TIMEOUT.to_owned() } else { describe(error) };
        NoAnswer(format!("{place}: {problem}"))
    };
    while let Some(chunk) = answer.chunk().await.map_err(|error| broken(&error))? {
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
