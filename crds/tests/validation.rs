//! Rollouts that people of Argo Rollouts run are valid here too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "a test reads the folder that it is told")]

use crds::Rollout;
use crds::validate::rollout_spec;
use serde_json::Value;
use std::path::{Path, PathBuf};

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

fn rollouts<'a>(value: &'a Value, out: &mut Vec<&'a Value>) {
    match value {
        Value::Object(object) if object.get("kind").is_some_and(|kind| kind == "Rollout") => out.push(value),
        Value::Object(object) => object.values().for_each(|value| rollouts(value, out)),
        Value::Array(items) => items.iter().for_each(|value| rollouts(value, out)),
        _ => {}
    }
}

#[test]
fn every_example_and_scenario_is_valid() {
    let Some(dir) = std::env::var_os("STEPGATE_PEER_DIR") else {
        println!("did not run: STEPGATE_PEER_DIR is not set");
        return;
    };
    let dir = Path::new(&dir);
    let mut files = Vec::new();
    for folder in ["examples", "traces/scenarios"] {
        yaml_files(&dir.join(folder), &mut files);
    }
    let (mut count, mut refused) = (0, Vec::new());
    for path in &files {
        let name = path.strip_prefix(dir).unwrap().display().to_string();
        let Ok(documents) = serde_saphyr::from_multiple::<Value>(&std::fs::read_to_string(path).unwrap())
        else {
            continue;
        };
        let mut found = Vec::new();
        documents.iter().for_each(|document| rollouts(document, &mut found));
        for value in found {
            let rollout: Rollout = serde_json::from_value(value.clone()).unwrap();
            count += 1;
            if let Err(invalid) = rollout_spec(&rollout) {
                refused.push(format!("{name}: {invalid}"));
            }
        }
    }
    assert!(count >= 120, "{count} Rollouts in {} files", files.len());
    // The one scenario that is about an invalid Rollout.
    let scenario = "traces/scenarios/canary-invalid-spec.yaml";
    let why = "spec.strategy.steps[0].setWeight: Invalid value: 120: SetWeight needs to be between 0 and 100";
    assert_eq!(refused, [format!("{scenario}: {why}")]);
}
