//! The controller proved under faults: the planner against models, and the whole controller over the cluster in memory.

pub mod command;
#[cfg(feature = "defects")]
pub mod defects;
pub mod demo;
pub mod l1;
pub mod l2;
pub mod museum;
pub mod stage;
