//! One look at an AnalysisRun.

use crate::apply::Applier;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::queue::{Key, Outcome};

#[derive(Clone)]
pub(crate) struct AnalysisRuns {
    pub(crate) applier: Applier,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

impl AnalysisRuns {
    pub(crate) fn new(applier: Applier, clock: Clock, metrics: Metrics) -> Self {
        Self { applier, clock, metrics }
    }

    pub(crate) async fn look(&self, _key: &Key) -> Outcome {
        Outcome::Done
    }
}
