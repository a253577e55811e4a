#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod laws;
mod owners;
mod weights;

use super::*;
use planner::traffic::Share;
use serde_json::json;
use std::sync::Arc;

/// A Rollout `demo` with a section `nginx`.
fn rollout(nginx: &Value, total: Option<i32>) -> Rollout {
    let mut routing = json!({"nginx": nginx});
    if let Some(total) = total {
        routing["maxTrafficWeight"] = json!(total);
    }
    let metadata = json!({"name": "demo", "namespace": "shop", "uid": "uid-of-demo"});
    let canary = json!({"canaryService": "canary", "stableService": "stable", "trafficRouting": routing});
    let spec = json!({"strategy": {"canary": canary}});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn router(nginx: &Value, total: Option<i32>) -> Box<dyn Router> {
    crate::routers(&rollout(nginx, total), &|_| Vec::new()).pop().expect("a router")
}

/// The router of the Ingress `web`.
fn plain() -> Box<dyn Router> {
    router(&json!({"stableIngress": "web"}), None)
}

fn reference(name: &str) -> Reference {
    Reference { kind: INGRESS, namespace: "shop".to_owned(), name: name.to_owned() }
}

fn objects<const N: usize>(objects: [(&str, Value); N]) -> Objects {
    Objects(objects.into_iter().map(|(name, object)| (reference(name), Arc::new(object))).collect())
}

fn path(path: &str, service: &str) -> Value {
    let backend = json!({"service": {"name": service, "port": {"number": 80}}});
    json!({"path": path, "pathType": "Prefix", "backend": backend})
}

fn stable_ingress() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "web",
            "labels": {"team": "a"},
            "annotations": {"nginx.ingress.kubernetes.io/rewrite-target": "/"},
        },
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{"hosts": ["example.com"], "secretName": "certificate"}],
            "rules": [
                {"host": "example.com", "http": {"paths": [path("/", "stable"), path("/pictures", "other")]}},
                {"host": "other.example.com", "http": {"paths": [path("/", "other")]}},
                {"host": "example.org"},
            ],
        },
    })
}

fn intent(canary: i32, total: i32) -> Intent {
    let share = |service: &str, weight| Share { service: service.to_owned(), hash: String::new(), weight };
    Intent {
        total,
        canary: share("canary", canary),
        stable: share("stable", total - canary),
        ..Intent::default()
    }
}

/// The canary Ingress of `web` as it was just made.
fn made() -> Value {
    let edits = plain().edit(&objects([("web", stable_ingress())]), &intent(0, 100)).unwrap();
    assert_eq!(edits.len(), 1);
    edits[0].to.clone()
}

/// The one object that is written; `None` when nothing is.
fn edited(router: &dyn Router, canary: &Value, intent: &Intent) -> Option<Value> {
    let objects = objects([("web", stable_ingress()), ("demo-web-canary", canary.clone())]);
    let mut edits = router.edit(&objects, intent).expect("it can be edited");
    assert!(edits.len() <= 1);
    edits.pop().map(|edit| edit.to)
}

#[test]
fn a_canary_ingress_is_made_also_for_weight_0() {
    let objects = objects([("web", stable_ingress())]);
    let observed = plain().observe(&objects).unwrap();
    assert_eq!(observed.canary(100), 0, "nothing goes to the canary");
    assert!(!observed.shows(&intent(0, 100)), "there is something to write all the same");
    assert_eq!(plain().references(), [reference("web"), reference("demo-web-canary")]);
    let edits = plain().edit(&objects, &intent(0, 100)).unwrap();
    let expected = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "demo-web-canary",
            "namespace": "shop",
            "annotations": {
                "nginx.ingress.kubernetes.io/canary": "true",
                "nginx.ingress.kubernetes.io/canary-weight": "0",
            },
            "ownerReferences": [{
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Rollout",
                "name": "demo",
                "uid": "uid-of-demo",
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{"hosts": ["example.com"], "secretName": "certificate"}],
            "rules": [{"host": "example.com", "http": {"paths": [path("/", "canary"), path("/pictures", "other")]}}],
        },
    });
    assert_eq!(edits, [Edit { object: reference("demo-web-canary"), to: expected }]);
}

