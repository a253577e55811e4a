//! The Rollout.

pub mod analysis;
pub mod blue_green;
pub mod canary;
pub mod spec;
pub mod status;
pub mod traffic;
pub mod workload;

pub use spec::RolloutSpec;
pub use status::RolloutStatus;

crate::kind::kind!(
    /// A workload whose new versions are let through step by step.
    Rollout, "rollouts", kube_core::NamespaceResourceScope, RolloutSpec, RolloutStatus
);
