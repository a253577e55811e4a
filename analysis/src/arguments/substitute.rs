//! Putting values in the place of `{{ args.name }}`.

use super::{ArgumentError, Secrets, secret_of};
use crds::analysis::{Argument, Metric};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// A metric with its placeholders replaced, in every text and every key of it. With `secrets`, their values are
/// put in too; without, their placeholders stay, so that the metric can be shown and checked. Values are never
/// searched for placeholders themselves.
///
/// # Errors
/// When a placeholder names no argument, a Secret is missing, or the outcome is not a metric any more (a port that
/// became a text, for instance).
pub fn resolve_metric(
    metric: &Metric,
    args: &[Argument],
    secrets: Option<&Secrets>,
) -> Result<Metric, ArgumentError> {
    let malformed = |error: serde_json::Error| ArgumentError::Malformed {
        metric: metric.name.clone(),
        reason: error.to_string(),
    };
    let mut values: BTreeMap<String, Option<&str>> = BTreeMap::new();
    for arg in args {
        let value = match (secret_of(arg), secrets) {
            (Some(reference), Some(secrets)) => Some(secrets.value(reference)?),
            (Some(_), None) => None,
            (None, _) => Some(arg.value.as_deref().unwrap_or_default()),
        };
        // Of two arguments with one name the last wins.
        values.insert(format!("args.{}", arg.name), value);
    }
    let json = serde_json::to_value(metric).map_err(malformed)?;
    serde_json::from_value(resolve_value(json, &values)?).map_err(malformed)
}

fn resolve_value(value: Value, values: &BTreeMap<String, Option<&str>>) -> Result<Value, ArgumentError> {
    Ok(match value {
        Value::String(text) => Value::String(resolve_text(&text, values)?),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| resolve_value(item, values)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let mut resolved = Map::new();
            for (key, field) in fields {
                resolved.insert(resolve_text(&key, values)?, resolve_value(field, values)?);
            }
            Value::Object(resolved)
        }
        plain => plain,
    })
}

/// DIFFERS [analysis.brace]: an opening without its closing is an error that shows the text itself; Argo Rollouts looks for the
/// closing in whatever JSON follows.
fn resolve_text(text: &str, values: &BTreeMap<String, Option<&str>>) -> Result<String, ArgumentError> {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        resolved.push_str(before);
        let Some((tag, behind)) = after.split_once(CLOSE) else {
            return Err(ArgumentError::Unresolved { placeholder: format!("{OPEN}{after}") });
        };
        match values.get(tag.trim()) {
            Some(Some(value)) => resolved.push_str(value),
            Some(None) => resolved.push_str(&format!("{OPEN}{tag}{CLOSE}")),
            None => return Err(ArgumentError::Unresolved { placeholder: format!("{OPEN}{tag}{CLOSE}") }),
        }
        rest = behind;
    }
    resolved.push_str(rest);
    Ok(resolved)
}
