//! One line of the load log: what one user saw.
//!
//! Seven words: milliseconds since 1970 at which the request began, milliseconds that it took, the HTTP status (or
//! `connect`, `timeout`, `broken`), the version and the pod that answered (`-` when none did), whether that pod was
//! `serving` or already `leaving`, and how the user came (`new`, `kept`, `http2`, `stream`).

use std::{fmt, str::FromStr};

const SERVING: &str = "serving";
const LEAVING: &str = "leaving";

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// An answer with this HTTP status.
    Status(u16),
    /// No connection: refused, unreachable, no such name.
    Connect,
    /// No answer in time.
    Timeout,
    /// Connected, but the connection ended before the answer did.
    Broken,
}

/// How a user comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// HTTP/1.1 on a connection of its own.
    New,
    /// HTTP/1.1 on a connection that is kept and used again.
    Kept,
    /// HTTP/2, all on one connection.
    Http2,
    /// A gRPC stream that stays open. It is one request, however long it lasts.
    Stream,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::New, Self::Kept, Self::Http2, Self::Stream];

    /// Its word in a line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Kept => "kept",
            Self::Http2 => "http2",
            Self::Stream => "stream",
        }
    }
}

/// What one user saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Milliseconds since 1970 at which the request began.
    pub epoch_ms: u64,
    /// Milliseconds that it took.
    pub took_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// The version that answered, where the answer told it.
    pub version: Option<String>,
    /// The pod that answered, where the answer told it.
    pub pod: Option<String>,
    /// Whether that pod had been told to end.
    pub leaving: bool,
    /// How the user came.
    pub way: Way,
}

/// A line that is not a record.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a line of a load log (time, duration, status, version, pod, state, way): {0:?}")]
pub struct NotARecord(String);

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code) => write!(f, "{code}"),
            Self::Connect => f.write_str("connect"),
            Self::Timeout => f.write_str("timeout"),
            Self::Broken => f.write_str("broken"),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |name: &'_ Option<String>| name.as_deref().unwrap_or("-").to_owned();
        let (version, pod) = (word(&self.version), word(&self.pod));
        let state = if self.leaving { LEAVING } else { SERVING };
        let way = self.way.word();
        write!(f, "{} {} {} {version} {pod} {state} {way}", self.epoch_ms, self.took_ms, self.outcome)
    }
}

impl FromStr for Record {
    type Err = NotARecord;

    fn from_str(line: &str) -> Result<Self, NotARecord> {
        parse(line).ok_or_else(|| NotARecord(line.to_owned()))
    }
}

fn parse(line: &str) -> Option<Record> {
    let mut words = line.split_ascii_whitespace();
    let (epoch_ms, took_ms) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let outcome = match words.next()? {
        "connect" => Outcome::Connect,
        "timeout" => Outcome::Timeout,
        "broken" => Outcome::Broken,
        code => Outcome::Status(code.parse().ok()?),
    };
    let mut name = || words.next().map(|word| (word != "-").then(|| word.to_owned()));
    let (version, pod) = (name()?, name()?);
    let leaving = match words.next()? {
        SERVING => false,
        LEAVING => true,
        _ => return None,
    };
    let word = words.next()?;
    let way = Way::ALL.into_iter().find(|way| way.word() == word)?;
    words.next().is_none().then_some(Record { epoch_ms, took_ms, outcome, version, pod, leaving, way })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_from_its_line() {
        let lines = [
            "1795228800123 4 200 v1 web-1 serving new",
            "1795228800223 2 500 v2 web-2 leaving http2",
            "5 2000 timeout - - serving kept",
            "6 0 connect - - serving stream",
        ];
        for line in lines {
            assert_eq!(line.parse::<Record>().map(|r| r.to_string()), Ok(line.to_owned()));
        }
    }

    #[test]
    fn a_torn_or_foreign_line_is_no_record() {
        let whole = "1 2 200 v1 web-1 serving new";
        assert!(whole.parse::<Record>().is_ok());
        let foreign = [
            whole.to_owned() + " more",
            whole.replace("200", "fine"),
            whole.replace("1 2", "-1 2"),
            whole.replace("serving", "gone"),
            whole.replace("new", "old"),
            "1795228800123 4 20".to_owned(),
            String::new(),
        ];
        for line in foreign {
            assert!(line.parse::<Record>().is_err(), "{line:?}");
        }
    }
}
