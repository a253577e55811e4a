//! Why a question has no answer.

use crate::credentials::ChainError;
use crate::http::NoAnswer;
use crate::query::ApiError;
use crate::region::RegionError;
use crate::sigv4::SigningError;
use crate::xml::Malformed;

/// Why an API of AWS did not give what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There are no credentials.
    #[error(transparent)]
    Credentials(#[from] ChainError),
    /// There is no region.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// The request could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// Nobody answered.
    #[error("{action}: {error}")]
    NoAnswer {
        /// What was asked.
        action: &'static str,
        /// What went wrong.
        error: NoAnswer,
    },
    /// The service refused.
    #[error("{action}: {error}")]
    Api {
        /// What was asked.
        action: &'static str,
        /// Its words.
        error: ApiError,
    },
    /// The answer cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The list does not end.
    #[error("{action}: the list has more than {pages} pages")]
    TooLong {
        /// What was asked.
        action: &'static str,
        /// How many pages were read.
        pages: usize,
    },
}

impl Error {
    /// Whether AWS said that too much is asked at once; it has been asked again three times by then.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        matches!(self, Self::Api { error, .. } if error.is_throttling())
    }

    /// AWS's code, where AWS gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api { error, .. } if !error.code.is_empty() => Some(&error.code),
            _ => None,
        }
    }
}
