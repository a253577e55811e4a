//! YAML of a manifest: sorted keys, texts in JSON's quotes where YAML could read them as something else.

use serde_json::{Map, Value};
use std::fmt::Write;

/// Words that YAML 1.1 readers take for a truth value or nothing.
const RESERVED: [&str; 13] =
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "e", "x"];

/// The document, with a newline at its end. The order of keys does not depend on that of the value's maps.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    write_block(value, 0, &mut out);
    out
}

fn write_block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(object) if !object.is_empty() => write_object(object, indent, out, false),
        Value::Array(items) if !items.is_empty() => write_list(items, indent, out),
        scalar => {
            out.push_str(&inline(scalar));
            out.push('\n');
        }
    }
}

/// `inside` is true when the first key stands behind a dash.
fn write_object(object: &Map<String, Value>, indent: usize, out: &mut String, inside: bool) {
    let mut keys: Vec<&String> = object.keys().collect();
    keys.sort();
    let mut first = inside;
    for key in keys {
        let Some(value) = object.get(key) else { continue };
        if !std::mem::take(&mut first) {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str(&text(key));
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                write_object(inner, indent + 2, out, false);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                write_list(items, indent, out);
            }
            scalar => {
                out.push(' ');
                out.push_str(&inline(scalar));
                out.push('\n');
            }
        }
    }
}

fn write_list(items: &[Value], indent: usize, out: &mut String) {
    for item in items {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => write_object(inner, indent + 2, out, true),
            Value::Array(_) => {
                // Lists of lists do not occur in manifests; JSON is YAML.
                out.push_str(&item.to_string());
                out.push('\n');
            }
            scalar => {
                out.push_str(&inline(scalar));
                out.push('\n');
            }
        }
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        other => other.to_string(),
    }
}

/// Plain when it is a word of letters, digits and a few signs that starts with a letter; quoted as JSON otherwise.
fn text(string: &str) -> String {
    let plain = string.starts_with(|c: char| c.is_ascii_alphabetic())
        && string.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !RESERVED.contains(&string.to_lowercase().as_str());
    if plain {
        return string.to_owned();
    }
    let mut out = String::new();
    // The escapes of Rust's Debug are not JSON's; writing to a String cannot fail.
    _ = write!(out, "{}", Value::String(string.to_owned()));
    out
}
