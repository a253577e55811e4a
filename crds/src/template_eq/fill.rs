//! What the API server makes of a pod template or another struct of Kubernetes: defaults filled in.

use super::defaults::{computed, default_of};
use crate::hash::is_empty;
use crate::hash::table::{Kind, fields};
use crate::quantity::Quantity;
use serde_json::{Map, Value};

/// Fills the API server's defaults into a pod template, in place. A null is what is not there.
pub fn fill_template_defaults(template: &mut Value) {
    fill(template, &Kind::Struct("PodTemplateSpec"));
}

/// Fills the API server's defaults into a pod's spec, in place.
pub fn fill_pod_defaults(spec: &mut Value) {
    fill(spec, &Kind::Struct("PodSpec"));
}

/// `serviceAccountName` and its old name are one.
fn twin(name: &str, map: &mut Map<String, Value>) {
    let (new, old) = ("serviceAccountName", "serviceAccount");
    let account = map.get(new).or_else(|| map.get(old)).cloned();
    if let (true, Some(account)) = (name == "PodSpec", account) {
        map.insert(new.to_owned(), account.clone());
        map.insert(old.to_owned(), account);
    }
}

fn fill(value: &mut Value, kind: &Kind) {
    match (kind, value) {
        (Kind::Pointer(inner), value) => fill(value, inner),
        (Kind::Slice(inner), Value::Array(items)) => items.iter_mut().for_each(|item| fill(item, inner)),
        (Kind::Map(inner), Value::Object(map)) => map.values_mut().for_each(|item| fill(item, inner)),
        (Kind::Struct(name), Value::Object(map)) => {
            map.retain(|_, value| !value.is_null());
            twin(name, map);
            for field in fields(name) {
                if field.omit_empty
                    && map.contains_key(field.name)
                    && is_empty(map.get(field.name), &field.kind)
                {
                    map.remove(field.name);
                }
                match map.get_mut(field.name) {
                    Some(inner) => fill(inner, &field.kind),
                    None => {
                        let default =
                            default_of(name, field.name).cloned().or_else(|| computed(name, field.name, map));
                        // Go writes a struct that is not a pointer even when it is empty.
                        let empty = match field.kind {
                            Kind::Struct(_) if !field.omit_zero => Some(Value::Object(Map::new())),
                            Kind::Quantity => Some("0".into()),
                            _ => None,
                        };
                        if let Some(default) = default.or(empty) {
                            map.insert(field.name.to_owned(), default);
                        }
                    }
                }
            }
        }
        (Kind::Quantity, quantity) => canonical(quantity),
        _ => {}
    }
}

/// Quantities are answered in their canonical form: `1000m` as `1`; nothing is finer than a thousandth.
fn canonical(quantity: &mut Value) {
    let text = match &*quantity {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    let parsed = Quantity::parse(&text).map(|parsed| parsed.rounded_to_milli().to_string());
    *quantity = parsed.unwrap_or(text).into();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn differences(path: &str, left: &Value, right: &Value) -> Vec<String> {
        match (left, right) {
            (Value::Object(a), Value::Object(b)) => {
                let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                let inner = |key: &&String| {
                    let none = Value::Null;
                    let (left, right) = (a.get(*key).unwrap_or(&none), b.get(*key).unwrap_or(&none));
                    differences(&format!("{path}/{key}"), left, right)
                };
                keys.iter().flat_map(inner).collect()
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                let pairs = a.iter().zip(b).enumerate();
                pairs.flat_map(|(index, (a, b))| differences(&format!("{path}/{index}"), a, b)).collect()
            }
            _ if left == right => Vec::new(),
            _ => vec![format!("{path}: {left} is not {right}")],
        }
    }

    /// The table that the API server's own defaulting made. `[identity.match]`
    #[test]
    fn templates_get_the_defaults_of_the_api_server() {
        let vectors = include_str!("../../data/default-vectors.jsonl");
        for line in vectors.lines() {
            let vector: Value = serde_json::from_str(line).unwrap();
            let (mut written, defaulted) =
                (vector.get("written").unwrap().clone(), vector.get("defaulted").unwrap().clone());
            fill_template_defaults(&mut written);
            assert_eq!(differences("", &written, &defaulted), Vec::<String>::new());
            fill_template_defaults(&mut written);
            assert!(differences("", &written, &defaulted).is_empty(), "twice is once");
        }
        assert!(vectors.lines().count() >= 10);
    }
}
