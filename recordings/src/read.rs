//! The files of the recordings.

use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What was played.
#[derive(Clone, Debug, Deserialize)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub description: String,
    /// Objects that are there from the beginning, in order.
    pub manifests: Vec<Value>,
    /// What was done, in order.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// What is waited for at last.
    pub end: Value,
}

/// Something that was done when something was so.
#[derive(Clone, Debug, Deserialize)]
pub struct Action {
    /// What was waited for.
    #[serde(default)]
    pub wait: Value,
    /// What was done: a map of verbs, or a list of such maps.
    #[serde(default, rename = "do")]
    pub deeds: Value,
}

/// A scenario and what was seen of it.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What was played.
    pub scenario: Scenario,
    /// Each change that was seen, and a summary at the end.
    pub lines: Vec<Value>,
}

/// Why recordings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file or folder cannot be read.
    #[error("{}: {error}; it must be a folder of recordings, with scenarios/ and traces/", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A scenario is no YAML of its form.
    #[error("{}: {error}", path.display())]
    Scenario {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: Box<serde_saphyr::Error>,
    },
    /// A line is no JSON.
    #[error("{} line {line}: {error}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        error: serde_json::Error,
    },
}

fn text(path: &Path) -> Result<String, ReadError> {
    std::fs::read_to_string(path).map_err(|error| ReadError::File { path: path.to_owned(), error })
}

/// All recordings of a folder, by name.
///
/// # Errors
/// When a file is missing or not of its form.
pub fn read(folder: &Path) -> Result<Vec<Recording>, ReadError> {
    let scenarios = folder.join("scenarios");
    let failed = |error| ReadError::File { path: scenarios.clone(), error };
    let entries = std::fs::read_dir(&scenarios).map_err(failed)?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    if let Ok(paths) = &mut paths {
        paths.sort();
    }
    let paths = paths.map_err(failed)?;
    paths
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| one(folder, path))
        .collect()
}

fn one(folder: &Path, path: &Path) -> Result<Recording, ReadError> {
    let scenario: Scenario = serde_saphyr::from_str(&text(path)?)
        .map_err(|error| ReadError::Scenario { path: path.to_owned(), error: Box::new(error) })?;
    let trace = folder.join("traces").join(format!("{}.jsonl", scenario.name));
    let lines = text(&trace)?
        .lines()
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| ReadError::Line {
                path: trace.clone(),
                line: index + 1,
                error,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Recording { scenario, lines })
}
