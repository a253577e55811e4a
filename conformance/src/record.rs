//! Recordings: what the real server answered.

use crate::answer::Answer;
use crate::case::Case;
use crate::json::{canonical, digest};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The answers to the cases of a topic. Its file has an answer on each line.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// Version of the server, as it says itself.
    pub server: String,
    /// In the order of the topic.
    pub cases: Vec<Recorded>,
}

/// The answers to one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Name of the case.
    pub case: String,
    /// Digest of its steps, by which a recording that is older than its case is found.
    pub of: String,
    /// In the order of the steps; a rest has none.
    pub answers: Vec<Answer>,
}

/// Why a recording could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The content.
    #[error("{path}: not a recording: {source}; make it again with `cargo xtask e2e conformance --record`")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl Recorded {
    /// Binds answers to a case.
    ///
    /// # Errors
    /// When the case has no JSON form.
    pub fn new(case: &Case, answers: Vec<Answer>) -> Result<Self, serde_json::Error> {
        Ok(Self { case: case.name.clone(), of: fingerprint(case)?, answers })
    }

    /// Whether the case is still as it was when it was recorded.
    #[must_use]
    pub fn is_of(&self, case: &Case) -> bool {
        fingerprint(case).is_ok_and(|fingerprint| fingerprint == self.of)
    }
}

fn fingerprint(case: &Case) -> Result<String, serde_json::Error> {
    serde_json::to_value(&case.steps).map(|steps| digest(&steps))
}

impl Recording {
    /// What was recorded of a case.
    #[must_use]
    pub fn of(&self, case: &str) -> Option<&Recorded> {
        self.cases.iter().find(|recorded| recorded.case == case)
    }

    /// The file that lies beside a topic.
    #[must_use]
    pub fn path(folder: &Path, topic: &str) -> PathBuf {
        folder.join(format!("{topic}.recorded.json"))
    }

    /// Reads the recording of a topic; one that is not there yet is empty.
    ///
    /// # Errors
    /// When the file cannot be read or is not a recording.
    pub fn read(folder: &Path, topic: &str) -> Result<Self, RecordError> {
        let path = Self::path(folder, topic);
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|source| RecordError::Content { path, source }),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(RecordError::Io { path, source }),
        }
    }

    /// Writes the recording of a topic.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path, topic: &str) -> Result<(), RecordError> {
        let path = Self::path(folder, topic);
        let text = self.text().map_err(|source| RecordError::Content { path: path.clone(), source })?;
        std::fs::write(&path, text).map_err(|source| RecordError::Io { path, source })
    }

    /// One answer on each line, so that a change of one is a change of one line.
    fn text(&self) -> Result<String, serde_json::Error> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut cases = Vec::new();
        for recorded in &self.cases {
            let lines: Vec<String> = recorded.answers.iter().map(line).collect::<Result<_, _>>()?;
            let (case, of) = (quoted(&recorded.case), quoted(&recorded.of));
            cases.push(format!("{{\"case\":{case},\"of\":{of},\"answers\":[\n{}\n]}}", lines.join(",\n")));
        }
        Ok(format!("{{\"server\":{},\"cases\":[\n{}\n]}}\n", quoted(&self.server), cases.join(",\n")))
    }
}

/// The request and the status come first: they say what the line is about.
fn line(answer: &Answer) -> Result<String, serde_json::Error> {
    let head = canonical(&serde_json::json!({"step": answer.step}));
    let mut rest = serde_json::to_value(answer)?;
    if let Some(members) = rest.as_object_mut() {
        members.remove("step");
        members.remove("code");
    }
    let rest = canonical(&rest);
    let separator = if rest == "{}" { "" } else { "," };
    let (head, rest) = (head.trim_end_matches('}'), rest.trim_start_matches('{'));
    Ok(format!("{head},\"code\":{}{separator}{rest}", answer.code))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_with_an_answer_on_each_line() {
        let case: Case = serde_saphyr::from_str("{name: one, steps: [{get: v1/pods}]}").unwrap();
        let answer =
            |body| Answer { step: "GET v1/pods".into(), code: 200, body: Some(body), ..Answer::default() };
        let answers = vec![answer(json!({"b": 1, "a": 2})), answer(json!(null))];
        let cases = vec![Recorded::new(&case, answers).unwrap()];
        let recording = Recording { server: "v1.35.0".to_owned(), cases };
        let text = recording.text().unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("\"step\"")).count(), 2);
        let read: Recording = serde_json::from_str(&text).unwrap();
        assert_eq!(read.of("one").unwrap().answers[0], recording.cases[0].answers[0]);
        assert!(read.of("one").unwrap().is_of(&case));
        let changed: Case = serde_saphyr::from_str("{name: one, steps: [{get: v1/secrets}]}").unwrap();
        assert!(!read.of("one").unwrap().is_of(&changed));
    }
}
