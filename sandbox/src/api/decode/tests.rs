#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use serde_json::json;

fn decoded(kind: (&str, &str, &str), mut object: Value) -> (Value, Vec<String>) {
    let unknown = Type::of(kind.0, kind.1, kind.2).unwrap().decode(&mut object).unwrap();
    (object, unknown)
}

fn fault(kind: (&str, &str, &str), mut object: Value) -> String {
    Type::of(kind.0, kind.1, kind.2).unwrap().decode(&mut object).unwrap_err()
}

#[test]
fn unknown_fields_are_dropped_and_told_with_their_paths() {
    let pod = json!({
        "metadata": {"name": "a", "labels": {"any": "thing"}, "odd": 1},
        "spec": {"containers": [{"name": "c"}, {"name": "d", "odd": 2, "ports": [{"odd": {}}]}], "nodeName": ""},
    });
    let (pod, unknown) = decoded(("", "v1", "Pod"), pod);
    let paths = ["metadata.odd", "spec.containers[1].odd", "spec.containers[1].ports[0].odd"];
    assert_eq!(unknown, paths);
    let rest = json!({
        "metadata": {"name": "a", "labels": {"any": "thing"}},
        "spec": {"containers": [{"name": "c"}, {"name": "d", "ports": [{}]}]},
    });
    assert_eq!(pod, rest);
}

#[test]
fn what_is_empty_is_left_out_unless_it_says_something() {
    let data = json!({"data": {"a": ""}, "binaryData": {}, "immutable": false, "metadata": null});
    let (data, _) = decoded(("", "v1", "ConfigMap"), data);
    assert_eq!(data, json!({"data": {"a": ""}, "immutable": false}));
    let field = json!({"type": "string", "default": "", "description": ""});
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"a": field}}});
    let versions = json!([{"name": "v1", "served": true, "storage": true, "schema": schema}]);
    let definition = json!({"spec": {"versions": versions}});
    let kind = ("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let (definition, unknown) = decoded(kind, definition);
    let at = "/spec/versions/0/schema/openAPIV3Schema/properties/a";
    assert_eq!(definition.pointer(at), Some(&json!({"type": "string", "default": ""})));
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn go_says_which_field_has_the_wrong_type() {
    let set = ("apps", "v1", "ReplicaSet");
    let place =
        "json: cannot unmarshal string into Go struct field ReplicaSetSpec.spec.replicas of type int32";
    assert_eq!(fault(set, json!({"spec": {"replicas": "two"}})), place);
    let place =
        "json: cannot unmarshal number 1.5 into Go struct field ReplicaSetSpec.spec.replicas of type int32";
    assert_eq!(fault(set, json!({"spec": {"replicas": 1.5}})), place);
    let place = "json: cannot unmarshal object into Go struct field ConfigMap.data of type string";
    assert_eq!(fault(("", "v1", "ConfigMap"), json!({"data": {"a": {}}})), place);
    let secret = ("", "v1", "Secret");
    assert_eq!(fault(secret, json!({"data": {"a": "Yg="}})), "illegal base64 data at input byte 0");
    assert!(fault(secret, json!({"metadata": {"creationTimestamp": "now"}})).starts_with("parsing time"));
}

#[test]
fn every_built_in_kind_has_a_type() {
    for resource in crate::kubectl::resources::built_in() {
        let of = Type::of(&resource.group, &resource.version, &resource.kind);
        assert!(of.is_some(), "{} of {}", resource.kind, resource.api_version());
    }
}
