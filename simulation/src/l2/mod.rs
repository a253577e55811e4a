//! L2: the controller's real tasks over the cluster in memory, in paused time, under faults.

mod actors;
pub mod aimed;
mod checker;
mod deeds;
mod explore;
mod house;
mod look;
pub mod metrics;
mod modes;
mod observed;
pub mod regressions;
mod run;
pub mod scenario;
pub mod scenarios;
mod shrink;
mod weather;

pub use checker::Violation;
#[cfg(feature = "defects")]
pub(crate) use explore::difference;
pub use explore::{Explored, Failed, of_seed, singles, swarm};
pub use house::{House, NAMESPACE, Settings};
pub use look::Look;
pub use modes::{lasting, lasting_of_seed, pairs, safety, safety_of_seed};
pub use run::{Outcome, Run, play};
pub use shrink::shrink;
pub use weather::{
    CALL_FAULTS, CallFault, Fault, Faults, Manners, Mishap, Mood, NEWS_FAULTS, NewsFault, Swarm,
};
