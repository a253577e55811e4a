//! Scenarios that were played on Argo Rollouts, with all that an outside observer saw: played again on any cluster that
//! a Kubernetes client reaches, in real or in paused time, seen in the same form, and compared.
//!
//! The recordings are not part of this project: [`read`] takes the folder that holds them. Hashes are named h1, h2, ...
//! in the order of their appearance and times by whether they are set, so that two runs can be the same.

mod act;
mod compare;
mod known;
mod left;
mod play;
mod read;
mod seen;
mod table;
mod time;
mod wait;

pub use act::ActError;
pub use compare::{Difference, Topic, compare, handed_back};
pub use known::{is_left_otherwise, is_played, settled, unmeant};
pub use left::{Hashes, Left, NEVER_READY, left};
pub use play::{PlayError, play};
pub use read::{Action, ReadError, Recording, Scenario, read};
pub use seen::Seen;
pub use table::table;
pub use time::worked;
