//! The crate against a server of our own that is stricter than AWS: it computes each signature by itself, from the
//! specification, and refuses what is not documented.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail loudly"
)]

mod calls;
mod credentials;
mod expiry;
mod over_http;
mod server;
mod setting;
mod strictness;
mod verdicts;
