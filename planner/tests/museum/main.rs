//! The museum of outages (`docs/outages.md`), played against the planner: each test has the name of its piece, and
//! plays what its section says under "How it is played". Every plan is linted on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod analysis;
mod balancers;
mod blue_green;
mod canary;
mod mesh;
mod play;
mod restart;
mod routed;
mod routes;
#[cfg(feature = "defects")]
mod switches;
mod versions;
mod workload;
