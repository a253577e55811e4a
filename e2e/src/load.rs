//! What users saw: a load on a service, and the summary of its log by version.
//!
//! The load itself is sent by `demo-server load`, a process of its own, because it may have to run inside a network
//! namespace.

use scenarios::Seen;
use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use demo_server::load::Rates;
use demo_server::record::{NotARecord, Outcome, Record};

/// Why there is no summary.
#[derive(Debug, thiserror::Error)]
pub enum LoadLogError {
    /// The log or the program could not be used.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line is not a record.
    #[error("line {line}: {source}")]
    Line {
        /// From 1.
        line: usize,
        /// The line.
        source: NotARecord,
    },
    /// The generator ended with an error.
    #[error("the load generator failed ({status}); its last words are on standard error")]
    Failed {
        /// How it ended.
        status: ExitStatus,
    },
}

/// A load that is running.
#[derive(Debug)]
pub struct RunningLoad {
    child: Child,
    log: PathBuf,
}

/// Who comes, where to, and for how long.
#[derive(Debug, Clone)]
pub struct Arrivals {
    /// The page.
    pub url: String,
    /// Where to connect, when that is not what the address says.
    pub connect: Option<SocketAddr>,
    /// How many, in which ways.
    pub rates: Rates,
    /// Longest time.
    pub seconds: u32,
}

impl Arrivals {
    fn args(&self) -> Vec<String> {
        let mut args = vec!["--url".to_owned(), self.url.clone()];
        let mut add = |name: &str, value: String| args.extend([format!("--{name}"), value]);
        add("rate", self.rates.new.to_string());
        add("seconds", self.seconds.to_string());
        add("kept", self.rates.kept.to_string());
        add("http2", self.rates.http2.to_string());
        add("streams", self.rates.streams.to_string());
        if let Some(address) = self.connect {
            add("connect", address.to_string());
        }
        args
    }
}

/// Starts `demo-server load`. `prefix` is put before the program, for instance
/// `["nsenter", "--net=/run/netns/NAME"]`; it may be empty.
///
/// # Errors
/// When the program cannot be started.
pub fn start(
    prefix: &[&str],
    demo_server: &Path,
    arrivals: &Arrivals,
    log: &Path,
) -> Result<RunningLoad, LoadLogError> {
    // What an earlier load left would be taken for this one's until the generator has opened it.
    match fs::remove_file(log) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(LoadLogError::Io { path: log.to_owned(), source: error });
        }
        _ => {}
    }
    let mut command = match prefix.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(demo_server);
            command
        }
        None => Command::new(demo_server),
    };
    command.args(["load", "--log"]).arg(log).args(arrivals.args());
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|source| LoadLogError::Io { path: demo_server.to_owned(), source })?;
    Ok(RunningLoad { child, log: log.to_owned() })
}

impl RunningLoad {
    /// What users saw so far; a line that is still being written is left out.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn so_far(&self) -> Result<Seen, LoadLogError> {
        match fs::read_to_string(&self.log) {
            Ok(text) => sum_up(text.rfind('\n').map_or("", |end| text.split_at(end).0)),
            // The generator has not opened it yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Seen::default()),
            Err(source) => Err(LoadLogError::Io { path: self.log.clone(), source }),
        }
    }

    /// Asks the generator to end (it waits for open requests) and summarises.
    ///
    /// # Errors
    /// As [`RunningLoad::wait`].
    pub fn stop(self) -> Result<Seen, LoadLogError> {
        // By `kill`, because std can only send SIGKILL, which would lose the requests in flight. One that has ended
        // already is no error: `wait` tells how.
        drop(
            Command::new("kill").args(["-TERM", &self.child.id().to_string()]).stderr(Stdio::null()).status(),
        );
        self.wait()
    }

    /// Waits until the load's time is over (it is bounded) and summarises.
    ///
    /// # Errors
    /// When the generator fails or its log cannot be read.
    pub fn wait(mut self) -> Result<Seen, LoadLogError> {
        let ended =
            self.child.wait().map_err(|source| LoadLogError::Io { path: self.log.clone(), source })?;
        if !ended.success() {
            return Err(LoadLogError::Failed { status: ended });
        }
        read(&self.log)
    }
}

