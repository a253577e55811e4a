//! Objects of Argo Rollouts' users go through our types without loss.
#![allow(clippy::disallowed_methods, reason = "tests read recorded data")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use crds::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Experiment, Rollout};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn through<K: DeserializeOwned + Serialize>(object: &Value) -> Value {
    let text = object.to_string();
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let typed: K =
        serde_path_to_error::deserialize(&mut deserializer).unwrap_or_else(|e| panic!("{e}: {text}"));
    serde_json::to_value(typed).unwrap()
}

/// The object as our type writes it; `None` for a kind that is not ours.
fn round_trip(object: &Value) -> Option<Value> {
    if object["apiVersion"] != "argoproj.io/v1alpha1" {
        return None;
    }
    match object["kind"].as_str()? {
        "Rollout" => Some(through::<Rollout>(object)),
        "AnalysisRun" => Some(through::<AnalysisRun>(object)),
        "AnalysisTemplate" => Some(through::<AnalysisTemplate>(object)),
        "ClusterAnalysisTemplate" => Some(through::<ClusterAnalysisTemplate>(object)),
        "Experiment" => Some(through::<Experiment>(object)),
        other => panic!("a kind of our group that we do not have: {other}"),
    }
}

/// The one normalisation: a key whose value is null is as good as absent, outside of embedded JSON.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

fn yaml_files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            out.push(path);
        }
    }
    out.sort();
}

/// Every object of our group in a document: the document itself, or anywhere inside it.
fn objects<'a>(value: &'a Value, out: &mut Vec<&'a Value>) {
    if value["apiVersion"] == "argoproj.io/v1alpha1" && value["kind"].is_string() {
        out.push(value);
        return;
    }
    match value {
        Value::Object(object) => object.values().for_each(|value| objects(value, out)),
        Value::Array(items) => items.iter().for_each(|value| objects(value, out)),
        _ => {}
    }
}

#[test]
fn every_example_and_scenario() {
    let Ok(dir) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("did not run: STEPGATE_PEER_DIR is not set");
        return;
    };
    let dir = Path::new(&dir);
    let mut files = Vec::new();
    for folder in ["examples", "traces/scenarios"] {
        yaml_files(&dir.join(folder), &mut files);
    }
    let mut broken = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for path in &files {
        let name = path.strip_prefix(dir).unwrap().display().to_string();
        let text = std::fs::read_to_string(path).unwrap();
        let Ok(documents) = serde_saphyr::from_multiple::<Value>(&text) else {
            broken.push(name);
            continue;
        };
        let mut found = Vec::new();
        documents.iter().for_each(|document| objects(document, &mut found));
        for object in found {
            let Some(back) = round_trip(object) else { continue };
            assert_eq!(back, without_nulls(object), "{name}");
            *counts.entry(object["kind"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    println!("{} files: {counts:?}", files.len());
    // It holds a placeholder `{{...}}` that is not YAML.
    assert_eq!(broken, ["examples/traffic-management/rollout-linkerd.yaml"], "files that are not YAML");
    assert!(counts["Rollout"] >= 120 && counts.len() == 4, "{counts:?}");
}

/// Whatever the API server of Argo Rollouts accepted, our types read without loss; unknown fields, which it prunes, apart.
#[test]
fn every_accepted_verdict() {
    let Ok(dir) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("did not run: STEPGATE_PEER_DIR is not set");
        return;
    };
    let read = |name: &str| std::fs::read_to_string(Path::new(&dir).join("verdicts").join(name)).unwrap();
    let (mut count, mut lossy) = (0, Vec::new());
    let run = |spec: &Value| {
        serde_json::json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
            "metadata": {"name": "x"}, "spec": spec})
    };
    for line in read("validation.jsonl").lines().chain(read("analysis.jsonl").lines()) {
        let verdict: Value = serde_json::from_str(line).unwrap();
        if verdict["apiServer"] != "accepted" {
            continue;
        }
        let object = verdict.get("manifest").cloned().unwrap_or_else(|| run(&verdict["spec"]));
        if round_trip(&object).unwrap() != without_nulls(&object) {
            lossy.push(verdict["case"].as_str().unwrap().to_owned());
        }
        count += 1;
    }
    assert_eq!(count, 443 + 543);
    let unknown_fields =
        ["unknown-fields", "strategy-unknown", "step-unknown-kind", "invalid-provider-unknown"];
    assert_eq!(lossy, unknown_fields, "the API server prunes what these have, and so do the types");
}
