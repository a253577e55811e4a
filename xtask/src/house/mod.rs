//! The rules of the house that a machine can check: which room may depend on which, what pure rooms may not call, and
//! under which licences our dependencies stand.

pub(crate) mod bans;
mod contract;
mod ids;
mod rooms;

use std::path::{Path, PathBuf};

/// Root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where cargo builds: `CARGO_TARGET_DIR`, or `target` of the project.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
