//! Lists that merge: elements meet by their merge key, and the order is the patch's where it says, else the list's.

use serde_json::{Map, Value};

use super::PatchError;
use super::golang::{Printed, decoded_type};
use super::keys::Field;
use super::strategic::{DIRECTIVE, merge_object, plain, unknown_directive};

/// Merges the list of a patch into the current one.
pub(super) fn merge(
    current: Vec<Value>,
    patch: &[Value],
    field: Field,
    deletes: bool,
) -> Result<Vec<Value>, PatchError> {
    let Some(first) = current.first().or_else(|| patch.first()) else {
        return Ok(current);
    };
    if first.is_array() {
        return Err(PatchError::unprocessable("lists of lists are not supported"));
    }
    let wanted = decoded_type(first);
    if current.iter().chain(patch).any(|element| decoded_type(element) != wanted) {
        let both = Value::Array(vec![Value::Array(current), Value::Array(patch.to_vec())]);
        return Err(PatchError::internal(format!(
            "list element types are not identical: {}",
            Printed(&both)
        )));
    }
    if !first.is_object() {
        return merge_scalars(current, patch, deletes);
    }
    let Some(key) = field.merge_key else {
        return Err(PatchError::internal("cannot merge lists without merge key for type struct"));
    };
    let (current, changes, replaced) = directives(current, patch, key)?;
    if replaced {
        return Ok(changes
            .into_iter()
            .map(|change| Value::Object(change.clone()))
            .map(|new| plain(&new))
            .collect());
    }
    let server_order = order_of(&current, Some(key));
    let merged = merge_elements(current, &changes, key, field)?;
    let patch_order: Vec<Value> = changes.iter().filter_map(|change| change.get(key).cloned()).collect();
    arrange_by(merged, &patch_order, &server_order, Some(key))
}

fn merge_scalars(current: Vec<Value>, patch: &[Value], deletes: bool) -> Result<Vec<Value>, PatchError> {
    if deletes {
        return Ok(current.into_iter().filter(|element| !patch.contains(element)).collect());
    }
    let mut merged: Vec<Value> = Vec::with_capacity(current.len().saturating_add(patch.len()));
    let server_order = current.clone();
    for element in current.into_iter().chain(patch.iter().cloned()) {
        if !merged.contains(&element) {
            merged.push(element);
        }
    }
    arrange_by(merged, patch, &server_order, None)
}

/// What is left to merge once the elements with a directive are carried out: the current list, the plain elements of
/// the patch, and whether they replace the list.
type Rest<'p> = (Vec<Value>, Vec<&'p Map<String, Value>>, bool);

fn directives<'p>(mut current: Vec<Value>, patch: &'p [Value], key: &str) -> Result<Rest<'p>, PatchError> {
    let mut changes = Vec::with_capacity(patch.len());
    let mut replaced = false;
    for element in patch.iter().filter_map(Value::as_object) {
        match element.get(DIRECTIVE) {
            None => changes.push(element),
            Some(Value::String(directive)) if directive == "delete" => {
                let doomed = element.get(key).ok_or_else(|| no_merge_key(element, key))?;
                current.retain(|present| present.get(key) != Some(doomed));
            }
            Some(Value::String(directive)) if directive == "replace" => replaced = true,
            Some(Value::String(directive)) if directive == "merge" => {
                return Err(PatchError::internal("merging lists cannot yet be specified in the patch"));
            }
            Some(other) => return Err(unknown_directive(other, element)),
        }
    }
    Ok((current, changes, replaced))
}

/// Merges each element into the first one with the same key, or appends it.
fn merge_elements(
    mut current: Vec<Value>,
    changes: &[&Map<String, Value>],
    key: &str,
    field: Field,
) -> Result<Vec<Value>, PatchError> {
    for change in changes {
        let identity = change.get(key).ok_or_else(|| no_merge_key(change, key))?;
        let met = current
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .find(|known| known.get(key) == Some(identity));
        match met {
            Some(known) => merge_object(known, change, field.value)?,
            // The server looks no deeper into an element that is new to the list: directives inside it do nothing.
            None => current.push(plain(&Value::Object((*change).clone()))),
        }
    }
    Ok(current)
}

