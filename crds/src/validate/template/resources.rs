//! Requests and limits of a container.

use super::{Invalid, labels, node::Node};
use crate::quantity::Quantity;
use serde_json::Value;
use std::cmp::Ordering;

const SYNTAX: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// `resources`.
pub(super) fn check(resources: &Node<'_>) -> Result<(), Invalid> {
    let limits = quantities(&resources.get("limits"))?;
    let requests = quantities(&resources.get("requests"))?;
    let path = resources.at("requests");
    for (name, text, request) in &requests {
        let Some((_, shown, limit)) = limits.iter().find(|(limited, ..)| limited == name) else { continue };
        let over = request.compare(*limit);
        // Resources of devices and huge pages cannot be overcommitted.
        if !is_overcommitted(name) && over != Ordering::Equal {
            return Err(Invalid::value(path, text, &format!("must be equal to {name} limit of {shown}")));
        }
        if over == Ordering::Greater {
            let why = format!("must be less than or equal to {name} limit of {shown}");
            return Err(Invalid::value(path, text, &why));
        }
    }
    Ok(())
}

fn is_overcommitted(name: &str) -> bool {
    STANDARD.contains(&name) || name.contains("kubernetes.io/") && !name.starts_with("requests.")
}

/// Name, canonical text and value of each resource.
///
/// DIFFERS: what is no quantity is told; Argo Rollouts drops it and makes pods without limits.
/// `[validation.malformed]`
fn quantities<'a>(list: &Node<'a>) -> Result<Vec<(&'a str, String, Quantity)>, Invalid> {
    let Some(value) = list.value() else { return Ok(Vec::new()) };
    let Some(entries) = value.as_object() else {
        return Err(Invalid::value(&list.path, value, "must be a map from resource names to quantities"));
    };
    let mut found = Vec::new();
    for (name, value) in entries {
        let path = format!("{}[{name}]", list.path);
        labels::qualified_name(name).map_err(|why| Invalid::value(&path, name, &why))?;
        if !name.contains('/') && !STANDARD.contains(&name.as_str()) && !name.starts_with("hugepages-") {
            let why = "must be a standard resource type or fully qualified";
            return Err(Invalid::value(&path, name, why));
        }
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            other => return Err(Invalid::value(&path, other, SYNTAX)),
        };
        let Some(quantity) = Quantity::parse(&text) else {
            return Err(Invalid::value(&path, &text, SYNTAX));
        };
        let text = Quantity::canonical(&text);
        if quantity.is_negative() {
            return Err(Invalid::value(&path, &text, "must be greater than or equal to 0"));
        }
        found.push((name.as_str(), text, quantity));
    }
    Ok(found)
}

/// A text that has to be a quantity.
pub(super) fn quantity(node: &Node<'_>) -> Result<(), Invalid> {
    let good = match node.value() {
        None | Some(Value::Number(_)) => true,
        Some(Value::String(text)) => Quantity::parse(text).is_some(),
        Some(_) => false,
    };
    if good { Ok(()) } else { Err(Invalid::value(&node.path, &node.value(), SYNTAX)) }
}
