//! What holds for every object, however wrong.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Schema, SchemaError};

/// A schema with something of everything that walks take a decision on.
fn schema() -> Schema {
    Schema::parse(&json!({
        "type": "object",
        "properties": {
            "a": {"type": "object", "default": {}, "properties": {
                "b": {"type": "integer", "default": 3, "minimum": 1},
                "c": {"type": "string", "nullable": true, "maxLength": 2},
            }},
            "b": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"], "items": {
                "type": "object", "required": ["a"],
                "properties": {"a": {"type": "string", "default": "x"}, "b": {"x-kubernetes-int-or-string": true}},
                "x-kubernetes-validations": [{"rule": "self.a != 'bad'"}],
            }},
            "c": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "number"}}},
            "d": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
                "a": {"type": "boolean", "default": true},
            }},
            "e": {"type": "object", "x-kubernetes-embedded-resource": true},
        },
        "x-kubernetes-validations": [{"rule": "!has(self.c) || self.c == oldSelf.c"}],
    }))
    .unwrap()
}

/// Any JSON, with member names that the schema may know.
fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-dx]{0,3}|bad".prop_map(Value::from),
    ];
    let name =
        prop_oneof![Just("a"), Just("b"), Just("c"), Just("d"), Just("e"), Just("metadata"), Just("é")];
    scalar.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..5).prop_map(|members| {
                Value::Object(
                    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_second_pass_changes_nothing(object in any_value()) {
        let schema = schema();
        let mut once = object;
        schema.prune(&mut once);
        schema.default(&mut once);
        let mut twice = once.clone();
        prop_assert_eq!(schema.prune(&mut twice), Vec::<String>::new());
        schema.default(&mut twice);
        prop_assert_eq!(&once, &twice);
    }

    #[test]
    fn what_did_not_change_is_tolerated(object in any_value()) {
        let schema = schema();
        let mut object = object;
        schema.prune(&mut object);
        schema.default(&mut object);
        let causes = schema.validate(&object, Some(&object));
        // Embedded resources are the one thing that the server holds against an unchanged object.
        let held: Vec<_> = causes.iter().filter(|cause| !cause.field.starts_with('e')).collect();
        prop_assert!(held.is_empty(), "{held:?}");
    }

    #[test]
    fn causes_name_places_and_come_in_the_same_order(object in any_value(), old in any_value()) {
        let schema = schema();
        let causes = schema.validate(&object, Some(&old));
        prop_assert!(causes.iter().all(|cause| !cause.message.is_empty() && cause.reason.starts_with("FieldValue")));
        prop_assert_eq!(causes, schema.validate(&object, Some(&old)));
    }
}

#[test]
fn schemas_are_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&schema());
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let said = |schema: Value| Schema::parse(&schema).unwrap_err().to_string();
    let under = |inner: Value| json!({"properties": {"spec": {"properties": {"x": inner}}}});
    assert_eq!(
        said(under(json!({"type": "text"}))),
        "schema at \"spec.x\": type \"text\" is none of object, array, string, integer, number, boolean"
    );
    assert_eq!(
        said(json!({"properties": []})),
        "schema at the root of the schema: properties must be an object"
    );
    assert!(
        said(under(json!({"pattern": "("}))).starts_with("schema at \"spec.x\": pattern \"(\" is no regular")
    );
    assert!(
        said(under(json!({"items": {"anyOf": 5}})))
            .starts_with("schema at \"spec.x.items\": anyOf must be a list")
    );
    let rule = under(json!({"x-kubernetes-validations": [{"rule": "self +"}]}));
    assert!(said(rule).starts_with("schema at \"spec.x\": rule \"self +\" does not compile: "));
    let mut deep = json!({});
    for _ in 0..120 {
        deep = json!({"items": deep});
    }
    assert!(matches!(Schema::parse(&deep), Err(SchemaError::TooDeep { .. })));
}