#[test]
fn the_canary_ingress_follows_the_stable_one() {
    let at_rest = intent(0, 100);
    assert_eq!(edited(plain().as_ref(), &made(), &at_rest), None);
    let spoil = |change: &dyn Fn(&mut Value)| {
        let mut spoilt = made();
        change(&mut spoilt);
        edited(plain().as_ref(), &spoilt, &at_rest)
    };
    assert_eq!(spoil(&|it| it["spec"]["rules"][0]["host"] = json!("old.example.com")), Some(made()));
    assert_eq!(spoil(&|it| it["spec"]["tls"] = json!([])), Some(made()));
    assert_eq!(spoil(&|it| it["spec"]["ingressClassName"] = Value::Null), Some(made()));
    assert_eq!(spoil(&|it| it["metadata"]["annotations"] = Value::Null), Some(without_weight(made())));
    let old_class = "kubernetes.io/ingress.class";
    assert_eq!(spoil(&|it| it["metadata"]["annotations"][old_class] = json!("a")), Some(made()));
}

/// Without annotations the canary gets nothing: only the mark is missing.
fn without_weight(mut ingress: Value) -> Value {
    let annotations = ingress["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.remove("nginx.ingress.kubernetes.io/canary-weight");
    ingress
}

#[test]
fn what_the_stable_ingress_does_not_have_the_canary_ingress_does_not_have() {
    let mut stable = stable_ingress();
    stable["spec"]["tls"] = json!([]);
    stable["spec"].as_object_mut().unwrap().remove("ingressClassName");
    stable["metadata"]["annotations"]["kubernetes.io/ingress.class"] = json!("internal");
    let edits =
        plain().edit(&objects([("web", stable), ("demo-web-canary", made())]), &intent(0, 100)).unwrap();
    let spec = edits[0].to["spec"].as_object().unwrap();
    assert_eq!(spec.keys().collect::<Vec<_>>(), ["rules"]);
    assert_eq!(edits[0].to["metadata"]["annotations"]["kubernetes.io/ingress.class"], "internal");
}

#[test]
fn the_users_annotations_are_prefixed_or_taken_as_they_are() {
    let prefix = "nginx.ingress.kubernetes.io";
    let nginx = json!({
        "stableIngress": "web",
        "additionalIngressAnnotations": {
            "canary-by-header": "X-Canary",
            format!("{prefix}/canary-by-cookie"): "tester",
            "shop.example.com/team": "a",
            "both": "additional",
            "canary-weight": "99",
            "canary-weight-total": "1000",
        },
        "canaryIngressAnnotations": {"plain": "b", format!("{prefix}/both"): "c", format!("{prefix}/canary"): "false"},
    });
    let after = edited(router(&nginx, None).as_ref(), &made(), &intent(10, 100)).unwrap();
    let expected = json!({
        format!("{prefix}/canary"): "true",
        format!("{prefix}/canary-weight"): "10",
        format!("{prefix}/canary-by-header"): "X-Canary",
        format!("{prefix}/canary-by-cookie"): "tester",
        format!("{prefix}/both"): "c",
        "shop.example.com/team": "a",
        "plain": "b",
    });
    assert_eq!(after["metadata"]["annotations"], expected);
}

#[test]
fn annotations_of_others_stay() {
    let mut canary = made();
    canary["metadata"]["annotations"]["field.cattle.io/publicEndpoints"] = json!("[]");
    assert_eq!(edited(plain().as_ref(), &canary, &intent(0, 100)), None);
    let after = edited(plain().as_ref(), &canary, &intent(5, 100)).unwrap();
    assert_eq!(after["metadata"]["annotations"]["field.cattle.io/publicEndpoints"], "[]");
}

#[test]
fn several_ingresses_have_a_split_each() {
    let router = router(&json!({"stableIngresses": ["web", "api", "web"]}), None);
    let names: Vec<String> = router.references().into_iter().map(|reference| reference.name).collect();
    assert_eq!(names, ["web", "demo-web-canary", "api", "demo-api-canary"]);
    let mut canary = made();
    canary["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] = json!("20");
    let objects =
        objects([("web", stable_ingress()), ("demo-web-canary", canary), ("api", stable_ingress())]);
    let observed = router.observe(&objects).unwrap();
    assert_eq!(observed.splits.iter().map(|split| split.canary).collect::<Vec<_>>(), [20, 0]);
    let edits = router.edit(&objects, &intent(20, 100)).unwrap();
    assert_eq!(edits.len(), 1, "the other one is right");
    assert_eq!(edits[0].object, reference("demo-api-canary"));
}
