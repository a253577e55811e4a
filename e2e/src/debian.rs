//! Programs from Debian's packages: downloaded and unpacked, never installed.

use crate::cache;
use crate::process::run;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: [&str; 5] =
    ["busybox-static", "containerd", "containernetworking-plugins", "prometheus", "runc"];
/// What must be there after unpacking.
const EXPECTED: [&str; 4] =
    ["usr/bin/containerd", "usr/bin/prometheus", "usr/lib/cni/bridge", "usr/sbin/runc"];
/// Part of the folder's name: raise it when the way of unpacking changes.
const RECIPE: &str = "1";

/// Where the packages' files are kept.
pub(crate) fn place(root: &Path) -> PathBuf {
    // Another release has other versions, and a home shared over a network must not mix them.
    let release = fs::read("/etc/debian_version").unwrap_or_default();
    root.join(cache::name("debian", &[RECIPE.as_bytes(), PACKAGES.join(" ").as_bytes(), &release]))
}

/// Downloads and unpacks into the folder.
pub(crate) fn unpack(out: &Path) -> Result<()> {
    let downloads = out.join("downloads");
    fs::create_dir_all(&downloads)?;
    if download(&downloads).is_err() {
        // A fresh machine has no lists of packages, an old one lists versions that are gone.
        run(Command::new("apt-get").args(["update", "-qq"])).context("refresh the lists of packages")?;
        download(&downloads).with_context(|| format!("download {}", PACKAGES.join(", ")))?;
    }
    for entry in fs::read_dir(&downloads)? {
        run(Command::new("dpkg").arg("-x").arg(entry?.path()).arg(out))?;
    }
    fs::remove_dir_all(&downloads)?;
    for file in EXPECTED {
        ensure!(out.join(file).is_file(), "Debian's packages {} did not bring {file}", PACKAGES.join(", "));
    }
    Ok(())
}

fn download(folder: &Path) -> Result<()> {
    // apt's own user cannot write below root's home; it would say so at length and go on as root.
    let quiet = ["download", "-qq", "-o", "APT::Sandbox::User=root"];
    run(Command::new("apt-get").args(quiet).args(PACKAGES).current_dir(folder)).map(drop)
}
