//! Clients whose requests are judged one by one, through data planes that are late.

use super::super::scenario::{Deed, End, Scenario, When};
use super::super::weather::Mishap;
use super::blue_greens::blue_green;
use super::{AT_FIRST_PAUSE, DONE, NEWEST_AT_FIRST_PAUSE, canary, paused_steps, rollout, secs, service};
use serde_json::json;

pub(super) fn all() -> Vec<Scenario> {
    let done = End::Is("healthy", |web| web.is_done());
    let live = |name, shows, lag| {
        let strategy = blue_green(&json!({}));
        Scenario::new(name, shows, vec![service("active"), service("preview"), rollout(2, &strategy)])
            .amid(Mishap::Customers(lag))
            .then(DONE, Deed::Image("v2"))
            .then(When::Is("v2 is live", |web| web.is_done() && web.is_newest()), Deed::Image("v3"))
            .ends(done, "v3")
    };
    let named = |steps| {
        json!({"canary": {
            "stableService": "stable", "canaryService": "canary", "maxSurge": 1, "maxUnavailable": 0, "steps": steps,
        }})
    };
    vec![
        live("customers-blue-green", "clients of a blue-green release, whose routers know at once", 0),
        live("customers-late", "clients of a blue-green release, whose routers are ten seconds late", 10),
        live("customers-very-late", "clients of a blue-green release, whose routers are a minute late", 60),
        Scenario::new(
            "customers-canary",
            "clients of a canary that has one Service for all",
            vec![service("all"), rollout(3, &canary(&paused_steps()))],
        )
        .amid(Mishap::Customers(0))
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Promote)
        .ends(done, "v2"),
        Scenario::new(
            "customers-services",
            "clients of a canary with a Service for each version, and a way back",
            vec![service("stable"), service("canary"), rollout(2, &named(paused_steps()))],
        )
        .amid(Mishap::Customers(0))
        .then(DONE, Deed::Image("v2"))
        .then(AT_FIRST_PAUSE, Deed::Abort)
        .then(secs(10), Deed::Image("v3"))
        .then(NEWEST_AT_FIRST_PAUSE, Deed::PromoteFull)
        .ends(done, "v3"),
    ]
}
