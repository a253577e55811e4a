//! The server: the page, its probes and its metrics.

use std::{
    future::Future,
    net::Ipv6Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use tokio::{net::TcpListener, time::Instant};

use crate::{
    metrics::{self, Metrics},
    settings::Settings,
    stream,
};

/// Header that carries the version in each answer for the page, also in a failed one.
pub const VERSION_HEADER: &str = "x-version";
/// Header that carries the name of the pod.
pub const POD_HEADER: &str = "x-pod";
/// Header of an answer that was given after the pod had been told to end.
pub const LEAVING_HEADER: &str = "x-leaving";

/// Time for open requests to end once the port is closed: longer than any `LATENCY_MS` in use, far shorter than the
/// 30 seconds after which a kubelet kills the container.
const DRAIN_SECONDS: u64 = 3;

/// One running server.
pub(crate) struct Demo {
    settings: Settings,
    metrics: Metrics,
    requests: AtomicU64,
    started: Instant,
    leaving: AtomicBool,
}

impl Demo {
    /// Whether it has been told to end.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// What each answer says of who gave it.
    pub(crate) fn name(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let words = [(VERSION_HEADER, &self.settings.version), (POD_HEADER, &self.settings.pod)];
        for (header, word) in words {
            // A word that no header can carry is left out.
            if let Ok(value) = HeaderValue::from_str(word) {
                headers.insert(header, value);
            }
        }
        if self.is_leaving() {
            headers.insert(LEAVING_HEADER, HeaderValue::from_static("true"));
        }
        headers
    }
}

/// The server's routes: `/` and any other path is the page, `/healthz` tells whether it is ready, `/livez` that it
/// lives, `/metrics` is for Prometheus, [`stream::METHOD`] is a gRPC stream. Only the page is counted, delayed and made
/// to fail.
fn routes(demo: Arc<Demo>) -> Router {
    Router::new()
        .route("/healthz", get(readiness))
        .route("/readyz", get(readiness))
        .route("/livez", get(async || "ok\n"))
        .route("/metrics", get(exposition))
        .route(stream::METHOD, post(watch))
        .fallback(page)
        .with_state(demo)
}

/// Opens the port on all addresses, IPv6 and IPv4 (IPv4 alone where the node has no IPv6).
///
/// # Errors
/// When the port is taken or not allowed.
pub async fn bind(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_no_ipv6) => TcpListener::bind(("0.0.0.0", port)).await,
    }
}

/// Serves until `terminated` resolves and the grace after it has passed; then lets open requests end, for a bounded
/// time.
///
/// # Errors
/// When accepting connections fails.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    terminated: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let grace = Duration::from_secs(settings.shutdown_grace_seconds);
    let metrics = Metrics::new(&settings.version);
    let (requests, leaving) = (AtomicU64::new(0), AtomicBool::new(false));
    let demo = Arc::new(Demo { settings, metrics, requests, started: Instant::now(), leaving });
    let told = demo.clone();
    let (closing, closed) = tokio::sync::oneshot::channel::<()>();
    let stop = async move {
        terminated.await;
        told.leaving.store(true, Ordering::Relaxed);
        tokio::time::sleep(grace).await;
        drop(closing);
    };
    let drained = async move {
        // The sender is dropped, never used: an error is the signal.
        drop(closed.await);
        tokio::time::sleep(Duration::from_secs(DRAIN_SECONDS)).await;
    };
    let server = axum::serve(listener, routes(demo)).with_graceful_shutdown(stop);
    tokio::select! {
        biased;
        ended = server => ended,
        // A client that keeps its connection open must not keep the pod.
        () = drained => Ok(()),
    }
}

async fn page(State(demo): State<Arc<Demo>>) -> Response {
    let begun = Instant::now();
    let nth = demo.requests.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    tokio::time::sleep(Duration::from_millis(demo.settings.latency_ms)).await;
    let (status, word) = if demo.settings.errors().fails(nth) {
        (StatusCode::INTERNAL_SERVER_ERROR, "failed on purpose")
    } else {
        (StatusCode::OK, "ok")
    };
    demo.metrics.count(status.as_u16(), begun.elapsed());
    let version = demo.settings.version.as_str();
    let body = Json(std::collections::BTreeMap::from([("status", word), ("version", version)]));
    (status, demo.name(), body).into_response()
}

async fn watch(State(demo): State<Arc<Demo>>) -> Response {
    stream::answer(demo)
}

async fn readiness(State(demo): State<Arc<Demo>>) -> (StatusCode, &'static str) {
    match demo.settings.ready_after() {
        Some(after) if demo.started.elapsed() >= after => (StatusCode::OK, "ok\n"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready yet: READY_AFTER_SECONDS has not passed\n"),
        None => (StatusCode::SERVICE_UNAVAILABLE, "never ready: READY=never\n"),
    }
}

async fn exposition(State(demo): State<Arc<Demo>>) -> Response {
    match demo.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
