//! How the API server writes values, types and quoted text in its sentences.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Decimal exponents from here on are written with an `e`: 1e+06, but 100000.
const FIRST_LARGE_EXPONENT: i32 = 6;
/// Decimal exponents below this are written with an `e`: 1e-05, but 0.0001.
const LAST_SMALL_EXPONENT: i32 = -4;

/// Text in double quotes; what cannot be printed is escaped (`\n`, `\x01`).
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            control if control.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}

/// A value as it stands in a sentence: text quoted, objects and lists as JSON.
pub(super) fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Number(number) => number_text(number),
        other => other.to_string(),
    }
}

/// A number as the server writes it; whole numbers that were sent as `5.0` or `5e0` are written `5`.
pub(super) fn number_text(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => float_text(float),
        None => number.to_string(),
    }
}

/// A float in its shortest form, with an exponent when it is large or small: 0.5, 100000, 1e+06, 1.5e-07.
pub(super) fn float_text(float: f64) -> String {
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(LAST_SMALL_EXPONENT..FIRST_LARGE_EXPONENT).contains(&exponent) => {
            exponential(digits, exponent)
        }
        _ => format!("{float}"),
    }
}

fn exponential(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// The JSON type of a value as type errors name it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
