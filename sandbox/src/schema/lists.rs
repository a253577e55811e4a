//! Lists that are sets or maps: no element twice.

use serde_json::{Map, Value};

use super::cause::Cause;
use super::names::printed;
use super::node::{ListType, Node};
use super::path::Path;

/// Checks every set and map in `value`.
pub(super) fn check(node: &Node, value: &Value, path: &Path<'_>, causes: &mut Vec<Cause>) {
    if !node.below.lists {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match node.member(name) {
                    Some((member, true)) => check(member, value, &Path::Field(path, name), causes),
                    Some((member, false)) => check(member, value, &Path::Key(path, name), causes),
                    None => {}
                }
            }
        }
        Value::Array(elements) => {
            match &node.list {
                ListType::Atomic => {}
                ListType::Set => {
                    let elements: Vec<(usize, &Value)> = elements.iter().enumerate().collect();
                    refuse_twins(&elements, path, causes, |element| (*element).clone());
                }
                ListType::Map(keys) => check_map(elements, keys, path, causes),
            }
            if let Some(items) = &node.items {
                for (index, element) in elements.iter().enumerate() {
                    check(items, element, &Path::Index(path, index), causes);
                }
            }
        }
        _ => {}
    }
}

/// Whether every set and map in `value` is in order; the server holds against nobody what was wrong before.
pub(super) fn in_order(node: &Node, value: &Value) -> bool {
    let mut causes = Vec::new();
    check(node, value, &Path::Root, &mut causes);
    causes.is_empty()
}

fn check_map(elements: &[Value], keys: &[String], path: &Path<'_>, causes: &mut Vec<Cause>) {
    let mut identities = Vec::with_capacity(elements.len());
    for (index, element) in elements.iter().enumerate() {
        // A null (which is refused elsewhere) is an element without keys.
        if element.is_null() {
            identities.push((index, vec![None; keys.len()]));
            continue;
        }
        let Value::Object(fields) = element else {
            // The server tells one, and does not look for twins then.
            let field = Path::Index(path, index).bracketed();
            let detail = "must be an object for an array of list-type map";
            causes.push(Cause::invalid(field, &printed(element), detail));
            return;
        };
        identities.push((index, identity(fields, keys)));
    }
    refuse_twins(&identities, path, causes, |identity| {
        let named =
            keys.iter().zip(identity).filter_map(|(key, value)| Some((key.clone(), (*value)?.clone())));
        Value::Object(named.collect::<Map<_, _>>())
    });
}

/// The values of an element's keys.
pub(super) fn identity<'e>(fields: &'e Map<String, Value>, keys: &[String]) -> Vec<Option<&'e Value>> {
    keys.iter().map(|key| fields.get(key)).collect()
}

/// Refuses each element that was there before, once for each identity. (Lists are short: the bounded quadratic search
/// is cheaper than hashing JSON.)
fn refuse_twins<I: PartialEq>(
    identities: &[(usize, I)],
    path: &Path<'_>,
    causes: &mut Vec<Cause>,
    shown: impl Fn(&I) -> Value,
) {
    for (place, (index, identity)) in identities.iter().enumerate() {
        let earlier = identities.iter().take(place).filter(|(_, other)| other == identity).count();
        if earlier == 1 {
            causes.push(Cause::duplicate(Path::Index(path, *index).bracketed(), &shown(identity)));
        }
    }
}
