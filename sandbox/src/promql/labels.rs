//! Sets of labels, and the parts of them that group and match samples.

use promql_parser::parser::LabelModifier;
use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::query::Sample;

/// The labels of a series. The metric's name is the label [`NAME`].
pub type Labels = BTreeMap<String, String>;

/// The label that holds the metric's name.
pub const NAME: &str = "__name__";

/// The labels that decide which group a sample falls into, or which sample of the other side it meets.
pub(super) type Key<'a> = Vec<(&'a str, &'a str)>;

/// The labels that `by`, `on`, `without` or `ignoring` leave. The last two take the metric's name away as well, and
/// so does a match without any modifier.
pub(super) fn key<'a>(labels: &'a Labels, modifier: Option<&LabelModifier>) -> Key<'a> {
    let named = |name: &String| modifier.is_some_and(|some| some.labels().labels.contains(name));
    let include = modifier.is_some_and(LabelModifier::is_include);
    labels
        .iter()
        .filter(|(name, _)| if include { named(name) } else { *name != NAME && !named(name) })
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// A key as labels of its own.
pub(super) fn owned(key: &Key<'_>) -> Labels {
    key.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The value of a label; a label that is missing is empty.
pub(super) fn value<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

/// Sets a label, or takes it away when the value is empty: Prometheus has no empty labels.
pub(super) fn set(labels: &mut Labels, name: &str, value: &str) {
    if value.is_empty() {
        labels.remove(name);
    } else {
        labels.insert(name.to_owned(), value.to_owned());
    }
}

/// The samples without their metric's name.
pub(super) fn nameless(mut samples: Vec<Sample>) -> Vec<Sample> {
    for sample in &mut samples {
        sample.labels.remove(NAME);
    }
    samples
}

/// The samples, if no two of them have the same labels.
///
/// # Errors
///
/// [`Error::SameLabels`] when two have.
pub(super) fn distinct(samples: Vec<Sample>) -> Result<Vec<Sample>, Error> {
    let mut seen = BTreeSet::new();
    for sample in &samples {
        if !seen.insert(&sample.labels) {
            return Err(Error::SameLabels(show(&sample.labels)));
        }
    }
    Ok(samples)
}

/// Labels as Prometheus writes them: `{app="web", hash="abc"}`.
pub(super) fn show(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}
