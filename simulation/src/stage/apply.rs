//! An apply as a merge patch.

use serde_json::{Map, Value};

/// What is applied, and `null` for each field that was applied `before` and is not any more.
pub(super) fn patch(before: Option<&Value>, object: &Value) -> Value {
    let (Some(Value::Object(before)), Value::Object(now)) = (before, object) else { return object.clone() };
    let kept = now.iter().map(|(key, value)| (key.clone(), patch(before.get(key), value)));
    let gone = before.keys().filter(|key| !now.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    Value::Object(kept.chain(gone).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::patch;
    use serde_json::json;

    #[test]
    fn what_is_not_applied_any_more_goes() {
        let before = json!({"a": 1, "b": {"c": 1, "d": {"e": 1}}, "list": [1]});
        let now = json!({"b": {"d": {"f": 2}}, "list": []});
        let expected = json!({"a": null, "b": {"c": null, "d": {"e": null, "f": 2}}, "list": []});
        assert_eq!(patch(Some(&before), &now), expected);
        assert_eq!(patch(None, &now), now);
    }
}
