//! Rows of disruption budgets, leases and role bindings.

use super::read::Reader;
use serde_json::Value;

/// Name, fewest available, most unavailable, disruptions allowed now, age.
pub(super) fn disruption_budget(of: Reader<'_>) -> Vec<Value> {
    let bound = |path: &str| -> Value {
        match of.at(path) {
            Some(Value::String(text)) => text.as_str().into(),
            Some(number) => number.to_string().into(),
            None => "N/A".into(),
        }
    };
    vec![
        of.name(),
        bound("/spec/minAvailable"),
        bound("/spec/maxUnavailable"),
        of.number("/status/disruptionsAllowed").into(),
        of.age(),
    ]
}

/// Name, holder, age.
pub(super) fn lease(of: Reader<'_>) -> Vec<Value> {
    vec![of.name(), of.text_or("/spec/holderIdentity", ""), of.age()]
}

/// Name, role, age; wide: users, groups, service accounts.
pub(super) fn role_binding(of: Reader<'_>) -> Vec<Value> {
    let subjects = |kind: &str| -> Value {
        let names: Vec<String> = of
            .items("/subjects")
            .filter(|subject| subject.text("/kind") == Some(kind))
            .map(|subject| {
                let name = subject.text("/name").unwrap_or_default();
                match subject.text("/namespace") {
                    Some(namespace) if kind == "ServiceAccount" => format!("{namespace}/{name}"),
                    _ => name.to_owned(),
                }
            })
            .collect();
        names.join(", ").into()
    };
    let part = |path| of.text(path).unwrap_or_default();
    vec![
        of.name(),
        format!("{}/{}", part("/roleRef/kind"), part("/roleRef/name")).into(),
        of.age(),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}
