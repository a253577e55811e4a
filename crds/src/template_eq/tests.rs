//! Templates before and after the API server's defaults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::PodTemplateMetadata;
use serde_json::json;
use std::collections::BTreeMap;

/// Templates beside what the API server makes of them; printed by `crds/data/godefaults`.
const VECTORS: &str = include_str!("../../data/default-vectors.jsonl");

fn same(have: &Value, want: &Value) -> bool {
    equal_ignoring_injected(&PodTemplate(have.clone()), &PodTemplate(want.clone()))
}

fn vectors() -> Vec<(Value, Value)> {
    let parse = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
    VECTORS.lines().map(parse).map(|v| (v["defaulted"].clone(), v["written"].clone())).collect()
}

fn pod(container: &Value) -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}})
}

#[test]
fn a_defaulted_template_equals_the_written_one() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 14);
    for (defaulted, written) in &vectors {
        assert!(same(defaulted, written), "{written}");
        assert!(same(written, defaulted), "both sides are given defaults: {written}");
    }
}

#[test]
fn fingerprints_are_equal_where_templates_are() {
    let print = |value: &Value| fingerprint(&PodTemplate(value.clone()));
    let vectors = vectors();
    for (i, (defaulted, _)) in vectors.iter().enumerate() {
        for (j, (_, written)) in vectors.iter().enumerate() {
            assert_eq!(print(defaulted) == print(written), i == j, "{i} {j} {written}");
        }
    }
    assert!(print(&vectors[0].0).starts_with(FINGERPRINT_PREFIX));
}

#[test]
fn no_two_vectors_are_equal() {
    let vectors = vectors();
    for (i, (defaulted, _)) in vectors.iter().enumerate() {
        for (j, (_, written)) in vectors.iter().enumerate() {
            assert_eq!(same(defaulted, written), i == j, "{i} {j}");
        }
    }
}

/// Changes every value of a defaulted template in turn: each change must be seen.
#[test]
fn any_other_difference_is_seen() {
    for (defaulted, written) in vectors() {
        let mut paths = Vec::new();
        leaves(&defaulted, String::new(), &mut paths);
        assert!(paths.len() > 5, "{written}");
        // The deprecated twin does not count; the twin that does is changed beside it.
        for path in paths.iter().filter(|path| path.as_str() != "/spec/serviceAccount") {
            let mut changed = defaulted.clone();
            let leaf = changed.pointer_mut(path).unwrap();
            *leaf = match &*leaf {
                Value::String(text) if crate::quantity::Quantity::parse(text).is_some() => json!("77"),
                Value::String(text) => json!(format!("{text}x")),
                Value::Bool(flag) => json!(!flag),
                _ => json!(77),
            };
            assert!(!same(&changed, &written), "{path} of {written}");
        }
    }
}

fn leaves(value: &Value, path: String, out: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                leaves(value, format!("{path}/{}", key.replace('/', "~1")), out);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                leaves(value, format!("{path}/{index}"), out);
            }
        }
        _ => out.push(path),
    }
}

#[test]
fn quantities_are_compared_by_value() {
    let with =
        |cpu: Value| pod(&json!({"name": "a", "image": "x:1", "resources": {"requests": {"cpu": cpu}}}));
    assert!(same(&with(json!("1")), &with(json!("1000m"))));
    assert!(same(&with(json!("1")), &with(json!(1))));
    assert!(same(&with(json!("1m")), &with(json!("100u"))), "resources are rounded up to thousandths");
    assert!(!same(&with(json!("1")), &with(json!("1001m"))));
}

#[test]
fn the_hash_label_and_injected_affinity_do_not_count() {
    let want = pod(&json!({"name": "a", "image": "x:1"}));
    let mut have = want.clone();
    have["metadata"]["labels"]["rollouts-pod-template-hash"] = json!("abc");
    let term = json!({"topologyKey": "kubernetes.io/hostname", "namespaces": ["default"], "labelSelector":
        {"matchExpressions": [{"key": "rollouts-pod-template-hash", "operator": "In", "values": ["def"]}]}});
    have["spec"]["affinity"] =
        json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term.clone()]}});
    assert!(same(&have, &want));
    have["spec"]["affinity"] = json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution":
        [{"weight": 5, "podAffinityTerm": term}]}});
    assert!(same(&have, &want));
    have["metadata"]["labels"]["other"] = json!("abc");
    assert!(!same(&have, &want));
}

#[test]
fn metadata_of_the_strategy_is_taken_off() {
    let want = pod(&json!({"name": "a", "image": "x:1"}));
    let mut have = want.clone();
    have["metadata"]["labels"]["role"] = json!("canary");
    have["metadata"]["labels"]["tier"] = json!("changed since");
    let injected = PodTemplateMetadata {
        labels: Some(BTreeMap::from([
            ("role".to_owned(), "canary".to_owned()),
            ("tier".to_owned(), "front".to_owned()),
        ])),
        annotations: Some(BTreeMap::new()),
    };
    let stripped = without_metadata(&PodTemplate(have), &injected);
    assert_eq!(stripped.labels().keys().collect::<Vec<_>>(), ["app", "tier"]);
}

#[test]
fn unknown_fields_count_only_when_the_rollout_sets_them() {
    let plain = pod(&json!({"name": "a", "image": "x:1"}));
    let later = pod(&json!({"name": "a", "image": "x:1", "fieldOfALaterVersion": {"x": 1}}));
    assert!(same(&later, &plain), "a default of a newer API server");
    assert!(!same(&plain, &later));
    assert!(same(&later, &later));
}

#[test]
fn host_ports_and_requests_may_be_filled_by_either_side() {
    let want = json!({"spec": {"hostNetwork": true, "containers": [{"name": "a", "image": "x:1",
        "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1"}}}]}});
    let mut have = want.clone();
    have["spec"]["containers"][0]["ports"][0]["hostPort"] = json!(80);
    have["spec"]["containers"][0]["resources"]["requests"] = json!({"cpu": "1"});
    assert!(same(&have, &want));
    have["spec"]["containers"][0]["ports"][0]["hostPort"] = json!(81);
    assert!(!same(&have, &want));
}
