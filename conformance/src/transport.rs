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

/// Cuts what comes of a body into lines.
#[derive(Debug, Default)]
pub struct LineBuffer(Vec<u8>);

impl LineBuffer {
    /// The next whole line, without its end.
    pub fn line(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.0.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Takes more of the body.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The body has ended: its last line, which needs no end of its own.
    pub fn last(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.0);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).trim_end().to_owned())
    }

    /// Bytes of the line that has not ended yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::LineBuffer;

    #[test]
    fn lines_come_whole_and_the_last_one_needs_no_end() {
        let mut lines = LineBuffer::default();
        lines.add(b"{\"type\":");
        assert_eq!((lines.line(), lines.waiting()), (None, 8));
        lines.add(b"\"ADDED\"}\n{\"type\":\"BOOKMARK\"}\r\n{\"code\":410}");
        assert_eq!(lines.line().as_deref(), Some("{\"type\":\"ADDED\"}"));
        assert_eq!(lines.line().as_deref(), Some("{\"type\":\"BOOKMARK\"}"));
        assert_eq!(lines.line(), None);
        assert_eq!(lines.last().as_deref(), Some("{\"code\":410}"));
        assert_eq!(lines.last(), None);
    }
}
