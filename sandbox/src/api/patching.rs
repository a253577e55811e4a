//! Which patch a request carries, and what it makes of an object.

use super::failure::Failure;
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
        match content_type {
            "application/json-patch+json" => Ok(Self::Json(body.clone())),
            "application/merge-patch+json" => {
                patch::merge_body(body).map(Self::Merge).map_err(|error| refused(&error))
            }
            "application/strategic-merge-patch+json" if kind.custom.is_none() => {
                let of = format!("{}/{}", kind.api_version(), kind.kind);
                patch::strategic_body(body)
                    .map(|patch| Self::Strategic(patch, of))
                    .map_err(|error| refused(&error))
            }
            "application/apply-patch+yaml" | "application/apply-patch+cbor" => {
                Err(Failure::not_built("server-side apply"))
            }
            _ if kind.custom.is_none() => Err(Failure::media_type_unrouted()),
            _ => Err(Failure::media_type(
                "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
            )),
        }
    }

    /// What the patch makes of an object.
    pub(super) fn apply(&self, object: &Value) -> Result<Value, Failure> {
        match self {
            Self::Json(patch) => patch::json(object, patch).map_err(|error| refused(&error)),
            Self::Merge(patch) => {
                let mut object = object.clone();
                patch::merge(&mut object, patch);
                Ok(object)
            }
            Self::Strategic(patch, of) => {
                patch::strategic(object, patch, of).map_err(|error| refused(&error))
            }
        }
    }
}

fn refused(error: &PatchError) -> Failure {
    match error {
        PatchError::Unprocessable { .. } => Failure::unprocessable(error.to_string()),
        error => Failure::other(error.code(), error.reason(), error.to_string()),
    }
}
