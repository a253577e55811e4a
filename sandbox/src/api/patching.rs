//! Which patch a request carries, and what it makes of an object.

use super::failure::{Cause, Failure};
use super::registry::ResourceType;
use crate::patch::{self, PatchError};
use bytes::Bytes;
use serde_json::Value;

/// A patch of one of the types that are served.
pub(super) enum Patch {
    Json(Bytes),
    Merge(Value),
    Strategic(Value, String),
}

impl Patch {
    /// Reads the body of a `PATCH`.
    pub(super) fn parse(kind: &ResourceType, content_type: &str, body: &Bytes) -> Result<Self, Failure> {
        let value = || {
            serde_json::from_slice::<Value>(body)
                .ok()
                .filter(Value::is_object)
                .ok_or_else(|| Failure::bad_request("the patch is not a JSON object"))
        };
        match content_type {
            "application/json-patch+json" => Ok(Self::Json(body.clone())),
            "application/merge-patch+json" => Ok(Self::Merge(value()?)),
            "application/strategic-merge-patch+json" if kind.custom.is_none() => {
                Ok(Self::Strategic(value()?, format!("{}/{}", kind.api_version(), kind.kind)))
            }
            "application/apply-patch+yaml" | "application/apply-patch+cbor" => {
                Err(Failure::not_built("server-side apply"))
            }
            other => {
                let mut known = vec!["application/json-patch+json", "application/merge-patch+json"];
                if kind.custom.is_none() {
                    known.push("application/strategic-merge-patch+json");
                }
                known.extend(["application/apply-patch+yaml", "application/apply-patch+cbor"]);
                Err(Failure::media_type(other, &known.join(", ")))
            }
        }
    }

    /// What the patch makes of an object.
    pub(super) fn apply(&self, kind: &ResourceType, name: &str, object: &Value) -> Result<Value, Failure> {
        let refused = |error: PatchError| match error {
            PatchError::Malformed(message) => Failure::bad_request(message),
            PatchError::Fails(message) => {
                let cause =
                    Cause { reason: "FieldValueInvalid".to_owned(), field: String::new(), message: message.clone() };
                let mut failure = Failure::invalid(kind.of(), name, &[cause]);
                failure.message = message;
                failure
            }
        };
        match self {
            Self::Json(patch) => patch::json(object, patch).map_err(refused),
            Self::Merge(patch) => {
                let mut object = object.clone();
                patch::merge(&mut object, patch);
                Ok(object)
            }
            Self::Strategic(patch, of) => patch::strategic(object, patch, of).map_err(refused),
        }
    }
}
