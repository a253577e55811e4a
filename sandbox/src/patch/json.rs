//! JSON patches (RFC 6902) with the API server's own leniencies.
//!
//! The server is laxer than the RFC: `replace` of a member that is not there adds it, `test` of one that is not there
//! succeeds against null, `copy` of one copies null, a missing `value` is null, indices count from the end when they
//! are negative, and what stands before the first slash of a path is ignored. A reader that keeps to the RFC would
//! refuse patches that clusters accept, so the operations are carried out here.

use serde_json::Value;

use super::PatchError;
use super::body::{decode, mistyped};
use super::golang::json_type;

/// How many operations the API server carries out in one JSON patch.
pub const MAX_JSON_PATCH_OPERATIONS: usize = 10_000;

/// Applies a JSON patch to a copy of `target`.
///
/// # Errors
/// 400 when the body is no JSON patch, 413 above [`MAX_JSON_PATCH_OPERATIONS`], 422 when an operation does not fit
/// the object (a failing `test`, a missing path, an unknown operation): nothing is applied then.
pub fn json(target: &Value, patch: &[u8]) -> Result<Value, PatchError> {
    let body = decode(patch).map_err(|message| decoding(&message))?;
    let operations = match &body {
        Value::Null => return Ok(target.clone()),
        Value::Array(operations) => operations,
        other => return Err(decoding(&mistyped(other, "[]handlers.jsonPatchOp"))),
    };
    if operations.len() > MAX_JSON_PATCH_OPERATIONS {
        return Err(PatchError::TooLarge { limit: MAX_JSON_PATCH_OPERATIONS, count: operations.len() });
    }
    let operations = operations.iter().map(Operation::read).collect::<Result<Vec<_>, _>>()?;
    let mut document = target.clone();
    for (place, operation) in operations.iter().enumerate() {
        operation.apply(&mut document).map_err(|why| {
            PatchError::unprocessable(format!(
                "operation {place} ({} {}): {why}",
                operation.op, operation.path
            ))
        })?;
    }
    Ok(document)
}

fn decoding(message: &str) -> PatchError {
    PatchError::bad_request(format!("error decoding patch: {message}"))
}

/// Why an operation does not fit; for people only, the server's answer does not tell.
#[derive(Debug, thiserror::Error)]
enum Misfit {
    #[error("the operation is not one of add, remove, replace, move, copy, test")]
    UnknownOperation,
    #[error("`path` is missing or names nothing in this object")]
    Path,
    #[error("`from` is missing or names nothing in this object")]
    From,
    #[error("the value differs")]
    Differs,
}

struct Operation<'p> {
    op: &'p str,
    path: &'p str,
    from: Option<&'p str>,
    value: &'p Value,
    has_path: bool,
}

impl<'p> Operation<'p> {
    fn read(operation: &'p Value) -> Result<Self, PatchError> {
        let fields = match operation {
            Value::Object(fields) => Some(fields),
            Value::Null => None,
            other => return Err(decoding(&mistyped(other, "handlers.jsonPatchOp"))),
        };
        let text = |name: &str| match fields.and_then(|fields| fields.get(name)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(other) => Err(decoding(&format!(
                "json: cannot unmarshal {} into Go struct field jsonPatchOp.{name} of type string",
                json_type(other)
            ))),
        };
        let path = text("path")?;
        Ok(Operation {
            op: text("op")?.unwrap_or_default(),
            path: path.unwrap_or_default(),
            from: text("from")?,
            value: fields.and_then(|fields| fields.get("value")).unwrap_or(&Value::Null),
            has_path: path.is_some(),
        })
    }

