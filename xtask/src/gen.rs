//! `cargo xtask gen`: files that are made from code, and checked in.

mod cluster;
mod kustomize;
mod messages;
mod tables;

use anyhow::{Context, bail};
use crds::manifest::{self, Detail, Facts};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What to make.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail when a file is not what would be written.
    #[arg(long)]
    check: bool,
    /// Make the table of facts again from the manifests in `$STEPGATE_PEER_DIR/crds`.
    #[arg(long)]
    facts: bool,
    /// Dump what the sandbox knows of a real API server from this cluster of `cargo xtask e2e --run-id ... up`;
    /// compare its tables with the sandbox's.
    #[arg(long, value_name = "RUN_ID")]
    cluster: Option<String>,
}

/// Writes the CRD manifests, and the table of facts when asked for.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds");
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    for detail in [Detail::Slim, Detail::Full] {
        for (file, value) in manifest::all(detail) {
            let text = manifest::to_yaml(&value);
            if detail == Detail::Slim {
                files.push((root.join("../charts/stepgate/crds-slim").join(&file), text.clone()));
            }
            files.push((root.join("manifests").join(detail.folder()).join(file), text));
        }
    }
    for room in crate::house::bans::PURE_ROOMS {
        files.push((root.join("..").join(room).join("clippy.toml"), crate::house::bans::clippy_toml()));
    }
    files.push((root.join("../docs/reference/recorded.md"), recordings::table()));
    for (file, text) in kustomize::files() {
        files.push((root.join("../manifests/kustomize").join(file), text));
    }
    if args.facts {
        files.push((root.join("data/facts.txt"), facts()?));
    }
    if let Some(run_id) = &args.cluster {
        for (file, text) in cluster::files(run_id, args.check)? {
            files.push((root.join("../sandbox/data").join(file), text));
        }
    }
    let mut stale = Vec::new();
    for (path, text) in &files {
        if std::fs::read_to_string(path).is_ok_and(|found| found == *text) {
            continue;
        }
        stale.push(path.display().to_string());
        if !args.check {
            write(path, text)?;
        }
    }
    match (args.check, stale.as_slice()) {
        (true, []) => println!("{} generated files are up to date", files.len()),
        (true, stale) => bail!("not up to date, run `cargo xtask gen`:\n{}", stale.join("\n")),
        (false, stale) => println!("{} generated files, {} of them changed", files.len(), stale.len()),
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The table of facts about the manifests of Argo Rollouts.
fn facts() -> anyhow::Result<String> {
    let folder = std::env::var_os("STEPGATE_PEER_DIR")
        .context("set STEPGATE_PEER_DIR to a folder that has Argo Rollouts' CRDs in `crds`")?;
    let folder = Path::new(&folder).join("crds");
    let mut manifests = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let value: Value =
            serde_saphyr::from_str(&text).with_context(|| format!("{} is not YAML", path.display()))?;
        manifests.push(value);
    }
    let head =
        "# Facts about the CRDs of Argo Rollouts, without their prose; made by `cargo xtask gen --facts`.\n";
    Ok(format!("{head}{}", Facts::of(&manifests).to_table()))
}
