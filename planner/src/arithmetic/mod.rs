//! Straight arithmetic of replicas and weights; each function has a worked example.

mod canary_replicas;
mod routed;
mod threshold;

pub use canary_replicas::{CanaryInput, CanaryReplicas, Counts, canary_replicas, desired_pair};
pub use routed::{at_least, pods_for, weight_for};
pub use threshold::{Threshold, reaches};
