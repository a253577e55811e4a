//! Arrows between rooms, purity and licences, read from `cargo metadata`.

#![cfg(test)]

use super::bans::PURE_ROOMS;
use super::root;
use anyhow::Context;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Which rooms a room may depend on, directly.
const ARROWS: [(&str, &[&str]); 16] = [
    ("crds", &[]),
    ("analysis", &["crds"]),
    ("planner", &["crds", "analysis"]),
    ("traffic", &["crds", "planner"]),
    ("providers", &["crds", "analysis"]),
    ("aws", &[]),
    ("controller", &["aws", "crds", "analysis", "planner", "traffic", "providers"]),
    ("sandbox", &["crds"]),
    ("conformance", &[]),
    ("recordings", &[]),
    (
        "simulation",
        &[
            "aws",
            "crds",
            "analysis",
            "planner",
            "controller",
            "providers",
            "sandbox",
            "scenarios",
            "cli",
            "recordings",
        ],
    ),
    ("cli", &["crds", "analysis", "planner", "controller", "providers", "sandbox"]),
    ("demo-server", &[]),
    ("scenarios", &["crds"]),
    ("e2e", &["crds", "scenarios", "demo-server", "conformance", "recordings"]),
    ("xtask", &["crds", "sandbox", "scenarios", "traffic", "e2e", "demo-server", "recordings"]),
];

/// What must not stand anywhere below a pure room: IO, tasks, clients and random generators.
const IMPURE: [&str; 11] = [
    "tokio",
    "reqwest",
    "hyper",
    "kube-client",
    "kube-runtime",
    "kube",
    "rand",
    "fastrand",
    "axum",
    "socket2",
    "mio",
];

/// Licences that an Apache-2.0 project can take in. One of the alternatives of an expression is enough.
const LICENCES: [&str; 11] = [
    "Apache-2.0",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "0BSD",
    "Unlicense",
    "CDLA-Permissive-2.0",
    "Apache-2.0 WITH LLVM-exception",
];

/// What cargo knows of the workspace and all its dependencies.
fn metadata() -> anyhow::Result<Value> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .context("cargo metadata")?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Packages by id, and for each the ids of what it needs in a build without tests.
struct Graph {
    names: BTreeMap<String, String>,
    needs: BTreeMap<String, BTreeSet<String>>,
    rooms: BTreeMap<String, String>,
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn graph(metadata: &Value) -> Graph {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let names: BTreeMap<String, String> =
        list(&metadata["packages"]).iter().map(|p| (text(p, "id"), text(p, "name"))).collect();
    let members: BTreeSet<String> =
        list(&metadata["workspace_members"]).iter().filter_map(|id| id.as_str().map(str::to_owned)).collect();
    let rooms = members.iter().map(|id| (names[id].clone(), id.clone())).collect();
    let mut needs = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        let direct = list(&node["deps"])
            .into_iter()
            .filter(|dep| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()));
        needs.insert(text(&node, "id"), direct.map(|dep| text(&dep, "pkg")).collect());
    }
    Graph { names, needs, rooms }
}

impl Graph {
    fn below(&self, room: &str) -> BTreeSet<String> {
        let mut open = vec![self.rooms[room].clone()];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            for next in self.needs.get(&id).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen.into_iter().map(|id| self.names[&id].clone()).collect()
    }
}

#[test]
fn arrows_go_one_way() {
    let graph = graph(&metadata().unwrap());
    let known: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    assert_eq!(known, graph.rooms.keys().map(String::as_str).collect(), "each room has its arrows here");
    for (room, allowed) in ARROWS {
        for id in &graph.needs[&graph.rooms[room]] {
            let name = &graph.names[id];
            assert!(
                !graph.rooms.contains_key(name) || allowed.contains(&name.as_str()),
                "{room} must not depend on {name}"
            );
        }
    }
}

#[test]
fn pure_rooms_stand_on_pure_ground() {
    let graph = graph(&metadata().unwrap());
    for room in PURE_ROOMS {
        let below = graph.below(room);
        assert!(below.contains("serde_json"), "the walk finds nothing below {room}");
        let impure: Vec<&str> = IMPURE.into_iter().filter(|name| below.contains(*name)).collect();
        assert!(impure.is_empty(), "below {room}: {impure:?}");
    }
}

/// Whether a licence expression can be met: `OR` needs one side, `AND` all of them.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.trim();
    if LICENCES.contains(&expression) {
        return true;
    }
    let bare = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    if let Some(inner) = bare.filter(|inner| !inner.contains(['(', ')'])) {
        return is_allowed(inner);
    }
    // No expression in use nests deeper than one pair of parentheses, and those stand around an OR.
    if expression.contains(" AND ") {
        return expression.split(" AND ").all(is_allowed);
    }
    let alternatives = expression.replace(" / ", " OR ").replace('/', " OR ");
    alternatives.contains(" OR ") && alternatives.split(" OR ").any(is_allowed)
}

#[test]
fn licences_fit() {
    assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0") && is_allowed("Unlicense/MIT"));
    assert!(!is_allowed("GPL-3.0") && !is_allowed("MIT AND GPL-3.0") && !is_allowed(""));
    let metadata = metadata().unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        assert!(
            is_allowed(&licence),
            "{name}: licence {licence:?} is not on the list of xtask/src/house/rooms.rs"
        );
    }
}
