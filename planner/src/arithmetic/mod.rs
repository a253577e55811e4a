//! Straight arithmetic of replicas and weights; each function has a worked example.

mod canary_replicas;
mod threshold;

pub use canary_replicas::{CanaryInput, CanaryReplicas, Counts, canary_replicas, desired_pair};
pub use threshold::{Threshold, reaches};
