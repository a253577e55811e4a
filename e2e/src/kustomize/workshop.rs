//! Kustomizations in a folder of their own, beside the two files that they use.

use crate::process::run;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file that a folder is a kustomization by.
pub(super) const KUSTOMIZATION: &str = "kustomization.yaml";
/// Names of the two files, here and for those who use them.
pub(super) const TRANSFORM: &str = "transform.yaml";
const SCHEMA: &str = "schema.json";

/// Where kustomizations are built.
#[derive(Debug)]
pub(super) struct Workshop {
    kubectl: PathBuf,
    scratch: PathBuf,
}

/// What is taken out of a kustomization, to see what it was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Without {
    /// Nothing.
    Nothing,
    /// `configurations:`.
    Transform,
    /// `openapi:`.
    Schema,
}

impl Without {
    fn field(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Transform => Some("configurations:"),
            Self::Schema => Some("openapi:"),
        }
    }
}

/// The file of the project.
pub(super) fn ours(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/kustomize").join(file)
}

impl Workshop {
    /// An empty folder.
    pub(super) fn new(kubectl: &Path, scratch: &Path) -> Result<Self> {
        if scratch.exists() {
            fs::remove_dir_all(scratch).with_context(|| format!("cannot empty {}", scratch.display()))?;
        }
        fs::create_dir_all(scratch)?;
        Ok(Self { kubectl: kubectl.to_owned(), scratch: scratch.to_owned() })
    }

    /// Version of kustomize in kubectl.
    pub(super) fn version(&self) -> Result<String> {
        let text = run(Command::new(&self.kubectl).args(["version", "--client"]))?;
        let version = text.lines().find_map(|line| line.strip_prefix("Kustomize Version: "));
        version.map(str::to_owned).with_context(|| format!("no version of kustomize in {text:?}"))
    }

    /// A copy of a kustomization of `e2e/kustomize`, with the two files in each folder of it.
    pub(super) fn copy(&self, name: &str) -> Result<PathBuf> {
        let to = self.scratch.join(name);
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("kustomize").join(name), &to)?;
        Ok(to)
    }

    /// The objects of a kustomization of `e2e/kustomize`.
    pub(super) fn build(&self, name: &str, without: Without) -> Result<Vec<Value>> {
        let folder = self.copy(name)?;
        self.build_in(&folder, without).with_context(|| format!("{name} without {without:?}"))
    }

    /// The objects of a kustomization that lies there, without this field.
    pub(super) fn build_in(&self, folder: &Path, without: Without) -> Result<Vec<Value>> {
        if let Some(field) = without.field() {
            edit(&folder.join(KUSTOMIZATION), |text| {
                let kept = text.lines().filter(|line| !line.starts_with(field));
                kept.map(|line| format!("{line}\n")).collect()
            })?;
        }
        let text = run(Command::new(&self.kubectl).arg("kustomize").arg(folder))?;
        Ok(serde_saphyr::from_multiple(&text)?)
    }
}

/// Changes a text file; that nothing changes is a mistake.
pub(super) fn edit(path: &Path, change: impl FnOnce(&str) -> String) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let changed = change(&text);
    if changed == text {
        bail!("nothing was changed in {}", path.display());
    }
    Ok(fs::write(path, changed)?)
}

/// Copies a folder and what is below it, and puts the two files beside each kustomization.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            // Written anew: the source may be read-only.
            fs::write(&target, fs::read(entry.path())?)?;
        }
    }
    if to.join(KUSTOMIZATION).is_file() {
        for file in [TRANSFORM, SCHEMA] {
            fs::write(to.join(file), fs::read(ours(file))?)?;
        }
    }
    Ok(())
}

/// The object of that kind and name.
pub(super) fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> Result<&'a Value> {
    let is = |object: &&Value| text(object, "/kind") == kind && text(object, "/metadata/name") == name;
    objects.iter().find(is).with_context(|| format!("no {kind} {name} was built"))
}

/// The text there; empty where there is none.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What stands at the end of a path as kustomize writes it, in every element of the lists on the way.
pub(super) fn at_path<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![value];
    // `\/` is part of a name.
    for name in path.replace("\\/", "\u{0}").split('/').map(|name| name.replace('\u{0}', "/")) {
        found = found.into_iter().flat_map(elements).filter_map(|one| one.get(&name)).collect();
    }
    found.into_iter().flat_map(elements).collect()
}

fn elements(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_goes_through_lists_and_names_with_a_slash() {
        let object = json!({"spec": {"a/b": [{"name": "one"}, {}, {"name": ["two", "three"]}]}});
        assert_eq!(at_path(&object, "spec/a\\/b/name"), ["one", "two", "three"]);
        assert_eq!(at_path(&object, "spec/a/name"), Vec::<&Value>::new());
    }
}
