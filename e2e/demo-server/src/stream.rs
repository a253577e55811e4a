//! A gRPC stream that lasts: a message again and again, until the server is told to end.
//!
//! Only what gRPC asks of HTTP/2 is here (framed messages, the status as a trailer): there is nothing to encode.

use crate::server::Demo;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::StreamBody;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The path of the method.
pub const METHOD: &str = "/stepgate.demo.v1.Demo/Watch";
/// Its media type.
pub(crate) const GRPC: &str = "application/grpc";
/// The trailer that says how a stream ended; `0` is well.
pub(crate) const STATUS: &str = "grpc-status";
/// Between two messages.
pub(crate) const BEAT: Duration = Duration::from_millis(200);
/// A message of no bytes: no compression, length 0.
const MESSAGE: Bytes = Bytes::from_static(&[0; 5]);
/// How long a stream that begins after the server was told to end is served at least: else its user would come back
/// at once, again and again.
const LAST: Duration = Duration::from_secs(1);

/// Answers with messages until the server leaves, then ends well.
pub(crate) fn answer(demo: Arc<Demo>) -> Response {
    let (name, begun) = (demo.name(), Instant::now());
    let frames = stream::unfold(Some(demo), move |demo| async move {
        let demo = demo?;
        tokio::time::sleep(BEAT).await;
        if demo.is_leaving() && begun.elapsed() >= LAST {
            let trailers = HeaderMap::from_iter([(
                http::HeaderName::from_static(STATUS),
                HeaderValue::from_static("0"),
            )]);
            return Some((Ok::<_, Infallible>(Frame::trailers(trailers)), None));
        }
        Some((Ok(Frame::data(MESSAGE)), Some(demo)))
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    *response.headers_mut() = name;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    response
}
