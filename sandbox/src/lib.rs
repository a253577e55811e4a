//! A Kubernetes cluster in memory: an API server behind [`tower::Service`], the built-in controllers as step
//! functions, a kubelet, traffic and metrics. Time is virtual or real, everything random comes from one seed.

pub mod api;
mod builtin;
mod clock;
mod cluster;
mod dig;
pub mod kubectl;
pub mod listener;
pub mod models;
pub mod patch;
pub mod promql;
pub mod schema;
mod service;
pub mod traffic;
mod weather;

pub use api::ApiServer;
pub use builtin::{Nature, PodChange, PodRule};
pub use clock::Clock;
pub use cluster::{Blueprint, Cluster, Options, Witness};
pub use dig::Dig;
pub use service::{Body, Broken, Handle};
pub use weather::{Call, Calm, Delivery, Fate, News, Weather};
