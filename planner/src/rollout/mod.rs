//! What is to be done for a Rollout. The pipeline, top to bottom:
//! identify -> gate (invalid, abort, pause) -> services -> analysis -> scaling -> status.

mod analysis;
mod blue_green;
mod canary;
mod conditions;
mod counts;
mod duration;
pub(crate) mod fold;
mod gate;
mod give_back;
mod handover;
mod history;
mod identify;
mod injected;
mod metadata;
mod pass;
mod pause;
mod phase;
mod promotion;
mod put_back;
mod record;
mod restart;
mod rollback;
mod routed;
mod routed_sizes;
mod scale_down;
mod services;
mod stand_in;
mod status;
mod steps;
mod targets;
mod verdict;
mod verified;
mod weights;
mod workload;

pub use counts::differ_in_counts_only;
pub use duration::{Ended, ended};
pub use fold::plan;
pub use phase::{Phase, phase_of};
