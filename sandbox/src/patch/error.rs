//! Why a patch is refused, with the API server's code, reason and wording.

use thiserror::Error;

/// Why a patch is refused. `to_string()` is `Status.message` as the API server words it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatchError {
    /// 400: the body is not a patch of its type, or a directive in it is malformed.
    #[error("{message}")]
    BadRequest {
        /// What is malformed.
        message: String,
    },
    /// 413: more operations than the server reads.
    #[error(
        "Request entity too large: The allowed maximum operations in a JSON patch is {limit}, got {count}"
    )]
    TooLarge {
        /// How many operations a JSON patch may have.
        limit: usize,
        /// How many this one has.
        count: usize,
    },
    /// 415: this kind has no merge keys (it is a custom resource), so a strategic merge patch means nothing.
    #[error(
        "the body of the request was in an unknown format - accepted media types include: \
         application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )]
    UnsupportedMediaType {
        /// The kind that was asked for, e.g. `argoproj.io/v1alpha1/Rollout`.
        kind: String,
    },
    /// 422: well-formed, but it does not fit this object. The server tells no more than the fixed sentence; `detail`
    /// is ours and says which operation failed and why.
    #[error("the server rejected our request due to an error in our request")]
    Unprocessable {
        /// What did not fit; not part of the server's answer.
        detail: String,
    },
    /// 500: the server has no better answer for these patches than its own error text.
    #[error("{message}")]
    Internal {
        /// The server's error text.
        message: String,
    },
}

impl PatchError {
    /// The HTTP status code of the answer.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            PatchError::BadRequest { .. } => 400,
            PatchError::TooLarge { .. } => 413,
            PatchError::UnsupportedMediaType { .. } => 415,
            PatchError::Unprocessable { .. } => 422,
            PatchError::Internal { .. } => 500,
        }
    }

    /// `Status.reason` of the answer; empty where the server leaves it out.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            PatchError::BadRequest { .. } => "BadRequest",
            PatchError::TooLarge { .. } => "RequestEntityTooLarge",
            PatchError::UnsupportedMediaType { .. } => "UnsupportedMediaType",
            PatchError::Unprocessable { .. } => "Invalid",
            PatchError::Internal { .. } => "",
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        PatchError::BadRequest { message: message.into() }
    }

    pub(super) fn unprocessable(detail: impl Into<String>) -> Self {
        PatchError::Unprocessable { detail: detail.into() }
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        PatchError::Internal { message: message.into() }
    }
}
