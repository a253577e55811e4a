//! Strategic merge patches: objects merge by the schema's strategies and the patch's own directives.

use serde_json::{Map, Value};

use super::PatchError;
use super::golang::{Printed, decoded_type};
use super::keys::{self, Field, Kind};
use super::lists;

/// Says what to do with the whole object or list element it stands in.
pub(super) const DIRECTIVE: &str = "$patch";
/// Names the members of an object that stay.
const RETAIN_KEYS: &str = "$retainKeys";
/// Begins the name of a list of scalars to take out of a list.
const DELETE_FROM: &str = "$deleteFromPrimitiveList";
/// Begins the name of a list that says in which order elements stand.
const ELEMENT_ORDER: &str = "$setElementOrder";

/// Applies a strategic merge patch to a copy of `target`, whose kind is `kind` (`apps/v1/Deployment`, `v1/Pod`).
///
/// Null members and directives never reach the result.
///
/// # Errors
/// 415 for a kind without merge keys (custom resources), 400 for malformed directives, 422 for lists of lists, and
/// 500 with the server's text where the server has no better answer (an element without its merge key ...).
pub fn strategic(target: &Value, patch: &Value, kind: &str) -> Result<Value, PatchError> {
    let Some(root) = keys::kind(kind) else {
        return Err(PatchError::UnsupportedMediaType { kind: kind.to_owned() });
    };
    let changes = match patch {
        Value::Null => return Ok(target.clone()),
        Value::Object(changes) => changes,
        other => {
            return Err(PatchError::bad_request(super::body::mistyped(other, "map[string]interface {}")));
        }
    };
    let mut fields = target.as_object().cloned().unwrap_or_default();
    merge_object(&mut fields, changes, root)?;
    Ok(Value::Object(fields))
}

/// Merges a patch into an object of type `kind`.
pub(super) fn merge_object(
    current: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    kind: Kind,
) -> Result<(), PatchError> {
    match patch.get(DIRECTIVE) {
        None => {}
        Some(Value::String(directive)) if directive == "replace" => {
            *current = plain_object(patch);
            return Ok(());
        }
        Some(Value::String(directive)) if directive == "delete" => {
            current.clear();
            return Ok(());
        }
        Some(other) => return Err(unknown_directive(other, patch)),
    }
    retain_keys(current, patch)?;
    let ordered = set_orders(current, patch, kind)?;
    for (name, change) in patch {
        if name == RETAIN_KEYS || name.starts_with(ELEMENT_ORDER) || ordered.contains(&name.as_str()) {
            continue;
        }
        let (name, deletes) = match name.strip_prefix(DELETE_FROM) {
            None => (name.as_str(), false),
            Some(rest) => (list_name(rest, "invalid patch format of primitive list")?, true),
        };
        merge_member(current, name, change, deletes, kind)?;
    }
    Ok(())
}

/// Merges one member; `deletes` when the change is a list of scalars to take out.
fn merge_member(
    current: &mut Map<String, Value>,
    name: &str,
    change: &Value,
    deletes: bool,
    kind: Kind,
) -> Result<(), PatchError> {
    if change.is_null() {
        current.remove(name);
        return Ok(());
    }
    let field = || kind.field(name);
    match (current.get_mut(name), change) {
        (Some(Value::Object(fields)), Value::Object(changes)) => {
            let field = field();
            if field.replaces {
                *fields = plain_object(changes);
                return Ok(());
            }
            merge_object(fields, changes, field.value)
        }
        (Some(Value::Array(elements)), Value::Array(changes)) => {
            let merged = merge_list(std::mem::take(elements), changes, field(), deletes)?;
            *elements = merged;
            Ok(())
        }
        // A deletion from what is not there, or is no list, deletes nothing.
        (None | Some(_), _) if deletes => Ok(()),
        (Some(slot), _) => {
            match brought(change) {
                Some(value) => *slot = value,
                None => drop(current.remove(name)),
            }
            Ok(())
        }
        (None, _) => {
            current.extend(brought(change).map(|value| (name.to_owned(), value)));
            Ok(())
        }
    }
}

fn merge_list(
    current: Vec<Value>,
    patch: &[Value],
    field: Field,
    deletes: bool,
) -> Result<Vec<Value>, PatchError> {
    // Scalars can be taken out of any list, also of one that a patch otherwise replaces.
    if field.merges || deletes {
        lists::merge(current, patch, field, deletes)
    } else {
        Ok(patch.iter().map(plain).collect())
    }
}

