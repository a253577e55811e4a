//! JSON, merge and strategic-merge patches as the API server applies them.
//!
//! Each function is pure: the caller reads the object, patches it here, and stores what comes back. What the API
//! server does after a patch (defaulting, validation, the write) is the caller's.

mod body;
mod error;
mod golang;
mod json;
pub mod keys;
mod lists;
mod strategic;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use body::{merge_body, strategic_body};
pub use error::PatchError;
pub use json::{MAX_JSON_PATCH_OPERATIONS, json};
pub use strategic::strategic;

/// Applies a JSON merge patch (RFC 7386): `null` removes, objects merge, everything else replaces.
///
/// Nulls inside objects that the patch adds are dropped, as the RFC says. The API server also drops them from the
/// objects *inside* lists that the patch brings, which the RFC leaves as they are; so does this function.
///
/// A patch that is not an object replaces the target, as the RFC says; the API server refuses it before, and
/// [`merge_body`] does the same.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = without_nulls(patch);
        return;
    };
    match target {
        Value::Object(fields) => {
            for (name, change) in changes {
                match (change, fields.get_mut(name)) {
                    (Value::Null, _) => {
                        fields.remove(name);
                    }
                    (_, Some(current)) => merge(current, change),
                    (_, None) => {
                        fields.insert(name.clone(), without_nulls(change));
                    }
                }
            }
        }
        _ => *target = without_nulls(patch),
    }
}

/// A copy without the null members of objects, at any depth. Nulls that are elements of a list stay.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect(),
        ),
        Value::Array(elements) => Value::Array(elements.iter().map(without_nulls).collect()),
        scalar => scalar.clone(),
    }
}
