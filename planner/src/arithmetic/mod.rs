//! Straight arithmetic of replicas and weights; each function has a worked example.

mod canary_replicas;

pub use canary_replicas::{CanaryInput, CanaryReplicas, Counts, canary_replicas, desired_pair};
