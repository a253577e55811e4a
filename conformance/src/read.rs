//! Reads the cases of a folder.

use crate::case::Topic;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why the cases could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The content.
    #[error("{path}: {source}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<serde_saphyr::Error>,
    },
}

/// The topics of a folder by the names of their files.
///
/// # Errors
/// When a file cannot be read or is not a topic.
pub fn read(folder: &Path) -> Result<BTreeMap<String, Topic>, ReadError> {
    let io = |path: &Path, source| ReadError::Io { path: path.to_owned(), source };
    let mut topics = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|source| io(folder, source))? {
        let path = entry.map_err(|source| io(folder, source))?.path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|source| io(&path, source))?;
        let topic = serde_saphyr::from_str(&text)
            .map_err(|source| ReadError::Content { path: path.clone(), source: Box::new(source) })?;
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        topics.insert(name, topic);
    }
    Ok(topics)
}
