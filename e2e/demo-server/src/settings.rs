//! What the server is told by its environment.

use std::time::Duration;

use clap::{Args, ValueEnum, builder::BoolishValueParser};

/// Whether the server will ever say that it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ready {
    /// Ready after [`Settings::ready_after_seconds`].
    Auto,
    /// Never ready: a release that no readiness probe lets through.
    Never,
}

/// The server's behaviour. Each setting is an environment variable as well as a flag.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Name of the release; one word. Sent in each answer and as a label of the metrics.
    #[arg(long, env = "VERSION", default_value = "v1", value_parser = one_word)]
    pub version: String,
    /// Name of the pod; a container has its own as its host name. Sent in each answer.
    #[arg(long, env = "HOSTNAME", default_value = "-", value_parser = one_word)]
    pub pod: String,
    /// Every Nth request for the page answers 500, by count; 0 means never.
    #[arg(long, env = "ERROR_EVERY", default_value_t = 0, conflicts_with = "error_percent")]
    pub error_every: u64,
    /// This percentage of the requests for the page answers 500, spread evenly by count.
    #[arg(long, env = "ERROR_PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub error_percent: Option<u8>,
    /// Milliseconds that each request for the page takes.
    #[arg(long, env = "LATENCY_MS", default_value_t = 0)]
    pub latency_ms: u64,
    /// TCP port on all addresses; 0 lets the system choose.
    #[arg(long, env = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// Seconds that the server goes on serving after SIGTERM, so that no client meets a closed port while the
    /// cluster still routes to it.
    #[arg(long, env = "SHUTDOWN_GRACE_SECONDS", default_value_t = 5)]
    pub shutdown_grace_seconds: u64,
    /// Seconds until the server says that it is ready.
    #[arg(long, env = "READY_AFTER_SECONDS", default_value_t = 0)]
    pub ready_after_seconds: u64,
    /// Whether the server ever becomes ready.
    #[arg(long, env = "READY", value_enum, default_value_t = Ready::Auto)]
    pub ready: Ready,
    /// Exit with 1 at once: a release that crashes at start.
    #[arg(long, env = "START_FAIL", default_value = "false", value_parser = BoolishValueParser::new(), action = clap::ArgAction::Set)]
    pub start_fail: bool,
}

impl Settings {
    /// How many of every how many requests fail.
    #[must_use]
    pub fn errors(&self) -> ErrorShare {
        match (self.error_percent, self.error_every) {
            (Some(percent), _) => ErrorShare { failing: u64::from(percent), of: 100 },
            (None, 0) => ErrorShare { failing: 0, of: 1 },
            (None, every) => ErrorShare { failing: 1, of: every },
        }
    }

    /// Time from start to ready; `None` means never.
    #[must_use]
    pub fn ready_after(&self) -> Option<Duration> {
        match self.ready {
            Ready::Auto => Some(Duration::from_secs(self.ready_after_seconds)),
            Ready::Never => None,
        }
    }
}

/// A share of requests that fail, decided by count and not by chance: a test that sends 100 requests to a server
/// with 5% errors always sees exactly 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorShare {
    failing: u64,
    of: u64,
}

impl ErrorShare {
    /// Whether request number `nth` (from 1) fails: when the number of failures owed grows with it.
    ///
    /// Worked example, 2 of 5: owed after requests 1..5 are 0, 0, 1, 1, 2, so the third and the fifth fail.
    #[must_use]
    pub fn fails(self, nth: u64) -> bool {
        let owed = |count: u64| u128::from(count) * u128::from(self.failing) / u128::from(self.of.max(1));
        owed(nth) > owed(nth.saturating_sub(1))
    }
}

/// Version and pod are fields of a line in the load log and header values: each must be one printable ASCII word.
fn one_word(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("must be one word of printable ASCII characters, such as v2 or 1.4.0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(share: ErrorShare, requests: u64) -> Vec<u64> {
        (1..=requests).filter(|nth| share.fails(*nth)).collect()
    }

    #[test]
    fn every_nth_request_fails() {
        assert_eq!(failures(ErrorShare { failing: 1, of: 4 }, 12), [4, 8, 12]);
        assert_eq!(failures(ErrorShare { failing: 0, of: 1 }, 12), [0; 0]);
        assert_eq!(failures(ErrorShare { failing: 1, of: 1 }, 3), [1, 2, 3]);
    }

    #[test]
    fn a_percentage_is_exact_over_any_hundred() {
        for percent in 0..=100 {
            let share = ErrorShare { failing: percent, of: 100 };
            assert_eq!(failures(share, 300).len(), usize::try_from(percent * 3).unwrap_or_default());
        }
    }

    #[test]
    fn a_version_is_one_word() {
        assert_eq!(one_word("1.4.0-rc.1"), Ok("1.4.0-rc.1".to_owned()));
        assert!(one_word("two words").is_err());
        assert!(one_word("").is_err());
    }
}
