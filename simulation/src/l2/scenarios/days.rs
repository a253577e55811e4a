//! Bad days: clocks, leases, syncers, autoscalers, nodes and gates that go wrong at a set moment of a release.

use super::super::metrics::Answer;
use super::super::scenario::{Deed, End, Scenario, When};
use super::super::weather::{Manners, Mishap, Mood};
use super::blue_greens::blue_green;
use super::{AT_FIRST_PAUSE, DONE, analysis, canary, gate, paused_steps, rollout, secs, service};
use serde_json::{Value, json};

const PAUSED: When = When::Is("paused", |web| web.phase() == "Paused");
const DEGRADED: When = When::Is("degraded", |web| web.phase() == "Degraded");

fn befalls(mishap: Mishap) -> Deed {
    Deed::Befalls(mishap)
}

fn plain(name: &'static str, shows: &'static str) -> Scenario {
    Scenario::new(name, shows, vec![rollout(4, &canary(&paused_steps()))])
}

fn timed(name: &'static str, shows: &'static str) -> Scenario {
    let steps = json!([{"setWeight": 50}, {"pause": {"duration": "60s"}}]);
    Scenario::new(name, shows, vec![rollout(2, &canary(&steps))])
}

fn switched(name: &'static str, shows: &'static str, more: &Value) -> Scenario {
    Scenario::new(name, shows, vec![service("active"), service("preview"), rollout(2, &blue_green(more))])
}

fn gated(name: &'static str, shows: &'static str) -> Scenario {
    let steps = json!([{"setWeight": 50}, {"analysis": analysis("gate")}]);
    Scenario::new(name, shows, vec![gate("gate", 3), rollout(2, &canary(&steps))])
}

fn done() -> End {
    End::Is("healthy", |web| web.is_done())
}

pub(super) fn all() -> Vec<Scenario> {
    let mut all = clocks();
    all.extend(leases());
    all.extend(writers());
    all.extend(nodes());
    all.extend(gates());
    all
}

fn clocks() -> Vec<Scenario> {
    vec![
        timed("clock-jumps-ahead", "a controller comes back an hour fast in the middle of a timed pause")
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, befalls(Mishap::Clock(3_600)))
            .then(secs(2), befalls(Mishap::Crash))
            .ends(done(), "v2"),
        timed("clock-jumps-back", "a controller comes back ten minutes slow in the middle of a timed pause")
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, befalls(Mishap::Clock(-600)))
            .then(secs(2), befalls(Mishap::Crash))
            .ends(done(), "v2"),
        switched(
            "blue-green-clock-jumps",
            "a controller comes back an hour fast while an old version waits",
            &json!({}),
        )
        .then(DONE, Deed::Image("v2"))
        .then(When::Is("v2 is live", |web| web.is_done() && web.is_newest()), befalls(Mishap::Clock(3_600)))
        .then(secs(0), befalls(Mishap::Crash))
        .ends(done(), "v2"),
        timed("clocks-apart", "two controllers whose clocks are two minutes apart take turns")
            .amid(Mishap::Clock(60))
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, befalls(Mishap::LeaseLost(30)))
            .ends(done(), "v2")
            .with_controllers(2),
    ]
}

fn leases() -> Vec<Scenario> {
    vec![
        plain("lease-flaps", "the lease goes round between three controllers")
            .then(DONE, Deed::Image("v2"))
            .then(secs(0), befalls(Mishap::LeaseLost(20)))
            .then(AT_FIRST_PAUSE, befalls(Mishap::LeaseLost(20)))
            .then(secs(2), Deed::Promote)
            .then(secs(25), befalls(Mishap::LeaseLost(20)))
            .ends(done(), "v2")
            .with_controllers(3),
        plain("lease-down", "nobody can renew the lease for longer than it lasts")
            .then(DONE, befalls(Mishap::LeaseDown(40)))
            .then(secs(2), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(done(), "v2")
            .with_controllers(2),
        plain("zombie", "a frozen leader wakes when another leads, and goes on with its plan")
            .then(DONE, Deed::Image("v2"))
            .then(secs(0), befalls(Mishap::Freeze(30)))
            .then(AT_FIRST_PAUSE, befalls(Mishap::Freeze(25)))
            .then(secs(0), Deed::Abort)
            .ends(End::Is("degraded", |web| web.phase() == "Degraded"), "v1")
            .with_controllers(2),
    ]
}

fn writers() -> Vec<Scenario> {
    let sync = |manners, seconds| befalls(Mishap::Sync(manners, seconds));
    vec![
        plain("syncer", "a syncer that leaves what is others' changes nothing")
            .then(DONE, sync(Manners::Gentle, 30))
            .then(secs(1), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(done(), "v2"),
        switched(
            "syncer-selectors",
            "a syncer takes the selectors of Services back",
            &json!({"autoPromotionEnabled": false}),
        )
        .then(DONE, sync(Manners::Selectors, 30))
        .then(secs(2), Deed::Image("v2"))
        .then(PAUSED, Deed::Promote)
        .ends(done(), "v2"),
        plain("syncer-annotations", "a syncer takes the controller's annotations away")
            .then(DONE, sync(Manners::Annotations, 20))
            .then(secs(1), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(done(), "v2"),
        plain("syncer-sizes", "a syncer takes the size back that an autoscaler has set")
            .then(DONE, befalls(Mishap::Scale(6, 30)))
            .then(secs(0), sync(Manners::Replicas, 12))
            .then(secs(0), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(done(), "v2"),
        gated("syncer-prunes", "a syncer deletes analyses under way")
            .then(DONE, Deed::Image("v2"))
            .then(When::Is("at its analysis", |web| web.step() == Some(1)), sync(Manners::Prunes, 12))
            .ends(done(), "v2"),
        plain("syncer-goes-back", "a syncer applies the version before, and the newest half a second later")
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, sync(Manners::OldThenNew, 10))
            .then(secs(20), Deed::PromoteFull)
            .ends(done(), "v2"),
        plain("autoscaled", "an autoscaler goes up and down in the middle of an update")
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, befalls(Mishap::Scale(7, 10)))
            .then(secs(5), befalls(Mishap::Scale(1, 10)))
            .then(secs(15), Deed::Promote)
            .ends(done(), "v2"),
        plain("autoscaled-to-nothing", "an autoscaler takes all pods away, and gives them back")
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, befalls(Mishap::Scale(0, 10)))
            .then(secs(15), Deed::PromoteFull)
            .ends(done(), "v2"),
        plain("autoscaled-after-abort", "an autoscaler is at work on an aborted update")
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Abort)
            .then(secs(0), befalls(Mishap::Scale(7, 10)))
            .then(secs(3), befalls(Mishap::Scale(2, 10)))
            .ends(End::Is("degraded", |web| web.phase() == "Degraded"), "v1"),
    ]
}

