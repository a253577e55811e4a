//! The scale subresource: the replica counts that it reads must be counts.

use serde_json::Value;

use super::cause::Cause;
use super::names::printed;

/// The most replicas that a scale can tell.
const MAX_REPLICAS: i64 = 2_147_483_647;

/// `spec.versions[].subresources.scale`.
#[derive(Debug)]
pub(super) struct Scale {
    /// As declared, with the leading dot: `.spec.replicas`.
    counts: Vec<String>,
    selector: Option<String>,
}

impl Scale {
    pub(super) fn parse(scale: &Value) -> Scale {
        let path = |name: &str| scale.get(name).and_then(Value::as_str).map(str::to_owned);
        Scale {
            counts: [path("specReplicasPath"), path("statusReplicasPath")].into_iter().flatten().collect(),
            selector: path("labelSelectorPath"),
        }
    }

    pub(super) fn check(&self, object: &Value, causes: &mut Vec<Cause>) {
        for path in &self.counts {
            let refuse = |shown: &str, detail: &str| Cause::invalid(path.clone(), shown, detail);
            match find(object, path) {
                Found::Nothing => {}
                Found::Blocked(by) => {
                    causes.push(refuse("0", &accessor_error(path, by, "map[string]interface{}")))
                }
                Found::Value(value) => match value.as_i64() {
                    Some(count) if count < 0 => {
                        causes.push(refuse(&count.to_string(), "should be a non-negative integer"));
                    }
                    Some(count) if count > MAX_REPLICAS => {
                        let detail = format!("should be less than or equal to {MAX_REPLICAS}");
                        causes.push(refuse(&count.to_string(), &detail));
                    }
                    Some(_) => {}
                    None => causes.push(refuse("0", &accessor_error(path, value, "int64"))),
                },
            }
        }
        if let Some(path) = &self.selector
            && let Found::Value(value) = find(object, path)
            && !value.is_string()
        {
            causes.push(Cause::invalid(path.clone(), "\"\"", &accessor_error(path, value, "string")));
        }
    }
}

enum Found<'v> {
    Nothing,
    /// Something on the way is no object.
    Blocked(&'v Value),
    Value(&'v Value),
}

fn find<'v>(object: &'v Value, path: &str) -> Found<'v> {
    let mut value = object;
    for name in path.trim_start_matches('.').split('.') {
        match value {
            Value::Object(fields) => match fields.get(name) {
                Some(inner) => value = inner,
                None => return Found::Nothing,
            },
            other => return Found::Blocked(other),
        }
    }
    Found::Value(value)
}

fn accessor_error(path: &str, value: &Value, wanted: &str) -> String {
    let kind = match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    let shown = match value {
        Value::String(text) => text.clone(),
        other => printed(other),
    };
    format!("{path} accessor error: {shown} is of the type {kind}, expected {wanted}")
}
