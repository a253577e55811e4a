//! Traps: each leads straight to the one place where a seeded defect shows that chance would hardly ever find. They are
//! played by the hunt for that defect, and must stand without it.

use super::super::aimed::{Aimed, Blow};
use super::super::look::Look;
use super::super::scenario::{Deed, End, Scenario, When};
use super::super::weather::{CallFault, NewsFault};
use super::outages::Piece;
use super::{
    AT_FIRST_PAUSE, DONE, NEWEST_AT_FIRST_PAUSE, analysis, canary, gate, rollout, secs, service, template,
};
use sandbox::{PodChange, PodRule};
use serde_json::{Value, json};
use std::time::Duration;

const HEALTHY: End = End::Is("healthy", |web| web.is_done());

fn pods(about: &str, change: PodChange) -> Deed {
    Deed::Pods(PodRule { about: about.to_owned(), change })
}

fn ready_after(about: &str, seconds: u64) -> Deed {
    pods(about, PodChange::ReadyAfter(Duration::from_secs(seconds)))
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Piece> {
    vec![
        Piece::new("EmptiesTheServed", overtaken_while_served()),
        Piece::new("NobodyGivesWay", places_taken_for_nothing()),
        Piece::new("AbortedScalesForEver", scaled_after_an_abort()),
        Piece::new("RunningKeyLost", answers_after_the_news()),
        Piece::new("ActiveKeepsDeadline", active_taken_for_idle()),
        Piece::new("NoFence", given_up_and_carried_out()),
        Piece::new("UnobservedCounts", counts_of_a_moment_ago()),
    ]
}

/// Users are with the second version, which is neither new nor stable any more: the third has pods before the first.
fn overtaken_while_served() -> Scenario {
    let strategy = json!({"canary": {"stableService": "stable", "canaryService": "canary",
        "maxSurge": 1, "maxUnavailable": 1, "steps": [{"setWeight": 75}, {"pause": {}}]}});
    Scenario::new(
        "overtaken-while-served",
        "a version that serves is overtaken, and what it is to make room for is not there yet",
        vec![service("stable"), service("canary"), rollout(4, &strategy)],
    )
    .then(DONE, Deed::Image("v2"))
    .then(AT_FIRST_PAUSE, ready_after("v2", 60))
    .then(secs(0), ready_after("v1", 40))
    .then(secs(0), Deed::Promote)
    .then(secs(5), Deed::Image("v3"))
    .then(NEWEST_AT_FIRST_PAUSE, Deed::Promote)
    .ends(HEALTHY, "v3")
}

/// Three versions have one pod each of three, and that of the newest never gets ready: after an abort the stable one
/// needs its place.
fn places_taken_for_nothing() -> Scenario {
    let strategy = json!({"canary": {"maxSurge": 0, "maxUnavailable": 1,
        "steps": [{"setWeight": 67}, {"pause": {}}]}});
    Scenario::new(
        "places-taken-for-nothing",
        "an aborted version without a ready pod beside an older one",
        vec![rollout(3, &strategy)],
    )
    .then(DONE, Deed::Image("v2"))
    .then(AT_FIRST_PAUSE, pods("v3", PodChange::NeverReady))
    .then(secs(0), Deed::Image("v3"))
    .then(secs(20), Deed::Abort)
    .ends(
        End::Is("stable and whole", |web| {
            web.phase() == "Degraded"
                && web.number("/status/availableReplicas") == Some(3)
                && web.number("/status/replicas") == Some(3)
        }),
        "v1",
    )
}

/// An aborted preview is kept for ever, and the Rollout is scaled and restarted.
fn scaled_after_an_abort() -> Scenario {
    let strategy = json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false,
        "abortScaleDownDelaySeconds": 0}});
    Scenario::new(
        "scaled-after-an-abort",
        "a Rollout with an aborted preview is scaled, and goes on as any other",
        vec![service("active"), rollout(3, &strategy)],
    )
    .then(DONE, Deed::Image("v2"))
    .then(When::Is("paused", |web| web.phase() == "Paused"), Deed::Abort)
    .then(When::Is("degraded", |web| web.phase() == "Degraded"), Deed::Scale(4))
    .then(secs(5), Deed::Restart)
    .ends(
        End::Is("restarted", |web| {
            let asked = web.text("/spec/restartAt");
            !asked.is_empty() && web.text("/status/restartedAt") == asked
        }),
        "",
    )
}

