#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::queue::Kind;
use crds::Rollout;
use crds::rollout::RolloutStatus;
use planner::{Plan, Planned as PlannedWrite, Target, Write};
use serde_json::json;

fn key() -> Key {
    Key { namespace: "a".to_owned(), kind: Kind::Rollout, name: "web".to_owned() }
}

fn shadow() -> (Shadow, Time) {
    let now = Time::parse("2026-01-01T00:00:00Z").unwrap();
    (Shadow::new(Duration::from_secs(30), Clock::starting_at(now)), now)
}

fn scale(from: i32, to: i32) -> BTreeMap<Wish, String> {
    let target = Target { name: "web-1".to_owned(), ..Target::default() };
    let write = Write::ScaleReplicaSet { target, from, to, annotations: BTreeMap::new() };
    let planned = PlannedWrite { write, reason: "the step".to_owned() };
    wishes::of(&Rollout::default(), &Plan { writes: vec![planned], ..Plan::default() })
}

#[tokio::test]
async fn a_plan_is_a_difference_only_after_the_grace() {
    let (shadow, start) = shadow();
    let due = shadow.compare(&key(), scale(1, 3), start);
    assert_eq!(due, Some(start.plus_seconds(30)));
    assert_eq!(shadow.report()["rollouts"]["pending"], 1);
    // The size that is there has changed meanwhile; what is wanted has not.
    shadow.compare(&key(), scale(2, 3), start.plus_seconds(29));
    assert_eq!(shadow.report()["differences"], json!([]));
    assert_eq!(shadow.compare(&key(), scale(2, 3), start.plus_seconds(30)), None);
    let report = shadow.report();
    let told = &report["differences"][0];
    assert_eq!(told["writes"][0]["write"], "scale ReplicaSet web-1 to 3");
    assert_eq!(told["writes"][0]["since"], "2026-01-01T00:00:00Z");
    assert_eq!((&report["rollouts"]["differs"], &told["name"]), (&json!(1), &json!("web")));
    let mut page = Page::default();
    shadow.show(&mut page);
    let text = page.into_text();
    assert!(text.contains("stepgate_shadow_differences{namespace=\"a\",name=\"web\"} 1\n"), "{text}");
    // It is done at last.
    shadow.compare(&key(), BTreeMap::new(), start.plus_seconds(31));
    let mut page = Page::default();
    shadow.show(&mut page);
    let text = page.into_text();
    assert!(text.contains("stepgate_shadow_rollouts{state=\"same\"} 1\n"), "{text}");
    assert!(!text.contains("web"), "{text}");
}

#[tokio::test]
async fn what_is_planned_anew_or_otherwise_has_its_whole_grace() {
    let (shadow, start) = shadow();
    shadow.compare(&key(), scale(1, 3), start);
    shadow.compare(&key(), scale(1, 4), start.plus_seconds(20));
    shadow.compare(&key(), scale(1, 4), start.plus_seconds(35));
    assert_eq!(shadow.report()["rollouts"]["pending"], 1, "another size since 15 s");
    shadow.compare(&key(), BTreeMap::new(), start.plus_seconds(40));
    shadow.compare(&key(), scale(1, 4), start.plus_seconds(41));
    shadow.compare(&key(), scale(1, 4), start.plus_seconds(60));
    assert_eq!(shadow.report()["rollouts"]["pending"], 1, "there was nothing to do in between");
}

/// One look sees what several writes have made of it, and only the watch has told that a person was among the writers.
#[tokio::test]
async fn a_pause_that_ends_between_two_looks_may_have_been_ended_by_a_person() {
    let states = |index: i32, paused: bool| {
        let since = json!([{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]);
        let status = json!({"stableRS": "1", "currentPodHash": "2", "currentStepIndex": index,
            "controllerPause": true, "pauseConditions": paused.then_some(since)});
        let steps = [0; 5].map(|_| json!({"pause": {}}));
        let version = (2 * index + i32::from(!paused)).to_string();
        let metadata = json!({"namespace": "a", "name": "web", "resourceVersion": version});
        let value = json!({"metadata": metadata, "spec": {"strategy": {"canary": {"steps": steps}}},
            "status": status});
        serde_json::from_value::<Rollout>(value).unwrap()
    };
    let judged = |told: bool| {
        let (shadow, now) = shadow();
        let world = |index, paused| World { rollout: states(index, paused), ..World::default() };
        shadow.judge(&key(), world(1, false), now);
        let passed = [states(1, false), states(2, true), states(2, false), states(3, true)];
        for pair in passed.windows(2).filter(|_| told) {
            shadow.passed(Some(&pair[0]), &pair[1]);
        }
        shadow.judge(&key(), world(3, true), now);
        let broken = |shadow: &Shadow| shadow.lock()[&key()].broken.len();
        let at_once = broken(&shadow);
        shadow.judge(&key(), world(3, false), now);
        shadow.judge(&key(), world(5, true), now);
        (at_once, broken(&shadow))
    };
    assert_eq!(judged(true), (0, 1), "what was told is of no account for what came later");
    assert_eq!(judged(false), (1, 2));
}

#[test]
fn the_time_of_a_plan_is_no_difference_between_plans() {
    let status = |at: &str, phase: &str| {
        let condition = json!({"type": "Healthy", "status": "True", "lastUpdateTime": at,
            "lastTransitionTime": at, "reason": "RolloutHealthy", "message": "Rollout is healthy"});
        let value = json!({"phase": phase, "conditions": [condition]});
        serde_json::from_value::<RolloutStatus>(value).unwrap()
    };
    let rollout = Rollout { status: Some(status("2026-01-01T00:00:00Z", "Paused")), ..Rollout::default() };
    let plan = |at| Plan { status: Some(status(at, "Healthy")), ..Plan::default() };
    let first = wishes::of(&rollout, &plan("2026-01-01T00:00:01Z"));
    assert_eq!(first, wishes::of(&rollout, &plan("2026-01-01T00:00:02Z")));
    let words: Vec<String> = first.keys().map(ToString::to_string).collect();
    assert!(words.contains(&"status.phase = \"Healthy\"".to_owned()), "{words:?}");
    assert!(words.iter().any(|text| text.starts_with("status.conditions = ")), "{words:?}");
    assert_eq!(wishes::of(&rollout, &Plan::default()), BTreeMap::new(), "it is left alone");
}