/// Drops the members that `$retainKeys` does not name; whatever the patch sets must be named.
fn retain_keys(current: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), PatchError> {
    let malformed = || PatchError::bad_request("invalid patch format of retainKeys");
    let names = match patch.get(RETAIN_KEYS) {
        None => return Ok(()),
        Some(Value::Array(names)) => names,
        Some(_) => return Err(malformed()),
    };
    let named = |name: &str| names.iter().any(|named| named.as_str() == Some(name));
    let directive =
        |name: &str| name == RETAIN_KEYS || name.starts_with(DELETE_FROM) || name.starts_with(ELEMENT_ORDER);
    if patch.iter().any(|(name, change)| !change.is_null() && !directive(name) && !named(name)) {
        return Err(malformed());
    }
    current.retain(|name, _| named(name));
    Ok(())
}

/// Carries out every `$setElementOrder` together with the list it orders; returns the names of those lists.
fn set_orders<'p>(
    current: &mut Map<String, Value>,
    patch: &'p Map<String, Value>,
    kind: Kind,
) -> Result<Vec<&'p str>, PatchError> {
    let mut done = Vec::new();
    for (directive, order) in patch {
        let Some(rest) = directive.strip_prefix(ELEMENT_ORDER) else {
            continue;
        };
        let Value::Array(order) = order else {
            return Err(not_a_list(order));
        };
        let name = list_name(rest, "invalid patch format of setElementOrder list")?;
        let changes = as_list(patch.get(name))?;
        let field = kind.field(name);
        if let Some(changes) = changes {
            lists::check_order(changes, order, field.merge_key)?;
        }
        let original = match current.get(name) {
            None => None,
            present => as_list(present)?.map(|elements| lists::order_of(elements, field.merge_key)),
        };
        let is_empty = |list: Option<&[Value]>| list.is_none_or(<[Value]>::is_empty);
        if (original.is_some() || changes.is_some())
            && is_empty(original.as_deref())
            && is_empty(changes.map(Vec::as_slice))
        {
            return Err(PatchError::internal("no elements in any of the given slices"));
        }
        let merged = match (current.get_mut(name), changes) {
            (Some(Value::Array(elements)), None) => std::mem::take(elements),
            (Some(Value::Array(elements)), Some(changes)) => {
                merge_list(std::mem::take(elements), changes, field, false)?
            }
            (_, Some(changes)) => changes.iter().filter_map(brought).collect(),
            (_, None) => continue,
        };
        let before = original.unwrap_or_default();
        let before = lists::order_remembered(before, changes.map_or(&[], Vec::as_slice), field);
        let sorted = lists::arrange(merged, order, &before, field.merge_key)?;
        current.insert(name.to_owned(), Value::Array(sorted));
        done.push(name);
    }
    Ok(done)
}

fn as_list(value: Option<&Value>) -> Result<Option<&Vec<Value>>, PatchError> {
    match value {
        None => Ok(None),
        Some(Value::Array(elements)) => Ok(Some(elements)),
        Some(other) => Err(not_a_list(other)),
    }
}

fn not_a_list(value: &Value) -> PatchError {
    PatchError::internal(format!("expected a []interface {{}}, but received a {}", decoded_type(value)))
}

/// What follows the slash of a directive's name.
fn list_name<'n>(rest: &'n str, malformed: &str) -> Result<&'n str, PatchError> {
    rest.strip_prefix('/').ok_or_else(|| PatchError::bad_request(malformed))
}

pub(super) fn unknown_directive(directive: &Value, patch: &Map<String, Value>) -> PatchError {
    let whole = Value::Object(patch.clone());
    PatchError::internal(format!("unknown patch type: {} in map: {}", Printed(directive), Printed(&whole)))
}

/// A value for a member that was not there (or was of another type): whatever in it carries a `$patch`, be it
/// `delete`, `replace` or nonsense, is left out whole.
fn brought(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => Some(Value::Object(
            fields
                .iter()
                .filter(|(name, _)| !is_directive(name))
                .filter_map(|(name, value)| Some((name.clone(), brought(value)?)))
                .collect(),
        )),
        Value::Array(elements) => Some(Value::Array(elements.iter().filter_map(brought).collect())),
        scalar => Some(scalar.clone()),
    }
}

/// A value as it is stored: without nulls and without directives.
pub(super) fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(plain_object(fields)),
        Value::Array(elements) => Value::Array(elements.iter().map(plain).collect()),
        scalar => scalar.clone(),
    }
}

fn plain_object(fields: &Map<String, Value>) -> Map<String, Value> {
    fields
        .iter()
        .filter(|(name, value)| !value.is_null() && !is_directive(name))
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect()
}

fn is_directive(name: &str) -> bool {
    name == DIRECTIVE
        || name == RETAIN_KEYS
        || name.starts_with(DELETE_FROM)
        || name.starts_with(ELEMENT_ORDER)
}
