//! The committed manifests against the generator, and against facts about those of Argo Rollouts.
#![allow(clippy::disallowed_methods, reason = "tests read recorded data")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use crds::manifest::{self, CLIENT_SIDE_APPLY_MAX_BYTES, Detail, Facts};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn committed(detail: Detail) -> Vec<(String, String)> {
    let read = |(file, _): (String, Value)| {
        let path = folder("manifests").join(detail.folder()).join(&file);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (file, text)
    };
    manifest::all(detail).into_iter().map(read).collect()
}

fn parsed(detail: Detail) -> Vec<Value> {
    committed(detail).iter().map(|(_, text)| serde_saphyr::from_str(text).unwrap()).collect()
}

fn table() -> Facts {
    Facts::parse(&std::fs::read_to_string(folder("data/facts.txt")).unwrap()).unwrap()
}

#[test]
fn the_committed_manifests_are_the_generated_ones() {
    for detail in [Detail::Slim, Detail::Full] {
        let generated = manifest::all(detail);
        for ((file, value), (_, text)) in generated.iter().zip(committed(detail)) {
            let reread: Value = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(&reread, value, "{file}: the YAML does not say what was generated");
            assert!(manifest::to_yaml(value) == text, "{file} is not up to date: run `cargo xtask gen`");
        }
    }
}

#[test]
fn slim_manifests_fit_client_side_apply() {
    for manifest in parsed(Detail::Slim) {
        let text = manifest.to_string();
        assert!(text.len() < CLIENT_SIDE_APPLY_MAX_BYTES, "{} bytes", text.len());
        assert!(!text.contains("\"description\":\""));
    }
    for manifest in parsed(Detail::Full) {
        assert!(manifest.to_string().contains("\"description\":\""));
    }
}

/// All that differs from the manifests of Argo Rollouts, and why; each accepts more.
#[test]
fn only_known_differences_from_argo_rollouts() {
    let known = [
        // Kubernetes 1.35 has this field, which Argo Rollouts would prune.
        ("spec.workloadRef", "extra"),
        // The Gateway API is built in.
        ("spec.strategy.canary.trafficRouting.gatewayAPI", "extra"),
        // A router that nobody knows is to be named, not dropped.
        ("spec.strategy.canary.trafficRouting", "x-kubernetes-preserve-unknown-fields"),
        // Kubernetes 1.35 fills in this field when it is absent.
        ("spec.podFailurePolicy.rules.[].onPodConditions.[]", "required"),
    ];
    let differences = table().differences(&Facts::of(&parsed(Detail::Slim)));
    let unknown: Vec<String> = differences
        .iter()
        .filter(|found| {
            !known.iter().any(|(path, keyword)| found.path.ends_with(path) && found.keyword == *keyword)
        })
        .map(|found| format!("{} {}: {}, not {}", found.path, found.keyword, found.found, found.expected))
        .collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    let seen: BTreeSet<&str> = differences.iter().map(|found| found.keyword.as_str()).collect();
    assert_eq!(
        seen,
        BTreeSet::from(["extra", "required", "x-kubernetes-preserve-unknown-fields"]),
        "a known difference is gone: take it off the list"
    );
}

#[test]
fn a_lost_property_or_keyword_is_a_difference() {
    let mut manifests = parsed(Detail::Slim);
    let schema = manifests[0].pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    schema["properties"].as_object_mut().unwrap().remove("paused");
    schema["properties"]["replicas"]["format"] = "int64".into();
    schema["required"] = serde_json::json!(["replicas"]);
    let found = table().differences(&Facts::of(&manifests));
    for (path, keyword) in [("paused", "missing"), ("replicas", "format")] {
        let path = format!("Rollout.spec.{path}");
        assert!(found.iter().any(|d| d.path == path && d.keyword == keyword), "{path} {keyword}");
    }
    assert!(found.iter().any(|d| d.path == "Rollout.spec" && d.keyword == "required"));
}

#[test]
fn the_table_of_facts_reads_as_it_was_written() {
    let table = table();
    assert_eq!(Facts::parse(&table.to_table()).unwrap(), table);
    let broken = Facts::parse("Rollout {}\n\tspec {\n").unwrap_err();
    assert_eq!((broken.line, broken.text.as_str()), (2, "\tspec {"));
}

#[test]
fn the_table_of_facts_is_that_of_the_given_manifests() {
    let Ok(dir) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("did not run: STEPGATE_PEER_DIR is not set");
        return;
    };
    let files = std::fs::read_dir(Path::new(&dir).join("crds")).unwrap();
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let manifests: Vec<Value> = texts.map(|text| serde_saphyr::from_str(&text).unwrap()).collect();
    assert_eq!(manifests.len(), 5);
    assert!(Facts::of(&manifests) == table(), "run `cargo xtask gen --facts`");
}

/// The rule of structural schemas that is easiest to break: keys of a list are required or have a default.
#[test]
fn keys_of_lists_are_always_there() {
    fn check(schema: &Value, path: &str, count: &mut usize) {
        if let Some(keys) = schema["x-kubernetes-list-map-keys"].as_array() {
            for key in keys {
                let required =
                    schema["items"]["required"].as_array().is_some_and(|names| names.contains(key));
                let default = !schema["items"]["properties"][key.as_str().unwrap()]["default"].is_null();
                assert!(required || default, "{path}: {key}");
                *count += 1;
            }
        }
        for (name, value) in schema.as_object().into_iter().flatten() {
            check(value, &format!("{path}.{name}"), count);
        }
    }
    let mut count = 0;
    for manifest in parsed(Detail::Slim) {
        check(&manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "", &mut count);
    }
    assert!(count > 100, "{count}");
}
