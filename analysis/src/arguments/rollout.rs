//! Arguments as a Rollout gives them to its runs.

use super::ArgumentError;
use crds::analysis::Argument;
use crds::rollout::analysis::AnalysisRunArgument;
use serde_json::Value;

/// What arguments may read of a Rollout.
#[derive(Clone, Copy, Debug)]
pub struct RolloutFacts<'a> {
    /// The whole object as JSON.
    pub rollout: &'a Value,
    /// Pod template hash of the stable version; empty when there is none yet.
    pub stable_hash: &'a str,
    /// Pod template hash of the newest version; empty when there is none yet.
    pub latest_hash: &'a str,
}

/// The arguments of a run that a Rollout starts.
///
/// # Errors
/// When a `fieldRef` leads nowhere or to something that is not a plain value.
pub fn arguments_of_rollout(
    args: &[AnalysisRunArgument],
    facts: RolloutFacts<'_>,
) -> Result<Vec<Argument>, ArgumentError> {
    args.iter()
        .map(|arg| {
            let value = value_of(arg, facts)?;
            Ok(Argument { name: arg.name.clone(), value: Some(value), value_from: None })
        })
        .collect()
}

fn value_of(arg: &AnalysisRunArgument, facts: RolloutFacts<'_>) -> Result<String, ArgumentError> {
    let plain = || arg.value.clone().unwrap_or_default();
    let Some(from) = &arg.value_from else { return Ok(plain()) };
    if let Some(which) = &from.pod_template_hash_value {
        return Ok(match which.as_str() {
            "Stable" => facts.stable_hash.to_owned(),
            "Latest" => facts.latest_hash.to_owned(),
            // PARITY: an unknown word is accepted and gives the plain value.
            _ => plain(),
        });
    }
    match &from.field_ref {
        Some(field) if field.field_path.starts_with("metadata") => {
            metadata_field(facts.rollout, &field.field_path)
        }
        Some(field) => plain_field(facts.rollout, &field.field_path)
            .ok_or_else(|| ArgumentError::NoField { name: arg.name.clone(), path: field.field_path.clone() }),
        None => Ok(plain()),
    }
}

/// A path of the downward API: `metadata.name`, `metadata.labels['app']`. A label or annotation that the object
/// lacks gives the empty text, as it does in a pod.
fn metadata_field(object: &Value, path: &str) -> Result<String, ArgumentError> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let metadata = object.get("metadata");
    match path {
        "metadata.name" | "metadata.namespace" | "metadata.uid" => {
            Ok(text(metadata.and_then(|fields| fields.get(path.trim_start_matches("metadata.")))))
        }
        "metadata.labels" | "metadata.annotations" => {
            let map = metadata.and_then(|fields| fields.get(path.trim_start_matches("metadata.")));
            Ok(format_map(map))
        }
        _ => {
            let unsupported = || ArgumentError::UnsupportedField { path: path.to_owned() };
            let (map, key) = path.split_once("['").ok_or_else(unsupported)?;
            let key = key.strip_suffix("']").ok_or_else(unsupported)?;
            let map = match map {
                "metadata.labels" => "labels",
                "metadata.annotations" => "annotations",
                _ => return Err(unsupported()),
            };
            Ok(text(metadata.and_then(|fields| fields.get(map)).and_then(|entries| entries.get(key))))
        }
    }
}

/// `key="value"` lines sorted by key, as the downward API shows a whole map.
fn format_map(map: Option<&Value>) -> String {
    let mut lines: Vec<String> = map
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={:?}", value.as_str().unwrap_or_default()))
        .collect();
    lines.sort();
    lines.join("\n")
}

/// Any other path, such as `spec.replicas` or `spec.template.spec.containers[0].image`.
fn plain_field(object: &Value, path: &str) -> Option<String> {
    let mut at = object;
    for part in path.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        let part = part.trim_matches(['\'', '"']);
        at = match at {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
            fields => fields.get(part)?,
        };
    }
    match at {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
