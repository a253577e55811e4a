//! Three releases shown live, on whatever stage: a good one, a bad one, and one that a person promotes.

mod frame;
mod screen;
mod story;

pub use screen::{Screen, Tone};
pub use story::{SYNCED, Team, tell};
