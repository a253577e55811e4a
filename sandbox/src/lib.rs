//! A Kubernetes cluster in memory: an API server behind [`tower::Service`], the built-in controllers as step
//! functions, a kubelet, traffic and metrics. Time is virtual or real, everything random comes from one seed.

pub mod kubectl;
pub mod models;
pub mod patch;
pub mod promql;
pub mod schema;