impl Drop for RunningLoad {
    /// A test that fails leaves no load behind.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads a log.
///
/// # Errors
/// When it cannot be read or has a line that is not a record.
pub fn read(log: &Path) -> Result<Seen, LoadLogError> {
    let text = fs::read_to_string(log).map_err(|source| LoadLogError::Io { path: log.to_owned(), source })?;
    sum_up(&text)
}

/// Sums up the text of a log.
///
/// # Errors
/// When a line is not a record.
pub fn sum_up(text: &str) -> Result<Seen, LoadLogError> {
    let mut seen = Seen::default();
    for (index, line) in text.lines().enumerate() {
        let record =
            line.parse().map_err(|source| LoadLogError::Line { line: index.saturating_add(1), source })?;
        add(&mut seen, &record);
    }
    Ok(seen)
}

fn add(seen: &mut Seen, record: &Record) {
    let count = match record.outcome {
        Outcome::Status(code) => {
            let version = seen.versions.entry(record.version.clone().unwrap_or_default()).or_default();
            seen.by_leaving = seen.by_leaving.saturating_add(u64::from(record.leaving));
            if code < 400 { &mut version.answered } else { &mut version.failed }
        }
        Outcome::Connect => &mut seen.connect_errors,
        Outcome::Timeout => &mut seen.timeouts,
        Outcome::Broken => &mut seen.broken,
    };
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use scenarios::Version;

    #[test]
    fn a_log_is_summed_up_by_version() {
        let of_leaving = sum_up("1 2 200 v1 web-1 leaving kept\n2 2 200 v1 web-2 serving kept").unwrap();
        assert_eq!((of_leaving.by_leaving, of_leaving.total()), (1, 2));
        let seen = ["200 v1", "200 v1", "200 v2", "500 v2", "503 -", "connect -", "timeout -", "broken -"];
        let log: Vec<String> = seen.iter().map(|seen| format!("1 2 {seen} - serving new")).collect();
        let summary = sum_up(&log.join("\n")).unwrap();
        assert_eq!(summary.version("v1"), Version { answered: 2, failed: 0 });
        assert_eq!(summary.version("v2"), Version { answered: 1, failed: 1 });
        assert_eq!(summary.version(""), Version { answered: 0, failed: 1 });
        assert_eq!((summary.unanswered(), summary.total()), (3, 8));
        let line = "(no version) 0 answered, 1 failed; v1 2 answered; v2 1 answered, 1 failed; no answer 3";
        assert_eq!(summary.to_string(), line);
    }

    #[test]
    fn a_torn_line_is_named() {
        let error = sum_up("1 2 200 v1 - serving new\n2 2 20").unwrap_err();
        assert!(error.to_string().starts_with("line 2: "), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = start(&[], Path::new("/nonexistent/demo"), &arrivals(), Path::new("/tmp/x")).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent/demo: "), "{error}");
    }

    fn arrivals() -> Arrivals {
        let rates = Rates { new: 5, kept: 0, http2: 0, streams: 0 };
        Arrivals { url: "http://x/".to_owned(), connect: None, rates, seconds: 1 }
    }

    /// The prefix gets the generator's command line as its last arguments, as `nsenter` would: here a shell, to which
    /// `$3` is the log, plays the generator.
    #[test]
    fn a_load_is_started_behind_its_prefix_and_its_end_is_told() {
        let log = std::env::temp_dir().join(format!("load-{}.log", std::process::id()));
        let run = |script: &str| {
            start(&["sh", "-c", script], Path::new("demo-server"), &arrivals(), &log).unwrap().wait()
        };
        let summary = run(
            "test \"$0 $1 $5 $7 $9\" = 'demo-server load http://x/ 5 1' && echo '1 2 200 v1 - serving new' > \"$3\"",
        );
        assert_eq!(summary.unwrap().version("v1").answered, 1);
        assert!(matches!(run("exit 2"), Err(LoadLogError::Failed { .. })));
        assert!(!log.exists(), "a new load does not begin with the last one's log");
    }
}
