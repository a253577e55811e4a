//! Requests to a Kubernetes API server and what it answers, as data: the same cases run on the real one and on the one
//! in memory.
//!
//! A [`Topic`] is a file of [`Case`]s in [`FOLDER`]; beside it lies its [`Recording`], made on a real server. [`play`]
//! sends a case through a [`Transport`] and gives what came back in a normal form, in which nothing is left that
//! differs from run to run; [`compare`] lists the [`Difference`]s. The crate has no client and no clock of its own.
//! The format is described in `cases/README.md`.

mod answer;
mod case;
mod compare;
mod condition;
mod fill;
mod json;
mod mask;
mod play;
mod pointer;
mod read;
mod record;
mod transport;
mod words;

pub use answer::Answer;
pub use case::{Action, Body, Case, Request, Step, Topic, Until};
pub use compare::{Difference, compare};
pub use condition::Condition;
pub use play::{Place, PlayError, Played, play};
pub use read::{ReadError, read};
pub use record::{RecordError, Recorded, Recording};
pub use transport::{Line, LineBuffer, Lines, Transport};

/// Where the cases and their recordings are, in the source tree that this was built from.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
