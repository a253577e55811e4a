//! Values of an object as rules see them: typed by the schema, fields under names that the language can say.

// The language's own map type is a HashMap; nothing here depends on its order.
use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use kube_cel::cel::Value as Typed;
use kube_cel::cel::objects::{Key, Map};
use serde_json::{Map as Fields, Number, Value};

use super::node::{Additional, Kind, Node};

/// Words of the language that cannot be field names.
const RESERVED: [&str; 18] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
];

/// The members of a resource's metadata that rules may read.
const READABLE_META: [&str; 2] = ["generateName", "name"];

/// A value as rules see it.
pub(super) fn value(node: &Node, value: &Value) -> Typed {
    match (node.kind, value) {
        (_, Value::Null) => Typed::Null,
        (_, Value::Bool(flag)) => Typed::Bool(*flag),
        (Some(Kind::Number), Value::Number(number)) => Typed::Float(number.as_f64().unwrap_or_default()),
        (_, Value::Number(number)) => integer(number),
        (_, Value::String(text)) => typed_text(node, text),
        (_, Value::Array(elements)) => {
            let typed = elements.iter().map(|element| match &node.items {
                Some(items) => self::value(items, element),
                None => untyped(element),
            });
            Typed::List(Arc::new(typed.collect()))
        }
        (_, Value::Object(fields)) => object(node, fields),
    }
}

fn integer(number: &Number) -> Typed {
    number.as_i64().map_or_else(|| whole_or_float(number), Typed::Int)
}

/// `5.0` is the integer 5 where the schema wants integers.
fn whole_or_float(number: &Number) -> Typed {
    let float = number.as_f64().unwrap_or_default();
    match format!("{float:.0}").parse() {
        Ok(whole) if float.fract() == 0.0 => Typed::Int(whole),
        _ => Typed::Float(float),
    }
}

fn text(text: &str) -> Typed {
    Typed::String(Arc::new(text.to_owned()))
}

fn typed_text(node: &Node, content: &str) -> Typed {
    let format = node.checks.format.as_ref().map(super::formats::Format::name);
    let typed = match format {
        Some("date-time") => DateTime::parse_from_rfc3339(content).ok().map(Typed::Timestamp),
        Some("date") => NaiveDate::parse_from_str(content, "%Y-%m-%d")
            .ok()
            .map(|date| Typed::Timestamp(date.and_time(NaiveTime::MIN).and_utc().fixed_offset())),
        Some("duration") => duration(content).map(Typed::Duration),
        Some("byte") => decoded(content).map(|bytes| Typed::Bytes(Arc::new(bytes))),
        _ => None,
    };
    typed.unwrap_or_else(|| text(content))
}

fn object(node: &Node, fields: &Fields<String, Value>) -> Typed {
    let is_map = !matches!(node.additional, Additional::None);
    let mut members = HashMap::with_capacity(fields.len());
    for (name, content) in fields {
        let typed = match (node.member(name), name.as_str()) {
            (_, "metadata") if node.resource => readable_meta(content),
            (Some((member, _)), _) => value(member, content),
            (None, "apiVersion" | "kind") if node.resource => untyped(content),
            (None, _) if matches!(node.additional, Additional::Any) => untyped(content),
            // What is preserved though unknown is not visible.
            (None, _) => continue,
        };
        let name = if is_map { Some(name.clone()) } else { sayable(name) };
        members.extend(name.map(|name| (Key::String(Arc::new(name)), typed)));
    }
    Typed::Map(Map { map: Arc::new(members) })
}

fn readable_meta(metadata: &Value) -> Typed {
    let fields = metadata.as_object().into_iter().flatten();
    let readable = fields.filter(|(name, _)| READABLE_META.contains(&name.as_str()));
    let members = readable.map(|(name, content)| (Key::String(Arc::new(name.clone())), untyped(content)));
    Typed::Map(Map { map: Arc::new(members.collect()) })
}

/// A value of which no schema tells the type.
fn untyped(value: &Value) -> Typed {
    match value {
        Value::Null => Typed::Null,
        Value::Bool(flag) => Typed::Bool(*flag),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Typed::Float(number.as_f64().unwrap_or_default()), Typed::Int)
        }
        Value::String(content) => text(content),
        Value::Array(elements) => Typed::List(Arc::new(elements.iter().map(untyped).collect())),
        Value::Object(fields) => {
            let members =
                fields.iter().map(|(name, value)| (Key::String(Arc::new(name.clone())), untyped(value)));
            Typed::Map(Map { map: Arc::new(members.collect()) })
        }
    }
}

/// A field's name as rules write it: `a-b` is `a__dash__b`, `in` is `__in__`; `None` when they cannot.
fn sayable(name: &str) -> Option<String> {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || "_.-/".contains(first));
    let continues = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.-/".contains(letter));
    if !begins || !continues {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let escaped = name.replace("__", "__underscores__");
    Some(escaped.replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__"))
}

/// A duration in Go's notation: `1h30m`, `-1.5s`, `100ms`.
fn duration(content: &str) -> Option<TimeDelta> {
    let (negative, mut rest) = match content.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, content.strip_prefix('+').unwrap_or(content)),
    };
    let mut nanoseconds = 0.0_f64;
    while !rest.is_empty() && rest != "0" {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let scale = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        nanoseconds += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    let signed = if negative { -nanoseconds } else { nanoseconds };
    format!("{signed:.0}").parse().ok().map(TimeDelta::nanoseconds)
}

/// The bytes of padded base64.
fn decoded(content: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(content.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    for digit in content.bytes().filter(|byte| *byte != b'=') {
        let six = match digit {
            b'A'..=b'Z' => digit.checked_sub(b'A')?,
            b'a'..=b'z' => digit.checked_sub(b'a')?.checked_add(26)?,
            b'0'..=b'9' => digit.checked_sub(b'0')?.checked_add(52)?,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        count = count.saturating_add(6);
        if count >= 8 {
            count = count.saturating_sub(8);
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}
