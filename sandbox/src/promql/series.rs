//! The series: labels, and samples in the order of time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use promql_parser::label::MatchOp;
use promql_parser::parser::VectorSelector;

use super::cache::Cache;
use super::error::Error;
use super::labels::{self, Labels, NAME};
use super::query::Query;

/// How long a sample is kept, in milliseconds: one hour, longer than any window that a release looks back.
pub const RETENTION_MS: i64 = 60 * 60 * 1000;
/// How many samples a series holds at most: an hour of scrapes, one each second, and the oldest go first.
pub const MAX_SAMPLES: usize = 3_600;
/// How many series there are at most: 20 of each of 1000 pods.
pub const MAX_SERIES: usize = 20_000;
/// How often ended series are swept out, in milliseconds.
const FORGET_EVERY_MS: i64 = 10 * 60 * 1000;
/// The NaN that Prometheus writes where a series ends; no calculation results in these bits.
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// A sample of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When it was taken, in milliseconds since the epoch.
    pub time_ms: i64,
    /// What was measured.
    pub value: f64,
}

impl Point {
    /// Whether it says that the series has ended.
    pub(super) fn is_stale(self) -> bool {
        self.value.to_bits() == STALE_BITS
    }
}

/// Why a sample was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The labels have no metric's name.
    #[error("the labels lack the metric's name: set __name__")]
    Nameless,
    /// The series has a sample of this time with another value, or a later one.
    #[error(
        "the sample is of {time_ms} ms, but the series already has one of {last_ms} ms: append in order of time"
    )]
    OutOfOrder {
        /// The sample's time.
        time_ms: i64,
        /// The time of the series' last sample.
        last_ms: i64,
    },
    /// There are [`MAX_SERIES`] series.
    #[error("there are {MAX_SERIES} series already: use fewer label values, or a database for each test")]
    Full,
}

/// All series, by metric's name and labels.
///
/// ```
/// use sandbox::promql::{Database, Query, Value};
///
/// let mut database = Database::default();
/// let labels = [("__name__", "up"), ("app", "web")].map(|(name, value)| (name.into(), value.into())).into();
/// database.append(&labels, 1_000, 1.0)?;
/// let Value::Vector(samples) = Query::parse("sum(up)")?.at(&database, 2_000)? else { unreachable!() };
/// assert_eq!(samples[0].value, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Database {
    metrics: BTreeMap<String, BTreeMap<Labels, VecDeque<Point>>>,
    series: usize,
    newest_ms: i64,
    forgotten_ms: i64,
    cache: Cache,
}

impl Database {
    /// Appends a sample to the series with these labels, and begins the series when there is none. Labels with an
    /// empty value count as missing. Samples older than [`RETENTION_MS`] are forgotten on the way.
    ///
    /// # Errors
    ///
    /// When the sample is not newer than the series' last one (the same sample again is fine), when the labels lack a
    /// name, and when there are too many series. The sample is then left out.
    pub fn append(&mut self, labels: &Labels, time_ms: i64, value: f64) -> Result<(), Rejected> {
        if labels.values().any(String::is_empty) {
            let mut full = labels.clone();
            full.retain(|_, value| !value.is_empty());
            return self.append(&full, time_ms, value);
        }
        let name = labels.get(NAME).ok_or(Rejected::Nameless)?;
        let point = Point { time_ms, value };
        self.newest_ms = self.newest_ms.max(time_ms);
        if let Some(samples) = self.metrics.get_mut(name).and_then(|metric| metric.get_mut(labels)) {
            return push(samples, point);
        }
        self.forget();
        if self.series >= MAX_SERIES {
            return Err(Rejected::Full);
        }
        self.series += 1;
        self.metrics.entry(name.clone()).or_default().insert(labels.clone(), VecDeque::from([point]));
        Ok(())
    }

    /// Ends every series that `ended` picks, as Prometheus does when a target goes away: from `time_ms` on they have
    /// no value, until something is appended again. Series that have ended before stay as they are.
    pub fn end(&mut self, time_ms: i64, ended: impl Fn(&Labels) -> bool) {
        let stale = Point { time_ms, value: f64::from_bits(STALE_BITS) };
        for (labels, samples) in self.metrics.values_mut().flatten() {
            let last = samples.back().copied();
            let runs = last.is_some_and(|last| !last.is_stale() && last.time_ms < time_ms);
            if runs && ended(labels) {
                samples.push_back(stale);
            }
        }
    }

    /// How many series there are, ended ones included until their samples are forgotten.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series
    }

    /// Whether there is no series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series == 0
    }

    /// Reads a query, or finds it among the last ones that were read: reading takes far longer than answering.
    ///
    /// # Errors
    ///
    /// As [`Query::parse`].
    pub fn query(&self, text: &str) -> Result<Arc<Query>, Error> {
        self.cache.query(text)
    }

    /// The series that a selector picks, in the order of their labels.
    pub(super) fn select<'a>(
        &'a self,
        selector: &'a VectorSelector,
    ) -> impl Iterator<Item = (&'a Labels, &'a VecDeque<Point>)> {
        let by_matcher = || {
            let mut matchers = selector.matchers.matchers.iter();
            let name = matchers.find(|one| one.name == NAME && matches!(one.op, MatchOp::Equal));
            name.map(|one| &one.value)
        };
        let name = selector.name.as_ref().or_else(by_matcher);
        let named = name.and_then(|name| self.metrics.get(name));
        let all = name.is_none().then(|| self.metrics.values());
        named.into_iter().chain(all.into_iter().flatten()).flatten().filter(|(labels, _)| {
            selector.matchers.matchers.iter().all(|one| one.is_match(labels::value(labels, &one.name)))
        })
    }

    /// Forgets the series whose last sample is older than is kept, so that the pods of a long run do not pile up.
    /// Called when a series begins, but a sweep looks at all series: mostly it is not time yet.
    fn forget(&mut self) {
        let since = self.newest_ms.saturating_sub(self.forgotten_ms);
        if since == 0 || (since < FORGET_EVERY_MS && self.series < MAX_SERIES) {
            return;
        }
        self.forgotten_ms = self.newest_ms;
        let oldest = self.newest_ms.saturating_sub(RETENTION_MS);
        self.metrics.retain(|_, metric| {
            metric.retain(|_, samples| samples.back().is_some_and(|last| last.time_ms >= oldest));
            !metric.is_empty()
        });
        self.series = self.metrics.values().map(BTreeMap::len).sum();
    }
}

/// Appends a sample to a series and forgets what is too old.
fn push(samples: &mut VecDeque<Point>, point: Point) -> Result<(), Rejected> {
    if let Some(last) = samples.back() {
        if last.time_ms == point.time_ms && last.value.to_bits() == point.value.to_bits() {
            return Ok(());
        }
        if last.time_ms >= point.time_ms {
            return Err(Rejected::OutOfOrder { time_ms: point.time_ms, last_ms: last.time_ms });
        }
    }
    samples.push_back(point);
    let oldest = point.time_ms.saturating_sub(RETENTION_MS);
    while samples.len() > MAX_SAMPLES || samples.front().is_some_and(|first| first.time_ms < oldest) {
        samples.pop_front();
    }
    Ok(())
}
