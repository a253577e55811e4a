//! One reason why an object is refused, worded as the API server words it.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::names::{self, printed};
use super::path::Path;

/// One element of `Status.details.causes`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired` ...
    pub reason: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// Where: `spec.steps[0].weight`, or `<nil>` for the object as a whole.
    pub field: String,
}

/// `field: message`, as in `Status.message`.
impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.field, self.message)
    }
}

/// What follows `KIND.GROUP "NAME" is invalid: ` in `Status.message`: the one cause, or all in brackets, each once.
#[must_use]
pub fn summary(causes: &[Cause]) -> String {
    let mut seen = BTreeSet::new();
    let each: Vec<String> =
        causes.iter().map(Cause::to_string).filter(|text| seen.insert(text.clone())).collect();
    match each.as_slice() {
        [one] => one.clone(),
        _ => format!("[{}]", each.join(", ")),
    }
}

const INVALID: &str = "FieldValueInvalid";
const TYPE_INVALID: &str = "FieldValueTypeInvalid";
const REQUIRED: &str = "FieldValueRequired";
const NOT_SUPPORTED: &str = "FieldValueNotSupported";
const TOO_LONG: &str = "FieldValueTooLong";
const TOO_MANY: &str = "FieldValueTooMany";
const DUPLICATE: &str = "FieldValueDuplicate";
const FORBIDDEN: &str = "FieldValueForbidden";

/// The field of a cause that belongs to no field.
const NO_FIELD: &str = "<nil>";

impl Cause {
    pub(super) fn invalid(field: String, shown: &str, detail: &str) -> Cause {
        Cause { reason: INVALID, message: format!("Invalid value: {shown}: {detail}"), field }
    }

    /// A value of another type: the server shows the type's name where it otherwise shows the value.
    pub(super) fn mistyped(path: &Path<'_>, wanted: &str, shown: &str) -> Cause {
        let field = path.dotted();
        let shown = names::quoted(shown);
        let message = format!("Invalid value: {shown}: {field} in body must be of type {wanted}: {shown}");
        Cause { reason: TYPE_INVALID, message, field }
    }

    pub(super) fn required(field: String) -> Cause {
        Cause { reason: REQUIRED, message: "Required value".to_owned(), field }
    }

    pub(super) fn not_supported(path: &Path<'_>, value: &Value, supported: &[Value]) -> Cause {
        let supported: Vec<String> = supported
            .iter()
            .map(|value| match value {
                Value::String(text) => names::quoted(text),
                other => names::quoted(&other.to_string()),
            })
            .collect();
        Cause {
            reason: NOT_SUPPORTED,
            message: format!(
                "Unsupported value: {}: supported values: {}",
                printed(value),
                supported.join(", ")
            ),
            field: path.dotted(),
        }
    }

    pub(super) fn too_long(path: &Path<'_>, limit: u64) -> Cause {
        let unit = if limit == 1 { "byte" } else { "bytes" };
        Cause {
            reason: TOO_LONG,
            message: format!("Too long: may not be more than {limit} {unit}"),
            field: path.dotted(),
        }
    }

    pub(super) fn too_many(path: &Path<'_>, count: usize, limit: u64) -> Cause {
        let unit = if limit == 1 { "item" } else { "items" };
        Cause {
            reason: TOO_MANY,
            message: format!("Too many: {count}: must have at most {limit} {unit}"),
            field: path.dotted(),
        }
    }

    pub(super) fn duplicate(field: String, value: &Value) -> Cause {
        Cause { reason: DUPLICATE, message: format!("Duplicate value: {}", printed(value)), field }
    }

    /// A failed value validation: `spec.n in body should be ...`.
    pub(super) fn out_of_bounds(path: &Path<'_>, shown: &str, bound: &str) -> Cause {
        let field = path.dotted();
        let detail = format!("{field} in body {bound}");
        Cause::invalid(field, shown, &detail)
    }

    /// A failed combination of schemas; the server gives it no field.
    pub(super) fn combination(path: &Path<'_>, sentence: &str) -> Cause {
        let detail = format!("{} {sentence}", names::quoted(&path.dotted()));
        Cause::invalid(NO_FIELD.to_owned(), "\"\"", &detail)
    }

    /// A failed rule. Objects and lists are not shown.
    pub(super) fn rule(reason: Option<&str>, field: String, value: &Value, message: &str) -> Cause {
        let field = if field.is_empty() { NO_FIELD.to_owned() } else { field };
        let (reason, message) = match reason {
            Some("FieldValueRequired") => (REQUIRED, format!("Required value: {message}")),
            Some("FieldValueForbidden") => (FORBIDDEN, format!("Forbidden: {message}")),
            Some("FieldValueDuplicate") => (DUPLICATE, duplicate_message(value)),
            _ if value.is_object() || value.is_array() => (INVALID, format!("Invalid value: {message}")),
            _ => (INVALID, format!("Invalid value: {}: {message}", printed(value))),
        };
        Cause { reason, message, field }
    }

    /// What stands for all rules when the object is too wrong to evaluate them.
    pub(super) fn rules_not_checked() -> Cause {
        let detail = "some validation rules were not checked because the object was invalid; correct the existing \
                      errors to complete validation";
        Cause::invalid(NO_FIELD.to_owned(), "null", detail)
    }

    /// Whether rules are not evaluated beside this cause.
    pub(super) fn blocks_rules(&self) -> bool {
        [TYPE_INVALID, REQUIRED, NOT_SUPPORTED, TOO_LONG, TOO_MANY].contains(&self.reason)
    }
}

fn duplicate_message(value: &Value) -> String {
    if value.is_object() || value.is_array() {
        "Duplicate value".to_owned()
    } else {
        format!("Duplicate value: {}", printed(value))
    }
}
