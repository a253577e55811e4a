//! What is built once: folders named by the hash of all that goes into them.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Bytes of the hash that name a folder: plenty to tell a few builds apart.
const NAME_BYTES: usize = 8;

/// `$XDG_CACHE_HOME/stepgate`, or `~/.cache/stepgate`.
pub(crate) fn root() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context(
            "neither XDG_CACHE_HOME nor HOME is set: set one, the programs of the cluster are kept there",
        )?)
        .join(".cache"),
    };
    Ok(base.join("stepgate"))
}

/// The name of what is built from `inputs`: `NAME-HASH`.
pub(crate) fn name(name: &str, inputs: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        // The length goes first, so that no two lists of inputs look alike.
        hash.update(input.len().to_le_bytes());
        hash.update(input);
    }
    let digest: String = hash.finalize().iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{digest}")
}

/// Returns when `folder` is filled; calls `fill` with an empty folder if nobody has done so yet. One process fills at
/// a time, the others wait for it, and a half-filled folder never gets the final name.
pub(crate) fn ensure(folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let _lock = lock(&folder.with_extension("lock"))?;
    if folder.is_dir() {
        return Ok(());
    }
    let partial = folder.with_extension("partial");
    remove(&partial)?;
    fs::create_dir_all(&partial).with_context(|| format!("create {}", partial.display()))?;
    fill(&partial)?;
    fs::rename(&partial, folder).with_context(|| format!("name {}", folder.display()))
}

/// Waits for the lock that the file stands for; it is held until the file is dropped.
fn lock(path: &Path) -> Result<File> {
    let file = open_lock(path)?;
    file.lock().with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}

/// Opens a file for locking; it is created when it is not there and never removed, for a removed file can be locked
/// by one who still has it open.
pub(crate) fn open_lock(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .with_context(|| format!("open {}", path.display()))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn folder(test: &str) -> PathBuf {
        std::env::temp_dir().join(format!("stepgate-cache-{test}-{}", std::process::id()))
    }

    #[test]
    fn the_name_depends_on_every_input_and_on_where_they_part() {
        assert_eq!(name("x", &[b"ab", b"c"]), name("x", &[b"ab", b"c"]));
        assert_ne!(name("x", &[b"ab", b"c"]), name("x", &[b"a", b"bc"]));
        assert_ne!(name("x", &[b"ab"]), name("x", &[b"ab", b""]));
    }

    #[test]
    fn a_failed_fill_leaves_nothing_under_the_final_name() {
        let base = folder("failed");
        let target = base.join("thing-1");
        assert!(ensure(&target, |_| anyhow::bail!("no")).is_err());
        assert!(!target.exists());
        ensure(&target, |partial| Ok(fs::write(partial.join("file"), "x")?)).unwrap();
        ensure(&target, |_| anyhow::bail!("it is there already")).unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "x");
        remove(&base).unwrap();
    }

    #[test]
    fn of_two_at_once_one_fills() {
        let base = folder("twice");
        let (target, fills) = (base.join("thing-1"), AtomicUsize::new(0));
        let both = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    both.wait();
                    let fill = |partial: &Path| {
                        fills.fetch_add(1, Ordering::SeqCst);
                        Ok(fs::write(partial.join("file"), "x")?)
                    };
                    ensure(&target, fill).unwrap();
                    assert!(target.join("file").is_file());
                });
            }
        });
        assert_eq!(fills.load(Ordering::SeqCst), 1);
        remove(&base).unwrap();
    }
}
