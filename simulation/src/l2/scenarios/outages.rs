//! The museum of outages (`docs/outages.md`), as far as it needs the whole controller: each piece by its name, with what
//! went wrong there, and the switch that makes it go wrong here.

use super::super::aimed::{Aimed, Blow};
use super::super::metrics::Answer;
use super::super::run::Outcome;
use super::super::scenario::{Deed, End, Scenario, When};
use super::super::weather::{CallFault, NewsFault};
use super::{AT_FIRST_PAUSE, DONE, ROLLOUT, analysis, canary, gate, paused_steps, rollout, secs, service};
use serde_json::{Value, json};
use std::time::Duration;

const HEALTHY: End = End::Is("healthy", |web| web.is_done());
/// As often as it fits.
const ALWAYS: u32 = u32::MAX;

/// A piece of the museum.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its play; the name of the piece is that of the scenario, up to a `/`.
    pub scenario: Scenario,
    /// The seeded defect that switches its rule off.
    pub switch: &'static str,
    /// What must hold of the run beside the invariants and its end.
    pub judge: fn(&Outcome) -> Option<String>,
}

impl Piece {
    pub(super) fn new(switch: &'static str, scenario: Scenario) -> Self {
        Self { scenario, switch, judge: |_| None }
    }

    fn judged(mut self, judge: fn(&Outcome) -> Option<String>) -> Self {
        self.judge = judge;
        self
    }

    /// Name of the piece in the catalogue.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.scenario.name.split('/').next().unwrap_or_default()
    }
}

/// All pieces.
#[must_use]
pub fn all() -> Vec<Piece> {
    let mut all = objects();
    all.extend(analyses());
    all.extend(views());
    all.extend(conflicts());
    all
}

/// A key of the end is so, or this is told.
fn ends_with(outcome: &Outcome, key: &str, holds: impl Fn(&str) -> bool) -> Option<String> {
    let value = outcome.end.get(key).map_or("", String::as_str);
    (!holds(value)).then(|| format!("{key} is {value}"))
}

/// Another Rollout, with pods of its own.
fn neighbour(name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut other = rollout(1, &canary(&json!([])));
    let spec = json!({
        "replicas": 1, "selector": {"matchLabels": {"app": name}}, "strategy": canary(&json!([])),
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "it", "image": "it:v1"}]}},
    });
    if let Some(map) = other.as_object_mut() {
        map.insert("metadata".to_owned(), json!({"name": name}));
        map.insert("spec".to_owned(), spec);
    }
    change(&mut other);
    other
}

fn set(object: &mut Value, pointer: &str, key: &str, value: Value) {
    if let Some(map) = object.pointer_mut(pointer).and_then(Value::as_object_mut) {
        map.insert(key.to_owned(), value);
    }
}

/// The Rollout of a play with another selector, and pods that fit it.
fn with_another_selector() -> Value {
    let mut other = rollout(2, &canary(&json!([])));
    let labels = json!({"app": "web", "tier": "front"});
    set(&mut other, "/spec/selector", "matchLabels", labels.clone());
    set(&mut other, "/spec/template/metadata", "labels", labels);
    other
}

