//! A Prometheus in memory: series, the subset of PromQL that releases use, and its HTTP answers.
//!
//! Pure: the time of a scrape and of a query is passed in, in milliseconds since the epoch. The numbers are those of
//! Prometheus 2.42, the version that the end-to-end room runs, and `vectors.json` holds what a real one answered (so a
//! window includes its left edge, which Prometheus 3 leaves out). Whatever is outside the subset is refused with an
//! error that names it, never answered with a guess.

mod aggregate;
mod answer;
mod binary;
mod cache;
mod check;
mod error;
mod eval;
mod functions;
mod guard;
mod labels;
mod matching;
mod number;
mod query;
mod select;
mod series;
mod time;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use answer::answer;
pub use error::Error;
pub use labels::{Labels, NAME};
pub use query::{MAX_DEPTH, MAX_QUERY_BYTES, MAX_STEPS, Query, Sample, SampleRange, Value};
pub use series::{Database, MAX_SAMPLES, MAX_SERIES, Point, RETENTION_MS, Rejected};
