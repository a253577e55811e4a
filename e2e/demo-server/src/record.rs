//! One line of the load log: what one user saw.
//!
//! Four words: milliseconds since 1970 at which the request began, milliseconds that it took, the HTTP status (or
//! `connect`, `timeout`, `broken`), and the version that answered (`-` when none did).

use std::{fmt, str::FromStr};

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
}

/// A line that is not a record.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a line of a load log (time, duration, status, version): {0:?}")]
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
        let version = self.version.as_deref().unwrap_or("-");
        write!(f, "{} {} {} {version}", self.epoch_ms, self.took_ms, self.outcome)
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
    let version = match words.next()? {
        "-" => None,
        version => Some(version.to_owned()),
    };
    words.next().is_none().then_some(Record { epoch_ms, took_ms, outcome, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_from_its_line() {
        let lines = ["1795228800123 4 200 v1", "1795228800223 2 500 v2", "5 2000 timeout -", "6 0 connect -"];
        for line in lines {
            assert_eq!(line.parse::<Record>().map(|r| r.to_string()), Ok(line.to_owned()));
        }
    }

    #[test]
    fn a_torn_or_foreign_line_is_no_record() {
        for line in ["", "1795228800123 4 20", "1 2 200 v1 more", "1 2 fine v1", "-1 2 200 v1"] {
            assert!(line.parse::<Record>().is_err(), "{line:?}");
        }
    }
}
