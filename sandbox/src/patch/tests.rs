//! The vectors are what a Kubernetes 1.35 API server answered to each patch (dry run), without the members that it
//! makes up (uid, resourceVersion, generation, creationTimestamp, managedFields).

use serde_json::{Value, json};

use super::{MAX_JSON_PATCH_OPERATIONS, PatchError, keys, merge, merge_body, strategic, strategic_body};

const VECTORS: &str = include_str!("vectors.jsonl");

fn apply(vector: &Value, target: &Value) -> Result<Value, PatchError> {
    let body = serde_json::to_vec(&vector["patch"]).unwrap();
    match vector["type"].as_str().unwrap() {
        "strategic" => {
            let kind = vector["kind"].as_str().unwrap();
            strategic(target, &strategic_body(&body)?, kind)
        }
        "merge" => {
            let mut patched = target.clone();
            merge(&mut patched, &merge_body(&body)?);
            Ok(patched)
        }
        "json" => super::json(target, &body),
        other => panic!("unknown type {other}"),
    }
}

/// What decoding into the server's types does to a result of built-in kinds: null and empty members go.
fn decoded(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), decoded(value)))
                .filter(|(name, value)| {
                    let empty = value.as_object().is_some_and(serde_json::Map::is_empty)
                        || value.as_array().is_some_and(Vec::is_empty);
                    // These are meaningful when empty.
                    !value.is_null()
                        && (!empty
                            || ["emptyDir", "resources", "lastState", "strategy"].contains(&name.as_str()))
                })
                .collect(),
        ),
        Value::Array(elements) => Value::Array(elements.iter().map(decoded).collect()),
        scalar => scalar.clone(),
    }
}

/// Applies the recorded difference: null removes, `{"$null": 1}` sets null, objects are walked, the rest is set.
fn change(object: &Value, changed: &Value) -> Value {
    let mut object = object.as_object().cloned().unwrap_or_default();
    for (name, value) in changed.as_object().unwrap() {
        match value {
            Value::Null => drop(object.remove(name)),
            Value::Object(null) if null.contains_key("$null") => {
                drop(object.insert(name.clone(), Value::Null))
            }
            Value::Object(_) if object.get(name).is_some_and(Value::is_object) => {
                let inner = change(&object[name], value);
                object.insert(name.clone(), inner);
            }
            other => drop(object.insert(name.clone(), other.clone())),
        }
    }
    Value::Object(object)
}

/// How our answer differs from the server's, if it does.
fn difference(vector: &Value, object: &Value) -> Option<String> {
    let code = vector["code"].as_u64().unwrap();
    match apply(vector, object) {
        Ok(patched) if code == 200 => {
            let expected = change(object, &vector["changed"]);
            let custom = object["apiVersion"] == "vectors.example/v1";
            let same = if custom { patched == expected } else { decoded(&patched) == decoded(&expected) };
            (!same).then(|| format!("ours   {patched}\n  server {expected}"))
        }
        Ok(patched) => Some(format!("ours   {patched}\n  server {code} {}", vector["message"])),
        Err(error) => {
            let ours = (u64::from(error.code()), error.reason().to_owned(), error.to_string());
            let text = |name: &str| vector[name].as_str().unwrap_or_default().to_owned();
            let server = (code, text("reason"), text("message"));
            (ours != server).then(|| format!("ours   {ours:?}\n  server {server:?}"))
        }
    }
}

