//! What surrounds the steps of an update: how long it takes, ways back, thresholds, metadata.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

#[path = "../museum/mesh.rs"]
#[allow(dead_code, reason = "shared with the museum, which uses other parts")]
mod mesh;
#[path = "../museum/play.rs"]
#[allow(dead_code, reason = "shared with the museum, which uses other parts")]
mod play;
#[path = "../support/mod.rs"]
mod support;

mod anti_affinity;
mod duration;
mod identity;
mod metadata;
mod records;
mod rollback;
mod stand_in;
mod threshold;
mod waiting;
