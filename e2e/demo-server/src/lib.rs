//! A small web server whose behaviour (version, error rate, latency, readiness) is set by its environment, and a
//! load generator that writes down what its users saw.
//!
//! Both live in one binary, so that one file can be copied into a pod or run inside a network namespace.

pub mod load;
pub mod metrics;
pub mod record;
pub mod server;
pub mod settings;
pub mod stream;
mod users;
