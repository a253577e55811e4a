//! What the machine must have before a cluster can run on it.

use crate::build::Programs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fmt, fs};

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

/// A program, what it is for, how to get it.
type Need = (&'static str, &'static str, &'static str);

/// What every cluster calls.
const PROGRAMS: [Need; 7] = [
    ("ip", "the cluster's own network", "apt-get install iproute2"),
    ("nsenter", "the cluster's own network", "apt-get install util-linux"),
    ("unshare", "finding out whether this machine allows namespaces", "apt-get install util-linux"),
    ("nft", "Services: kube-proxy writes its rules with it", "apt-get install nftables"),
    ("mount", "pods' volumes", "apt-get install mount"),
    ("umount", "leaving nothing behind", "apt-get install mount"),
    ("git", "releases that are commits", "apt-get install git"),
];
/// What is called only until the cluster's own programs are in the cache.
const BUILDERS: [Need; 4] = [
    ("go", "building Kubernetes from its modules", INSTALL_GO),
    ("cc", "building the pause program", "apt-get install gcc libc6-dev"),
    ("apt-get", "containerd, runc and Prometheus", "use a Debian or Ubuntu machine"),
    ("dpkg", "unpacking packages", "use a Debian or Ubuntu machine"),
];
const INSTALL_GO: &str = "install Go 1.26 or later from https://go.dev/dl";
/// From this one on, an older Go fetches the one that a module asks for.
const GO_WITH_TOOLCHAINS: u32 = 21;

/// What is missing; empty when a cluster can run.
#[must_use]
pub fn missing() -> Vec<Missing> {
    if !cfg!(target_os = "linux") {
        let (what, how) = ("Linux".to_owned(), "use a Linux machine");
        return vec![Missing { what, why: "namespaces and a kubelet", how }];
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let lacking = |needs: &[Need]| -> Vec<Missing> {
        let lacking = needs.iter().filter(|(program, ..)| !is_there(program));
        lacking.map(|(program, why, how)| Missing { what: format!("{program} on PATH"), why, how }).collect()
    };
    let mut found = lacking(&PROGRAMS);
    let built = Programs::locate().is_ok_and(|programs| programs.missing().is_empty());
    if !built {
        found.extend(lacking(&BUILDERS));
        found.extend(old_go(&output("go", &["version"]).unwrap_or_default()));
    }
    found.extend(kernel(is_there));
    found
}

/// By trying: being root says nothing where capabilities were dropped, and files say nothing of what is allowed.
/// What cannot be tried for want of a program is not told: the program is.
fn kernel(is_there: impl Fn(&str) -> bool) -> Vec<Missing> {
    let privileged = "run as root (in a container: --privileged)";
    let mut found = Vec::new();
    let lacks = |what: &str, why, how| Missing { what: what.to_owned(), why, how };
    let may_unshare = is_there("unshare");
    if may_unshare && output("unshare", &["--net", "--mount", "sh", "-c", ":"]).is_none() {
        let what = "the right to make namespaces and mounts";
        found.push(lacks(what, "the cluster's own network and its pods", privileged));
        // The rest needs that right, and would be reported for the wrong reason.
        return found;
    }
    let inside = |command: &str| output("unshare", &["--net", "sh", "-c", command]).is_some();
    if may_unshare
        && is_there("ip")
        && !inside("ip link add b0 type bridge && ip link add v0 type veth peer name v1")
    {
        found.push(lacks("bridges and veth pairs", "the network of pods", "modprobe -a bridge veth"));
    }
    if may_unshare && is_there("nft") && !inside("nft add table ip probe") {
        found.push(lacks("nf_tables", "Services: kube-proxy's rules", "modprobe nf_tables"));
    }
    // A name of our own: another process may be trying at the same moment.
    let name = format!("/stepgate-probe-{}", std::process::id());
    let made = crate::process::group(Path::new(&name)).map(|group| {
        fs::create_dir(&group)?;
        fs::remove_dir(&group)
    });
    if !matches!(made, Some(Ok(()))) {
        let how = "mount them writable (version 2: mount -t cgroup2 none /sys/fs/cgroup)";
        found.push(lacks("control groups below /sys/fs/cgroup", "the kubelet and runc", how));
    }
    if fs::File::open("/dev/kmsg").is_err() {
        found.push(lacks("/dev/kmsg", "the kubelet, which reads the kernel's messages", privileged));
    }
    let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if !filesystems.lines().any(|line| line.trim_start_matches("nodev").trim() == "overlay") {
        found.push(lacks("the overlay filesystem", "containers' root filesystems", "modprobe overlay"));
    }
    found
}

/// What a program printed, if it ended well.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Judges what `go version` prints; says nothing of no answer, for then Go is not there at all.
fn old_go(answer: &str) -> Option<Missing> {
    let version = answer.split_whitespace().find_map(|word| word.strip_prefix("go1."))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    let old = digits.parse::<u32>().is_ok_and(|minor| minor < GO_WITH_TOOLCHAINS);
    old.then(|| Missing {
        what: format!("a newer Go than 1.{version}"),
        why: "building Kubernetes from its modules",
        how: INSTALL_GO,
    })
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

    #[test]
    fn an_old_go_is_told_and_one_that_fetches_its_successor_is_not() {
        let old = old_go("go version go1.19.8 linux/amd64\n").unwrap();
        assert_eq!(
            old.to_string(),
            "a newer Go than 1.19.8, needed for building Kubernetes from its modules: \
             install Go 1.26 or later from https://go.dev/dl"
        );
        for answer in ["go version go1.21.0 linux/amd64", "go version go1.27rc1 linux/arm64", ""] {
            assert_eq!(old_go(answer), None, "{answer}");
        }
    }

    #[test]
    fn every_program_says_what_it_is_for_and_how_to_get_it() {
        for (program, why, how) in PROGRAMS.iter().chain(&BUILDERS) {
            assert!(!program.is_empty() && !why.is_empty() && !how.is_empty(), "{program}");
            assert!(!why.ends_with('.') && !how.ends_with('.'), "{program}");
        }
    }
}
