//! The manifests of a trial: read, checked as `lint` does, and put into the order in which they are played.

use super::routes;
use crate::verbs::lint;
use anyhow::Context;
use crds::Rollout;
use serde_json::Value;
use std::io::Read;
use std::path::Path;

/// Files of one folder that are read at most.
const FILES_MAX: usize = 1000;
/// Bytes of one file that are read at most.
const FILE_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Endings of the files that are read in a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// Kinds beside the Rollout that take part.
const PLAYED: [(&str, &str); 8] = [
    ("argoproj.io/v1alpha1", "AnalysisTemplate"),
    ("argoproj.io/v1alpha1", "ClusterAnalysisTemplate"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
    ("policy/v1", "PodDisruptionBudget"),
    ("apps/v1", "Deployment"),
];

/// What is there to be played.
#[derive(Clone, Debug, Default)]
pub(super) struct Manifests {
    /// Each is played by itself.
    pub(super) rollouts: Vec<Value>,
    /// What is around them.
    pub(super) others: Vec<Value>,
    /// ReplicaSets and PodTemplates, of which only the templates count.
    workloads: Vec<Value>,
    /// Kind and name of what has no part.
    pub(super) left_out: Vec<String>,
    /// What `lint` says, with the file.
    pub(super) faults: Vec<String>,
}

/// A text of an object; empty where there is none.
pub(super) fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Reads files, folders and standard input (`-`).
///
/// # Errors
/// What cannot be read.
pub(super) fn read(names: &[String]) -> anyhow::Result<Manifests> {
    let mut manifests = Manifests::default();
    for name in names {
        if name == "-" {
            let mut text = String::new();
            std::io::stdin().take(FILE_MAX_BYTES).read_to_string(&mut text).context("read standard input")?;
            manifests.take(name, &text);
            continue;
        }
        for path in files(name)? {
            let file = std::fs::File::open(&path).with_context(|| format!("read {path}"))?;
            let mut text = String::new();
            file.take(FILE_MAX_BYTES).read_to_string(&mut text).with_context(|| format!("read {path}"))?;
            manifests.take(&path, &text);
        }
    }
    manifests.resolve();
    Ok(manifests)
}

/// A file itself; of a folder its manifests by name, but not those of folders in it: as kubectl does.
fn files(name: &str) -> anyhow::Result<Vec<String>> {
    if !Path::new(name).is_dir() {
        return Ok(vec![name.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(name).with_context(|| format!("read {name}"))?.take(FILES_MAX) {
        let path = entry.with_context(|| format!("read {name}"))?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if path.is_file() && ENDINGS.contains(&ending) {
            files.push(path.to_string_lossy().into_owned());
        }
    }
    files.sort();
    Ok(files)
}

impl Manifests {
    fn take(&mut self, file: &str, text: &str) {
        let faults = lint::text_faults(text);
        self.faults.extend(faults.into_iter().map(|fault| format!("{file}: {fault}")));
        let Ok(documents) = serde_saphyr::from_multiple::<Value>(text) else { return };
        for document in documents {
            match document.get("items").and_then(Value::as_array) {
                Some(items) => items.iter().for_each(|item| self.sort(item.clone())),
                None => self.sort(document),
            }
        }
    }

    /// A Rollout that refers to a workload is played with the template of that; what a Deployment of its own would do
    /// beside it has no part.
    fn resolve(&mut self) {
        let mut played = Vec::new();
        for object in &mut self.rollouts {
            let Ok(rollout) = serde_json::from_value::<Rollout>(object.clone()) else { continue };
            let Some(reference) = &rollout.spec.workload_ref else { continue };
            let all: Vec<&Value> = self.others.iter().chain(&self.workloads).collect();
            // What is wrong with it, lint has said.
            let Ok(resolved) = lint::with_template(&rollout, &all) else { continue };
            if resolved.spec.workload_ref.is_some() {
                let (kind, name) = (reference.kind.as_deref().unwrap_or_default(), reference.name());
                let place = text(object, "/metadata/name");
                self.faults
                    .push(format!("Rollout {place:?}: its {kind} {name:?} is not among the manifests"));
                continue;
            }
            played.push((reference.kind.clone().unwrap_or_default(), reference.name().to_owned()));
            if let (Some(spec), Ok(resolved)) = (object.get_mut("spec"), serde_json::to_value(&resolved.spec))
            {
                *spec = resolved;
            }
        }
        let (kept, left): (Vec<Value>, Vec<Value>) = std::mem::take(&mut self.others)
            .into_iter()
            .partition(|object| self.rollouts.iter().any(|rollout| routes::has_part(rollout, object)));
        self.others = kept;
        self.left_out.extend(left.iter().map(named));
        let is_played = |object: &Value| {
            let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
            played.iter().any(|(played, of)| played == kind && of == name)
        };
        self.others.retain(|object| !is_played(object));
        let left = self.workloads.iter().filter(|object| !is_played(object));
        self.left_out.extend(left.map(named));
    }

    fn sort(&mut self, object: Value) {
        let (version, kind) = (text(&object, "/apiVersion"), text(&object, "/kind"));
        if kind.is_empty() {
            return;
        }
        if version.starts_with("argoproj.io/") && kind == "Rollout" {
            self.rollouts.push(object);
        } else if PLAYED.contains(&(version, kind)) || routes::kind(&object).is_some() {
            self.others.push(object);
        } else if [("apps/v1", "ReplicaSet"), ("v1", "PodTemplate")].contains(&(version, kind)) {
            self.workloads.push(object);
        } else {
            self.left_out.push(named(&object));
        }
    }
}

/// Kind and name.
fn named(object: &Value) -> String {
    format!("{} {}", text(object, "/kind"), text(object, "/metadata/name"))
}
