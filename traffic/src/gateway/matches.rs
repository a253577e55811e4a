//! What managed rules match: of the requests that a rule takes, those that a managed route asks for.
//!
//! The Gateway API prefers the rule whose match is the most specific, whatever its place: a longer path before more
//! headers. So a managed rule cannot just ask for headers; it asks for all that the rule beneath it asks for, and more.

use super::rule::{fields, list};
use crds::rollout::canary::{HeaderRoutingMatch, RouteMatch, StringMatch};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One way to narrow down a match.
#[derive(Clone, Debug, Default)]
pub(super) struct Narrowing {
    method: Option<String>,
    path: Option<Path>,
    headers: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Exact,
    Prefix,
    /// A regular expression, or a way that is not known here.
    Regex,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Path {
    by: By,
    value: String,
}

impl Narrowing {
    /// PARITY: all headers of a header route must match, as with the plugin. With the other routers one is enough; but
    /// users of this one ask for a second header to get less traffic, and must not get more.
    pub(super) fn of_header(matches: &[HeaderRoutingMatch]) -> Result<Vec<Self>, String> {
        let mut headers = Vec::new();
        let mut names = BTreeSet::new();
        for item in matches {
            if !names.insert(item.header_name.to_ascii_lowercase()) {
                return Err(format!(
                    "asks for header {:?} twice, and both would have to match; ask once, with a regular expression",
                    item.header_name
                ));
            }
            headers.push(header(&item.header_name, &item.header_value)?);
        }
        Ok(vec![Self { headers, ..Self::default() }])
    }

    /// One match of a mirror route is enough.
    pub(super) fn of_mirror(matches: &[RouteMatch]) -> Result<Vec<Self>, String> {
        matches.iter().map(Self::of_request).collect()
    }

    fn of_request(item: &RouteMatch) -> Result<Self, String> {
        let method = match &item.method {
            Some(method) => Some(method.exact.clone().filter(|method| !method.is_empty()).ok_or(
                "asks for a method by prefix or regular expression; the Gateway API has only exact methods",
            )?),
            None => None,
        };
        let path = item.path.as_ref().map(Path::of).transpose()?.filter(|path| !path.is_everything());
        let headers = item.headers.iter().flatten();
        let headers = headers.map(|(name, value)| header(name, value)).collect::<Result<_, _>>()?;
        Ok(Self { method, path, headers })
    }

    /// What both a rule's match and this ask for; none where no request can be both.
    fn of(&self, base: &Value) -> Result<Option<Value>, String> {
        let mut both = fields(base);
        if let Some(path) = &self.path {
            let Some(path) = path.and(&Path::read(base.get("path")))? else { return Ok(None) };
            both.insert("path".to_owned(), path.written());
        }
        if let Some(method) = &self.method {
            let other = base.get("method").and_then(Value::as_str);
            if other.is_some_and(|other| other != method) {
                return Ok(None);
            }
            both.insert("method".to_owned(), json!(method));
        }
        let Some(headers) = joined(list(base, "headers"), &self.headers) else { return Ok(None) };
        if !headers.is_empty() {
            both.insert("headers".to_owned(), Value::Array(headers));
        }
        Ok(Some(Value::Object(both)))
    }
}

/// The matches of a rule, each narrowed down in each way. A rule without matches takes everything.
pub(super) fn narrowed(rule: &Value, ways: &[Narrowing]) -> Result<Vec<Value>, String> {
    let everything = [json!({})];
    let matches = match list(rule, "matches") {
        [] => &everything,
        matches => matches,
    };
    let mut narrowed = Vec::new();
    for base in matches {
        for way in ways {
            narrowed.extend(way.of(base)?);
        }
    }
    Ok(narrowed)
}

/// A header and its value as the Gateway API has them.
fn header(name: &str, value: &StringMatch) -> Result<Value, String> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (by, value) = if let Some(exact) = given(&value.exact) {
        ("Exact", exact)
    } else if let Some(prefix) = given(&value.prefix) {
        ("RegularExpression", starts_with(&prefix))
    } else if let Some(regex) = given(&value.regex) {
        ("RegularExpression", regex)
    } else {
        return Err(format!(
            "asks for header {name:?} without a value; give it one as exact, prefix or regex"
        ));
    };
    Ok(json!({"name": name, "type": by, "value": value}))
}

/// DIFFERS: the plugin takes the prefix itself as a regular expression, so that its dots match anything, and an
/// implementation that searches finds it anywhere.
fn starts_with(prefix: &str) -> String {
    let mut regex = "^".to_owned();
    for letter in prefix.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            regex.push('\\');
        }
        regex.push(letter);
    }
    regex.push_str(".*");
    regex
}

/// The headers of both; none where they ask for different values of one header, which no request has.
fn joined(base: &[Value], more: &[Value]) -> Option<Vec<Value>> {
    let text = |header: &Value, key: &str| header.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = |header: &Value| text(header, "name").map(|name| name.to_ascii_lowercase());
    let by = |header: &Value| text(header, "type").unwrap_or_else(|| "Exact".to_owned());
    let mut all = base.to_vec();
    for header in more {
        match base.iter().find(|other| name(other) == name(header)) {
            None => all.push(header.clone()),
            Some(other) if by(other) == by(header) && text(other, "value") == text(header, "value") => {}
            Some(_) => return None,
        }
    }
    Some(all)
}

impl Path {
    fn of(path: &StringMatch) -> Result<Self, String> {
        let ways = [(By::Exact, &path.exact), (By::Prefix, &path.prefix), (By::Regex, &path.regex)];
        let mut given =
            ways.into_iter().filter_map(|(by, value)| value.clone().map(|value| Self { by, value }));
        given.find(|path| !path.value.is_empty()).ok_or_else(|| {
            "asks for a path without a value; give it one as exact, prefix or regex".to_owned()
        })
    }

    /// A match without a path takes every path.
    fn read(path: Option<&Value>) -> Self {
        let text = |key: &str| path.and_then(|path| path.get(key)).and_then(Value::as_str);
        let by = match text("type") {
            Some("Exact") => By::Exact,
            Some("PathPrefix") | None => By::Prefix,
            Some(_) => By::Regex,
        };
        Self { by, value: text("value").unwrap_or("/").to_owned() }
    }

    fn written(&self) -> Value {
        let by = match self.by {
            By::Exact => "Exact",
            By::Prefix => "PathPrefix",
            By::Regex => "RegularExpression",
        };
        json!({"type": by, "value": self.value})
    }

    /// Whether `other` is this path or beneath it, by whole segments.
    fn holds(&self, other: &Self) -> bool {
        let rest = other.value.strip_prefix(self.value.trim_end_matches('/'));
        self.by == By::Prefix && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn is_everything(&self) -> bool {
        self.by == By::Prefix && self.value.trim_end_matches('/').is_empty()
    }

    /// The paths that are both; none where there are none.
    fn and(&self, base: &Self) -> Result<Option<Self>, String> {
        if self == base || base.is_everything() {
            return Ok(Some(self.clone()));
        }
        if self.by == By::Regex || base.by == By::Regex {
            return Err(format!(
                "asks for path {:?} where a rule matches path {:?}, and one of them is a regular expression: they cannot \
                 be asked for together; leave the path out, or give both as exact or prefix",
                self.value, base.value
            ));
        }
        Ok(if base.holds(self) {
            Some(self.clone())
        } else if self.holds(base) {
            Some(base.clone())
        } else {
            None
        })
    }
}
