//! Label and field selectors of requests.

mod parse;

use super::failure::Failure;
use serde_json::Value;

/// One requirement on labels.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Need {
    Exists(String),
    Absent(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    More(String, i64),
    Less(String, i64),
}

impl Need {
    fn holds(&self, labels: Option<&Value>) -> bool {
        let get = |key: &String| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        let number = |key| get(key).and_then(|text| text.parse::<i64>().ok());
        match self {
            Self::Exists(key) => get(key).is_some(),
            Self::Absent(key) => get(key).is_none(),
            Self::In(key, values) => get(key).is_some_and(|value| values.iter().any(|v| v == value)),
            Self::NotIn(key, values) => get(key).is_none_or(|value| values.iter().all(|v| v != value)),
            Self::More(key, than) => number(key).is_some_and(|value| value > *than),
            Self::Less(key, than) => number(key).is_some_and(|value| value < *than),
        }
    }
}

/// Which objects a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Need>,
    /// Path of the field in dots, value, and whether it must be equal.
    fields: Vec<(String, String, bool)>,
}

impl Selector {
    /// Reads both selectors of a query.
    pub(crate) fn parse(labels: Option<&str>, fields: Option<&str>) -> Result<Self, Failure> {
        let labels = parse::needs(labels.unwrap_or_default()).map_err(Failure::bad_request)?;
        let mut selector = Self { labels, fields: Vec::new() };
        for part in fields.unwrap_or_default().split(',').filter(|part| !part.is_empty()) {
            let (path, value, equal) = if let Some((path, value)) = part.split_once("!=") {
                (path, value, false)
            } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (path, value, true)
            } else {
                return Err(Failure::bad_request(format!(
                    "invalid selector: '{part}'; can't understand '{part}'"
                )));
            };
            selector.fields.push((path.trim().to_owned(), value.trim().to_owned(), equal));
        }
        Ok(selector)
    }

    /// Paths of the fields that it names.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(path, ..)| path.as_str())
    }

    /// Whether it selects everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether it selects an object.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = object.get("metadata").and_then(|metadata| metadata.get("labels"));
        self.labels.iter().all(|need| need.holds(labels))
            && self.fields.iter().all(|(path, value, equal)| (field(object, path) == *value) == *equal)
    }
}

fn field(object: &Value, path: &str) -> String {
    match path.split('.').try_fold(object, |value, key| value.get(key)) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operator_selects() {
        let object =
            json!({"metadata": {"name": "web", "labels": {"app": "web", "n": "5"}}, "spec": {"x": 1}});
        let is = |labels: &str, fields: &str| {
            Selector::parse(Some(labels), Some(fields)).unwrap().matches(&object)
        };
        let yes = [
            "app",
            "!other",
            "app=web",
            "app==web",
            "app!=no",
            "app in (a,web)",
            "app notin (a, b)",
            "n>4",
            "n<6",
        ];
        for labels in yes {
            assert!(is(labels, ""), "{labels}");
        }
        for labels in ["other", "!app", "app=no", "app in (a)", "app notin (web)", "n>5", "app=web,n<5"] {
            assert!(!is(labels, ""), "{labels}");
        }
        assert!(is("", "metadata.name=web") && !is("", "metadata.name!=web") && is("", "spec.x=1"));
        assert!(Selector::parse(Some("a b c"), None).is_err());
        assert!(Selector::parse(None, Some("nonsense")).is_err());
    }
}