/// What objects there are, and whose.
fn objects() -> Vec<Piece> {
    let web = rollout(2, &canary(&paused_steps()));
    let again = || Deed::Apply(rollout(2, &canary(&paused_steps())));
    let delete = || Deed::Delete("argoproj.io/v1alpha1", "Rollout", ROLLOUT);
    let recreated = (0..5).fold(
        Scenario::new(
            "recreated-under-the-same-name",
            "deleted and made again, five times in a second",
            vec![web],
        )
        .then(DONE, Deed::Nature(|nature| nature.garbage = Duration::from_secs(60))),
        |scenario, _| scenario.then(secs(0), delete()).then(secs(0), again()),
    );
    let later = json!({"canary": {"stableService": "later", "steps": [{"analysis": analysis("late")}]}});
    let worse =
        neighbour("worse", |other| set(other, "/spec", "revisionHistoryLimit", 5_000_000_000_i64.into()));
    let bad = neighbour("bad", |other| {
        let limits = json!({"limits": {"memory": "1 GB too many"}});
        set(other, "/spec/template/spec/containers/0", "resources", limits);
    });
    vec![
        Piece::new(
            "SelectorMayChange",
            Scenario::new(
                "selector-change-leaves-pods-behind",
                "somebody wants other pods to belong to a Rollout",
                vec![rollout(2, &canary(&json!([])))],
            )
            .then(DONE, Deed::Try(with_another_selector()))
            .ends(HEALTHY, "v1"),
        )
        .judged(|outcome| ends_with(outcome, "spec", |spec| !spec.contains("tier"))),
        Piece::new("OwnerByName", recreated.ends(HEALTHY, "v1").within(240)),
        Piece::new(
            "ServiceKeepsTheHash",
            Scenario::new(
                "service-keeps-the-hash-of-another-strategy",
                "the strategy that named a Service becomes one without",
                vec![service("active"), rollout(3, &json!({"blueGreen": {"activeService": "active"}}))],
            )
            .then(DONE, Deed::Apply(rollout(3, &canary(&json!([])))))
            .then(DONE, Deed::Image("v2"))
            .ends(HEALTHY, "v2"),
        )
        .judged(|outcome| ends_with(outcome, "Service active", |selector| selector == r#"{"app":"web"}"#)),
        Piece::new(
            "MendingWakesNobody",
            Scenario::new(
                "missing-service-is-never-looked-for-again",
                "a Service and a template come a minute after one another",
                vec![rollout(2, &later)],
            )
            .then(When::Is("degraded", |web| web.phase() == "Degraded"), Deed::Apply(service("later")))
            .then(secs(60), Deed::Apply(gate("late", 1)))
            .ends(HEALTHY, "v1")
            .within(160),
        ),
        Piece::new(
            "UnreadableIsFatal",
            Scenario::new(
                "one-bad-object-stops-all",
                "two Rollouts that are wrong stand beside a good one",
                vec![worse, bad, rollout(2, &canary(&json!([])))],
            )
            .then(DONE, Deed::Image("v2"))
            .ends(HEALTHY, "v2")
            .within(120),
        )
        .judged(|outcome| ends_with(outcome, "Rollout bad", |told| told.contains("memory"))),
    ]
}

fn analyses() -> Vec<Piece> {
    let metric = |name: &str, delay: Option<&str>| {
        json!({
            "name": name, "count": 1, "initialDelay": delay, "successCondition": "result[0] < 0.05",
            "provider": {"prometheus": {"address": "http://prometheus", "query": format!("errors_{name}")}},
        })
    };
    let template = |name: &str, metrics: Value| {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": name},
            "spec": {"metrics": metrics},
        })
    };
    let job = json!([{"name": "smoke", "count": 1, "provider": {"job": {"spec": {"backoffLimit": 0, "template": {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "smoke", "image": "busybox", "command": ["sleep", "15"]}]},
    }}}}}]);
    let mut slow = metric("late", Some("60s"));
    if let Some(map) = slow.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    let mut quick = metric("early", None);
    if let Some(map) = quick.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    let steps = json!([{"setWeight": 50}, {"analysis": analysis("two")}, {"pause": {"duration": "5s"}}]);
    let behind = json!({"blueGreen": {
        "activeService": "active", "scaleDownDelaySeconds": 900, "postPromotionAnalysis": analysis("job"),
    }});
    vec![
        Piece::new(
            "UnmeasuredIsPassed",
            Scenario::new(
                "delayed-metric-never-measured",
                "one metric of an analysis begins a minute late, and fails",
                vec![template("two", json!([quick, slow])), rollout(2, &canary(&steps))],
            )
            .then(DONE, Deed::Answer("errors_late", Answer::Value(0.5)))
            .then(secs(0), Deed::Image("v2"))
            .ends(End::Is("degraded", |web| web.phase() == "Degraded" && web.is_aborted()), "v1"),
        ),
        Piece::new(
            "VerdictWakesNobody",
            Scenario::new(
                "verdict-that-nobody-hears",
                "a job ends when everything else is long still",
                vec![template("job", job), service("active"), rollout(2, &behind)],
            )
            .then(DONE, Deed::Image("v2"))
            .ends(HEALTHY, "v2")
            .within(100),
        ),
    ]
}

