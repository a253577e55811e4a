//! The verbs, one file for each that is more than a patch.

pub(crate) mod change;
pub(crate) mod lint;
pub(crate) mod list;
pub(crate) mod promote;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod undo;

/// Most tries of one change after conflicts.
pub(crate) const TRIES_MAX: usize = 6;

/// The version, in the form of the name that we were called by.
pub(crate) fn version(name: &str, short: bool) -> String {
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    if short {
        return format!("{name}: {version}\n");
    }
    format!("{name}: {version}\n  Platform: {}/{}\n", std::env::consts::OS, std::env::consts::ARCH)
}

/// The time of the machine of the person who asks.
#[allow(clippy::disallowed_methods, reason = "the edge: a person asks now")]
pub(crate) fn now() -> crds::Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    crds::Time::default().plus(since)
}