fn nodes() -> Vec<Scenario> {
    vec![
        plain("drained", "all stable pods go at once in the middle of an update")
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, befalls(Mishap::Drain))
            .then(secs(0), Deed::Promote)
            .ends(done(), "v2"),
        switched(
            "blue-green-drained",
            "all active pods go at once before the switch",
            &json!({"autoPromotionEnabled": false}),
        )
        .then(DONE, Deed::Image("v2"))
        .then(PAUSED, befalls(Mishap::Drain))
        .then(secs(0), Deed::Promote)
        .ends(done(), "v2"),
        plain("quota", "a quota lets no pod begin for a while")
            .then(DONE, befalls(Mishap::Quota(40)))
            .then(secs(0), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(done(), "v2"),
        plain("quota-at-abort", "a quota keeps an abort from its pods for a while")
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, befalls(Mishap::Quota(30)))
            .then(secs(0), befalls(Mishap::Drain))
            .then(secs(0), Deed::Abort)
            .ends(End::Is("degraded", |web| web.phase() == "Degraded"), "v1"),
        plain("late-sets", "the ReplicaSet controller is a minute late")
            .then(DONE, befalls(Mishap::LateSets(70)))
            .then(secs(0), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(done(), "v2"),
        plain("slow-stops", "pods take a minute to end")
            .then(DONE, befalls(Mishap::SlowStops(60)))
            .then(secs(0), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(done(), "v2"),
        plain("flapping", "new pods are ready and not, in turn, for a while")
            .then(DONE, befalls(Mishap::Flaps(40)))
            .then(secs(0), Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(done(), "v2"),
    ]
}

fn gates() -> Vec<Scenario> {
    vec![
        gated("gate-errs", "a gate errs for a while, and then answers")
            .then(DONE, befalls(Mishap::Gates(Mood::Error, 12)))
            .then(secs(0), Deed::Image("v2"))
            .ends(done(), "v2"),
        gated("gate-slow", "a gate answers ten seconds late")
            .then(DONE, befalls(Mishap::Gates(Mood::Slow, 40)))
            .then(secs(0), Deed::Image("v2"))
            .ends(done(), "v2"),
        gated("gate-silent", "a gate has nothing to say, and stops the version")
            .then(DONE, Deed::Answer("errors_gate", Answer::Empty))
            .then(secs(0), Deed::Image("v2"))
            .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
        gated("gate-not-a-number", "a gate measures what is no number, and the version is tried again")
            .then(DONE, Deed::Answer("errors_gate", Answer::Value(f64::NAN)))
            .then(secs(0), Deed::Image("v2"))
            .then(DEGRADED, Deed::Answer("errors_gate", Answer::Value(0.0)))
            .then(secs(0), Deed::Retry)
            .ends(done(), "v2"),
        gated("gate-flips", "a gate says yes and no in turn, and stops the version")
            .then(DONE, befalls(Mishap::Gates(Mood::Flips, 60)))
            .then(secs(0), Deed::Image("v2"))
            .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
        gated("gate-broken", "a gate that always errs stops the version")
            .then(DONE, Deed::Answer("errors_gate", Answer::Error))
            .then(secs(0), Deed::Image("v2"))
            .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
    ]
}
