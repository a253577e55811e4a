//! Selectors of routes, as Kubernetes has them: `matchLabels` and `matchExpressions`.

use crds::LabelSelector;
use serde_json::{Map, Value};

/// Reads the selector under `key`.
///
/// What a selector does not have is told also where unknown keys are taken elsewhere: without the misspelt line it would
/// find every route of the namespace.
pub(super) fn read(key: &str, value: &Value) -> Result<LabelSelector, String> {
    let mut selector = spelt(key, value, &["matchLabels", "matchExpressions"])?;
    if let Some(list) = selector.get_mut("matchExpressions").and_then(Value::as_array_mut) {
        for (index, item) in list.iter_mut().enumerate() {
            let at = format!("{key}.matchExpressions[{index}]");
            *item = Value::Object(spelt(&at, item, &["key", "operator", "values"])?);
        }
    }
    let selector: LabelSelector =
        serde_json::from_value(Value::Object(selector)).map_err(|error| format!("{key}: {error}"))?;
    crds::validate::label_selector(key, &selector).map_err(|invalid| invalid.to_string())?;
    Ok(selector)
}

/// The object with its keys as they are to be spelt. PARITY: the plugin reads keys whatever their case.
fn spelt(at: &str, value: &Value, known: &[&str]) -> Result<Map<String, Value>, String> {
    let map = value.as_object().ok_or_else(|| format!("{at}: must be an object"))?;
    let rename = |(name, value): (&String, &Value)| {
        let found = known.iter().find(|known| known.eq_ignore_ascii_case(name));
        let found =
            found.ok_or_else(|| format!("{at}: unknown key {name:?}; there are {}", known.join(" and ")))?;
        Ok(((*found).to_owned(), value.clone()))
    };
    map.iter().map(rename).collect()
}

/// A selector in a sentence.
pub(super) fn shown(selector: &LabelSelector) -> String {
    if selector.is_empty() { "any".to_owned() } else { selector.to_string() }
}
