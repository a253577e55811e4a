//! The effect layer: it observes the cluster, asks the pure planner, and carries the plan out. The only room with
//! IO and the one clock.

mod admin;
mod analysis_runs;
mod apply;
pub mod args;
mod cache;
mod clock;
pub mod connection;
mod controller;
mod events;
mod lease;
mod mesh;
mod metrics;
mod observe;
mod preview;
mod queue;
mod read_only;
mod reign;
mod requests;
mod rollouts;
mod routes;
mod runtime;
mod services;
mod shadow;
mod targets;
mod watches;
mod work;

pub use controller::{Controller, Pages, Surroundings};
pub use preview::{PreviewError, preview};
pub use requests::{Counting, RequestCounter};
pub use runtime::run;

/// Name that every write is made under. Users of syncers list it in their configuration, and it is the one that
/// Argo Rollouts has.
pub const FIELD_MANAGER: &str = "rollouts-controller";
