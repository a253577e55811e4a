//! Blue-green.

use super::super::metrics::Answer;
use super::super::scenario::{Deed, End, Scenario, When};
use super::{DONE, analysis, gate, rollout, secs, service};
use serde_json::{Value, json};

pub(super) fn blue_green(more: &Value) -> Value {
    let mut strategy = json!({
        "activeService": "active", "previewService": "preview", "scaleDownDelaySeconds": 15,
    });
    if let (Some(map), Some(more)) = (strategy.as_object_mut(), more.as_object()) {
        map.extend(more.clone());
    }
    json!({"blueGreen": strategy})
}

pub(super) fn all() -> Vec<Scenario> {
    let objects = |more: Value| vec![service("active"), service("preview"), rollout(2, &blue_green(&more))];
    let gated = || {
        let mut all = objects(json!({
            "autoPromotionEnabled": true,
            "prePromotionAnalysis": analysis("before"), "postPromotionAnalysis": analysis("after"),
        }));
        all.extend([gate("before", 2), gate("after", 2)]);
        all
    };
    vec![
        Scenario::new("blue-green", "a blue-green version goes live by itself", objects(json!({})))
            .then(DONE, Deed::Image("v2"))
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "blue-green-by-hand",
            "a blue-green version waits for a person",
            objects(json!({"autoPromotionEnabled": false})),
        )
        .then(DONE, Deed::Image("v2"))
        .then(When::Is("paused", |web| web.phase() == "Paused"), Deed::Promote)
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("blue-green-gated", "both analyses let a version through", gated())
            .then(DONE, Deed::Image("v2"))
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("blue-green-stopped", "the analysis before the promotion stops a version", gated())
            .then(DONE, Deed::Answer("errors_before", Answer::Value(0.5)))
            .then(secs(0), Deed::Image("v2"))
            .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
        Scenario::new(
            "blue-green-taken-back",
            "the analysis after the promotion takes a version back",
            gated(),
        )
        .then(DONE, Deed::Answer("errors_after", Answer::Value(0.5)))
        .then(secs(0), Deed::Image("v2"))
        .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
    ]
}
