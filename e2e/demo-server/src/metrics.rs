//! What Prometheus scrapes: `http_requests_total{code,version}` and `http_request_duration_seconds{version}`.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

/// Content type of [`Metrics::text`], as OpenMetrics 1.0 names it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds: a page without latency falls in the first ones, one with `LATENCY_MS=1000` near the last.
const BUCKETS_SECONDS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    code: u16,
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabels {
    version: String,
}

/// The server's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<VersionLabels, Histogram>,
    version: String,
}

impl Metrics {
    /// Counters of one version, all at 0.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let mut registry = Registry::default();
        let requests = Family::<RequestLabels, Counter>::default();
        let durations =
            Family::<VersionLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS_SECONDS));
        registry.register("http_requests", "Requests for the page, by answer", requests.clone());
        registry.register("http_request_duration_seconds", "Time to answer the page", durations.clone());
        // Both series exist from the start: a rate over a series that does not exist yet is empty, and a query
        // that divides by it would measure nothing until the first error.
        for code in [200, 500] {
            drop(requests.get_or_create(&RequestLabels { code, version: version.to_owned() }));
        }
        Self { registry, requests, durations, version: version.to_owned() }
    }

    /// Counts one answer.
    pub fn count(&self, code: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { code, version: self.version.clone() }).inc();
        self.durations
            .get_or_create(&VersionLabels { version: self.version.clone() })
            .observe(took.as_secs_f64());
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// When the text cannot be formatted.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
