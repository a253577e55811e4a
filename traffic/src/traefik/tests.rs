#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::laws;
use planner::traffic::Share;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

fn router() -> Box<dyn Router> {
    let rollout = serde_json::from_value(json!({
        "metadata": {"name": "demo", "namespace": "shop"},
        "spec": {"strategy": {"canary": {"canaryService": "canary", "stableService": "stable",
            "trafficRouting": {"traefik": {"weightedTraefikServiceName": "split"}}}}},
    }));
    crate::routers(&rollout.unwrap(), &|_| Vec::new()).pop().expect("a router")
}

fn objects(object: Value) -> Objects {
    let reference = router().references().pop().unwrap();
    Objects([(reference, Arc::new(object))].into_iter().collect())
}

fn service(entries: &Value) -> Objects {
    objects(json!({"metadata": {"name": "split", "labels": {"a": "b"}}, "spec": {"weighted": {
        "services": entries, "sticky": {"cookie": {"name": "lb"}},
    }}}))
}

fn intent(canary: i32, stable: i32) -> Intent {
    let share = |service: &str, weight| Share { service: service.to_owned(), hash: String::new(), weight };
    Intent {
        total: canary + stable,
        canary: share("canary", canary),
        stable: share("stable", stable),
        ..Intent::default()
    }
}

/// The object that is written; `None` when nothing is.
fn edited(objects: &Objects, intent: &Intent) -> Option<Value> {
    let mut edits = router().edit(objects, intent).expect("it can be edited");
    assert!(edits.len() <= 1);
    edits.pop().map(|edit| edit.to)
}

fn problem(objects: &Objects) -> String {
    let problem = router().observe(objects).expect_err("a problem");
    assert_eq!(router().edit(objects, &intent(0, 100)), Err(problem.clone()), "both say the same");
    problem.to_string()
}

#[test]
fn only_weights_of_our_entries_are_written() {
    let before = service(&json!([
        {"name": "stable", "port": 80, "kind": "Service", "passHostHeader": true},
        {"name": "canary", "port": 80, "weight": 1},
    ]));
    let after = edited(&before, &intent(20, 80)).unwrap();
    let expected = service(&json!([
        {"name": "stable", "port": 80, "kind": "Service", "passHostHeader": true, "weight": 80},
        {"name": "canary", "port": 80, "weight": 20},
    ]));
    assert_eq!(&after, expected.get(&router().references()[0]).unwrap());
    assert_eq!(router().references()[0].kind.group, "traefik.io");
}

#[test]
fn entries_without_weights_split_in_halves() {
    let fresh = service(&json!([{"name": "stable"}, {"name": "canary", "weight": null}]));
    assert_eq!(router().observe(&fresh).unwrap().canary(100), 50);
    assert_eq!(edited(&fresh, &intent(50, 50)), None, "it is so already");
    let after = edited(&fresh, &intent(0, 100)).unwrap();
    assert_eq!(after["spec"]["weighted"]["services"][0]["weight"], 100);
    assert_eq!(after["spec"]["weighted"]["services"][1]["weight"], 0);
}

#[test]
fn proportions_are_enough_unless_others_share_the_traffic() {
    let ours = json!([{"name": "stable", "weight": 3}, {"name": "canary", "weight": 1}]);
    assert_eq!(edited(&service(&ours), &intent(25, 75)), None);
    let other = json!({"name": "other", "weight": 4});
    let shared = json!([{"name": "stable", "weight": 3}, other, {"name": "canary", "weight": 1}]);
    let after = edited(&service(&shared), &intent(25, 75)).expect("the other entry had half of everything");
    let expected = json!([{"name": "stable", "weight": 75}, other, {"name": "canary", "weight": 25}]);
    assert_eq!(after["spec"]["weighted"]["services"], expected);
    assert_eq!(edited(&service(&expected), &intent(25, 75)), None);
}

#[test]
fn the_whole_may_be_other_than_100() {
    let fresh = service(&json!([{"name": "stable"}, {"name": "canary"}]));
    let after = edited(&fresh, &intent(500, 500 - 1)).unwrap();
    assert_eq!(after["spec"]["weighted"]["services"][0]["weight"], 499);
}

