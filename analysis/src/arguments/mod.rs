//! Arguments: `{{ args.name }}` in metrics, and where their values come from.

mod redact;
mod rollout;
mod substitute;
#[cfg(test)]
mod tests;

pub use redact::{REDACTED, Redactor};
pub use rollout::{RolloutFacts, arguments_of_rollout};
pub use substitute::resolve_metric;

use crds::analysis::template::SecretKeyRef;
use crds::analysis::{Argument, Metric};
use std::collections::BTreeMap;

/// An argument has no value, or a placeholder no argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// An argument of the run has neither a value nor a Secret.
    #[error("argument {name:?} was not supplied")]
    NotSupplied {
        /// Name of the argument.
        name: String,
    },
    /// A placeholder names no argument of the run.
    #[error("failed to resolve {placeholder}")]
    Unresolved {
        /// The placeholder as it was written, with its braces.
        placeholder: String,
    },
    /// The Secret of an argument does not exist.
    #[error("secrets {name:?} not found")]
    NoSecret {
        /// Name of the Secret.
        name: String,
    },
    /// The Secret of an argument lacks the key.
    #[error("key '{key}' does not exist in secret '{name}'")]
    NoSecretKey {
        /// Name of the Secret.
        name: String,
        /// The key that it lacks.
        key: String,
    },
    /// After the values were put in, the metric is none any more.
    #[error("metric {metric:?} is malformed once its arguments are put in: {reason}")]
    Malformed {
        /// Name of the metric.
        metric: String,
        /// What the reader says.
        reason: String,
    },
    /// A `fieldRef` of a Rollout's analysis leads nowhere.
    #[error("argument {name:?}: the Rollout has no field {path:?} with a plain value")]
    NoField {
        /// Name of the argument.
        name: String,
        /// The path as it was written.
        path: String,
    },
    /// A `fieldRef` names metadata that the downward API does not offer.
    #[error("unsupported fieldPath: {path}")]
    UnsupportedField {
        /// The path as it was written.
        path: String,
    },
}

/// What is known of one Secret: `None` when it does not exist.
pub type SecretData = Option<BTreeMap<String, String>>;

/// The Secrets of a run's arguments, by name, as they were just read.
#[derive(Clone, Default, PartialEq)]
pub struct Secrets(pub BTreeMap<String, SecretData>);

impl std::fmt::Debug for Secrets {
    /// Names only: values must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// The value of a key.
    ///
    /// # Errors
    /// When the Secret or the key does not exist.
    pub fn value(&self, reference: &SecretKeyRef) -> Result<&str, ArgumentError> {
        let data = self.0.get(&reference.name).and_then(Option::as_ref);
        let data = data.ok_or_else(|| ArgumentError::NoSecret { name: reference.name.clone() })?;
        data.get(&reference.key).map(String::as_str).ok_or_else(|| ArgumentError::NoSecretKey {
            name: reference.name.clone(),
            key: reference.key.clone(),
        })
    }
}

/// Names of the Secrets that a run's arguments read, sorted and without repeats: what to read before
/// [`crate::assess::assess`] is called.
#[must_use]
pub fn secret_names(args: &[Argument]) -> Vec<String> {
    let mut names: Vec<String> =
        args.iter().filter_map(secret_of).map(|reference| reference.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// The Secret that an argument reads; a value beside it wins.
fn secret_of(arg: &Argument) -> Option<&SecretKeyRef> {
    if arg.value.is_some() {
        return None;
    }
    arg.value_from.as_ref()?.secret_key_ref.as_ref()
}

/// Checks that every argument has a value and every Secret exists, and puts all values but Secrets into the
/// metrics.
///
/// # Errors
/// The first argument without a value, or the first placeholder without an argument.
pub fn resolve_metrics(
    metrics: &[Metric],
    args: &[Argument],
    secrets: &Secrets,
) -> Result<Vec<Metric>, ArgumentError> {
    for arg in args {
        match secret_of(arg) {
            Some(reference) => {
                secrets.value(reference)?;
            }
            None if arg.value.is_none() => {
                return Err(ArgumentError::NotSupplied { name: arg.name.clone() });
            }
            None => {}
        }
    }
    metrics.iter().map(|metric| resolve_metric(metric, args, None)).collect()
}
