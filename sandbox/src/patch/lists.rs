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

/// The order in which the server remembers a list once the patch is merged into it.
///
/// It keeps looking at the memory of the list as it was: there, what follows a deleted element has moved up by one,
/// and a new element takes the place that became free at the end. `[a b c]` with `a` deleted and `x` new is
/// remembered as `[b c x]`; with nothing new as `[b c c]`.
pub(super) fn order_remembered(mut order: Vec<Value>, patch: &[Value], field: Field) -> Vec<Value> {
    let Some(key) = field.merge_key.filter(|_| field.merges) else {
        return order;
    };
    let directive = |element: &Value| element.get(DIRECTIVE).and_then(Value::as_str).map(str::to_owned);
    let mut length = order.len();
    for doomed in patch.iter().filter(|element| directive(element).as_deref() == Some("delete")) {
        while let Some(place) = order.iter().take(length).position(|known| Some(known) == doomed.get(key)) {
            if let Some(moved) = order.get_mut(place..length) {
                moved.rotate_left(1);
            }
            length = length.saturating_sub(1);
            let last = length.checked_sub(1).and_then(|last| order.get(last)).cloned();
            if let (Some(stale), Some(last)) = (order.get_mut(length), last) {
                *stale = last;
            }
        }
    }
    for fresh in
        patch.iter().filter(|element| directive(element).is_none()).filter_map(|element| element.get(key))
    {
        if order.iter().take(length).any(|known| known == fresh) {
            continue;
        }
        if let Some(free) = order.get_mut(length) {
            *free = fresh.clone();
            length = length.saturating_add(1);
        }
    }
    order
}

/// Refuses a `$setElementOrder` list whose order contradicts the elements that the patch brings.
pub(super) fn check_order(patch: &[Value], order: &[Value], key: Option<&str>) -> Result<(), PatchError> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let deletes = |element: &&Value| element.get(DIRECTIVE).is_some_and(|directive| directive == "delete");
    let mut pending = patch.iter().filter(|element| !deletes(element)).peekable();
    let mut expected = order.iter().peekable();
    while let (Some(element), Some(candidate)) = (pending.peek(), expected.peek()) {
        if element.get(DIRECTIVE).is_some() {
            pending.next();
            continue;
        }
        if required_identity(element, key)? == required_identity(candidate, key)? {
            pending.next();
        }
        expected.next();
    }
    if pending.peek().is_none() {
        return Ok(());
    }
    let (patch, order) = (Value::Array(patch.to_vec()), Value::Array(order.to_vec()));
    Err(PatchError::internal(format!(
        "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
        Printed(&patch),
        Printed(&order)
    )))
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
    let (mut named, others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|element| place(patch_order, element).is_some());
    named.sort_by_key(|element| place(patch_order, element));
    let others = others.into_iter().map(|element| (place(server_order, &element), element)).collect();
    let others = by_place(others);
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

/// Sorts by place, the way the server does: whatever has no place goes before everything that it meets. That is no
/// order, so the way is part of the result. (New elements get here only when an order directive leaves them out.)
fn by_place(mut elements: Vec<(Option<usize>, Value)>) -> Vec<Value> {
    for end in 1..elements.len() {
        for at in (1..=end).rev() {
            let Some([(before, _), (place, _)]) = elements.get(at.saturating_sub(1)..=at) else {
                break;
            };
            if matches!((place, before), (Some(place), Some(before)) if place >= before) {
                break;
            }
            elements.swap(at.saturating_sub(1), at);
        }
    }
    elements.into_iter().map(|(_, element)| element).collect()
}
