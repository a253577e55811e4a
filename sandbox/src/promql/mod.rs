//! A Prometheus in memory: series, the subset of PromQL that releases use, and its HTTP answers.