#[test]
fn problems_say_what_is_wrong() {
    assert_eq!(problem(&Objects::default()), "TraefikService \"split\" not found in namespace \"shop\"");
    assert_eq!(
        problem(&objects(json!({"spec": {"mirroring": {"name": "stable"}}}))),
        "TraefikService \"split\": it has no spec.weighted.services: list \"stable\" and \"canary\" there"
    );
    assert_eq!(
        problem(&service(&json!([{"name": "stable"}, {"name": "Canary"}, 7]))),
        "TraefikService \"split\": spec.weighted.services has no entry named \"canary\": add one for that Service"
    );
    assert_eq!(
        problem(&service(
            &json!([{"name": "stable", "port": 1}, {"name": "canary"}, {"name": "stable", "port": 2}])
        )),
        "TraefikService \"split\": spec.weighted.services has several entries named \"stable\": leave one, its weight \
         is to be its share"
    );
    assert_eq!(
        problem(&service(&json!([{"name": "stable", "weight": "9"}, {"name": "canary"}]))),
        "TraefikService \"split\": spec.weighted.services[0].weight of \"stable\" is not a whole number"
    );
}

#[test]
fn a_rollout_that_names_nothing_has_no_object_to_read() {
    let rollout = serde_json::from_value(json!({
        "spec": {"strategy": {"canary": {"trafficRouting": {"traefik": {"weightedTraefikServiceName": ""}}}}},
    }));
    let router =
        of(&rollout.unwrap(), &Services { canary: "canary".to_owned(), stable: "stable".to_owned() })
            .pop()
            .unwrap();
    assert_eq!(router.references(), Vec::new());
    assert!(matches!(router.observe(&Objects::default()), Err(Problem::Rollout(_))));
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec!["spec", "weighted", "services", "name", "weight", "port"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec!["canary", "stable", "x"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 30, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}

/// An entry of a name, with or without a weight and fields that are not ours.
fn entry(name: &'static str) -> impl Strategy<Value = Value> {
    let weight = prop_oneof![Just(None), (-1_i64..5).prop_map(Some), (0_i64..=1000).prop_map(Some)];
    (weight, any_json()).prop_map(move |(weight, foreign)| {
        let mut entry = json!({"name": name, "port": foreign});
        if let Some(weight) = weight {
            entry["weight"] = json!(weight);
        }
        entry
    })
}

/// The object without what is ours: weights of our entries.
fn foreign(object: &Value) -> Value {
    let mut object = object.clone();
    for entry in object["spec"]["weighted"]["services"].as_array_mut().unwrap() {
        if entry["name"] == "canary" || entry["name"] == "stable" {
            entry.as_object_mut().unwrap().remove("weight");
        }
    }
    object
}

/// A weight; its ends are tried often.
fn weight(total: i32) -> impl Strategy<Value = i32> {
    prop_oneof![Just(0), Just(total), 0..=total]
}

proptest! {
    #[test]
    fn the_laws_hold(
        entries in (entry("canary"), entry("stable"), prop::collection::vec(entry("other"), 0..3)),
        order in any::<prop::sample::Index>(),
        (sticky, metadata) in (any_json(), any_json()),
        (weight, total) in prop::sample::select(vec![100, 1000]).prop_flat_map(|total| (weight(total), Just(total))),
    ) {
        let (canary, stable, mut all) = entries;
        all.insert(order.index(all.len() + 1), canary);
        all.insert(order.index(all.len() + 1), stable);
        let object = json!({
            "metadata": metadata, "status": {}, "spec": {"weighted": {"services": all, "sticky": sticky}},
        });
        laws::hold(router().as_ref(), &objects(object), &intent(weight, total - weight), foreign);
    }

    #[test]
    fn no_object_breaks_it(entries in any_json(), whole in any_json(), weight in 0..=100) {
        for objects in [service(&entries), objects(whole.clone())] {
            let observed = router().observe(&objects);
            let edits = router().edit(&objects, &intent(weight, 100 - weight));
            prop_assert_eq!(observed.err(), edits.err());
        }
    }
}
