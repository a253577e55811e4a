//! Ids of behaviour: what code cites must be written down.

#![cfg(test)]

use super::root;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Folders that are not sources of ours.
const SKIPPED: [&str; 3] = ["target", ".git", "data"];

pub(super) fn files(folder: &Path, extension: &str, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            let name = entry.file_name();
            if !SKIPPED.iter().any(|skipped| name.as_os_str() == *skipped) {
                files(&path, extension, out);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            out.push(path);
        }
    }
}

/// Ids in a text: an area, a point and a rule in brackets, lower case, behind one of the marks that cite.
fn cited(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for mark in ["`[", "DIFFERS: [", "PARITY: ["] {
        for (at, _) in text.match_indices(mark) {
            let rest = text.get(at + mark.len()..).unwrap_or_default();
            let Some((id, _)) = rest.split_once(']') else { continue };
            let is_word = |part: &str| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            };
            if id.split_once('.').is_some_and(|(area, rule)| is_word(area) && is_word(rule)) {
                found.push(id.to_owned());
            }
        }
    }
    found
}

/// Ids that a document writes down: in a heading, or at the beginning of a point.
pub(super) fn written_in(text: &str) -> Vec<String> {
    let point = |line: &str| {
        line.strip_prefix("- `[").and_then(|rest| rest.split_once("]`")).map(|(id, _)| id.to_owned())
    };
    let heading = |line: &str| {
        let (_, rest) = line.strip_prefix('#')?.split_once('[')?;
        rest.split_once(']').map(|(id, _)| id.to_owned())
    };
    text.lines().filter_map(|line| heading(line).or_else(|| point(line))).collect()
}

#[test]
fn what_code_cites_is_written_down() {
    let mut documents = Vec::new();
    files(&root().join("docs/reference"), "md", &mut documents);
    let written: String = documents.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let mut sources = Vec::new();
    files(&root(), "rs", &mut sources);
    // These tests have ids that are made up.
    sources.retain(|path| !path.parent().is_some_and(|folder| folder.ends_with("xtask/src/house")));
    let mut missing: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut count = 0;
    for path in sources {
        for id in cited(&std::fs::read_to_string(&path).unwrap()) {
            count += 1;
            if !written.contains(&format!("[{id}]")) {
                missing.insert(id, path.clone());
            }
        }
    }
    assert!(count > 30, "only {count} citations were found");
    assert!(missing.is_empty(), "cited, but not written down in docs/reference: {missing:?}");
}

#[test]
fn an_id_is_told_from_code() {
    assert_eq!(
        cited("Short. `[cli.patches]` and DIFFERS: [cli.promote-twice] x"),
        ["cli.patches", "cli.promote-twice"]
    );
    assert!(cited("`[0]` `[a]` list[self.short] `[Some.Thing]`").is_empty());
}

#[test]
fn an_id_is_written_in_a_heading_or_at_a_point() {
    let text = "# Page\n## [a]\n## `[a.b]`\n## Verbs `[c.d]`\n- `[e.f]` it is\nSee [g](h.md), `[i.j]`.\n";
    assert_eq!(written_in(text), ["a", "a.b", "c.d", "e.f"]);
}
