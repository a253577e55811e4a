//! The vectors are what a Kubernetes 1.35 API server answered to writes of custom resources (dry run): what it warned
//! of, stored and refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Cause, Schema, summary};

const VECTORS: &str = include_str!("vectors.jsonl");

/// Rows of the manifests that the project ships, by `folder/plural`.
const MANIFESTS: &str = include_str!("manifests.jsonl");

/// Rules of all kinds, each with an object for which it holds and one for which it fails.
const LANGUAGE: &str = include_str!("language.jsonl");

fn vectors(text: &str) -> (BTreeMap<String, Schema>, Vec<Value>) {
    let mut schemas = BTreeMap::new();
    let mut cases = Vec::new();
    for line in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        match line.get("openAPIV3Schema") {
            Some(schema) => {
                let name = line["schema"].as_str().unwrap().to_owned();
                schemas.insert(name, Schema::parse(schema).unwrap());
            }
            None => cases.push(line),
        }
    }
    (schemas, cases)
}

/// Equal but for how numbers are written: the server writes 5.0 as 5.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => ours == theirs || ours.as_f64() == theirs.as_f64(),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(name, ours)| theirs.get(name).is_some_and(|theirs| same(ours, theirs)))
        }
        _ => ours == theirs,
    }
}

/// The schema of the one version of a CustomResourceDefinition.
fn schema_of(manifest: &str) -> Schema {
    let text = std::fs::read_to_string(manifest).unwrap();
    let manifest: Value = serde_saphyr::from_str(&text).unwrap();
    let version = &manifest["spec"]["versions"][0];
    let schema = Schema::parse(&version["schema"]["openAPIV3Schema"]).unwrap();
    match version.pointer("/subresources/scale") {
        Some(scale) => schema.scaled(scale),
        None => schema,
    }
}

fn sorted_causes(causes: &[Cause]) -> Vec<(String, String, String)> {
    let mut sorted: Vec<_> = causes
        .iter()
        .map(|cause| (cause.field.clone(), cause.reason.to_owned(), cause.message.clone()))
        .collect();
    sorted.sort();
    sorted
}

fn expected_causes(case: &Value) -> Vec<(String, String, String)> {
    let text = |cause: &Value, name: &str| cause[name].as_str().unwrap_or_default().to_owned();
    let causes = case["causes"].as_array().into_iter().flatten();
    let mut sorted: Vec<_> =
        causes.map(|cause| (text(cause, "field"), text(cause, "reason"), text(cause, "message"))).collect();
    sorted.sort();
    sorted
}

