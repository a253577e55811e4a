//! What a server answered, in the form that is recorded.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer in normal form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The request, so that recordings can be read alone.
    pub step: String,
    /// The HTTP status.
    pub code: u16,
    /// Type of the body, when it is not `application/json`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Texts of `Warning` headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Of the `Retry-After` header, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<String>,
    /// The body; text when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Events of a watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Value>>,
}

impl Answer {
    /// Each JSON document of the answer.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Value> {
        self.body.iter().chain(self.events.iter().flatten())
    }

    /// As [`Self::documents`], to be changed.
    pub(crate) fn documents_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.body.iter_mut().chain(self.events.iter_mut().flatten())
    }
}
