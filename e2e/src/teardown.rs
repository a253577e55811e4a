//! Leaving nothing: processes, mounts, control groups, namespaces and files of one run.

use crate::process::{self, run};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SETTLE: Duration = Duration::from_millis(300);
/// Programs of ours: an editor or a shell that has a log open must live.
const PROGRAMS: [&str; 8] =
    ["kube", "etcd", "coredns", "containerd", "prometheus", "traefik", "nsenter", "xtask"];
/// containerd's namespace for pods.
const PODS: &str = "k8s.io";

/// Removes all that belongs to the run, also after its owner was killed; what is already gone is no error.
pub(crate) fn all(state: &Path, namespace: &str) {
    // Until none is left: a program that was starting another one when we looked. Bounded, because a process can hang in
    // the kernel.
    for _ in 0..5 {
        let found = processes(state);
        if found.is_empty() {
            break;
        }
        for pid in found {
            let _ = run(Command::new("kill").args(["-9", &pid.to_string()]));
        }
        std::thread::sleep(SETTLE);
    }
    mounts(state);
    network(namespace);
    for path in containers(state).iter().flat_map(|id| outside(state, id)) {
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    groups(state).iter().for_each(|group| remove_group(group));
    links(state);
    let _ = run(Command::new("ip").args(["netns", "del", namespace]));
    let _ = fs::remove_dir_all(state);
}

/// What is left of a run, one line each; empty after [`all`]. `containers` are ids that [`containers`] gave while it ran.
pub(crate) fn leftovers(state: &Path, namespace: &str, containers: &[String]) -> Vec<String> {
    let mut found: Vec<String> =
        processes(state).into_iter().map(|pid| format!("process {pid}: {}", command_line(pid))).collect();
    let inside = format!("{}/", state.display());
    found.extend(mount_points(&inside).into_iter().map(|point| format!("mount {point}")));
    let names = |folder: &str| {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    found.extend(
        names("/run/netns").filter(|name| name == namespace).map(|name| format!("network namespace {name}")),
    );
    let prefix = format!("{namespace}-");
    found.extend(
        names("/var/lib/cni/results")
            .filter(|name| {
                name.starts_with(&prefix) || containers.iter().any(|id| name.contains(id.as_str()))
            })
            .map(|name| format!("CNI result {name}")),
    );
    let outside = containers.iter().flat_map(|id| outside(state, id)).filter(|path| path.exists());
    found.extend(outside.map(|path| format!("state of a container {}", path.display())));
    let of_containers = containers.iter().flat_map(|id| groups_of(id));
    found.extend(
        groups(state)
            .into_iter()
            .chain(of_containers)
            .map(|group| format!("control group {}", group.display())),
    );
    found.extend(links_into(state).iter().map(|link| format!("link {}", link.display())));
    if state.exists() {
        found.push(format!("folder {}", state.display()));
    }
    found
}

fn mount_points(inside: &str) -> Vec<String> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let points = mounts.lines().rev().filter_map(|line| line.split(' ').nth(1));
    points.filter(|point| point.starts_with(inside)).map(str::to_owned).collect()
}

fn mounts(state: &Path) {
    for point in mount_points(&format!("{}/", state.display())) {
        let _ = run(Command::new("umount").args(["-l", &point]));
    }
}

/// The bridge plugin notes the network namespace of each pod in a file named by our network.
fn network(namespace: &str) {
    for entry in fs::read_dir("/var/lib/cni/results").into_iter().flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(pod) = file.strip_prefix(&format!("{namespace}-")) else { continue };
        let loopback = format!("cni-loopback-{}-lo", pod.trim_end_matches("-eth0"));
        let _ = fs::remove_file(entry.path().with_file_name(loopback));
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        if let Some((_, rest)) = text.split_once("netns/cni-") {
            let name: String =
                rest.chars().take_while(|letter| *letter == '-' || letter.is_ascii_alphanumeric()).collect();
            let _ = run(Command::new("ip").args(["netns", "del", &format!("cni-{name}")]));
        }
        let _ = fs::remove_file(entry.path());
    }
}

