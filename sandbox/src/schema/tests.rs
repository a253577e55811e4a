//! The vectors are what a Kubernetes 1.35 API server answered to writes of custom resources (dry run): what it warned
//! of, stored and refused.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Cause, Schema};

const VECTORS: &str = include_str!("vectors.jsonl");

fn vectors() -> (BTreeMap<String, Schema>, Vec<Value>) {
    let mut schemas = BTreeMap::new();
    let mut cases = Vec::new();
    for line in VECTORS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
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
    let (schemas, cases) = vectors();
    let mut wrong = Vec::new();
    for case in &cases {
        let found = differences(&schemas[case["schema"].as_str().unwrap()], case);
        wrong.extend(found.into_iter().map(|what| format!("{}: {what}", case["case"])));
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= 600, "{} vectors", cases.len());
}
