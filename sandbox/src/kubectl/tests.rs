#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod discovery;
mod protobuf;
mod resources;
mod tables;
