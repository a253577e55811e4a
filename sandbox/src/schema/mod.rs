//! Structural schemas of custom resources: what is pruned, defaulted and refused.

use serde_json::Value;

/// A schema.
#[derive(Debug)]
pub struct Schema;

/// An error.
#[derive(Debug, thiserror::Error)]
#[error("no schema")]
pub struct SchemaError;

/// One fault of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Such as `FieldValueInvalid`.
    pub reason: String,
    /// Path of the field.
    pub field: String,
    /// What is wrong, without the path.
    pub message: String,
}

impl Schema {
    /// Reads it.
    ///
    /// # Errors
    /// Never.
    pub fn parse(_schema: &Value) -> Result<Self, SchemaError> {
        Ok(Self)
    }
    /// Prunes.
    pub fn prune(&self, _object: &mut Value) -> Vec<String> {
        Vec::new()
    }
    /// Defaults.
    pub fn default(&self, _object: &mut Value) {}
    /// Judges.
    #[must_use]
    pub fn validate(&self, _object: &Value, _old: Option<&Value>) -> Vec<Cause> {
        Vec::new()
    }
}