fn no_merge_key(element: &Map<String, Value>, key: &str) -> PatchError {
    let whole = Value::Object(element.clone());
    PatchError::internal(format!("map: {} does not contain declared merge key: {key}", Printed(&whole)))
}

/// What identifies each element, in order: its merge key, or itself.
pub(super) fn order_of(elements: &[Value], key: Option<&str>) -> Vec<Value> {
    elements.iter().filter_map(|element| identity(element, key)).cloned().collect()
}

fn identity<'e>(element: &'e Value, key: Option<&str>) -> Option<&'e Value> {
    match key {
        Some(key) => element.get(key),
        None => Some(element),
    }
}

/// Refuses a `$setElementOrder` list whose order contradicts the elements that the patch brings.
pub(super) fn check_order(patch: &[Value], order: &[Value], key: Option<&str>) -> Result<(), PatchError> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut expected = order.iter();
    for element in patch.iter().filter(|element| element.get(DIRECTIVE).is_none()) {
        let wanted = required_identity(element, key)?;
        let mut found = false;
        for candidate in expected.by_ref() {
            if required_identity(candidate, key)? == wanted {
                found = true;
                break;
            }
        }
        if !found {
            let (patch, order) = (Value::Array(patch.to_vec()), Value::Array(order.to_vec()));
            return Err(PatchError::internal(format!(
                "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                Printed(&patch),
                Printed(&order)
            )));
        }
    }
    Ok(())
}

fn required_identity<'e>(element: &'e Value, key: Option<&str>) -> Result<&'e Value, PatchError> {
    identity(element, key).ok_or_else(|| match (element, key) {
        (Value::Object(fields), Some(key)) => no_merge_key(fields, key),
        _ => PatchError::internal(format!(
            "expected a map[string]interface {{}}, but received a {}",
            decoded_type(element)
        )),
    })
}

/// Puts a merged list into the order of a `$setElementOrder` list.
pub(super) fn arrange(
    merged: Vec<Value>,
    order: &[Value],
    server_order: &[Value],
    key: Option<&str>,
) -> Result<Vec<Value>, PatchError> {
    if merged.is_empty() {
        return Err(PatchError::internal("no elements in any of the given slices"));
    }
    let order = order
        .iter()
        .map(|element| required_identity(element, key).cloned())
        .collect::<Result<Vec<_>, _>>()?;
    arrange_by(merged, &order, server_order, key)
}

/// Elements that `patch_order` names stand in its order; the others keep the server's order and are woven in.
///
/// Server `[a b c]`, patch `[c x]`: the others are `[a b]`; `a` stood before `c`, so it goes first, as does `b`:
/// `[a b c x]`. With patch `[x]` nothing says where `x` stands, and what the patch names goes first: `[x a b c]`.
fn arrange_by(
    merged: Vec<Value>,
    patch_order: &[Value],
    server_order: &[Value],
    key: Option<&str>,
) -> Result<Vec<Value>, PatchError> {
    let place = |order: &[Value], element: &Value| {
        identity(element, key).and_then(|identity| order.iter().position(|known| known == identity))
    };
    for element in &merged {
        required_identity(element, key)?;
    }
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|element| place(patch_order, element).is_some());
    named.sort_by_key(|element| place(patch_order, element));
    others.sort_by_key(|element| place(server_order, element));
    let mut woven = Vec::with_capacity(named.len().saturating_add(others.len()));
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let other_first = match (others.peek(), named.peek()) {
            (None, None) => return Ok(woven),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(other), Some(named)) => match (place(server_order, other), place(server_order, named)) {
                (Some(other), Some(named)) => other < named,
                _ => false,
            },
        };
        woven.extend(if other_first { others.next() } else { named.next() });
    }
}
