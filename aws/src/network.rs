//! The network behind [`crate::http::Executor`].

use crate::http::{Executor, NoAnswer, Reach, Request, Response};
use reqwest::redirect::Policy;
use std::error::Error;
use tower::util::BoxCloneSyncService;

/// Most bytes of an answer that are read: a page has at most 400 items of a few kilobytes.
const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;

type Built = Result<reqwest::Client, NoAnswer>;

/// The clients, built once: each keeps its connections.
#[derive(Clone)]
struct Clients {
    /// For APIs: trusts the system's roots, uses the proxy of the environment.
    api: Built,
    /// For what is near, over TLS.
    near: Built,
    /// Without TLS: needs no roots, so it is there where none are.
    plain: Built,
}

/// The executor that speaks HTTP. It trusts the system's roots (`SSL_CERT_FILE` is honoured), uses the proxy of the
/// environment for APIs, and follows no redirects. A TLS provider must have been installed in the process.
#[must_use]
pub fn network() -> Executor {
    let clients = Clients {
        api: client(|builder| builder),
        near: client(reqwest::ClientBuilder::no_proxy),
        plain: client(|builder| builder.no_proxy().tls_certs_only([])),
    };
    BoxCloneSyncService::new(tower::service_fn(move |request: Request| {
        let client = match request.reach {
            _ if !request.url.starts_with("https:") => clients.plain.clone(),
            Reach::Api => clients.api.clone(),
            Reach::Local => clients.near.clone(),
        };
        async move { exchange(&client?, request).await }
    }))
}

fn client(with: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Built {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("stepgate/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none());
    with(builder).build().map_err(|error| NoAnswer(describe(&error)))
}

async fn exchange(client: &reqwest::Client, request: Request) -> Result<Response, NoAnswer> {
    let place = request.place();
    let failed = |error: &reqwest::Error| NoAnswer(format!("{place}: {}", describe(error)));
    let method = reqwest::Method::from_bytes(request.method.as_bytes())
        .map_err(|_| NoAnswer(format!("{place}: this is no method")))?;
    let mut builder = client.request(method, &request.url).timeout(request.timeout);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if !request.body.is_empty() {
        builder = builder.body(request.body);
    } else if request.method != "GET" {
        // Servers want to hear that there will be no body; the client says nothing of one that is empty.
        builder = builder.header("Content-Length", "0");
    }
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

/// The last cause: the first ones only repeat the URL.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "there was no answer in time".to_owned();
    }
    let mut cause: Option<&dyn Error> = error.source();
    let mut text = None;
    while let Some(error) = cause {
        text = Some(error.to_string());
        cause = error.source();
    }
    text.unwrap_or_else(|| error.to_string())
}
