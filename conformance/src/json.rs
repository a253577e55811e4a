//! JSON whose text depends on its content alone.

use serde_json::Value;

/// The text of a value on one line, the keys of objects in order.
pub(crate) fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            // serde_json keeps the order of insertion when any crate of the build asks for that.
            let mut keys: Vec<_> = members.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, child)) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(child, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, child) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(child, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// A digest by which a change is noticed (FNV-1a, 64 bits); it guards against forgetting, not against malice.
pub(crate) fn digest(value: &Value) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    format!("{:016x}", canonical(value).bytes().fold(OFFSET, step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_in_order_and_text_is_escaped() {
        let value = json!({"b": [1, {"z": null, "a": "say \"x\""}], "a": true});
        assert_eq!(canonical(&value), r#"{"a":true,"b":[1,{"a":"say \"x\"","z":null}]}"#);
        assert_ne!(digest(&value), digest(&json!({"a": true})));
    }
}
