//! Hashes against values that Go's own encoder and Argo Rollouts gave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use serde_json::{Value, json};

/// Templates with the hash of their typed JSON; printed by `crds/data/gotypes`.
const VECTORS: &str = include_str!("../../data/hash-vectors.jsonl");

/// Steps with the hash that Argo Rollouts' own types give; printed by `crds/data/gosteps`.
const STEP_VECTORS: &str = include_str!("../../data/step-vectors.jsonl");

fn template(value: Value) -> PodTemplate {
    PodTemplate(value)
}

fn steps(value: Value) -> String {
    let steps: Vec<CanaryStep> = serde_json::from_value(value).unwrap();
    step_hash(Some(&steps))
}

#[test]
fn templates_of_argo_rollouts() {
    let container = |name: &str| {
        json!({"name": name, "image": "nginx:1.19-alpine",
            "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
            "resources": {"requests": {"memory": "16Mi", "cpu": "5m"}}})
    };
    let plain = json!({
        "spec": {"containers": [container("canary-scaledowndelay")]},
        "metadata": {"labels": {"app": "canary-scaledowndelay"}},
    });
    assert_eq!(pod_template_hash(&template(plain), None), "674d8cf959");
    let gated = json!({
        "metadata": {"labels": {"app": "dynamic-stable-scale"}},
        "spec": {"readinessGates": [{"conditionType": "argoproj.io/e2e-readiness"}],
            "containers": [container("dynamic-stable-scale")]},
    });
    assert_eq!(pod_template_hash(&template(gated), None), "6b56c8cdb4");
}

#[test]
fn steps_of_argo_rollouts() {
    assert_eq!(step_hash(None), "5ffbfbbd64");
    assert_eq!(steps(json!([{"setWeight": 10}])), "54b5fccf74");
    assert_eq!(steps(json!([{"setWeight": 50}, {"pause": {}}])), "757f5f97b");
}

#[test]
fn every_vector_of_argo_rollouts_steps() {
    let vectors: Vec<Value> = STEP_VECTORS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(vectors.len(), 40);
    for vector in vectors {
        assert_eq!(steps(vector["steps"].clone()), vector["hash"].as_str().unwrap(), "{}", vector["steps"]);
    }
}

#[test]
fn steps_are_written_as_go_structs() {
    let value = json!([
        {"experiment": {"templates": [{"name": "c", "specRef": "canary"}], "duration": "1m"}},
        {"analysis": {"templates": [{"templateName": "t"}]}, "setCanaryScale": {"matchTrafficWeight": false}},
        {"plugin": {"name": "p", "config": {"b": 1, "a": "<"}}},
    ]);
    let mut out = String::new();
    encode(Some(&value), &Kind::Slice(Box::new(Kind::Struct("CanaryStep"))), &mut out);
    let expected = concat!(
        r#"[{"experiment":{"templates":[{"name":"c","specRef":"canary","metadata":{}}],"duration":"1m","#,
        r#""analysisRunMetadata":{}}},{"analysis":{"templates":[{"templateName":"t"}]},"setCanaryScale":{}},"#,
        r#"{"plugin":{"name":"p","config":{"a":"\u003c","b":1}}}]"#
    );
    assert_eq!(out, expected);
}

#[test]
fn every_vector_of_the_go_encoder() {
    let mut count = 0;
    for line in VECTORS.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let template = template(vector["template"].clone());
        let collisions = vector.get("collisions").map(|n| i32::try_from(n.as_i64().unwrap()).unwrap());
        let json = pod_template_json(&template);
        assert_eq!(Some(json.len() as u64), vector["bytes"].as_u64(), "vector {count}: {json}");
        assert_eq!(pod_template_hash(&template, collisions), vector["hash"].as_str().unwrap(), "{json}");
        count += 1;
    }
    assert_eq!(count, 64);
}

#[test]
fn what_the_typed_struct_does_not_have_does_not_count() {
    let base = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x"}]}});
    let same = json!({
        "metadata": {"labels": {"a": "b"}, "annotations": null, "creationTimestamp": null},
        "spec": {"volumes": [], "hostNetwork": false, "later": 1,
            "containers": [{"name": "x", "image": "", "resources": {"limits": null}}]},
    });
    assert_eq!(
        pod_template_json(&template(base.clone())),
        r#"{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"x","resources":{}}]}}"#
    );
    assert_eq!(pod_template_hash(&template(base.clone()), None), pod_template_hash(&template(same), None));
    assert_ne!(pod_template_hash(&template(base.clone()), None), pod_template_hash(&template(base), Some(0)));
}

#[test]
fn a_value_of_a_wrong_type_still_gives_a_hash() {
    let odd = json!({"spec": {"containers": "none", "hostNetwork": "yes", "nodeSelector": [1]}});
    assert_eq!(
        pod_template_json(&template(odd)),
        r#"{"metadata":{},"spec":{"containers":"none","nodeSelector":[1],"hostNetwork":"yes"}}"#
    );
    assert_eq!(pod_template_json(&PodTemplate::default()), r#"{"metadata":{},"spec":{"containers":null}}"#);
}

#[test]
fn every_struct_that_the_table_names_is_in_it() {
    fn named(kind: &Kind) -> Option<&'static str> {
        match kind {
            Kind::Pointer(inner) | Kind::Slice(inner) | Kind::Map(inner) => named(inner),
            Kind::Struct(name) => Some(name),
            _ => None,
        }
    }
    for (owner, fields) in table::all() {
        for field in fields {
            let Some(name) = named(&field.kind) else { continue };
            let known = table::all().any(|(other, _)| other == name);
            assert!(known, "{owner}.{} is a {name}, which the table does not have", field.name);
        }
    }
}
