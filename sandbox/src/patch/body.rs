//! From the bytes of a request to a patch, refused as the API server refuses them.

use serde_json::Value;

use super::PatchError;
use super::golang::json_type;

/// What the server decodes merge patches into; it appears in its errors.
const OBJECT_TYPE: &str = "map[string]interface {}";

/// Reads the body of a merge patch.
///
/// # Errors
/// 400 when the body is not JSON, is `null` or is not an object.
pub fn merge_body(body: &[u8]) -> Result<Value, PatchError> {
    match decode(body)
        .map_err(|message| PatchError::bad_request(format!("error decoding patch: {message}")))?
    {
        Value::Null => Err(PatchError::bad_request("Invalid JSON Patch")),
        object @ Value::Object(_) => Ok(object),
        other => {
            Err(PatchError::bad_request(format!("error decoding patch: {}", mistyped(&other, OBJECT_TYPE))))
        }
    }
}

/// Reads the body of a strategic merge patch. `null` is a patch that changes nothing.
///
/// # Errors
/// 400 when the body is not JSON or is neither an object nor `null`.
pub fn strategic_body(body: &[u8]) -> Result<Value, PatchError> {
    match decode(body).map_err(PatchError::bad_request)? {
        patch @ (Value::Object(_) | Value::Null) => Ok(patch),
        other => Err(PatchError::bad_request(mistyped(&other, OBJECT_TYPE))),
    }
}

/// Decodes JSON; the error is the server's sentence for a body that ends too early, else the reader's own.
pub(super) fn decode(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| {
        if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() }
    })
}

/// The server's sentence for JSON of the wrong type.
pub(super) fn mistyped(value: &Value, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go value of type {wanted}", json_type(value))
}
