//! What the controllers asked of the API server, from its audit log.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The service account of the controllers, in whatever namespace.
const CONTROLLER_ACCOUNT: &str = ":argo-rollouts";

/// One request of a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// Resource, with its subresource: `rollouts/status`.
    pub resource: String,
    /// Namespace and name.
    pub object: String,
    /// HTTP status.
    pub code: u64,
}

impl Request {
    fn of(line: &str, account: &str) -> Option<Self> {
        let entry: Value = serde_json::from_str(line).ok()?;
        let text =
            |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        if !text("/user/username").ends_with(account) {
            return None;
        }
        let sub = text("/objectRef/subresource");
        let resource = text("/objectRef/resource");
        Some(Self {
            verb: text("/verb"),
            resource: if sub.is_empty() { resource } else { format!("{resource}/{sub}") },
            object: format!("{}/{}", text("/objectRef/namespace"), text("/objectRef/name")),
            code: entry.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
        })
    }

    /// Whether it changes something; the lease, by which a leader says that it lives, does not count, nor what is a
    /// question though it is sent as a create.
    #[must_use]
    pub fn is_write(&self) -> bool {
        let asks = ["get", "list", "watch"].contains(&self.verb.as_str());
        !asks && self.resource != "leases" && !self.resource.ends_with("accessreviews")
    }
}

/// The controllers' requests, from the position `from` of the log on, and the position of its end.
///
/// # Errors
/// When the log cannot be read.
pub fn requests(log: &Path, from: usize) -> Result<(Vec<Request>, usize)> {
    requests_of(log, from, CONTROLLER_ACCOUNT)
}

/// The same of accounts whose names end so.
///
/// # Errors
/// As [`requests`].
pub fn requests_of(log: &Path, from: usize, account: &str) -> Result<(Vec<Request>, usize)> {
    let bytes = std::fs::read(log).with_context(|| format!("read {}", log.display()))?;
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last.saturating_add(1));
    let text = String::from_utf8_lossy(bytes.get(from.min(end)..end).unwrap_or_default()).into_owned();
    Ok((text.lines().filter_map(|line| Request::of(line, account)).collect(), end))
}

/// Counts by verb and resource, for people.
#[must_use]
pub fn summary(requests: &[Request]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for request in requests {
        *counts.entry(format!("{} {}", request.verb, request.resource)).or_default() += 1;
    }
    let list: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    list.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn line(user: &str, verb: &str, resource: &str, code: u64) -> String {
        format!(
            r#"{{"verb":"{verb}","user":{{"username":"{user}"}},"objectRef":{{"resource":"{resource}","namespace":"a","name":"b","subresource":"status"}},"responseStatus":{{"code":{code}}}}}"#
        )
    }

    #[test]
    fn only_whole_lines_of_controllers_count() {
        let path = std::env::temp_dir().join(format!("audit-{}.log", std::process::id()));
        let ours = "system:serviceaccount:x:argo-rollouts";
        let first = line(ours, "patch", "rollouts", 403) + "\n";
        let rest = format!(
            "{}\n{{\"verb\":",
            line("system:serviceaccount:kube-system:job-controller", "get", "jobs", 200)
        );
        std::fs::write(&path, format!("{first}{rest}")).unwrap();
        let (found, end) = requests(&path, 0).unwrap();
        let (later, _) = requests(&path, first.len()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].resource.as_str(), found[0].code, found[0].is_write()),
            ("rollouts/status", 403, true)
        );
        assert_eq!(end, first.len() + rest.find('\n').unwrap() + 1);
        assert!(later.is_empty());
        assert_eq!(summary(&found), "patch rollouts/status 1");
    }

    #[test]
    fn the_lease_is_no_write() {
        let request = |verb: &str, resource: &str| Request {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            object: String::new(),
            code: 200,
        };
        assert!(!request("update", "leases").is_write() && !request("watch", "pods").is_write());
        assert!(request("create", "events").is_write());
        assert!(!request("create", "selfsubjectaccessreviews").is_write());
    }
}
