//! Canaries that are analysed.

use super::super::metrics::Answer;
use super::super::scenario::{Deed, End, Scenario, When};
use super::{DONE, analysis, canary, gate, rollout, secs};
use serde_json::json;

pub(super) fn all() -> Vec<Scenario> {
    let gated = json!([{"setWeight": 50}, {"analysis": analysis("gate")}, {"setWeight": 75}, {"pause": {"duration": "5s"}}]);
    let behind = json!({"canary": {
        "maxSurge": 1, "maxUnavailable": 0,
        "analysis": {"templates": [{"templateName": "behind"}], "startingStep": 1},
        "steps": [{"setWeight": 25}, {"pause": {"duration": "20s"}}, {"setWeight": 50}, {"pause": {}}],
    }});
    vec![
        Scenario::new(
            "gate-passed",
            "an analysis step lets a version through",
            vec![gate("gate", 2), rollout(2, &canary(&gated))],
        )
        .then(DONE, Deed::Image("v2"))
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "gate-failed",
            "an analysis step stops a version",
            vec![gate("gate", 2), rollout(2, &canary(&gated))],
        )
        .then(DONE, Deed::Answer("errors_gate", Answer::Value(0.5)))
        .then(secs(0), Deed::Image("v2"))
        .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
        Scenario::new(
            "background-failed",
            "analysis in the background stops a version",
            vec![gate("behind", 1000), rollout(4, &behind)],
        )
        .then(DONE, Deed::Image("v2"))
        .then(
            When::Is("at step 3", |web| web.is_paused_at(3)),
            Deed::Answer("errors_behind", Answer::Value(0.5)),
        )
        .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
        Scenario::new(
            "background-passed",
            "analysis in the background ends with the update",
            vec![gate("behind", 1000), rollout(4, &behind)],
        )
        .then(DONE, Deed::Image("v2"))
        .then(When::Is("at step 3", |web| web.is_paused_at(3)), Deed::Promote)
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
    ]
}
