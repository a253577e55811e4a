//! Rules of the contract that no recording and no other test shows, one test each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

#[path = "../museum/play.rs"]
#[allow(dead_code, reason = "shared with the museum, which uses other parts")]
mod play;
#[path = "../support/mod.rs"]
mod support;

mod analysis;
mod blue_green;
mod canary;
mod identity;
mod status;
mod targets;
mod traffic;
