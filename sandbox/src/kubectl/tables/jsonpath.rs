//! Cells of custom resources: each column's path, and its value as its type says.
//!
//! Paths are the part of JSONPath that CustomResourceDefinitions use: `.field`, `.fie\.ld`, `['field']`, `[3]`,
//! `[-1]`, `[*]`, and filters `[?(@.type=="Ready")]`, `[?(@.size!=3)]`, `[?(@.size)]`. A column whose path is
//! something else is empty, as it is when the value is missing.

use super::age;
use crate::kubectl::resources::Column;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// The cell of this column: the first value that its path finds.
pub(super) fn cell(column: &Column, object: &Value, now: DateTime<Utc>) -> Value {
    let Some(steps) = parse(&column.json_path) else { return Value::Null };
    let found = find(&steps, object);
    let Some(value) = found.first().filter(|value| !value.is_null()) else { return Value::Null };
    match (column.kind.as_str(), value) {
        // The name is a string and the format says more; a string shows values of other types too.
        ("string", Value::String(text)) => text.as_str().into(),
        ("string", other) => other.to_string().into(),
        ("integer", Value::Number(number)) => whole(number).map_or(Value::Null, Value::from),
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => (*value).clone(),
        ("date", Value::String(text)) => {
            age::since(text, now).unwrap_or_else(|| "<invalid>".to_owned()).into()
        }
        _ => Value::Null,
    }
}

/// The number without what follows its point.
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| format!("{:.0}", number.as_f64()?.trunc()).parse().ok())
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    /// From the end when negative.
    Index(i64),
    All,
    /// Items for which the steps find something that compares so.
    Where(Vec<Step>, Comparison),
}

#[derive(Debug, Clone, PartialEq)]
enum Comparison {
    Exists,
    Is(Value),
    IsNot(Value),
}

fn find<'v>(steps: &[Step], object: &'v Value) -> Vec<&'v Value> {
    steps
        .iter()
        .fold(vec![object], |found, step| found.into_iter().flat_map(|value| step.apply(value)).collect())
}

impl Step {
    fn apply<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(index) => {
                let Some(items) = value.as_array() else { return Vec::new() };
                let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
                let at = if *index < 0 { items.len().checked_sub(distance) } else { Some(distance) };
                at.and_then(|at| items.get(at)).into_iter().collect()
            }
            Self::All => children(value),
            Self::Where(steps, comparison) => {
                let keep = |item: &&Value| {
                    let found = find(steps, item);
                    let first = found.first();
                    match comparison {
                        Comparison::Exists => first.is_some(),
                        Comparison::Is(wanted) => first.is_some_and(|found| *found == wanted),
                        Comparison::IsNot(wanted) => first.is_some_and(|found| *found != wanted),
                    }
                };
                children(value).into_iter().filter(keep).collect()
            }
        }
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn parse(mut path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    while !path.is_empty() {
        let (step, rest) = match path.strip_prefix('[') {
            Some(inner) => {
                let end = closing(inner)?;
                (bracket(inner.get(..end)?)?, inner.get(end + 1..)?)
            }
            None => {
                let (name, rest) = field(path.strip_prefix('.')?);
                (if name == "*" { Step::All } else { Step::Field(name) }, rest)
            }
        };
        // `.` alone is the object itself, an empty name elsewhere is `..`, which is not of the subset.
        match step {
            Step::Field(name) if name.is_empty() && rest.is_empty() && steps.is_empty() => {}
            Step::Field(name) if name.is_empty() && !rest.starts_with('[') => return None,
            Step::Field(name) if name.is_empty() => {}
            step => steps.push(step),
        }
        path = rest;
    }
    Some(steps)
}

/// A name up to the next `.` or `[` that has no `\` before it, and what is left.
fn field(path: &str) -> (String, &str) {
    let mut name = String::new();
    let mut letters = path.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => name.extend(letters.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (name, path.get(at..).unwrap_or_default()),
            _ => name.push(letter),
        }
    }
    (name, "")
}

/// Where the bracket closes that opened before `inner`; brackets in quotes do not count.
fn closing(inner: &str) -> Option<usize> {
    let mut depth = 0_u32;
    let mut quote = None;
    for (at, letter) in inner.char_indices() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn bracket(inner: &str) -> Option<Step> {
    if inner == "*" {
        return Some(Step::All);
    }
    if let Some(name) = quoted(inner) {
        return Some(Step::Field(name.to_owned()));
    }
    if let Ok(index) = inner.parse() {
        return Some(Step::Index(index));
    }
    let filter = inner.strip_prefix("?(")?.strip_suffix(')')?.trim();
    let (left, comparison) = if let Some((left, right)) = filter.split_once("==") {
        (left, Comparison::Is(literal(right)?))
    } else if let Some((left, right)) = filter.split_once("!=") {
        (left, Comparison::IsNot(literal(right)?))
    } else if filter.contains(['<', '>', '=']) {
        return None;
    } else {
        (filter, Comparison::Exists)
    };
    Some(Step::Where(parse(left.trim().strip_prefix('@')?)?, comparison))
}

fn quoted(text: &str) -> Option<&str> {
    ['\'', '"'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
}

/// A string in quotes, a number or a boolean.
fn literal(text: &str) -> Option<Value> {
    let text = text.trim();
    quoted(text).map(Value::from).or_else(|| serde_json::from_str(text).ok())
}
