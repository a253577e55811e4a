//! What the machine must have before a cluster can run on it.

use std::path::Path;
use std::process::{Command, Stdio};

/// Each program, and how to get it.
const PROGRAMS: [(&str, &str); 9] = [
    ("ip", "apt-get install iproute2"),
    ("nsenter", "apt-get install util-linux"),
    ("umount", "apt-get install mount"),
    ("nft", "apt-get install nftables"),
    ("go", "https://go.dev/dl"),
    ("cc", "apt-get install gcc libc6-dev"),
    ("kubectl", "https://kubernetes.io/docs/tasks/tools"),
    ("apt-get", "a Debian or Ubuntu machine"),
    ("dpkg", "a Debian or Ubuntu machine"),
];

/// What is missing, one sentence each; empty when a cluster can run.
#[must_use]
pub fn missing() -> Vec<String> {
    let mut found = Vec::new();
    let root = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    if !root.is_ok_and(|output| output.stdout.trim_ascii() == b"0") {
        found.push("not root: namespaces and mounts need it, run with sudo".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for (program, source) in PROGRAMS {
        if !std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
            found.push(format!("{program} is not on PATH: get it by {source}"));
        }
    }
    if !Path::new("/sys/fs/cgroup").is_dir() {
        found.push("/sys/fs/cgroup is not mounted: the kubelet needs control groups".to_owned());
    }
    found
}
