//! The HTTP answers of the Prometheus that scrapes the pods.

use super::Traffic;
use crate::api::request::decode;
use crate::promql;
use futures::future::BoxFuture;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::task::{Context, Poll};

/// The version that it says it is: the one whose numbers it gives.
const VERSION: &str = "2.42.0";
/// Largest body of a request: a query is shorter by far.
const BODY_MAX_BYTES: usize = 64 * 1024;
/// Parameters of a request that are read.
const PARAMETERS_MAX: usize = 64;

/// The Prometheus that scrapes the pods. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Prometheus {
    traffic: Traffic,
}

impl Prometheus {
    pub(super) fn of(traffic: Traffic) -> Self {
        Self { traffic }
    }

    /// Answers a request for `target` (path and query) with this body (a form, when it is a POST): status and JSON.
    ///
    /// `/api/v1/query`, `/api/v1/query_range` and `/api/v1/status/buildinfo` are known.
    #[must_use]
    pub fn answer(&self, method: &str, target: &str, body: &[u8]) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if !matches!(method, "GET" | "POST") {
            let text = format!("{method} {path}: use GET or POST");
            return (405, json!({"status": "error", "errorType": "bad_data", "error": text}));
        }
        if path == "/api/v1/status/buildinfo" {
            let data = json!({"version": VERSION, "revision": "", "branch": "", "goVersion": ""});
            return (200, json!({"status": "success", "data": data}));
        }
        let form = String::from_utf8_lossy(body);
        let parameters: Vec<(String, String)> = form
            .split('&')
            .chain(query.split('&'))
            .filter(|pair| !pair.is_empty())
            .take(PARAMETERS_MAX)
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect();
        let now_ms = self.traffic.clock.now().0.timestamp_millis();
        self.traffic.with(|state| promql::answer(&state.database, path, &parameters, now_ms))
    }
}

impl<B> tower::Service<http::Request<B>> for Prometheus
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<bytes::Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let own = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
            let (code, value) = match Limited::new(body, BODY_MAX_BYTES).collect().await {
                Ok(body) => own.answer(parts.method.as_str(), target, &body.to_bytes()),
                Err(error) => {
                    let text = format!("read the request: {error}");
                    (400, json!({"status": "error", "errorType": "bad_data", "error": text}))
                }
            };
            let mut response = Response::new(Full::from(value.to_string()));
            *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            Ok(response)
        })
    }
}
