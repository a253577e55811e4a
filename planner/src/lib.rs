//! The functional core: [`plan`] looks at the observed [`World`] of one Rollout and returns a [`Plan`]: the writes
//! to make, the status to record, when to look again, and why.
//!
//! Everything here is pure: no IO, no clock (the time is passed in), no randomness. The same world at the same time
//! gives the same plan.

pub mod arithmetic;
pub mod check;
pub mod defects;
mod plan;
pub mod rollout;
mod targets;
pub mod traffic;
mod world;

pub use plan::{Anchor, EventType, Notice, OF_ROUTER, Plan, Planned, Reason, Target, Wake, Write};
pub use rollout::plan;
pub use targets::{Registered, Targets};
pub use world::{
    AnalysisRunView, Eviction, Owner, Pod, PodMetadata, Refusal, RefusalCode, ReplicaSet, ReplicaSetCounts,
    Service, Settings, Workload, World,
};
