//! What is wrong, where, and in which words.

use serde::Serialize;

/// What has to happen before the Rollout is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InvalidKind {
    /// A field of the Rollout has to be changed.
    Field,
    /// Something that the Rollout refers to is missing or does not fit: it may be mended without a change of the
    /// Rollout.
    Reference,
    /// The Rollout asks for something that this version does not do yet.
    NotBuilt,
}

/// An object that a Rollout refers to and that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its kind, such as `Service`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// The first thing that is wrong with a Rollout. Each kind is reported as condition `InvalidSpec`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Path of the field, such as `spec.strategy.steps[0].setWeight`; empty where no field is named.
    pub path: String,
    /// What is wrong with it, such as `Invalid value: 101: SetWeight needs to be between 0 and 100`.
    pub message: String,
    /// What has to happen before the Rollout is valid.
    pub kind: InvalidKind,
    /// The object that has to appear, where that is all that is wrong with this reference.
    pub missing: Option<Missing>,
}

impl Invalid {
    /// The message of the condition `InvalidSpec` of the Rollout called `name`.
    #[must_use]
    pub fn condition_message(&self, name: &str) -> String {
        format!("The Rollout \"{name}\" is invalid: {self}")
    }

    fn field(path: impl Into<String>, message: String) -> Self {
        Self { path: path.into(), message, kind: InvalidKind::Field, missing: None }
    }

    /// A message without a field.
    pub(super) fn bare(message: impl Into<String>) -> Self {
        Self::field("", message.into())
    }

    /// The field has to be set. An empty `why` is left out.
    pub(super) fn required(path: impl Into<String>, why: &str) -> Self {
        Self::field(path, with_reason("Required value".to_owned(), why))
    }

    /// The value is wrong; it is shown as JSON.
    pub(super) fn value(path: impl Into<String>, value: &impl Serialize, why: &str) -> Self {
        // Only maps with keys that are not text cannot be JSON, and none is shown.
        let value = serde_json::to_string(value).unwrap_or_default();
        Self::field(path, with_reason(format!("Invalid value: {value}"), why))
    }

    /// Fields that do not go together.
    pub(super) fn internal(path: impl Into<String>, why: &str) -> Self {
        Self::field(path, with_reason("Internal error".to_owned(), why))
    }

    /// The value is none of a closed set.
    pub(super) fn unsupported(path: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let supported = supported.join(", ");
        Self::field(path, format!("Unsupported value: {value:?}: supported values: {supported}"))
    }

    /// The value stands there twice.
    pub(super) fn duplicate(path: impl Into<String>, value: &str) -> Self {
        Self::field(path, format!("Duplicate value: {value:?}"))
    }

    /// The field must not be set.
    pub(super) fn forbidden(path: impl Into<String>, why: &str) -> Self {
        Self::field(path, with_reason("Forbidden".to_owned(), why))
    }

    /// The value names something that is not there.
    pub(super) fn not_found(path: impl Into<String>, value: &str) -> Self {
        Self::field(path, format!("Not found: {value:?}"))
    }

    /// The same, which ends when this object appears.
    pub(super) fn until(self, kind: &'static str, name: &str) -> Self {
        Self { missing: Some(Missing { kind, name: name.to_owned() }), ..self }
    }

    /// The same, of another kind.
    pub(super) fn of_kind(self, kind: InvalidKind) -> Self {
        Self { kind, ..self }
    }
}

fn with_reason(what: String, why: &str) -> String {
    if why.is_empty() { what } else { format!("{what}: {why}") }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}
