//! Placeholders of cases: `{ns}`, `{image}`, and `{NAME/pointer}` for what the step NAME was answered.

use serde_json::Value;
use std::collections::BTreeMap;

/// What placeholders stand for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    names: BTreeMap<String, Value>,
}

impl Scope {
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.names.insert(name.to_owned(), value);
    }

    fn resolve(&self, placeholder: &str) -> Option<&Value> {
        let (name, pointer) =
            placeholder.find('/').map_or((placeholder, ""), |slash| placeholder.split_at(slash));
        self.names.get(name)?.pointer(pointer)
    }

    /// The text with its placeholders filled; braces that name nothing stay as they are.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once('{') {
            out.push_str(before);
            match from.split_once('}').and_then(|(name, after)| Some((self.resolve(name)?, after))) {
                Some((Value::String(text), after)) => {
                    out.push_str(text);
                    rest = after;
                }
                Some((value, after)) => {
                    out.push_str(&value.to_string());
                    rest = after;
                }
                None => {
                    out.push('{');
                    rest = from;
                }
            }
        }
        out + rest
    }

    /// The value with the placeholders of its texts and keys filled. A text that is one placeholder and nothing else
    /// becomes the value that it stands for.
    pub(crate) fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let whole = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
                let resolved = whole.and_then(|name| self.resolve(name)).cloned();
                resolved.unwrap_or_else(|| Value::String(self.text(text)))
            }
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(key, child)| (self.text(key), self.value(child))).collect()
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_pointers_and_plain_braces() {
        let mut scope = Scope::default();
        scope.set("ns", json!("c-1"));
        scope.set("made", json!({"metadata": {"uid": "u", "generation": 3}}));
        assert_eq!(scope.text("/namespaces/{ns}/x?a={made/metadata/generation}"), "/namespaces/c-1/x?a=3");
        assert_eq!(scope.text("{\"a\": {other}}"), "{\"a\": {other}}");
        let filled = scope.value(&json!({"{ns}": ["{made/metadata/generation}", "{made/metadata/uid}!"]}));
        assert_eq!(filled, json!({"c-1": [3, "u!"]}));
        assert_eq!(scope.value(&json!("{made}")), json!({"metadata": {"uid": "u", "generation": 3}}));
    }
}
