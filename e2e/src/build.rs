//! The programs of the cluster: Kubernetes and etcd from pinned Go modules, the container runtime from Debian.

use crate::process::run;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const KUBERNETES: [&str; 5] =
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"];
const DEBIAN: [&str; 4] = ["containerd", "runc", "containernetworking-plugins", "busybox-static"];

/// Where the programs lie.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Kubernetes, etcd, pause.
    pub bin: PathBuf,
    /// Debian packages, unpacked but not installed.
    pub debian: PathBuf,
}

impl Programs {
    /// The static busybox, wherever this Debian puts it.
    #[must_use]
    pub fn busybox(&self) -> PathBuf {
        let old = self.debian.join("bin/busybox");
        if old.is_file() { old } else { self.debian.join("usr/bin/busybox") }
    }
}

/// Builds what is not yet in the cache; the cache is named by the pinned modules.
///
/// # Errors
///
/// When a build or a download fails; the message has what the tool said.
pub fn programs() -> Result<Programs> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster");
    let mut hash = Sha256::new();
    for name in ["go.sum", "tools.go"] {
        hash.update(
            fs::read(source.join(name)).with_context(|| format!("read {name} of {}", source.display()))?,
        );
    }
    let digest: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
            .join(".cache"),
    };
    let root = cache.join("stepgate").join(format!("cluster-{digest}"));
    let programs = Programs { bin: root.join("bin"), debian: root.join("debian") };
    fs::create_dir_all(&programs.bin)?;
    go(&source, &programs.bin)?;
    debian(&root, &programs.debian)?;
    let pause = programs.bin.join("pause");
    if !pause.is_file() {
        run(Command::new("cc").args(["-O2", "-static", "-o"]).arg(&pause).arg(source.join("pause.c")))?;
    }
    Ok(programs)
}

fn go(source: &Path, bin: &Path) -> Result<()> {
    let modules = fs::read_to_string(source.join("go.mod"))?;
    let version = modules
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "))
        .context("go.mod does not require k8s.io/kubernetes")?;
    let minor = version.split('.').nth(1).context("the version of k8s.io/kubernetes has no minor number")?;
    let package = "k8s.io/component-base/version";
    let flags = format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor=1 -X {package}.gitMinor={minor}"
    );
    let kubernetes =
        KUBERNETES.iter().map(|name| (*name, format!("k8s.io/kubernetes/cmd/{name}"), flags.as_str()));
    for (name, package, flags) in
        kubernetes.chain([("etcd", "go.etcd.io/etcd/server/v3".to_owned(), "-s -w")])
    {
        let target = bin.join(name);
        if target.is_file() {
            continue;
        }
        println!("building {name}");
        run(Command::new("go")
            .args(["build", "-trimpath", "-ldflags", flags, "-o"])
            .arg(&target)
            .arg(package)
            .env("CGO_ENABLED", "0")
            .current_dir(source))?;
    }
    Ok(())
}

fn debian(root: &Path, target: &Path) -> Result<()> {
    if target.join("usr/bin/containerd").is_file() {
        return Ok(());
    }
    let packages = root.join("packages");
    fs::create_dir_all(&packages)?;
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get").args(["download", "-qq"]).args(DEBIAN).current_dir(&packages))?;
    for entry in fs::read_dir(&packages)? {
        run(Command::new("dpkg").arg("-x").arg(entry?.path()).arg(target))?;
    }
    Ok(())
}
