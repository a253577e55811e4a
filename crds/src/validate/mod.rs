//! Whether a Rollout makes sense: its own fields, what it refers to, and what this version carries out.
//!
//! The questions are asked in this order, and the first answer is the one that people see: [`resolved`], then
//! [`rollout_spec`], [`not_built`] and [`references`]. Paths and wording follow Argo Rollouts, because people
//! and scripts read them. `[validation]`

mod budget;
mod invalid;
pub mod labels;
mod not_built;
mod references;
mod routes;
mod spec;
mod steps;
mod strategy;
mod template;
#[cfg(test)]
mod tests;
mod workload;

pub use invalid::{Invalid, InvalidKind, Missing};
pub use not_built::{not_built, not_built_metric};
pub use references::{
    ReferencedAnalysis, References, RouterFault, ServiceFacts, TemplateFault, references, references_fit,
};
pub use spec::{label_selector, rollout_spec};
pub use steps::is_downward_api_path;
pub use workload::{WorkloadFacts, resolved};
