//! Credentials, and the sources that they come from.

mod chain;
mod container;
mod imds;
mod keys;
mod web_identity;

pub use chain::Chain;

use crate::environment::Environment;
use crate::http::Executor;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;

/// How long before they expire credentials are renewed.
pub(crate) const RENEWED_BEFORE: TimeDelta = TimeDelta::minutes(5);

/// What a request is signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The public name of the key.
    pub access_key_id: String,
    /// The key itself.
    pub secret_access_key: String,
    /// What goes with a key that is only lent.
    pub session_token: Option<String>,
    /// When they stop to be good; none for those that stay.
    pub expires: Option<DateTime<Utc>>,
    /// Where they were found.
    pub source: Source,
}

impl Credentials {
    /// Whether they are good at a time.
    #[must_use]
    pub fn are_good(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether it is time to ask for new ones: five minutes before they expire.
    #[must_use]
    pub fn are_to_be_renewed(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|expires| expires.signed_duration_since(now) <= RENEWED_BEFORE)
    }
}

/// The key and the token are not shown.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires", &self.expires)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Where credentials can be found, in the order in which it is looked for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// `AWS_ACCESS_KEY_ID` and its companions.
    Environment,
    /// A token of a Kubernetes ServiceAccount, exchanged at the Security Token Service.
    WebIdentity,
    /// The agent of EKS Pod Identity, or of ECS.
    Container,
    /// The instance metadata service of EC2, version 2.
    InstanceMetadata,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "environment",
            Self::WebIdentity => "web identity",
            Self::Container => "container",
            Self::InstanceMetadata => "instance metadata",
        })
    }
}

/// Why a source gave no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {reason}")]
pub struct SourceError {
    /// Which one.
    pub source_name: Source,
    /// Whether it was meant to give some: it is set up, and failed.
    pub is_set_up: bool,
    /// Why not; names the setting that is missing, or what was answered.
    pub reason: String,
}

/// No source gave credentials: each with its reason, in the order in which they were asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainError(pub Vec<SourceError>);

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no AWS credentials")?;
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if index == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ChainError {}

/// Why a source gave nothing; [`SourceError`] without its name.
#[derive(Debug)]
pub(crate) enum Nothing {
    /// It is not set up here.
    NotSetUp(String),
    /// It is set up, and failed.
    Failed(String),
}

impl Nothing {
    pub(crate) fn named(self, source_name: Source) -> SourceError {
        match self {
            Self::NotSetUp(reason) => SourceError { source_name, is_set_up: false, reason },
            Self::Failed(reason) => SourceError { source_name, is_set_up: true, reason },
        }
    }
}

/// What a source can ask.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) environment: &'a dyn Environment,
    pub(crate) executor: &'a Executor,
}
