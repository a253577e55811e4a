//! One owner for each run id, and an end for its cluster even when the owner is killed.

use crate::cache;
use anyhow::{Context, Result, bail};
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The guard of a killed owner needs a moment to remove its cluster.
const LOCK_LIMIT: Duration = Duration::from_secs(20);
const LOCK_STEP: Duration = Duration::from_millis(200);

/// Holds the run id. A process beside ours waits for the end of its standard input: when that comes without the word
/// that all is well, we were killed, and it removes the cluster.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
    _lock: File,
}

impl Guard {
    /// Takes the run id; `helper` is the `xtask` program.
    pub(crate) fn take(run_id: &str, helper: &Path) -> Result<Self> {
        let path = cache::root()?.join("runs").join(format!("{run_id}.lock"));
        let file = lock(&path, LOCK_LIMIT)?.with_context(|| {
            format!("run id {run_id:?} is in use by another process: choose another one, or end that process")
        })?;
        let child = Command::new(helper)
            .args(["e2e", "--run-id", run_id, "guard"])
            .stdin(Stdio::piped())
            // The open file is the lock: as the guard's output it stays locked until the guard has ended.
            .stdout(file.try_clone()?)
            .stderr(Stdio::null())
            // Ctrl-C ends the owner, not the guard.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", helper.display()))?;
        Ok(Self { child, _lock: file })
    }
}

impl Drop for Guard {
    /// Tells the guard that there is nothing to do, and waits until it has gone.
    fn drop(&mut self) {
        if let Some(mut input) = self.child.stdin.take() {
            // A guard that has gone needs no word.
            let _ = input.write_all(b".");
        }
        let _ = self.child.wait();
    }
}

fn lock(path: &Path, limit: Duration) -> Result<Option<File>> {
    let file = cache::open_lock(path)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if start.elapsed() < limit => std::thread::sleep(LOCK_STEP),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => bail!("lock {}: {error}", path.display()),
        }
    }
}

/// Waits for the end of `input`, and gives whether the owner was killed before it said that all is well.
///
/// # Errors
///
/// When the input cannot be read.
pub fn owner_was_killed(mut input: impl Read) -> Result<bool> {
    let mut word = Vec::new();
    input.read_to_end(&mut word)?;
    Ok(word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_without_a_word_is_a_killed_owner() {
        assert!(owner_was_killed(&b""[..]).unwrap());
        assert!(!owner_was_killed(&b"."[..]).unwrap());
    }

    #[test]
    fn a_run_id_has_one_owner() {
        let path = std::env::temp_dir().join(format!("stepgate-guard-{}.lock", std::process::id()));
        let first = lock(&path, Duration::ZERO).unwrap();
        assert!(first.is_some());
        assert!(lock(&path, Duration::ZERO).unwrap().is_none());
        drop(first);
        assert!(lock(&path, Duration::ZERO).unwrap().is_some());
        std::fs::remove_file(&path).unwrap();
    }
}