    fn apply(&self, document: &mut Value) -> Result<(), Misfit> {
        if !self.has_path {
            return Err(Misfit::Path);
        }
        match self.op {
            "add" => add(document, self.path, self.value.clone()),
            "remove" => remove(document, self.path).map(drop),
            "replace" => replace(document, self.path, self.value),
            "move" => {
                let from = self.from.ok_or(Misfit::From)?;
                let moved = remove(document, from).map_err(|_| Misfit::From)?;
                add(document, self.path, moved)
            }
            "copy" => {
                let from = self.from.ok_or(Misfit::From)?;
                let copied = get(document, from).map_err(|_| Misfit::From)?.cloned().unwrap_or(Value::Null);
                add(document, self.path, copied)
            }
            "test" => match get(document, self.path)?.unwrap_or(&Value::Null) == self.value {
                true => Ok(()),
                false => Err(Misfit::Differs),
            },
            _ => Err(Misfit::UnknownOperation),
        }
    }
}

/// Splits a pointer into its container's steps and its last step; `None` for a pointer without a slash.
fn split(pointer: &str) -> Option<(Vec<String>, String)> {
    let mut steps: Vec<String> =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let last = steps.pop()?;
    Some((steps, last))
}

/// The place in a list of `length` elements that a step names; negative steps count back from `length`.
fn place(step: &str, length: usize) -> Option<usize> {
    let index: i64 = step.parse().ok()?;
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

fn container<'d>(document: &'d mut Value, steps: &[String]) -> Result<&'d mut Value, Misfit> {
    steps.iter().try_fold(document, |value, step| {
        match value {
            Value::Object(fields) => fields.get_mut(step),
            Value::Array(elements) => place(step, elements.len()).and_then(|place| elements.get_mut(place)),
            _ => None,
        }
        .ok_or(Misfit::Path)
    })
}

fn get<'d>(document: &'d Value, pointer: &str) -> Result<Option<&'d Value>, Misfit> {
    let Some((steps, last)) = split(pointer) else {
        return Ok(Some(document));
    };
    let parent = steps.iter().try_fold(document, |value, step| {
        match value {
            Value::Object(fields) => fields.get(step),
            Value::Array(elements) => place(step, elements.len()).and_then(|place| elements.get(place)),
            _ => None,
        }
        .ok_or(Misfit::Path)
    })?;
    match parent {
        Value::Object(fields) => Ok(fields.get(&last)),
        Value::Array(elements) => {
            place(&last, elements.len()).and_then(|place| elements.get(place)).map(Some).ok_or(Misfit::Path)
        }
        _ => Err(Misfit::Path),
    }
}

fn add(document: &mut Value, pointer: &str, value: Value) -> Result<(), Misfit> {
    let (steps, last) = split(pointer).ok_or(Misfit::Path)?;
    match container(document, &steps)? {
        Value::Object(fields) => {
            fields.insert(last, value);
        }
        Value::Array(elements) => {
            // The end counts as a place here, so -1 appends.
            let length = elements.len();
            let place = if last == "-" { Some(length) } else { place(&last, length.saturating_add(1)) };
            let place = place.filter(|place| *place <= length).ok_or(Misfit::Path)?;
            elements.insert(place, value);
        }
        _ => return Err(Misfit::Path),
    }
    Ok(())
}

fn remove(document: &mut Value, pointer: &str) -> Result<Value, Misfit> {
    let (steps, last) = split(pointer).ok_or(Misfit::Path)?;
    match container(document, &steps)? {
        Value::Object(fields) => fields.remove(&last).ok_or(Misfit::Path),
        Value::Array(elements) => {
            let place =
                place(&last, elements.len()).filter(|place| *place < elements.len()).ok_or(Misfit::Path)?;
            Ok(elements.remove(place))
        }
        _ => Err(Misfit::Path),
    }
}

fn replace(document: &mut Value, pointer: &str, value: &Value) -> Result<(), Misfit> {
    let Some((steps, last)) = split(pointer) else {
        *document = value.clone();
        return Ok(());
    };
    match container(document, &steps)? {
        Value::Object(fields) => {
            fields.insert(last, value.clone());
        }
        Value::Array(elements) => {
            let place = place(&last, elements.len()).ok_or(Misfit::Path)?;
            *elements.get_mut(place).ok_or(Misfit::Path)? = value.clone();
        }
        _ => return Err(Misfit::Path),
    }
    Ok(())
}
