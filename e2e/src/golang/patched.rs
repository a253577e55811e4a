//! Modules of others with some of their files replaced, and files of theirs that are kept.

use crate::process::run;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of another module that this build replaces or leaves out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patch {
    pub(super) module: &'static str,
    pub(super) file: &'static str,
    /// Our file, in the folder of our module; `None` leaves the file out.
    pub(super) ours: Option<&'static str>,
}

/// A file or a folder of another module that is kept with the programs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) module: &'static str,
    pub(super) path: &'static str,
    /// Its name beside the programs.
    pub(super) name: &'static str,
}

/// Our module with copies of the patched ones; gone when dropped.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is in the system's folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The folder to build in: copies, because go replaces whole modules and no single file of its cache. None where there
/// is nothing to patch.
pub(super) fn of(ours: &Path, patches: &[Patch]) -> Result<Option<Folder>> {
    if patches.is_empty() {
        return Ok(None);
    }
    let folder = Folder(std::env::temp_dir().join(format!("stepgate-go-{}", std::process::id())));
    fs::create_dir_all(folder.path())?;
    let mut modules: BTreeMap<&str, PathBuf> = BTreeMap::new();
    for patch in patches {
        if !modules.contains_key(patch.module) {
            let copy = folder.path().join(format!("module-{}", modules.len()));
            copy_tree(&downloaded(ours, patch.module)?, &copy)?;
            modules.insert(patch.module, copy);
        }
        let Some(copy) = modules.get(patch.module) else { continue };
        let target = copy.join(patch.file);
        // A file that is no longer there would be patched in vain.
        fs::remove_file(&target).with_context(|| format!("{} has no {}", patch.module, patch.file))?;
        if let Some(file) = patch.ours {
            fs::copy(ours.join(file), &target).with_context(|| format!("copy {file}"))?;
        }
    }
    let mut text = fs::read_to_string(ours.join("go.mod"))?;
    for (module, copy) in &modules {
        writeln!(text, "replace {module} => {}", copy.display())?;
    }
    fs::write(folder.path().join("go.mod"), text)?;
    for file in ["go.sum", "tools.go"] {
        fs::copy(ours.join(file), folder.path().join(file)).with_context(|| format!("copy {file}"))?;
    }
    Ok(Some(folder))
}

/// Copies what is kept into `out`.
pub(super) fn keep(ours: &Path, keeps: &[Kept], out: &Path) -> Result<()> {
    for kept in keeps {
        copy_tree(&downloaded(ours, kept.module)?.join(kept.path), &out.join(kept.name))?;
    }
    Ok(())
}

/// Where go keeps a module of the version that `go.mod` pins; it is checked against `go.sum`.
fn downloaded(ours: &Path, module: &str) -> Result<PathBuf> {
    let mut go = Command::new("go");
    go.current_dir(ours).args(["mod", "download", "-json", module]).env("GOWORK", "off");
    let answer: Value = serde_json::from_str(&run(&mut go)?).context("what go says of a module")?;
    let folder = answer.get("Dir").and_then(Value::as_str);
    folder.map(PathBuf::from).with_context(|| format!("go has no folder for {module}: {answer}"))
}

/// Copies a file or a folder; the copies can be written, which those of go's cache cannot.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        let content = fs::read(from).with_context(|| format!("read {}", from.display()))?;
        return fs::write(to, content).with_context(|| format!("write {}", to.display()));
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        copy_tree(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_copy_is_whole_and_can_be_written() {
        let base = std::env::temp_dir().join(format!("stepgate-copies-{}", std::process::id()));
        fs::create_dir_all(base.join("from/below")).unwrap();
        let file = base.join("from/below/file.go");
        fs::write(&file, "package below").unwrap();
        let mut rights = fs::metadata(&file).unwrap().permissions();
        rights.set_readonly(true);
        fs::set_permissions(&file, rights).unwrap();
        copy_tree(&base.join("from"), &base.join("to")).unwrap();
        let copy = base.join("to/below/file.go");
        assert_eq!(fs::read_to_string(&copy).unwrap(), "package below");
        assert!(!fs::metadata(&copy).unwrap().permissions().readonly());
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn nothing_to_patch_needs_no_folder() {
        assert!(of(Path::new("/nonexistent"), &[]).unwrap().is_none());
    }
}
