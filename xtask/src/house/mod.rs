//! The rules of the house that a machine can check: which room may depend on which, what pure rooms may not call, and
//! under which licences our dependencies stand.

pub(crate) mod bans;
mod rooms;

use std::path::{Path, PathBuf};

/// Root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
