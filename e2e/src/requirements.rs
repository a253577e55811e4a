//! What the machine must have before a cluster can run on it.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Something that the machine lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What it is.
    pub what: String,
    /// What the cluster needs it for.
    pub why: &'static str,
    /// How to get it.
    pub how: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, needed for {}: {}", self.what, self.why, self.how)
    }
}

/// Programs: name, what for, how to get it.
const PROGRAMS: [(&str, &str, &str); 10] = [
    ("ip", "the cluster's own network", "apt-get install iproute2"),
    ("nsenter", "the cluster's own network", "apt-get install util-linux"),
    ("nft", "Services: kube-proxy writes its rules with it", "apt-get install nftables"),
    ("mount", "pods' volumes", "apt-get install mount"),
    ("umount", "leaving nothing behind", "apt-get install mount"),
    ("go", "building Kubernetes from its modules", "install Go 1.26 or later from https://go.dev/dl"),
    ("cc", "building the pause program", "apt-get install gcc libc6-dev"),
    ("git", "releases that are commits", "apt-get install git"),
    ("apt-get", "containerd, runc and Prometheus", "use a Debian or Ubuntu machine"),
    ("dpkg", "unpacking packages", "use a Debian or Ubuntu machine"),
];

/// What is missing; empty when a cluster can run.
#[must_use]
pub fn missing() -> Vec<Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let lacking = PROGRAMS.into_iter().filter(|(program, ..)| !is_there(program));
    let mut found: Vec<Missing> =
        lacking.map(|(program, why, how)| Missing { what: format!("{program} on PATH"), why, how }).collect();
    if !cfg!(target_os = "linux") {
        found.push(Missing {
            what: "Linux".to_owned(),
            why: "namespaces and a kubelet",
            how: "use a Linux machine",
        });
        return found;
    }
    if !may_make_namespaces() {
        found.push(Missing {
            what: "the right to make namespaces and mounts".to_owned(),
            why: "the cluster's own network and its pods",
            how: "run as root (in a container: --privileged)",
        });
    }
    if !["/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"]
        .iter()
        .any(|path| Path::new(path).exists())
    {
        found.push(Missing {
            what: "control groups below /sys/fs/cgroup".to_owned(),
            why: "the kubelet and runc",
            how: "mount -t cgroup2 none /sys/fs/cgroup",
        });
    }
    let filesystems = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if !filesystems.lines().any(|line| line.trim_start_matches("nodev").trim() == "overlay") {
        found.push(Missing {
            what: "the overlay filesystem".to_owned(),
            why: "containers' root filesystems",
            how: "modprobe overlay",
        });
    }
    found
}

/// By trying: being root says nothing where capabilities were dropped.
fn may_make_namespaces() -> bool {
    let mut probe = Command::new("unshare");
    probe.args(["--net", "--mount", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_why_and_how() {
        let missing =
            Missing { what: "nft on PATH".to_owned(), why: "Services", how: "apt-get install nftables" };
        assert_eq!(missing.to_string(), "nft on PATH, needed for Services: apt-get install nftables");
    }
}
