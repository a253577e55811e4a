//! Keeping the values of Secrets out of messages.

use super::{Secrets, secret_of};
use crds::analysis::{Argument, Measurement};

/// What stands in the place of a secret value.
pub const REDACTED: &str = "*****";

/// Replaces the values of a run's Secrets.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a value that contains another one goes as a whole.
    values: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} values)", self.values.len())
    }
}

impl Redactor {
    /// A redactor for the Secrets that `args` read.
    #[must_use]
    pub fn new(args: &[Argument], secrets: &Secrets) -> Self {
        let mut values: Vec<String> = args
            .iter()
            .filter_map(secret_of)
            .filter_map(|reference| secrets.value(reference).ok())
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect();
        values.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        values.dedup();
        Self { values }
    }

    /// `text` without secret values.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, value| text.replace(value.as_str(), REDACTED))
    }

    /// A measurement without secret values in its message and its notes. Its value stays: it comes from the
    /// provider and decides.
    #[must_use]
    pub fn measurement(&self, mut measurement: Measurement) -> Measurement {
        measurement.message = self.text(&measurement.message);
        for note in measurement.metadata.iter_mut().flat_map(|notes| notes.values_mut()) {
            *note = self.text(note);
        }
        measurement
    }
}
