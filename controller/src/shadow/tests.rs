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
