//! A Git repository of manifests, as a team keeps it.

use crate::process::run;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the manifests.
pub const FOLDER: &str = "app";

/// A repository on disk, with one branch.
#[derive(Debug, Clone)]
pub struct Repository {
    path: PathBuf,
}

impl Repository {
    /// Makes an empty one; what lay there is removed.
    ///
    /// # Errors
    /// When git or the disk fails.
    pub fn create(path: &Path) -> Result<Self> {
        if path.exists() {
            fs::remove_dir_all(path)?;
        }
        fs::create_dir_all(path.join(FOLDER))?;
        let repository = Self { path: path.to_owned() };
        repository.git(&["init", "--quiet", "--initial-branch=main"])?;
        Ok(repository)
    }

    /// Writes a file of the folder (or removes it when there is no text) and commits it.
    ///
    /// # Errors
    /// When git or the disk fails.
    pub fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> Result<String> {
        for (name, text) in files {
            let path = self.path.join(FOLDER).join(name);
            match text {
                Some(text) => fs::write(path, text)?,
                None => fs::remove_file(path)?,
            }
        }
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])?;
        self.head()
    }

    /// Reverts the last commit.
    ///
    /// # Errors
    /// When git fails.
    pub fn revert(&self) -> Result<String> {
        self.git(&["revert", "--no-edit", "HEAD"])?;
        self.head()
    }

    /// The last commit, in short.
    ///
    /// # Errors
    /// When git fails.
    pub fn head(&self) -> Result<String> {
        Ok(self.git(&["rev-parse", "--short", "HEAD"])?.trim().to_owned())
    }

    /// All manifests of the last commit in one stream.
    ///
    /// # Errors
    /// When git fails.
    pub fn manifests(&self) -> Result<String> {
        let mut all = String::new();
        for name in self.git(&["ls-tree", "-r", "--name-only", "HEAD", FOLDER])?.lines() {
            all.push_str("---\n");
            all.push_str(&self.git(&["show", &format!("HEAD:{name}")])?);
            all.push('\n');
        }
        Ok(all)
    }

    fn git(&self, args: &[&str]) -> Result<String> {
        // A machine without a user's settings has no name to commit by.
        let who =
            ["-c", "user.name=A Team", "-c", "user.email=team@example.com", "-c", "commit.gpgsign=false"];
        run(Command::new("git").current_dir(&self.path).args(who).args(args))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_last_commit_is_what_counts() {
        let path = std::env::temp_dir().join(format!("git-{}", std::process::id()));
        let repository = Repository::create(&path).unwrap();
        let first = repository.commit("one", &[("a.yaml", Some("a: 1")), ("b.yaml", Some("b: 1"))]).unwrap();
        repository.commit("two", &[("a.yaml", Some("a: 2")), ("b.yaml", None)]).unwrap();
        assert_eq!(repository.manifests().unwrap(), "---\na: 2\n");
        let reverted = repository.revert().unwrap();
        fs::write(path.join(FOLDER).join("a.yaml"), "not committed").unwrap();
        assert_eq!(repository.manifests().unwrap(), "---\na: 1\n---\nb: 1\n");
        assert_ne!(first, reverted);
        fs::remove_dir_all(&path).unwrap();
    }
}
