//! Reading objects that may lack anything.

use super::age;
use crate::Dig;
use chrono::{DateTime, Utc};
use serde_json::Value;

pub(super) const NONE: &str = "<none>";
pub(super) const UNKNOWN: &str = "<unknown>";
pub(super) const UNSET: &str = "<unset>";

/// An object, or a part of one, and the time at which it is shown. Paths are JSON pointers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'v> {
    pub(super) object: &'v Value,
    pub(super) now: DateTime<Utc>,
}

impl<'v> Reader<'v> {
    pub(super) fn at(self, path: &str) -> Option<&'v Value> {
        self.object.at(path).filter(|value| !value.is_null())
    }

    /// The string there, unless it is empty: the server treats both alike.
    pub(super) fn text(self, path: &str) -> Option<&'v str> {
        self.at(path)?.as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn text_or(self, path: &str, otherwise: &str) -> Value {
        self.text(path).unwrap_or(otherwise).into()
    }

    /// The number there, 0 when there is none.
    pub(super) fn number(self, path: &str) -> i64 {
        self.at(path).and_then(Value::as_i64).unwrap_or(0)
    }

    pub(super) fn items(self, path: &str) -> impl DoubleEndedIterator<Item = Self> + Clone {
        let items = self.at(path).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        items.iter().map(move |object| Self { object, ..self })
    }

    /// How many items or fields there are.
    pub(super) fn count(self, path: &str) -> usize {
        match self.at(path) {
            Some(Value::Array(items)) => items.len(),
            Some(Value::Object(fields)) => fields.len(),
            _ => 0,
        }
    }

    pub(super) fn name(self) -> Value {
        self.text_or("/metadata/name", "")
    }

    pub(super) fn is_deleted(self) -> bool {
        self.at("/metadata/deletionTimestamp").is_some()
    }

    /// How long ago the time there is.
    pub(super) fn since(self, path: &str) -> Option<String> {
        age::since(self.text(path)?, self.now)
    }

    pub(super) fn age(self) -> Value {
        self.since("/metadata/creationTimestamp").unwrap_or_else(|| UNKNOWN.to_owned()).into()
    }

    /// Whether the condition of this type is true; none when it is not there.
    pub(super) fn condition(self, kind: &str) -> Option<bool> {
        let condition = self.items("/status/conditions").find(|own| own.text("/type") == Some(kind))?;
        Some(condition.text("/status") == Some("True"))
    }

    /// `a=b,c=d`, by name, or `<none>`.
    pub(super) fn labels(self, path: &str) -> String {
        let labels = self.at(path).and_then(Value::as_object);
        let mut pairs: Vec<String> = labels
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect();
        pairs.sort();
        or_none(pairs.join(","))
    }

    /// A label selector on one line.
    pub(super) fn selector(self, path: &str) -> String {
        let mut parts: Vec<(String, String)> = Vec::new();
        let labels = self.at(&format!("{path}/matchLabels")).and_then(Value::as_object);
        for (name, value) in labels.into_iter().flatten() {
            parts.push((name.clone(), format!("{name}={}", value.as_str().unwrap_or_default())));
        }
        for one in self.items(&format!("{path}/matchExpressions")) {
            let name = one.text("/key").unwrap_or_default();
            let mut values: Vec<&str> =
                one.items("/values").filter_map(|value| value.object.as_str()).collect();
            values.sort_unstable();
            let values = values.join(",");
            let text = match one.text("/operator") {
                Some("In") => format!("{name} in ({values})"),
                Some("NotIn") => format!("{name} notin ({values})"),
                Some("Exists") => name.to_owned(),
                Some("DoesNotExist") => format!("!{name}"),
                _ => return "<error>".to_owned(),
            };
            parts.push((name.to_owned(), text));
        }
        parts.sort();
        or_none(parts.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(","))
    }

    /// Names and images of a pod template's containers.
    pub(super) fn containers(self, path: &str) -> [Value; 2] {
        ["/name", "/image"].map(|field| {
            let all: Vec<&str> = self.items(path).map(|one| one.text(field).unwrap_or_default()).collect();
            all.join(",").into()
        })
    }
}

pub(super) fn or_none(text: String) -> String {
    if text.is_empty() { NONE.to_owned() } else { text }
}

/// The first few on one line, and how many more there are.
pub(super) fn first_few(mut all: Vec<String>, few: usize, separator: &str) -> String {
    let more = all.len().saturating_sub(few);
    all.truncate(few);
    let shown = all.join(separator);
    if more > 0 { format!("{shown} + {more} more...") } else { shown }
}
