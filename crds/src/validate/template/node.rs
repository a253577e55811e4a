//! A place in raw JSON that knows its path.

use super::Invalid;
use serde_json::Value;

/// A value and where it stands. A missing value and null are the same.
pub(super) struct Node<'a> {
    pub(super) path: String,
    value: Option<&'a Value>,
}

impl<'a> Node<'a> {
    pub(super) fn new(path: impl Into<String>, value: Option<&'a Value>) -> Self {
        Self { path: path.into(), value: value.filter(|value| !value.is_null()) }
    }

    pub(super) fn get(&self, key: &str) -> Self {
        Self::new(self.at(key), self.value.and_then(|value| value.get(key)))
    }

    /// Path of a field, whether it is there or not.
    pub(super) fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    pub(super) fn value(&self) -> Option<&'a Value> {
        self.value
    }

    pub(super) fn is_set(&self) -> bool {
        self.value.is_some()
    }

    /// The elements of a list field; none when it is no list.
    pub(super) fn items(&self, key: &str) -> Vec<Self> {
        let items = self.value.and_then(|value| value.get(key)?.as_array());
        let path = self.at(key);
        let items = items.into_iter().flatten().enumerate();
        items.map(|(index, item)| Self::new(format!("{path}[{index}]"), Some(item))).collect()
    }

    /// A text field; empty when it is missing or no text.
    pub(super) fn text(&self, key: &str) -> &'a str {
        self.value.and_then(|value| value.get(key)?.as_str()).unwrap_or_default()
    }

    /// A number field; `None` when it is missing or no whole number.
    pub(super) fn number(&self, key: &str) -> Option<i64> {
        self.value.and_then(|value| value.get(key)?.as_i64())
    }

    /// A text field that must not be empty.
    pub(super) fn required_text(&self, key: &str) -> Result<&'a str, Invalid> {
        let text = self.text(key);
        if text.is_empty() { Err(Invalid::required(self.at(key), "")) } else { Ok(text) }
    }

    /// A text field from a closed set; a missing one has a default.
    pub(super) fn one_of(&self, key: &str, supported: &[&str]) -> Result<(), Invalid> {
        let text = self.text(key);
        if text.is_empty() || supported.contains(&text) {
            return Ok(());
        }
        Err(Invalid::unsupported(self.at(key), text, supported))
    }

    /// A number field that must not be negative.
    pub(super) fn at_least_zero(&self, key: &str) -> Result<(), Invalid> {
        match self.number(key) {
            Some(number) if number < 0 => {
                Err(Invalid::value(self.at(key), &number, "must be greater than or equal to 0"))
            }
            _ => Ok(()),
        }
    }
}
