//! Splitting between the subsets of a `DestinationRule`.

use super::{after, intent, objects, reference, router, rule_reference, share};
use crate::{Objects, Reference, Router};
use planner::traffic::Intent;
use serde_json::{Value, json};

const HASH: &str = "rollouts-pod-template-hash";

pub(super) fn by_subset() -> Box<dyn Router> {
    let rule = json!({"name": "rule", "canarySubsetName": "canary-pods", "stableSubsetName": "stable-pods",
        "additionalSubsetNames": ["kept"]});
    router(&json!({"virtualService": {"name": "web"}, "destinationRule": rule}), &json!({}))
}

fn to(subset: &str, weight: i64) -> Value {
    json!({"destination": {"host": "web", "subset": subset}, "weight": weight})
}

fn spec(weights: &Value, subsets: &Value) -> Objects {
    objects([
        (reference("web"), json!({"spec": {"http": [{"name": "primary", "route": weights}]}})),
        (
            rule_reference(),
            json!({"metadata": {"name": "rule"}, "spec": {"host": "web", "subsets": subsets}}),
        ),
    ])
}

/// As they were told before: the versions `canary` and `stable`, with these weights.
fn told(canary: (&str, i64), stable: (&str, i64)) -> Objects {
    let subset = |name: &str, hash: &str| json!({"name": name, "labels": {"app": "web", HASH: hash}});
    spec(
        &json!([to("stable-pods", stable.1), to("canary-pods", canary.1)]),
        &json!([subset("stable-pods", stable.0), subset("canary-pods", canary.0)]),
    )
}

fn between(canary: (&str, i32), stable: (&str, i32)) -> Intent {
    Intent { canary: share("", canary.0, canary.1), stable: share("", stable.0, stable.1), ..intent(0) }
}

#[test]
fn hashes_go_to_subsets() {
    let subsets = json!([
        {"name": "stable-pods", "labels": {"app": "web"}, "trafficPolicy": {"tls": {"mode": "DISABLE"}}},
        {"name": "canary-pods"},
        {"name": "kept", "labels": {HASH: "chosen"}},
        {"name": "foreign", "labels": {"version": "v9"}},
        {"name": "ended", "labels": {HASH: "gone"}},
    ]);
    let before = spec(&json!([to("stable-pods", 100), to("canary-pods", 0)]), &subsets);
    let mut wanted = intent(20);
    wanted.stable.weight = 70;
    wanted.additional = vec![share("exp-b", "hb", 5), share("exp-a", "ha", 5)];
    let rule = after(by_subset().as_ref(), &before, &wanted, &rule_reference());
    let expected = json!([
        {"name": "stable-pods", "labels": {"app": "web", HASH: "old"}, "trafficPolicy": {"tls": {"mode": "DISABLE"}}},
        {"name": "canary-pods", "labels": {HASH: "new"}},
        {"name": "kept", "labels": {HASH: "chosen"}},
        {"name": "foreign", "labels": {"version": "v9"}},
        {"name": "exp-a", "labels": {HASH: "ha"}},
        {"name": "exp-b", "labels": {HASH: "hb"}},
    ]);
    assert_eq!(rule["spec"]["subsets"], expected);
    let annotations = json!({"argo-rollouts.argoproj.io/managed-by-rollouts": "web"});
    assert_eq!(rule["metadata"]["annotations"], annotations);

    let wanted = between(("", 0), ("old", 100));
    let rule = after(by_subset().as_ref(), &told(("new", 20), ("old", 80)), &wanted, &rule_reference());
    assert_eq!(rule["spec"]["subsets"][1]["labels"], json!({"app": "web"}), "no version, no hash");
}

#[test]
fn the_mark_alone_is_written_too() {
    let edits =
        by_subset().edit(&told(("new", 20), ("old", 80)), &between(("new", 20), ("old", 80))).unwrap();
    assert_eq!(edits.iter().map(|edit| &edit.object).collect::<Vec<_>>(), [&rule_reference()]);
}

#[test]
fn kept_subsets_take_from_the_stable_one() {
    let subsets = json!([{"name": "stable-pods"}, {"name": "canary-pods"}, {"name": "kept"}]);
    for (kept, canary, stable) in [(10, 20, 70), (10, 100, 0), (30, 80, 0), (0, 40, 60)] {
        let before = spec(&json!([to("stable-pods", 90), to("canary-pods", 0), to("kept", kept)]), &subsets);
        let weight = i32::try_from(canary).unwrap();
        let written = after(by_subset().as_ref(), &before, &intent(weight), &reference("web"));
        let expected = json!([to("stable-pods", stable), to("canary-pods", canary), to("kept", kept)]);
        assert_eq!(written["spec"]["http"][0]["route"], expected);
    }
}

