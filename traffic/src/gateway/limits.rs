//! What the Gateway API allows in a route, told before it refuses a write.

use super::rule::{backends, list};
use serde_json::Value;

/// Rules of a route.
const RULES: usize = 16;
/// Backends of a rule.
const BACKENDS: usize = 16;
/// Matches of a rule. Before version 1.2 it was 8; a cluster that old refuses the write itself.
const MATCHES: usize = 64;
/// Matches of all rules together.
const ALL_MATCHES: usize = 128;
/// Headers of a match.
const HEADERS: usize = 16;
/// The largest weight.
const WEIGHT: i64 = 1_000_000;

/// Checks the rules of a route as they are to be.
pub(super) fn check(rules: &[Value]) -> Result<(), String> {
    let matches = |rule: &Value| list(rule, "matches").len();
    let found = [
        ("rules", rules.len(), RULES),
        ("matches in all rules together", rules.iter().map(matches).sum(), ALL_MATCHES),
        ("matches in a rule", rules.iter().map(matches).max().unwrap_or(0), MATCHES),
        (
            "headers in a match",
            rules
                .iter()
                .flat_map(|rule| list(rule, "matches"))
                .map(|item| list(item, "headers").len())
                .max()
                .unwrap_or(0),
            HEADERS,
        ),
        ("backendRefs in a rule", rules.iter().map(|rule| backends(rule).len()).max().unwrap_or(0), BACKENDS),
    ];
    if let Some((what, number, most)) = found.into_iter().find(|(_, number, most)| number > most) {
        return Err(format!(
            "would have {number} {what} with managed routes and experiments, and the Gateway API allows {most}; \
             spread its rules over several routes, or use fewer managed routes"
        ));
    }
    let weights =
        rules.iter().flat_map(backends).filter_map(|backend| backend.get("weight").and_then(Value::as_i64));
    match weights.max() {
        Some(weight) if weight > WEIGHT => Err(format!(
            "would have weight {weight}, and the Gateway API allows {WEIGHT}; lower maxTrafficWeight"
        )),
        _ => Ok(()),
    }
}
