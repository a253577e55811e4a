//! The verbs, one file for each that is more than a patch.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod lint;
pub(crate) mod list;
pub(crate) mod plan;
pub(crate) mod promote;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod takeover;
pub(crate) mod undo;

use kube::runtime::watcher;

/// Most tries of one change after conflicts.
pub(crate) const TRIES_MAX: usize = 6;

/// Whether a watch is refused for good. All else passes by itself (a server that restarts, a history that was compacted),
/// and must not end a pipeline that waits: the stream tries again, with growing pauses.
pub(crate) fn is_refused(error: &watcher::Error) -> bool {
    const REFUSED: [u16; 3] = [401, 403, 404];
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => REFUSED.contains(&status.code),
        _ => false,
    }
}

/// The version, in the form of the name that we were called by.
pub(crate) fn version(name: &str, short: bool) -> String {
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    if short {
        return format!("{name}: {version}\n");
    }
    format!("{name}: {version}\n  Platform: {}/{}\n", std::env::consts::OS, std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    #[test]
    fn only_a_refusal_ends_a_watch() {
        for (code, refused) in
            [(401, true), (403, true), (404, true), (410, false), (429, false), (503, false)]
        {
            let status = Box::new(Status { code, ..Status::default() });
            assert_eq!(is_refused(&watcher::Error::WatchError(status.clone())), refused, "{code}");
            assert_eq!(
                is_refused(&watcher::Error::WatchStartFailed(kube::Error::Api(status))),
                refused,
                "{code}"
            );
        }
        assert!(!is_refused(&watcher::Error::NoResourceVersion));
    }
}
