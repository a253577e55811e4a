//! JSONPath in the dialect of kubectl, which the web provider of Argo Rollouts reads: `{$.items[*].v}`.
//!
//! It is a template: actions between braces, plain text outside. Fields, indices, slices, unions, wildcards,
//! recursive descent, filters, and `{range ...}` to `{end}`. Objects are walked in the order of their keys (Go walks
//! them in random order). Messages are those of kubectl, where they do not print Go's own view of a value.

mod eval;
mod parser;
#[cfg(test)]
mod tests;

pub(crate) use parser::unquote;
use serde_json::Value;

/// Longest path that is read, in bytes.
const MAX_BYTES: usize = 4096;
/// How deep filters and unions may nest.
const MAX_DEPTH: usize = 16;
/// How many results a path may have at any point: recursive descents multiply.
const MAX_RESULTS: usize = 100_000;

/// A path cannot be read, or does not fit the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonPathError(String);

impl JsonPathError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A path that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath(Vec<Piece>);

/// A part of the template.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    /// Text outside of braces.
    Text(String),
    /// What stands between braces.
    Action(Vec<Step>),
}

/// One step of an action: from values to values.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// A text in quotes.
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// `range`, `end`, or nothing that is known.
    Word(String),
    Field(String),
    Wildcard,
    Descend,
    Slice(Slice),
    Union(Vec<Vec<Step>>),
    Filter {
        left: Vec<Step>,
        operator: String,
        right: Vec<Step>,
    },
}

/// `[start:end:step]`, or `[start]`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slice {
    start: Option<i64>,
    end: Option<i64>,
    /// `end` was not written: one item.
    single: bool,
    step: Option<i64>,
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// When it is not well formed, too long or nested too deeply.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        if text.len() > MAX_BYTES {
            return Err(JsonPathError::new(format!("the JSONPath is longer than {MAX_BYTES} bytes")));
        }
        parser::template(text, 0).map(Self)
    }

    /// All results, one group for each action and each text.
    ///
    /// # Errors
    /// When a field or an index is missing, or a step does not fit the kind of a value.
    pub fn find(&self, document: &Value) -> Result<Vec<Vec<Value>>, JsonPathError> {
        eval::find(&self.0, document)
    }

    /// The first result; `None` when there is none.
    ///
    /// # Errors
    /// As [`JsonPath::find`].
    pub fn first(&self, document: &Value) -> Result<Option<Value>, JsonPathError> {
        Ok(self.find(document)?.into_iter().flatten().next())
    }
}
