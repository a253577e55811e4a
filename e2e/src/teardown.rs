//! Leaving nothing: processes, mounts, namespaces and files of one run.

use crate::process::run;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SETTLE: Duration = Duration::from_millis(300);

/// Removes all that belongs to the run, also after its owner was killed; what is already gone is no error.
pub(crate) fn all(state: &Path, namespace: &str) {
    // Twice: a program that was starting another one when we looked.
    for _ in 0..2 {
        for pid in processes(state) {
            let _ = run(Command::new("kill").args(["-9", &pid.to_string()]));
        }
        std::thread::sleep(SETTLE);
    }
    let inside = format!("{}/", state.display());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    for point in mounts
        .lines()
        .rev()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|point| point.starts_with(&inside))
    {
        let _ = run(Command::new("umount").args(["-l", point]));
    }
    // The bridge plugin notes the namespace of each pod in a file named by our network.
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
    let _ = run(Command::new("ip").args(["netns", "del", namespace]));
    let _ = fs::remove_dir_all(state);
}

/// Processes that name the state directory in their command line, and all that descend from them.
fn processes(state: &Path) -> BTreeSet<u32> {
    let needle = format!("{}/", state.display());
    let mut parents = Vec::new();
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(1))
            .and_then(|text| text.parse::<u32>().ok());
        parents.push((pid, parent.unwrap_or(0)));
        let line =
            String::from_utf8_lossy(&fs::read(entry.path().join("cmdline")).unwrap_or_default()).into_owned();
        let program = line.split('\0').next().unwrap_or_default();
        // Only programs of ours: an editor or a shell that has a log open must live.
        let ours = ["kube", "etcd", "containerd", "nsenter", "xtask"]
            .iter()
            .any(|name| program.rsplit('/').next().is_some_and(|file| file.starts_with(name)));
        if ours && line.contains(&needle) && pid != std::process::id() {
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
