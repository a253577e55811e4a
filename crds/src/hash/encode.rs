//! JSON text as Go's `encoding/json` writes a typed struct that was read from the given value.
//!
//! Key order comes from the [`table`](super::table), never from a JSON map: its order depends on how the build
//! configures `serde_json`.

use super::table::{Kind, fields};
use crate::Time;
use crate::quantity::Quantity;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Appends what Go writes for `value` read as `kind`; `None` is an absent key.
///
/// A value of another type than the schema has (which the API server does not let in) is written as it is, so
/// that the result still tells two different values apart.
pub(crate) fn encode(value: Option<&Value>, kind: &Kind, out: &mut String) {
    let value = value.filter(|value| !value.is_null());
    match (kind, value) {
        (Kind::Pointer(_) | Kind::Slice(_) | Kind::Map(_) | Kind::Time | Kind::Raw, None) => {
            out.push_str("null");
        }
        (Kind::String, None) => out.push_str("\"\""),
        (Kind::Bool, None) => out.push_str("false"),
        (Kind::Int | Kind::IntOrString, None) => out.push('0'),
        (Kind::Quantity, None) => out.push_str("\"0\""),
        (Kind::Struct(name), None) => encode_struct(&Map::new(), name, out),
        (Kind::Struct(name), Some(Value::Object(object))) => encode_struct(object, name, out),
        (Kind::Pointer(inner), Some(value)) => encode(Some(value), inner, out),
        (Kind::Slice(inner), Some(Value::Array(items))) => encode_list(items, inner, out),
        (Kind::Map(inner), Some(Value::Object(object))) => {
            encode_map(object, out, |value, out| encode(Some(value), inner, out));
        }
        (Kind::Quantity, Some(Value::String(text))) => push_string(&Quantity::canonical(text), out),
        (Kind::Quantity, Some(Value::Number(number))) => {
            push_string(&Quantity::canonical(&number.to_string()), out);
        }
        (Kind::Time, Some(Value::String(text))) => match Time::parse(text) {
            Some(time) => push_string(&time.to_string(), out),
            None => push_string(text, out),
        },
        (_, Some(value)) => encode_raw(value, out),
    }
}

/// Appends any JSON value with sorted keys.
fn encode_raw(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        // Writing to a String cannot fail.
        Value::Number(number) => _ = write!(out, "{number}"),
        Value::String(text) => push_string(text, out),
        Value::Array(items) => encode_list(items, &Kind::Raw, out),
        Value::Object(object) => encode_map(object, out, encode_raw),
    }
}

fn encode_list(items: &[Value], inner: &Kind, out: &mut String) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        encode(Some(item), inner, out);
    }
    out.push(']');
}

fn encode_map(object: &Map<String, Value>, out: &mut String, each: impl Fn(&Value, &mut String)) {
    let mut entries: Vec<(&String, &Value)> = object.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_string(key, out);
        out.push(':');
        each(value, out);
    }
    out.push('}');
}

fn encode_struct(object: &Map<String, Value>, name: &str, out: &mut String) {
    out.push('{');
    let mut first = true;
    for field in fields(name) {
        let value = object.get(field.name);
        let zero_time = field.omit_zero && value.is_none_or(Value::is_null);
        if zero_time || (field.omit_empty && is_empty(value, &field.kind)) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        push_string(field.name, out);
        out.push(':');
        encode(value, &field.kind, out);
    }
    out.push('}');
}

/// What `omitempty` leaves out: false, 0, a nil pointer, an empty text, list or map; never a struct.
pub(crate) fn is_empty(value: Option<&Value>, kind: &Kind) -> bool {
    let value = value.filter(|value| !value.is_null());
    match (kind, value) {
        (Kind::Struct(_) | Kind::Quantity | Kind::IntOrString | Kind::Time, _)
        | (Kind::Pointer(_) | Kind::Raw, Some(_)) => false,
        (_, None | Some(Value::Null)) => true,
        (_, Some(Value::String(text))) => text.is_empty(),
        (_, Some(Value::Bool(flag))) => !flag,
        (_, Some(Value::Number(number))) => number.as_i64() == Some(0),
        (_, Some(Value::Array(items))) => items.is_empty(),
        (_, Some(Value::Object(object))) => object.is_empty(),
    }
}

/// Appends a JSON string with Go's escapes, which make it safe to stand in HTML.
fn push_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
