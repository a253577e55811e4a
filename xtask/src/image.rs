//! `cargo xtask image`: builds the binaries and writes an OCI image layout of each.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::house;
use anyhow::{Context, bail};
use clap::ValueEnum;
use e2e::image::{Image, Written};
use serde_json::Value;

/// The profile of what ships.
const RELEASE: &str = "release";
/// The profile of what is tried at once.
const QUICK: &str = "e2e";

/// Text in every binary that has seeded defects: `planner::defects::MARKER`.
const SEEDED: &[u8] = b"stepgate: seeded defects are compiled into this binary";

/// What to build and where to put it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder for the layouts, one folder per image; default `target/images` of the project.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Tag of the images.
    #[arg(long, default_value = "dev")]
    tag: String,
    /// Only this image; may be repeated.
    #[arg(long = "only", value_enum)]
    only: Vec<Name>,
    /// Cargo's profile: `release` is what ships, `e2e` builds faster.
    #[arg(long, default_value = RELEASE)]
    profile: String,
}

/// The images of the project, by the name of their folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// The controller.
    Controller,
    /// The web server of demos and tests.
    DemoServer,
    /// The command line, for jobs in a cluster.
    KubectlStepgate,
}

impl Name {
    pub(crate) const ALL: [Self; 3] = [Self::Controller, Self::DemoServer, Self::KubectlStepgate];

    /// The folder, which is also the last part of the reference.
    fn folder(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::DemoServer => "demo-server",
            Self::KubectlStepgate => "kubectl-stepgate",
        }
    }

    /// The package and its binary.
    fn package(self) -> (&'static str, &'static str) {
        match self {
            Self::Controller => ("controller", "stepgate-controller"),
            Self::DemoServer => ("demo-server", "demo-server"),
            Self::KubectlStepgate => ("cli", "kubectl-stepgate"),
        }
    }

    /// The ports that the image declares: of the controller `/healthz` and `/metrics`, as Argo Rollouts has them.
    fn ports(self) -> &'static [u16] {
        match self {
            Self::Controller => &[8080, 8090],
            Self::DemoServer => &[8080],
            Self::KubectlStepgate => &[],
        }
    }
}

/// Builds and writes; prints one line per image.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let names = if args.only.is_empty() { &Name::ALL } else { args.only.as_slice() };
    make(names, args.out.clone(), &args.tag, &args.profile).map(drop)
}

/// An image, and the binary that is in it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) written: Written,
    pub(crate) binary: PathBuf,
}

/// Builds these images as they ship into `out` (default: `images` in the target folder), in the order of their names.
pub(crate) fn all(names: &[Name], out: Option<PathBuf>, tag: &str) -> anyhow::Result<Vec<Made>> {
    make(names, out, tag, RELEASE)
}

/// Builds these images quickly, for pods whose speed does not matter.
pub(crate) fn quick(names: &[Name], tag: &str) -> anyhow::Result<Vec<Made>> {
    make(names, None, tag, QUICK)
}

fn make(names: &[Name], out: Option<PathBuf>, tag: &str, profile: &str) -> anyhow::Result<Vec<Made>> {
    let project = house::root();
    let out = out.unwrap_or_else(|| house::target().join("images"));
    let mut made = Vec::new();
    for name in names {
        let binary = build(*name, &project, profile)?;
        refuse_seeded(&binary)?;
        let reference = format!("stepgate/{}:{tag}", name.folder());
        let image = Image { reference, binary: binary.clone(), ports: name.ports().to_vec() };
        let written = image.write(&out.join(name.folder()))?;
        let size = written.layer.size / 1024;
        println!(
            "{} {} {size} KiB in {}",
            written.reference,
            written.manifest.digest,
            written.folder.display()
        );
        made.push(Made { written, binary });
    }
    Ok(made)
}

/// Builds one package and returns its binary. One `cargo build` per package: built together, the features of one
/// would be in the other.
fn build(name: Name, project: &Path, profile: &str) -> anyhow::Result<PathBuf> {
    let (package, binary) = name.package();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--profile", profile, "--locked", "--package", package, "--bin", binary])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(project)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !built.status.success() {
        bail!("cargo build --profile {profile} --package {package} failed; its messages are above");
    }
    // Cargo tells where the binary is, wherever CARGO_TARGET_DIR or a configuration puts it.
    String::from_utf8(built.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name").is_some_and(|name| name == binary))
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .with_context(|| format!("cargo built {package} but named no binary {binary}"))
}

/// A binary with seeded defects must not get into an image.
fn refuse_seeded(binary: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    if has_seeded(&bytes) {
        bail!(
            "{} has seeded defects in it: it was built with the feature `defects`, which is for `simulate --defects` only",
            binary.display()
        );
    }
    Ok(())
}

fn has_seeded(bytes: &[u8]) -> bool {
    bytes.windows(SEEDED.len()).any(|window| window == SEEDED)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Lines of `cargo tree` about packages that are built with seeded defects.
    fn seeded(package: &str, more: &[&str]) -> usize {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let tree = Command::new(cargo)
            .args([
                "tree",
                "--offline",
                "--locked",
                "--edges",
                "normal",
                "--format",
                "{p} [{f}]",
                "--package",
                package,
            ])
            .args(more)
            .current_dir(house::root())
            .output()
            .unwrap();
        let text = String::from_utf8(tree.stdout).unwrap();
        assert!(tree.status.success() && text.contains(package), "{}", String::from_utf8_lossy(&tree.stderr));
        let features = text.lines().filter_map(|line| line.rsplit_once('['));
        features
            .filter(|(_, names)| {
                names.trim_end_matches([']', ' ', '(', '*', ')']).split(',').any(|name| name == "defects")
            })
            .count()
    }

    #[test]
    fn what_ships_has_no_seeded_defects() {
        for name in Name::ALL {
            assert_eq!(seeded(name.package().0, &[]), 0, "{name:?}");
        }
        assert!(
            seeded("controller", &["--features", "controller/defects"]) > 1,
            "the look does not see the feature"
        );
    }

    #[test]
    fn a_binary_with_the_marker_is_refused() {
        let list = std::fs::read_to_string(house::root().join("planner/src/defects/list.rs")).unwrap();
        assert!(has_seeded(list.as_bytes()), "the marker of planner::defects is another one");
        assert!(!has_seeded(b"stepgate: seeded defects are compiled"));
    }
}
