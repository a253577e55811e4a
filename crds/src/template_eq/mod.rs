//! Is a ReplicaSet's pod template the one that a Rollout wants?
//!
//! The API server fills defaults into ReplicaSets but not into Rollouts, and a hash may have been made by another
//! version of the Kubernetes libraries: then equality decides whether a ReplicaSet is taken over. `[identity.match]`

mod defaults;
mod fill;
mod injected;
#[cfg(test)]
mod tests;

use crate::hash::table::{Kind, fields};
use crate::hash::{encode, is_empty};
use crate::quantity::Quantity;
use crate::{PodTemplate, Time};
use defaults::{computed, default_of};
pub use fill::{fill_pod_defaults, fill_template_defaults};
use injected::prepare;
pub use injected::{anti_affinity_hashes, without_anti_affinity, without_metadata};
use serde_json::{Map, Value};

/// Whether a ReplicaSet's template is the Rollout's, once both have the defaults of the API server.
///
/// The hash label and the anti-affinity that the controller injects do not count, nor does the deprecated twin of
/// `serviceAccountName`. Metadata that a strategy puts on pods must have been taken off with
/// [`without_metadata`]. A field that this crate does not know counts when the Rollout sets it; when only the
/// ReplicaSet has it, it is taken for a default of a newer API server.
#[must_use]
pub fn equal_ignoring_injected(rs_template: &PodTemplate, desired: &PodTemplate) -> bool {
    let (left, right) = (prepare(&rs_template.0), prepare(&desired.0));
    equal(Some(&left), Some(&right), &Kind::Struct("PodTemplateSpec"))
}

/// How fingerprints begin: those of another version cannot be compared.
pub const FINGERPRINT_PREFIX: &str = "v1.";

/// What a pod template means, in short: equal for templates that differ only in whether the API server's defaults are
/// written out. It is recorded, so that what becomes of a ReplicaSet's template later says nothing about its identity.
///
/// To be called with a Rollout's template: what a strategy injects counts.
#[must_use]
pub fn fingerprint(template: &PodTemplate) -> String {
    let mut filled = prepare(&template.0);
    fill_template_defaults(&mut filled);
    format!("{FINGERPRINT_PREFIX}{}", crate::hash::pod_template_hash(&PodTemplate(filled), None))
}

fn equal(have: Option<&Value>, want: Option<&Value>, kind: &Kind) -> bool {
    let (have, want) = (have.filter(|v| !v.is_null()), want.filter(|v| !v.is_null()));
    match kind {
        Kind::Pointer(inner) => match (have, want) {
            (None, None) => true,
            (Some(_), Some(_)) => equal(have, want, inner),
            _ => false,
        },
        Kind::Struct(name) => match (object(have), object(want)) {
            (Some(have), Some(want)) => equal_structs(&have, &want, name),
            _ => have == want,
        },
        Kind::Slice(inner) => match (list(have), list(want)) {
            (Some(have), Some(want)) => {
                let pairs = || have.iter().zip(want);
                have.len() == want.len() && pairs().all(|(a, b)| equal(Some(a), Some(b), inner))
            }
            _ => have == want,
        },
        Kind::Map(inner) => match (object(have), object(want)) {
            (Some(have), Some(want)) => {
                let same = |(key, value): (&String, &Value)| {
                    want.get(key).is_some_and(|other| equal(Some(value), Some(other), inner))
                };
                have.len() == want.len() && have.iter().all(same)
            }
            _ => have == want,
        },
        Kind::Quantity => match (quantity(have), quantity(want)) {
            (Some(have), Some(want)) => have == want,
            _ => have == want,
        },
        Kind::Time => time(have) == time(want),
        Kind::Raw => have == want,
        Kind::String | Kind::Bool | Kind::Int | Kind::IntOrString => text(have, kind) == text(want, kind),
    }
}

fn equal_structs(have: &Map<String, Value>, want: &Map<String, Value>, name: &'static str) -> bool {
    let known = fields(name);
    let same = known.iter().all(|field| {
        let (have_computed, want_computed) =
            (computed(name, field.name, have), computed(name, field.name, want));
        let effective = |object: &Map<String, Value>, computed: Option<Value>| {
            let written = object.get(field.name).filter(|value| !is_unset(value, &field.kind));
            written.cloned().or(computed).or_else(|| default_of(name, field.name).cloned())
        };
        let (have, want) = (effective(have, have_computed), effective(want, want_computed));
        equal(have.as_ref(), want.as_ref(), &field.kind)
    });
    same && want
        .iter()
        .filter(|(key, value)| !value.is_null() && known.iter().all(|field| field.name != key.as_str()))
        .all(|(key, value)| have.get(key) == Some(value))
}

/// Whether defaulting sees the field as not set: its zero value, or a nil pointer.
fn is_unset(value: &Value, kind: &Kind) -> bool {
    value.is_null() || is_empty(Some(value), kind)
}

fn object(value: Option<&Value>) -> Option<std::borrow::Cow<'_, Map<String, Value>>> {
    match value {
        None => Some(std::borrow::Cow::Owned(Map::new())),
        Some(Value::Object(object)) => Some(std::borrow::Cow::Borrowed(object)),
        Some(_) => None,
    }
}

fn list(value: Option<&Value>) -> Option<&[Value]> {
    match value {
        None => Some(&[]),
        Some(Value::Array(items)) => Some(items),
        Some(_) => None,
    }
}

/// Rounded as the API server rounds resources.
fn quantity(value: Option<&Value>) -> Option<Quantity> {
    let quantity = match value {
        None => Quantity::parse("0"),
        Some(Value::String(text)) => Quantity::parse(text),
        Some(Value::Number(number)) => Quantity::parse(&number.to_string()),
        Some(_) => None,
    };
    quantity.map(Quantity::rounded_to_milli)
}

fn time(value: Option<&Value>) -> Option<Result<Time, &Value>> {
    value.map(|value| value.as_str().and_then(Time::parse).ok_or(value))
}

/// A scalar as the hash writes it, with the zero value for an absent one.
fn text(value: Option<&Value>, kind: &Kind) -> String {
    let mut out = String::new();
    encode(value, kind, &mut out);
    out
}
