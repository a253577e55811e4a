//! /healthz, /readyz, /metrics and /shadow, on every replica.

use crate::controller::Controller;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use std::net::{Ipv6Addr, SocketAddr};
use tokio::net::TcpListener;

/// Serves until the process ends.
///
/// # Errors
/// When a port cannot be listened on.
pub(crate) async fn start(ports: (u16, u16), controller: &Controller) -> anyhow::Result<()> {
    let (health_port, metrics_port) = ports;
    let ready = controller.ready.subscribe();
    let is_ready = move || async move {
        if *ready.borrow() {
            (StatusCode::OK, "ok")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "the caches are not filled yet")
        }
    };
    let health = Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(is_ready));
    let (pages, shadow) = (controller.pages(), controller.pages());
    let render = move || async move {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], pages.metrics())
    };
    let shadow = move || async move {
        match shadow.shadow() {
            Some(report) => Json(report).into_response(),
            None => (StatusCode::NOT_FOUND, "this controller acts: only one with --shadow compares\n")
                .into_response(),
        }
    };
    serve(health_port, health).await?;
    serve(metrics_port, Router::new().route("/metrics", get(render)).route("/shadow", get(shadow))).await
}

async fn serve(port: u16, router: Router) -> anyhow::Result<()> {
    let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        // A machine without IPv6.
        Err(_) => TcpListener::bind(("0.0.0.0", port))
            .await
            .map_err(|error| anyhow::anyhow!("port {port}: {error}"))?,
    };
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, port, "a server ended");
        }
    });
    Ok(())
}
