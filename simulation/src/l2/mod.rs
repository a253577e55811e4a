//! L2: the controller's real tasks over the cluster in memory, in paused time, under faults.

mod house;
pub mod metrics;

pub use house::{House, Settings};