/// The controller does not know of its own switch, and another version comes: the active one seems to be an old one.
fn active_taken_for_idle() -> Scenario {
    let strategy = json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false,
        "scaleDownDelaySeconds": 300, "postPromotionAnalysis": analysis("after")}});
    let late = Aimed { times: u32::MAX, ..Aimed::once("services", 2, Blow::News(NewsFault::Late)) };
    let paused = |web: Look<'_>| web.phase() == "Paused" && web.is_newest();
    Scenario::new(
        "active-taken-for-idle",
        "an active version is overtaken before it is known to be active",
        vec![service("active"), gate("after", 1_000), rollout(2, &strategy)],
    )
    .under(late)
    .then(DONE, Deed::Image("v2"))
    .then(When::Is("paused", paused), Deed::Promote)
    .then(secs(3), Deed::Image("v3"))
    .ends(End::Is("paused again", paused), "")
}

/// After an abort the new version is to have no pods, and that write takes half a minute. It is given up, the update is
/// tried again, and the stable version gives a pod up for the one that the new version still has.
fn given_up_and_carried_out() -> Scenario {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    // Of what follows the abort's first size: whether stable is as it was seen, that once more, and the size of the new
    // version.
    let slow = Aimed { every: 2, times: 2, ..Aimed::once("replicasets", 4, Blow::Write(CallFault::Slow)) };
    Scenario::new(
        "given-up-and-carried-out",
        "a write is carried out long after it was given up, and others have counted on what it changes",
        vec![rollout(2, &canary(&steps))],
    )
    .under(slow)
    .then(DONE, Deed::Image("v2"))
    .then(AT_FIRST_PAUSE, ready_after("v1", 3))
    .then(secs(0), Deed::Abort)
    .then(secs(1), ready_after("v1", 0))
    .then(secs(17), Deed::Retry)
    .then(secs(60), Deed::Promote)
    .ends(HEALTHY, "v2")
}

/// The pods of a preview have just been given up, and the ReplicaSet does not say so yet: with its former size it seems to
/// be all there.
fn counts_of_a_moment_ago() -> Scenario {
    let with_preview = |count: u32| {
        let strategy = json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false,
            "previewReplicaCount": count}});
        rollout(2, &strategy)
    };
    let of_v2 = |count: u32| {
        let mut web = with_preview(count);
        if let Some(spec) = web.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("template".to_owned(), template("v2"));
        }
        Deed::Apply(web)
    };
    Scenario::new(
        "counts-of-a-moment-ago",
        "a preview becomes small and large again while its ReplicaSet reports a minute late",
        vec![service("active"), with_preview(2)],
    )
    .then(DONE, Deed::Image("v2"))
    .then(
        When::Is("paused", |web| web.phase() == "Paused"),
        Deed::Nature(|nature| nature.replica_sets = Duration::from_secs(60)),
    )
    .then(secs(1), of_v2(0))
    .then(secs(70), of_v2(2))
    .then(secs(5), Deed::Promote)
    .then(secs(20), Deed::Nature(|nature| nature.replica_sets = Duration::from_millis(5)))
    .ends(HEALTHY, "v2")
}

/// The watch tells of a write before its answer has come: whoever is busy must look again.
fn answers_after_the_news() -> Scenario {
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": "5s"}}, {"setWeight": 75}]);
    let mut web = rollout(4, &canary(&steps));
    if let Some(deadline) = web.pointer_mut("/spec/progressDeadlineSeconds") {
        *deadline = 600.into();
    }
    Scenario::new("answers-after-the-news", "news of a Rollout come while it is looked at", vec![web])
        .under(Aimed::always("rollouts", Blow::Answer(Duration::from_secs(2))))
        .then(DONE, Deed::Image("v2"))
        .within(200)
        .ends(HEALTHY, "v2")
}

#[cfg(test)]
mod tests {
    use super::super::super::{Faults, Run, play};
    use super::*;

    #[test]
    fn every_trap_stands() {
        for piece in all() {
            for overlay in [true, false] {
                let faults = Faults::default();
                let run = Run { scenario: &piece.scenario, seed: 1, faults, overlay, trace: false };
                let outcome = play(&run);
                assert_eq!(outcome.violation, None, "{} {overlay}", piece.scenario.name);
            }
        }
    }
}
