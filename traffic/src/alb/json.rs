//! JSON inside annotations: read as leniently as its readers do, written as Argo Rollouts writes it.

use serde::Serialize;
use serde_json::Value;

/// A field by its name, in whatever case: the load balancer's controller does not mind the case, so users write both
/// `ForwardConfig` and `forwardConfig`. The exact name wins.
pub(super) fn field<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = object.as_object()?;
    let in_any_case =
        || fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    fields.get(name).or_else(in_any_case)
}

/// Compact JSON, with the characters escaped that Go escapes, so that annotations do not differ from those that Argo
/// Rollouts has written.
pub(super) fn text(value: &impl Serialize) -> String {
    // Text, numbers, lists and maps with text as keys: there is nothing that could not be written.
    let plain = serde_json::to_string(value).unwrap_or_default();
    let escaped = |text: String, letter: char| match letter {
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text + &format!("\\u{:04x}", u32::from(letter)),
        _ => text + letter.encode_utf8(&mut [0; 4]),
    };
    plain.chars().fold(String::new(), escaped)
}