/// Ids of the run's containers, from what containerd noted of each.
pub(crate) fn containers(state: &Path) -> Vec<String> {
    let mut ids = BTreeSet::new();
    // What runs, and what containerd's part for Kubernetes knows of: a container can be in one without the other.
    let (runtime, kubernetes) = ("io.containerd.runtime.v2.task", "ctrd/io.containerd.grpc.v1.cri");
    for part in [
        format!("ctrd-state/{runtime}/{PODS}"),
        format!("ctrd/{runtime}/{PODS}"),
        format!("{kubernetes}/containers"),
        format!("{kubernetes}/sandboxes"),
    ] {
        let folder = state.join(part);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        ids.extend(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    }
    ids.into_iter().collect()
}

/// What containerd and runc keep of a container outside of our folder, control groups apart.
fn outside(state: &Path, id: &str) -> [PathBuf; 2] {
    // The shim's socket is named by the hash of containerd's address, the namespace and the id.
    let address = state.join("ctrd.sock").join(PODS).join(id);
    let digest = Sha256::digest(address.to_string_lossy().as_bytes());
    let socket: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    [Path::new("/run/containerd/runc").join(PODS).join(id), Path::new("/run/containerd/s").join(socket)]
}

/// The control groups of a container: one in version 2, one below each controller in version 1.
fn groups_of(id: &str) -> Vec<PathBuf> {
    let root = PathBuf::from("/sys/fs/cgroup");
    let controllers = fs::read_dir(&root).into_iter().flatten().flatten().map(|entry| entry.path());
    let groups = controllers.chain([root]).map(|tree| tree.join(PODS).join(id));
    groups.filter(|group| group.is_dir()).collect()
}

/// The control groups of the run: that of its own processes, and those of its containers.
fn groups(state: &Path) -> Vec<PathBuf> {
    let own = process::group(state).filter(|group| group.is_dir());
    containers(state).iter().flat_map(|id| groups_of(id)).chain(own).collect()
}

/// The group and those below.
fn group_tree(group: &Path) -> Vec<PathBuf> {
    let mut all = vec![group.to_owned()];
    let mut next = 0;
    while let Some(folder) = all.get(next) {
        let below = fs::read_dir(folder).into_iter().flatten().flatten();
        let below: Vec<PathBuf> = below.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        all.extend(below);
        next += 1;
    }
    all
}

/// Removing the folder of a control group removes the group, when no process and no group is in it.
fn remove_group(group: &Path) {
    for folder in group_tree(group).iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

fn in_groups(state: &Path) -> BTreeSet<u32> {
    let folders = groups(state).into_iter().flat_map(|group| group_tree(&group));
    let lists = folders.filter_map(|folder| fs::read_to_string(folder.join("cgroup.procs")).ok());
    lists.flat_map(|list| list.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()).collect()
}

/// The kubelet links each container's log from a folder that cannot be set.
fn links(state: &Path) {
    for link in links_into(state) {
        let _ = fs::remove_file(link);
    }
}

fn links_into(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir("/var/log/containers").into_iter().flatten().flatten();
    let links = entries.map(|entry| entry.path());
    links.filter(|link| fs::read_link(link).is_ok_and(|target| target.starts_with(state))).collect()
}

fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// Programs that name the state directory in their command line, what is in the run's control groups, what runs in a
/// container whose files lie in the directory, and all that descend from them.
fn processes(state: &Path) -> BTreeSet<u32> {
    let needle = format!("{}/", state.display());
    let mut parents = Vec::new();
    let mut found = in_groups(state);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let rest = stat.rsplit(") ").next().unwrap_or_default();
        // A zombie is gone already, and stays listed until its parent asks for it.
        if rest.starts_with('Z') || pid == std::process::id() {
            continue;
        }
        let parent = rest.split(' ').nth(1).and_then(|text| text.parse::<u32>().ok());
        parents.push((pid, parent.unwrap_or(0)));
        let line = command_line(pid);
        let program = line.split(' ').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let ours = PROGRAMS.iter().any(|name| program.starts_with(name));
        if ours && line.contains(&needle) || has_root_in(&entry.path(), &needle) {
            found.insert(pid);
        }
    }
    loop {
        let before = found.len();
        for (pid, parent) in &parents {
            if found.contains(parent) {
                found.insert(*pid);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Whether the root filesystem of a process is an overlay of folders of ours.
fn has_root_in(process: &Path, needle: &str) -> bool {
    let mounts = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
    mounts
        .lines()
        .any(|line| line.split(' ').nth(4) == Some("/") && line.contains(&format!("upperdir={needle}")))
}
