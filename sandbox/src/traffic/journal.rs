//! What clients saw.

use super::plane::Backend;
use crds::Time;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Requests of one group of clients that are kept whole: three minutes of 100 a second, and the oldest go first.
pub const RECORDS_MAX: usize = 20_000;
/// Seconds of one group of clients whose counts are kept: two hours, and the oldest go first.
pub const SECONDS_MAX: usize = 7_200;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// With status 200.
    Answered,
    /// With this status, of 400 and above.
    Failed(u16),
    /// No connection: the Service has no endpoint, or there is no such Service.
    NoEndpoint,
    /// No connection: the pod is gone, or its process does not run.
    Refused,
}

impl Outcome {
    /// Whether a pod answered, well or badly.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Answered | Self::Failed(_))
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it began.
    pub at: Time,
    /// Name of the Service that it went to; empty when a route has no weights.
    pub service: Arc<str>,
    /// The pod that it was sent to.
    pub backend: Option<Arc<Backend>>,
    /// How it ended.
    pub outcome: Outcome,
    /// How long the answer took.
    pub took: Duration,
}

/// Numbers of requests by version (empty where no pod was chosen) and outcome.
pub type Tally = BTreeMap<(Arc<str>, Outcome), u64>;

/// The requests that began within one second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Second {
    /// Seconds since the epoch.
    pub at: i64,
    /// How they ended.
    pub requests: Tally,
}

/// What one group of clients saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    pub(super) records: VecDeque<Record>,
    pub(super) seconds: VecDeque<Second>,
    /// Of all time.
    pub(super) tally: Tally,
}

impl Journal {
    pub(super) fn note(&mut self, record: Record) {
        let version =
            record.backend.as_ref().map_or_else(|| Arc::from(""), |backend| backend.version.clone());
        let key = (version, record.outcome);
        let second = record.at.0.timestamp();
        match self.seconds.back_mut() {
            Some(last) if last.at == second => *last.requests.entry(key.clone()).or_default() += 1,
            _ => {
                let requests = Tally::from([(key.clone(), 1)]);
                self.seconds.push_back(Second { at: second, requests });
                if self.seconds.len() > SECONDS_MAX {
                    self.seconds.pop_front();
                }
            }
        }
        *self.tally.entry(key).or_default() += 1;
        self.records.push_back(record);
        if self.records.len() > RECORDS_MAX {
            self.records.pop_front();
        }
    }
}