#[test]
fn agrees_with_the_api_server() {
    let lines: Vec<Value> = VECTORS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let base = |name: &Value| &lines.iter().find(|line| &line["base"] == name).unwrap()["object"];
    let vectors: Vec<&Value> = lines.iter().filter(|line| line.get("case").is_some()).collect();
    let wrong: Vec<String> = vectors
        .iter()
        .filter_map(|vector| {
            Some(format!("{}:\n  {}", vector["case"], difference(vector, base(&vector["of"]))?))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
    assert!(vectors.len() >= 280, "{} vectors", vectors.len());
}

#[test]
fn bounds_the_operations_of_a_json_patch() {
    let operation = json!({"op": "test", "path": "/a", "value": 1});
    let body = |count| serde_json::to_vec(&vec![operation.clone(); count]).unwrap();
    assert!(super::json(&json!({"a": 1}), &body(MAX_JSON_PATCH_OPERATIONS)).is_ok());
    let error = super::json(&json!({"a": 1}), &body(MAX_JSON_PATCH_OPERATIONS + 1)).unwrap_err();
    assert_eq!((error.code(), error.reason()), (413, "RequestEntityTooLarge"));
    assert_eq!(
        error.to_string(),
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
    );
}

#[test]
fn tells_a_body_that_ends_too_early() {
    let texts = [
        merge_body(b"{").unwrap_err().to_string(),
        strategic_body(b"{").unwrap_err().to_string(),
        super::json(&Value::Null, b"{").unwrap_err().to_string(),
    ];
    let early = "error decoding patch: unexpected end of JSON input";
    assert_eq!(texts, [early, "unexpected end of JSON input", early]);
}

#[test]
fn says_which_operation_does_not_fit() {
    let patch = br#"[{"op":"test","path":"/a","value":1},{"op":"remove","path":"/b"}]"#;
    let PatchError::Unprocessable { detail } = super::json(&json!({"a": 1}), patch).unwrap_err() else {
        panic!("not a 422");
    };
    assert_eq!(detail, "operation 1 (remove /b): `path` is missing or names nothing in this object");
}

mod table {
    use super::*;

    #[test]
    fn knows_the_kinds_that_take_strategic_patches() {
        for kind in
            ["v1/Pod", "apps/v1/Deployment", "batch/v1/Job", "policy/v1/PodDisruptionBudget", "v1/Event"]
        {
            assert!(keys::has_kind(kind), "{kind}");
        }
        for kind in ["argoproj.io/v1alpha1/Rollout", "v1/PodList", "v1/Status", "apps/v1/Pod"] {
            assert!(!keys::has_kind(kind), "{kind}");
        }
    }

    #[test]
    fn is_made_of_lines_that_are_read() {
        let text = include_str!("../../data/patch-keys.txt");
        let types: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("type ")).collect();
        let mut sorted = types.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(types.len(), sorted.len(), "short names of types must be unique");
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split(' ').collect();
            let known = |name: &str| name == "-" || types.contains(&name.trim_start_matches('*'));
            let read = match words.as_slice() {
                ["type", _] => true,
                ["kind", _, name] => known(name),
                [_, strategy, _, below] => {
                    let known_strategy =
                        ["-", "merge", "replace", "retainKeys", "merge,retainKeys"].contains(strategy);
                    known_strategy && known(below)
                }
                _ => false,
            };
            assert!(read, "{line}");
        }
    }

    #[test]
    fn comes_from_openapi_documents_in_any_order() {
        let reference = |name: &str| json!({"allOf": [{"$ref": format!("#/components/schemas/{name}")}]});
        let meta = json!({"components": {"schemas": {
            "io.k8s.meta.v1.ObjectMeta": {"properties": {
                "finalizers": {"type": "array", "items": {"type": "string"}, "x-kubernetes-patch-strategy": "merge"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            }},
        }}});
        let toys = json!({"components": {"schemas": {
            "io.k8s.toys.v1.Toy": {
                "x-kubernetes-group-version-kind": [{"group": "toys", "version": "v1", "kind": "Toy"}],
                "properties": {
                    "metadata": reference("io.k8s.meta.v1.ObjectMeta"),
                    "parts": {"type": "array", "items": reference("io.k8s.toys.v1.Part"),
                        "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name"},
                    "byName": {"type": "object", "additionalProperties": reference("io.k8s.toys.v1.Part")},
                    "spares": {"type": "array", "items": reference("io.k8s.toys.v1.Part")},
                },
            },
            "io.k8s.toys.v1.Part": {"properties": {
                "screws": {"type": "array", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "size"},
            }},
            "io.k8s.toys.v1.Plain": {"properties": {"text": {"type": "string"}}},
        }}});
        let table = keys::from_openapi(&[meta.clone(), toys.clone()]);
        assert_eq!(table, keys::from_openapi(&[toys, meta]));
        let expected = [
            "kind toys/v1/Toy toys.v1.Toy",
            "type meta.v1.ObjectMeta",
            "finalizers merge - -",
            "type toys.v1.Part",
            "screws merge size -",
            "type toys.v1.Toy",
            "byName - - *toys.v1.Part",
            "metadata - - meta.v1.ObjectMeta",
            "parts merge name toys.v1.Part",
        ];
        assert_eq!(table.lines().skip(1).collect::<Vec<_>>(), expected);
    }
}

mod properties {
    use super::*;
    use crate::patch::strategic;
    use proptest::prelude::*;

    /// Any JSON, with the names that pod templates, patches and directives have.
    fn any_value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            (0_i64..4).prop_map(Value::from),
            prop_oneof![Just("a"), Just("b"), Just("delete"), Just("replace"), Just("name")]
                .prop_map(Value::from),
        ];
        let name = prop_oneof![
            Just("name"),
            Just("metadata"),
            Just("spec"),
            Just("template"),
            Just("containers"),
            Just("finalizers"),
            Just("env"),
            Just("$patch"),
            Just("$retainKeys"),
            Just("$setElementOrder/containers"),
            Just("$deleteFromPrimitiveList/finalizers"),
        ];
        scalar.prop_recursive(6, 60, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..4).prop_map(|members| {
                    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
                }),
            ]
        })
    }

    fn holds_directive(value: &Value) -> bool {
        match value {
            Value::Object(fields) => {
                fields.iter().any(|(name, value)| name.starts_with('$') || holds_directive(value))
            }
            Value::Array(elements) => elements.iter().any(holds_directive),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn no_directive_is_ever_stored(target in any_value(), patch in any_value()) {
            prop_assume!(!holds_directive(&target));
            if let Ok(patched) = strategic(&target, &patch, "apps/v1/Deployment") {
                prop_assert!(!holds_directive(&patched), "{patched}");
            }
        }

        #[test]
        fn an_empty_patch_changes_nothing(target in any_value()) {
            let object = json!({"metadata": target});
            prop_assert_eq!(&strategic(&object, &json!({}), "v1/Pod").unwrap(), &object);
            prop_assert_eq!(&crate::patch::json(&object, b"[]").unwrap(), &object);
            let mut merged = object.clone();
            merge(&mut merged, &json!({}));
            prop_assert_eq!(merged, object);
        }

        #[test]
        fn merging_twice_is_merging_once(target in any_value(), patch in any_value()) {
            let mut once = target;
            merge(&mut once, &patch);
            let mut twice = once.clone();
            merge(&mut twice, &patch);
            prop_assert_eq!(once, twice);
        }
    }
}
