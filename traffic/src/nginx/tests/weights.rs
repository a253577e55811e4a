//! Weights as annotations.

use super::*;

/// `canary-weight` and `canary-weight-total` of an Ingress.
fn weights(ingress: &Value) -> (Option<&str>, Option<&str>) {
    let annotations = &ingress["metadata"]["annotations"];
    let text = |name: &str| annotations[format!("nginx.ingress.kubernetes.io/{name}")].as_str();
    (text("canary-weight"), text("canary-weight-total"))
}

/// A canary Ingress with these annotations; `None` for none.
fn told(weight: Option<&str>, total: Option<&str>) -> Value {
    let mut ingress = made();
    for (name, text) in [("canary-weight", weight), ("canary-weight-total", total)] {
        let annotations = ingress["metadata"]["annotations"].as_object_mut().unwrap();
        let name = format!("nginx.ingress.kubernetes.io/{name}");
        annotations.remove(&name);
        if let Some(text) = text {
            annotations.insert(name, json!(text));
        }
    }
    ingress
}

/// Canary and stable weight that are read.
fn read(ingress: Value) -> (i64, i64) {
    let objects = objects([("web", stable_ingress()), ("demo-web-canary", ingress)]);
    let split = plain().observe(&objects).unwrap().splits.pop().unwrap();
    (split.canary, split.stable)
}

/// `maxTrafficWeight`, the canary's weight, and what is written; the first ones as recorded from Argo Rollouts.
#[test]
fn weights_are_written_as_they_are() {
    for (total, canary, weight_text, total_text) in [
        (None, 10, "10", None),
        (None, 100, "100", None),
        (Some(1000), 5, "5", Some("1000")),
        (Some(1000), 1000, "1000", Some("1000")),
        (Some(100), 50, "50", Some("100")),
        (Some(10), 5, "50", Some("100")),
        (Some(30), 10, "40", Some("120")),
        (Some(1), 1, "100", Some("100")),
    ] {
        let router = router(&json!({"stableIngress": "web"}), total);
        let after = edited(router.as_ref(), &made(), &intent(canary, total.unwrap_or(100))).unwrap();
        assert_eq!(weights(&after), (Some(weight_text), total_text), "{canary} of {total:?}");
    }
}

#[test]
fn weights_are_read_as_nginx_reads_them() {
    for (weight, total, expected) in [
        (None, None, (0, 100)),
        (Some("5"), None, (5, 95)),
        (Some("5"), Some("1000"), (5, 995)),
        (Some("5"), Some("10"), (5, 95)),
        (Some("700"), Some("x"), (100, 0)),
        (Some("-3"), None, (0, 100)),
        (Some("half"), Some("200"), (0, 200)),
    ] {
        assert_eq!(read(told(weight, total)), expected, "{weight:?} of {total:?}");
    }
    let mut unmarked = told(Some("50"), None);
    unmarked["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary"] = json!("false");
    assert_eq!(read(unmarked.clone()), (0, 100));
    let marked = edited(plain().as_ref(), &unmarked, &intent(0, 100)).unwrap();
    assert_eq!(read(marked), (0, 100), "the mark must not bring an old weight to life");
}

#[test]
fn the_same_proportions_are_left_as_they_are() {
    let quarter = told(Some("250"), Some("1000"));
    assert_eq!(edited(plain().as_ref(), &quarter, &intent(25, 100)), None);
    let after = edited(plain().as_ref(), &quarter, &intent(50, 100)).unwrap();
    assert_eq!(weights(&after), (Some("50"), None), "a total that nobody wants any more goes");
}

#[test]
fn the_prefix_is_the_operators() {
    let router = router(&json!({"stableIngress": "web", "annotationPrefix": "own.example.com"}), Some(1000));
    let after = edited(router.as_ref(), &told(Some("7"), None), &intent(5, 1000)).unwrap();
    let expected = json!({
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": "7",
        "own.example.com/canary": "true",
        "own.example.com/canary-weight": "5",
        "own.example.com/canary-weight-total": "1000",
    });
    assert_eq!(after["metadata"]["annotations"], expected);
}

#[test]
fn nothing_can_be_split_into_nothing() {
    let router = router(&json!({"stableIngress": "web"}), Some(0));
    let objects = objects([("web", stable_ingress())]);
    assert!(matches!(router.edit(&objects, &intent(0, 0)), Err(Problem::Rollout(_))));
}