#[test]
fn a_subset_decides_before_the_host() {
    let to = |subset: &str, weight: i64| json!({"destination": {"host": "canary", "subset": subset}, "weight": weight});
    let subsets = json!([{"name": "stable-pods"}, {"name": "canary-pods"}]);
    let before = spec(&json!([to("stable-pods", 100), to("canary-pods", 0)]), &subsets);
    let written = after(by_subset().as_ref(), &before, &intent(10), &reference("web"));
    let expected = json!([to("stable-pods", 90), to("canary-pods", 10)]);
    assert_eq!(written["spec"]["http"][0]["route"], expected);
}

#[test]
fn what_changes_together_is_written_in_a_safe_order() {
    let (rule, web) = (rule_reference(), reference("web"));
    let order = |before: &Objects, wanted: &Intent| -> Vec<Reference> {
        by_subset().edit(before, wanted).unwrap().into_iter().map(|edit| edit.object).collect()
    };
    let rule_first = [rule.clone(), web.clone()];
    let rule_last = [web, rule];
    let (settled, paused) = (told(("a", 0), ("a", 100)), told(("b", 20), ("a", 80)));
    assert_eq!(order(&settled, &between(("b", 5), ("a", 95))), rule_first, "a first step");
    assert_eq!(order(&paused, &between(("c", 0), ("a", 100))), rule_last, "another update");
    let whole = told(("b", 100), ("a", 0));
    assert_eq!(order(&whole, &between(("b", 0), ("b", 100))), rule_first, "promoted");
    assert_eq!(order(&paused, &between(("a", 0), ("a", 100))), rule_first, "back to the stable version");
}

#[test]
fn what_is_missing_is_said() {
    let observe = |objects: &Objects| by_subset().observe(objects).unwrap_err().to_string();
    let weights = json!([to("stable-pods", 100), to("canary-pods", 0)]);
    let problem = observe(&spec(&weights, &json!([{"name": "canary-pods"}])));
    assert!(
        problem.contains("DestinationRule \"rule\": subset 'stable-pods' not found in spec.subsets"),
        "{problem}"
    );
    let problem = observe(&spec(&json!([to("stable-pods", 100)]), &json!([])));
    assert!(problem.contains("Canary DestinationRule subset 'canary-pods' not found in route"), "{problem}");
    let mut without = spec(&weights, &json!([]));
    without.0.remove(&rule_reference());
    assert_eq!(observe(&without), "DestinationRule \"rule\" not found in namespace \"shop\"");
    let mut odd = told(("b", 20), ("a", 80));
    odd.0.insert(
        rule_reference(),
        json!({"metadata": 1, "spec": {"subsets": [{"name": "stable-pods"}, {"name": "canary-pods"}]}})
            .into(),
    );
    let problem = by_subset().edit(&odd, &intent(0)).unwrap_err().to_string();
    assert!(problem.contains("metadata.annotations must be an object"), "{problem}");
}

#[test]
fn a_rule_that_nobody_uses_any_more_selects_what_its_own_labels_say() {
    let before = told(("", 0), ("old", 100));
    let wanted = between(("new", 20), ("old", 80));
    let value = &after(by_subset().as_ref(), &before, &wanted, &rule_reference());
    let is = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(crate::writers(&rule_reference(), value), Ok(is(&["web"])));
    assert_eq!(crate::release(&rule_reference(), value, &is(&["web"])), Ok(None));
    let released = crate::release(&rule_reference(), value, &is(&["other"])).unwrap().unwrap();
    let subset = |name: &str| json!({"name": name, "labels": {"app": "web"}});
    assert_eq!(released["spec"]["subsets"], json!([subset("stable-pods"), subset("canary-pods")]));
    assert_eq!(released["metadata"]["annotations"], json!({}));
    assert_eq!(crate::release(&rule_reference(), &released, &is(&[])), Ok(None), "and that is all");
    assert_eq!(crate::writers(&reference("web"), value), Ok(is(&[])), "routes have no such marks");
}
