//! How requests reach a server: the one thing that differs between the real server and the one in memory.

use http::{Request, Response};
use std::future::Future;
use std::time::Duration;

/// A way to a server, with its time.
pub trait Transport {
    /// Why no answer came; an answer with a status of 400 or above is an answer.
    type Error: std::error::Error + 'static;
    /// The lines of a watch.
    type Lines: Lines<Error = Self::Error>;

    /// Sends one request; the address has no host.
    fn send(&self, request: Request<Vec<u8>>)
    -> impl Future<Output = Result<Response<Vec<u8>>, Self::Error>>;

    /// Opens a stream of lines.
    fn watch(
        &self,
        request: Request<Vec<u8>>,
    ) -> impl Future<Output = Result<Response<Self::Lines>, Self::Error>>;

    /// Lets time pass.
    fn rest(&self, time: Duration) -> impl Future<Output = ()>;
}

/// The lines of a watch that is open; dropping it closes the watch.
pub trait Lines {
    /// As the transport's.
    type Error: std::error::Error + 'static;

    /// The next line, waiting no longer than `limit`.
    fn next(&mut self, limit: Duration) -> impl Future<Output = Result<Line, Self::Error>>;
}

/// What a watch gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line without its end.
    Text(String),
    /// The server has ended the stream.
    End,
    /// Nothing came within the limit.
    Late,
}
