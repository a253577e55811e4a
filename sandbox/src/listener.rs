//! The API server on a port of this machine, for `kubectl` and every other client that speaks HTTP.
//!
//! Clients show their token in the header `Authorization`, or in the address, as `/token/TOKEN` before the path:
//! `kubectl` sends no header with a token where there is no TLS, and keeps what stands before the path.

use crate::cluster::Cluster;
use crate::service::{Body, Broken, Handle};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

/// Connections that are served at once; more wait until one ends.
const CONNECTIONS_MAX: usize = 256;
/// How long a connection may wait for a request: longer than clients keep one that they do not use, so that none is
/// closed in the moment in which it is used again.
const HEAD_LIMIT: Duration = Duration::from_secs(120);
/// Largest head of a request.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Until connections are accepted again after the system could not.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What stands before a token in an address.
const PREFIX: &str = "/token/";
/// What the weather knows the clients of the port by.
const CLIENT: &str = "http";

/// Why the port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address can be reached from elsewhere.
    #[error(
        "{address} is not an address of this machine alone: whoever reaches the port controls the cluster, so use 127.0.0.1 or ::1"
    )]
    NotLoopback {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// It cannot stand in an address.
    #[error("the token is not one of letters, digits, '-', '_', '.' and '~': it also stands in addresses")]
    Token,
    /// The system.
    #[error("cannot listen on {address}: {source}; port 0 takes any that is free")]
    Io {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// An open port. Dropping it closes the port and ends all its connections.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    token: Arc<str>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// Opens a port in front of a cluster for clients that have the token.
    ///
    /// # Errors
    /// When the address is not one of this machine alone, the token cannot stand in an address, or the port is taken.
    pub async fn start(cluster: &Cluster, address: SocketAddr, token: &str) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback { address });
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        if token.is_empty() || !token.chars().all(fits) {
            return Err(ListenError::Token);
        }
        let io = |source| ListenError::Io { address, source };
        let listener = TcpListener::bind(address).await.map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        let token: Arc<str> = token.into();
        let door = Door { handle: cluster.client(CLIENT), token: token.clone() };
        let task = tokio::spawn(accept(listener, door));
        Ok(Self { address, token, task })
    }

    /// The address, with the port that was found when 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kubeconfig for this port.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        kubeconfig(self.address, &self.token)
    }
}

/// A kubeconfig (YAML) for a port and its token.
#[must_use]
pub fn kubeconfig(address: SocketAddr, token: &str) -> String {
    // JSON is YAML.
    let server = format!("http://{address}{PREFIX}{token}");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": {"server": server}}],
        "users": [{"name": "sandbox", "user": {"token": token}}],
        "contexts": [{
            "name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox", "namespace": "default"},
        }],
    });
    format!("{config:#}\n")
}

/// Lets those in who have the token.
#[derive(Clone, Debug)]
struct Door {
    handle: Handle,
    token: Arc<str>,
}

async fn accept(listener: TcpListener, door: Door) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Ends its connections when this task is ended.
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let door = door.clone();
                connections.spawn(async move {
                    serve(stream, door).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, door: Door) {
    // Lines of a watch are small and must not wait for more.
    drop(stream.set_nodelay(true));
    let service = service_fn(|request| door.clone().answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_MAX_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away in the middle is no event.
    drop(connection.await);
}

impl Door {
    async fn answer(self, mut request: Request<Incoming>) -> Result<Response<Body>, Broken> {
        if let Some(inner) = self.behind_token(request.uri()) {
            *request.uri_mut() = inner;
        } else if !self.lets_in(&request) {
            return Ok(unauthorized());
        }
        self.handle.oneshot(request).await
    }

    fn lets_in(&self, request: &Request<Incoming>) -> bool {
        // Whether the server is up is no secret.
        if matches!(request.uri().path(), "/healthz" | "/livez" | "/readyz") {
            return true;
        }
        let said = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        said.and_then(|said| said.strip_prefix(b"Bearer "))
            .is_some_and(|token| same(token, self.token.as_bytes()))
    }

    /// The address that stands behind the token, when the right one is in it.
    fn behind_token(&self, address: &Uri) -> Option<Uri> {
        let (token, path) = address.path().strip_prefix(PREFIX)?.split_once('/')?;
        let query = address.query().map(|query| format!("?{query}")).unwrap_or_default();
        let inner = format!("/{path}{query}").parse().ok()?;
        same(token.as_bytes(), self.token.as_bytes()).then_some(inner)
    }
}

/// Compares in a time that does not depend on where the difference is.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

fn unauthorized() -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "Unauthorized", "reason": "Unauthorized", "code": StatusCode::UNAUTHORIZED.as_u16(),
    });
    let body = Full::new(Bytes::from(status.to_string())).map_err(|never| match never {});
    let mut response = Response::new(BodyExt::boxed_unsync(body));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
