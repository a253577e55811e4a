//! Canaries: steps, pauses and what people say to them.

use super::super::scenario::{Deed, End, Scenario, When};
use super::{AT_FIRST_PAUSE, DONE, NEWEST_AT_FIRST_PAUSE, canary, paused_steps, rollout, secs, service};
use serde_json::json;

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("first-deploy", "the first version comes up", vec![rollout(2, &canary(&paused_steps()))])
            .ends(End::Is("healthy", |web| web.is_done()), "v1"),
        Scenario::new("timed-pauses", "a canary passes timed pauses", vec![rollout(
            4,
            &canary(&json!([{"setWeight": 25}, {"pause": {"duration": "10s"}}, {"setWeight": 75}, {"pause": {"duration": "5s"}}])),
        )])
        .then(DONE, Deed::Image("v2"))
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("promoted", "a canary waits for a person", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("no-steps", "a rolling update", vec![rollout(3, &canary(&json!([])))])
            .then(DONE, Deed::Image("v2"))
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("aborted", "a canary is aborted at its pause", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Abort)
            .ends(End::Is("degraded", |web| web.phase() == "Degraded"), "v1"),
        Scenario::new("retried", "an aborted canary is tried again", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Abort)
            .then(When::Is("degraded", |web| web.phase() == "Degraded"), Deed::Retry)
            .then(AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(End::Is("healthy", |web| web.is_done()), "v2"),
        Scenario::new("next-after-abort", "a third version after an abort begins anew", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Abort)
            .then(When::Is("degraded", |web| web.phase() == "Degraded"), Deed::Image("v3"))
            .then(AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(End::Is("healthy", |web| web.is_done()), "v3"),
        Scenario::new("nothing-to-abort", "an abort with nothing in progress has no effect", vec![rollout(2, &canary(&paused_steps()))])
            .then(DONE, Deed::Abort)
            .then(secs(10), Deed::Retry)
            .ends(End::Is("healthy", |web| web.is_done() && !web.is_aborted()), "v1"),
        Scenario::new("rolled-back", "back to the stable version in flight", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Image("v1"))
            .ends(End::Is("healthy", |web| web.is_done()), "v1"),
        Scenario::new("superseded", "a third version in the middle of the second", vec![rollout(4, &canary(&paused_steps()))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Image("v3"))
            .then(NEWEST_AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(End::Is("healthy", |web| web.is_done()), "v3"),
        Scenario::new(
            "services",
            "stable and canary Services follow their versions",
            vec![service("stable"), service("canary"), rollout(
                2,
                &json!({"canary": {"stableService": "stable", "canaryService": "canary", "maxSurge": 1, "maxUnavailable": 0, "steps": paused_steps()}}),
            )],
        )
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Promote)
        .ends(End::Is("healthy", |web| web.is_done()), "v2"),
    ]
}
