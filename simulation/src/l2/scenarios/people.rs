//! Scaling, bad versions, deletion, edits: what people and pods do beside the steps.

use super::super::scenario::{Deed, End, Scenario, When};
use super::{
    AT_FIRST_PAUSE, DONE, NEWEST_AT_FIRST_PAUSE, ROLLOUT, canary, paused_steps, rollout, secs, service,
};
use sandbox::{PodChange, PodRule};
use serde_json::json;
use std::time::Duration;

pub(super) fn all() -> Vec<Scenario> {
    let bad = |change| Deed::Pods(PodRule { about: "v2".to_owned(), change });
    vec![
        Scenario::new(
            "scaled",
            "the scale changes in the middle of an update",
            vec![rollout(4, &canary(&paused_steps()))],
        )
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Scale(8))
        .then(secs(10), Deed::Scale(2))
        .then(secs(10), Deed::Promote)
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "never-ready",
            "a version that never gets ready, and the way back",
            vec![rollout(3, &canary(&json!([{"setWeight": 50}])))],
        )
        .then(DONE, bad(PodChange::NeverReady))
        .then(secs(0), Deed::Image("v2"))
        .then(When::Is("degraded", |web| web.phase() == "Degraded"), Deed::Image("v1"))
        .ends(End::Is("healthy", |web| web.is_done()), "v1"),
        Scenario::new(
            "crashing",
            "a version that crashes after its start, and the next one",
            vec![rollout(3, &canary(&paused_steps()))],
        )
        .then(DONE, bad(PodChange::CrashesAfter(Duration::from_secs(2))))
        .then(secs(0), Deed::Image("v2"))
        .then(secs(30), Deed::Image("v3"))
        .then(NEWEST_AT_FIRST_PAUSE, Deed::PromoteFull)
        .ends(End::Is("healthy", |web| web.is_done()), "v3"),
        Scenario::new("restarted", "all pods are restarted", vec![rollout(3, &canary(&paused_steps()))])
            .then(DONE, Deed::Restart)
            .then(secs(30), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "deleted",
            "a Rollout is deleted in the middle of an update",
            vec![rollout(3, &canary(&paused_steps()))],
        )
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Delete("argoproj.io/v1alpha1", "Rollout", ROLLOUT))
        .ends(End::Gone, ""),
        Scenario::new(
            "mended",
            "a wrong Rollout says so, and is mended",
            vec![rollout(2, &json!({"canary": {"stableService": "later", "canaryService": "later-too"}}))],
        )
        .then(When::Is("degraded", |web| web.phase() == "Degraded"), Deed::Apply(service("later")))
        .then(secs(5), Deed::Apply(service("later-too")))
        .ends(End::Is("healthy", |web| web.is_done()), "v1"),
        Scenario::new(
            "steps-edited",
            "the steps change under way",
            vec![rollout(4, &canary(&paused_steps()))],
        )
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Steps(json!([{"setWeight": 10}, {"pause": {"duration": "5s"}}])))
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new(
            "two-controllers",
            "one of two controllers leads",
            vec![rollout(2, &canary(&paused_steps()))],
        )
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Promote)
        .ends(End::Is("healthy", |web| web.is_done()), "v2")
        .with_controllers(2),
    ]
}
