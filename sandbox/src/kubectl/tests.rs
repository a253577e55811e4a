#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod discovery;
mod resources;
mod tables;