fn differences(schema: &Schema, case: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut object = case["object"].clone();
    let mut unknown = schema.prune(&mut object);
    schema.default(&mut object);
    let causes = schema.validate(&object, case.get("old"));
    if sorted_causes(&causes) != expected_causes(case) {
        wrong.push(format!(
            "causes\n  ours   {:?}\n  server {:?}",
            sorted_causes(&causes),
            expected_causes(case)
        ));
    }
    if let (Some(message), [cause]) = (case["message"].as_str(), causes.as_slice())
        && summary(&causes) != *message
        && !message.starts_with(case["object"]["kind"].as_str().unwrap())
    {
        wrong.push(format!("message\n  ours   {cause}\n  server {message}"));
    }
    unknown.sort();
    let warned: Vec<&str> =
        case["unknown"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if unknown != warned {
        wrong.push(format!("unknown\n  ours   {unknown:?}\n  server {warned:?}"));
    }
    if let Some(result) = case.get("result") {
        let fields = object.as_object_mut().unwrap();
        for name in ["apiVersion", "kind", "metadata"] {
            fields.remove(name);
        }
        if !same(&object, result) {
            wrong.push(format!("result\n  ours   {object}\n  server {result}"));
        }
    }
    wrong
}

#[test]
fn agrees_with_the_api_server() {
    let (schemas, cases) = vectors(VECTORS);
    let mut wrong = Vec::new();
    for case in &cases {
        let found = differences(&schemas[case["schema"].as_str().unwrap()], case);
        wrong.extend(found.into_iter().map(|what| format!("{}: {what}", case["case"])));
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= 700, "{} vectors", cases.len());
}

#[test]
fn agrees_with_the_api_server_about_the_shipped_manifests() {
    let mut schemas = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in MANIFESTS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let name = line["schema"].as_str().unwrap().to_owned();
        if line.get("case").is_none() {
            let path = format!("{}/../crds/manifests/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
            schemas.insert(name, schema_of(&path));
            continue;
        }
        count += 1;
        let found = differences(&schemas[&name], &line);
        wrong.extend(found.into_iter().map(|what| format!("{}: {what}", line["case"])));
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 200, "{count} rows");
}

/// Recorded answers of the API server to Rollouts, under the manifests of Argo Rollouts.
#[test]
fn agrees_with_recorded_verdicts() {
    let Ok(folder) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("did not run: STEPGATE_PEER_DIR is not set");
        return;
    };
    let schema = schema_of(&format!("{folder}/crds/rollout-crd.yaml"));
    let rows = std::fs::read_to_string(format!("{folder}/verdicts/validation.jsonl")).unwrap();
    let mut wrong = Vec::new();
    let mut refusals = 0;
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let mut object = row["manifest"].clone();
        schema.prune(&mut object);
        schema.default(&mut object);
        let mut causes = schema.validate(&object, None);
        causes.sort();
        let verdict = row["apiServer"].as_str().unwrap();
        let agree = match verdict.split_once(" is invalid: ") {
            None => causes.is_empty() == (verdict == "accepted"),
            Some((_, refusal)) => {
                refusals += 1;
                // The server walks in no order: each of our sentences must be in its, and nothing else.
                let length: usize = causes.iter().map(|cause| cause.to_string().len() + ", ".len()).sum();
                let brackets = if causes.len() == 1 { 0 } else { 2 };
                causes.iter().all(|cause| refusal.contains(&cause.to_string()))
                    && refusal.len() + ", ".len() == length + brackets
            }
        };
        if !agree {
            wrong.push(format!("{}\n  ours   {}\n  server {verdict}", row["case"], summary(&causes)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refusals > 10, "{refusals} refusals");
}

/// Rules that the evaluator cannot evaluate, or whose failure it words otherwise, and why.
const KNOWN_DIFFERENCES: [(&str, &str); 6] = [
    ("rule-54-", "sets are compared in order"),
    ("rule-78-", "format.named() gives the format itself where the language gives an optional"),
    ("rule-87-", "no comprehensions over two variables"),
    ("rule-88-", "no comprehensions over two variables"),
    ("rule-89-", "no sortBy"),
    ("rule-102-", "another sentence for an index out of range"),
];

#[test]
fn agrees_with_the_api_server_about_rules() {
    let (schemas, cases) = vectors(LANGUAGE);
    let (mut wrong, mut differ) = (Vec::new(), BTreeSet::new());
    for case in &cases {
        let name = case["case"].as_str().unwrap();
        let found = differences(&schemas[case["schema"].as_str().unwrap()], case);
        match KNOWN_DIFFERENCES.iter().find(|(known, _)| name.starts_with(known)) {
            Some((known, why)) if !found.is_empty() => {
                // Never the dangerous way: what the server refuses is refused.
                let refuses = found.iter().all(|what| !what.contains("ours   []"));
                assert!(refuses, "{name} ({why}): {found:?}");
                differ.insert(known);
            }
            _ => wrong.extend(found.into_iter().map(|what| format!("{name}: {what}"))),
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(differ.len(), KNOWN_DIFFERENCES.len(), "a known difference is gone: take it off the list");
    assert!(cases.len() >= 200, "{} rows", cases.len());
}
