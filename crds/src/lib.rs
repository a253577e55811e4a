//! API types of `argoproj.io/v1alpha1`: schema, defaults, validation and the shared scalars. No IO, no clock.
//!
//! The types are compatible with Argo Rollouts: whatever its API server accepts is read here and written back
//! without loss. Pod templates travel as raw JSON ([`PodTemplate`]), because a typed round trip would drop the
//! fields that newer clusters have.

pub mod analysis;
pub mod defaults;
pub mod experiment;
pub mod hash;
mod kind;
pub mod manifest;
pub mod meta;
pub mod quantity;
pub mod rollout;
mod scalar;
pub mod template_eq;
pub mod validate;

pub use analysis::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate};
pub use experiment::Experiment;
pub use kube_core::{Resource, ResourceExt};
pub use rollout::Rollout;
pub use scalar::{
    duration::{DurationError, GoDuration},
    int_or_string::IntOrString,
    selector::{LabelSelector, LabelSelectorRequirement},
    template::{Embedded, JobSpec, PodTemplate, PodTemplateMetadata},
    time::Time,
};

/// API group of every kind in this crate.
pub const GROUP: &str = "argoproj.io";
/// The one API version of every kind in this crate.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of every object in this crate.
pub const API_VERSION: &str = "argoproj.io/v1alpha1";
