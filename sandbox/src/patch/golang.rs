//! How the API server's language prints a value and names its type. Its patch errors quote values this way.

use std::fmt;

use serde_json::Value;

/// Prints a value as `fmt.Sprint` does: `map[a:1 b:[x y]]`, strings bare, keys sorted.
pub(super) struct Printed<'v>(pub(super) &'v Value);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => out.write_str("<nil>"),
            Value::Bool(flag) => write!(out, "{flag}"),
            Value::Number(number) => write!(out, "{number}"),
            Value::String(text) => out.write_str(text),
            Value::Array(elements) => {
                out.write_str("[")?;
                for (place, element) in elements.iter().enumerate() {
                    let gap = if place == 0 { "" } else { " " };
                    write!(out, "{gap}{}", Printed(element))?;
                }
                out.write_str("]")
            }
            Value::Object(fields) => {
                let mut sorted: Vec<_> = fields.iter().collect();
                sorted.sort_by_key(|(name, _)| *name);
                out.write_str("map[")?;
                for (place, (name, value)) in sorted.into_iter().enumerate() {
                    let gap = if place == 0 { "" } else { " " };
                    write!(out, "{gap}{name}:{}", Printed(value))?;
                }
                out.write_str("]")
            }
        }
    }
}

/// The JSON type as the server's decoder calls it in its errors.
pub(super) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The type that a decoded value has on the server.
pub(super) fn decoded_type(value: &Value) -> &'static str {
    match value {
        // A value without a type, as the server's error format shows it.
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
