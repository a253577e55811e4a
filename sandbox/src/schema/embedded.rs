//! Embedded resources: apiVersion and kind must make sense. (That they are there is a value validation.)

use serde_json::{Map, Value};

use super::cause::Cause;
use super::node::Node;
use super::path::Path;

/// The longest DNS label.
const MAX_LABEL_LENGTH: usize = 63;

/// What the server says of a kind that is no label.
const NO_KIND: &str = "may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case \
                       alphanumeric characters or '-', start with an alphabetic character, and end with an \
                       alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
                       '[a-z]([-a-z0-9]*[a-z0-9])?')";

/// Checks every embedded resource in `value`.
pub(super) fn check(node: &Node, value: &Value, path: &Path<'_>, causes: &mut Vec<Cause>) {
    if !node.below.resources {
        return;
    }
    match value {
        Value::Object(fields) => {
            if node.resource && !matches!(path, Path::Root) {
                check_resource(fields, path, causes);
            }
            for (name, value) in fields {
                match node.member(name) {
                    Some((member, true)) => check(member, value, &Path::Field(path, name), causes),
                    Some((member, false)) => check(member, value, &Path::Key(path, name), causes),
                    None => {}
                }
            }
        }
        Value::Array(elements) => {
            if let Some(items) = &node.items {
                for (index, element) in elements.iter().enumerate() {
                    check(items, element, &Path::Index(path, index), causes);
                }
            }
        }
        _ => {}
    }
}

fn check_resource(fields: &Map<String, Value>, path: &Path<'_>, causes: &mut Vec<Cause>) {
    let mut refuse = |name: &str, value: &Value, detail: &str| {
        let field = Path::Field(path, name).bracketed();
        causes.push(Cause::invalid(field, &super::names::printed(value), detail));
    };
    match fields.get("apiVersion") {
        Some(value @ Value::String(text)) if text.is_empty() => {
            refuse("apiVersion", value, "must not be empty")
        }
        Some(value @ Value::String(text)) if text.matches('/').count() > 1 => {
            refuse("apiVersion", value, &format!("unexpected GroupVersion string: {text}"));
        }
        None | Some(Value::String(_)) => {}
        Some(other) => refuse("apiVersion", other, "must be a string"),
    }
    match fields.get("kind") {
        Some(value @ Value::String(text)) if text.is_empty() => refuse("kind", value, "must not be empty"),
        Some(value @ Value::String(text)) if !is_kind(text) => refuse("kind", value, NO_KIND),
        None | Some(Value::String(_)) => {}
        Some(other) => refuse("kind", other, "must be a string"),
    }
}

/// Whether the text is a DNS label that begins with a letter, in any case.
fn is_kind(text: &str) -> bool {
    text.len() <= MAX_LABEL_LENGTH
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.ends_with(|last: char| last.is_ascii_alphanumeric())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}