/// What the controller believes.
fn views() -> Vec<Piece> {
    let paused = |name, shows| {
        Scenario::new(name, shows, vec![rollout(4, &canary(&json!([{"setWeight": 25}, {"pause": {}}])))])
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .ends(HEALTHY, "v2")
    };
    let mut deadline =
        rollout(3, &canary(&json!([{"setWeight": 34}, {"pause": {"duration": "1s"}}, {"setWeight": 67}])));
    set(&mut deadline, "/spec", "progressDeadlineAbort", true.into());
    let gone = Aimed { times: ALWAYS, ..Aimed::once("replicasets", 1, Blow::News(NewsFault::Gone)) };
    vec![
        Piece::new(
            "WatchEnds",
            paused("promote-never-seen/silence", "a promotion falls into the silence of a watch")
                .under(Aimed::once("rollouts", 2, Blow::News(NewsFault::Stalled)))
                .under(Aimed::once("rollouts", 2, Blow::News(NewsFault::Failed)))
                .within(420),
        ),
        Piece::new(
            "ListBringsNothing",
            paused("promote-never-seen/list", "a promotion is older than what a broken watch can go back to")
                .under(Aimed::once("rollouts", 2, Blow::News(NewsFault::Gone)))
                .within(120),
        ),
        Piece::new(
            "OlderOverwrites",
            paused(
                "older-news-overwrites-newer",
                "the answer to a write comes after somebody else's newer write",
            )
            .under(Aimed {
                times: ALWAYS,
                ..Aimed::once("rollouts", 1, Blow::Answer(Duration::from_secs(5)))
            })
            .within(150),
        )
        .judged(|outcome| (outcome.conflicts > 1).then(|| format!("{} conflicts", outcome.conflicts))),
        Piece::new(
            "ListBringsNothing",
            Scenario::new(
                "lost-replicaset-event",
                "every line of the ReplicaSets' watch is lost, and only a list brings what it told",
                vec![deadline],
            )
            .under(gone)
            .then(DONE, Deed::Image("v2"))
            .ends(HEALTHY, "v2")
            .within(200),
        )
        .judged(|outcome| {
            let aborted = outcome.reached.contains_key("an update was aborted");
            aborted.then(|| "the update was aborted".to_owned())
        }),
    ]
}

/// What becomes of writes, and who makes them.
fn conflicts() -> Vec<Piece> {
    let stepped = canary(&json!([{"setWeight": 25}, {"pause": {"duration": "5s"}}, {"setWeight": 75}]));
    let conflict = Blow::Write(CallFault::Conflict);
    let not_aborted = |outcome: &Outcome| {
        let aborted = outcome.reached.contains_key("an update was aborted");
        aborted.then(|| "the update was aborted".to_owned())
    };
    vec![
        Piece::new(
            "ConflictIsTheEnd",
            Scenario::new(
                "conflict-ends-the-update",
                "the first twelve writes of an update meet conflicts, and every third of all",
                vec![rollout(3, &stepped)],
            )
            .under(Aimed { every: 3, ..Aimed::always("", conflict) })
            .under(Aimed { times: 12, ..Aimed::once("", 1, conflict) })
            .then(DONE, Deed::Image("v2"))
            .ends(HEALTHY, "v2")
            .within(240),
        )
        .judged(not_aborted),
        Piece::new(
            "RetryIsForgotten",
            Scenario::new(
                "conflicts-until-somebody-restarts-the-controller",
                "somebody writes the ReplicaSets faster than their news come, for five minutes",
                vec![rollout(3, &stepped)],
            )
            .under(Aimed::always("replicasets", Blow::Batches(Duration::from_millis(1_000))))
            .under(Aimed { times: 3, ..Aimed::once("", 3, conflict) })
            .then(DONE, Deed::Stubborn(Duration::from_secs(300)))
            .then(secs(1), Deed::Image("v2"))
            .then(secs(300), Deed::Image("v3"))
            .ends(HEALTHY, "v3")
            .within(430),
        )
        .judged(not_aborted),
        Piece::new(
            "GuardIsOpen",
            Scenario::new(
                "two-leaders",
                "the leader cannot renew its lease while it waits, and another one takes over",
                vec![rollout(3, &canary(&paused_steps()))],
            )
            .with_controllers(2)
            .under(Aimed {
                client: "controller-1",
                times: ALWAYS,
                ..Aimed::once("leases", 2, Blow::Write(CallFault::Lost))
            })
            .then(DONE, Deed::Image("v2"))
            .then(AT_FIRST_PAUSE, Deed::PodsAsUsual)
            .then(secs(40), Deed::Promote)
            .ends(HEALTHY, "v2"),
        ),
    ]
}
