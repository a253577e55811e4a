//! `[status.duration]`

use crate::play::Play;
use crds::rollout::RolloutStatus;
use crds::rollout::status::DurationStatus;
use planner::rollout::{Ended, ended};
use serde_json::{Value, json};

fn manual() -> [Value; 2] {
    [
        json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}),
        json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false}}),
    ]
}

fn duration(play: &Play) -> DurationStatus {
    play.status().duration.unwrap_or_default()
}

fn outcome(play: &Play) -> String {
    duration(play).completion_status.unwrap_or_default()
}

fn length(play: &Play) -> i64 {
    let record = duration(play);
    let (from, to) = (record.rollout_started_at.unwrap(), record.finished_at.unwrap());
    i64::try_from(from.until(to).as_secs()).unwrap()
}

#[test]
fn waits_for_people_are_added_up() {
    for strategy in manual() {
        let mut play = Play::new(2, &strategy);
        assert_eq!(outcome(&play), "Promoted", "{strategy}");
        play.update("app:2", 30);
        assert!(duration(&play).manual_pause_started_at.is_some(), "{strategy}");
        assert_eq!(duration(&play).total_manual_pause_duration_seconds, None, "{strategy}");
        play.act("pause", 20);
        play.act("promote", 30);
        let record = duration(&play);
        assert_eq!((outcome(&play).as_str(), record.manual_pause_started_at), ("Promoted", None));
        let paused = record.total_manual_pause_duration_seconds.unwrap();
        assert!((48..=49).contains(&paused), "{strategy}: {paused}");
        assert!((50..=54).contains(&length(&play)), "{strategy}: {}", length(&play));
    }
}

#[test]
fn a_pause_with_a_length_is_no_wait_for_people() {
    for strategy in [
        json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {"duration": 20}}]}}),
        json!({"blueGreen": {"activeService": "active", "autoPromotionSeconds": 20}}),
    ] {
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 60);
        let record = duration(&play);
        assert_eq!((outcome(&play).as_str(), record.total_manual_pause_duration_seconds), ("Promoted", None));
        assert!((20..=26).contains(&length(&play)), "{strategy}: {}", length(&play));
    }
}

#[test]
fn nothing_is_counted_at_rest() {
    for strategy in manual() {
        let mut play = Play::new(2, &strategy);
        let before = duration(&play);
        play.act("pause", 100);
        play.act("unpause", 10);
        play.act("restart", 100);
        play.model.patch(&json!({"spec": {"replicas": 5}}));
        play.run(60);
        assert_eq!(duration(&play), before, "{strategy}");
    }
}

#[test]
fn an_abort_ends_it_and_a_new_try_begins_it_anew() {
    for strategy in manual() {
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 30);
        let first = duration(&play).rollout_started_at;
        play.act("abort", 100);
        assert_eq!(outcome(&play), "Aborted", "{strategy}");
        assert_eq!(length(&play), 30, "{strategy}");
        assert!(duration(&play).total_manual_pause_duration_seconds.unwrap() > 20, "{strategy}");
        play.act("retry", 1);
        let record = duration(&play);
        assert!(record.rollout_started_at > first, "{strategy}");
        assert_eq!((record.finished_at, record.total_manual_pause_duration_seconds), (None, None));
        assert_eq!(outcome(&play), "", "{strategy}");
        // After the abort there is nothing left to roll back.
        play.act("abort", 100);
        let aborted = duration(&play);
        play.update("app:1", 100);
        assert_eq!(duration(&play), aborted, "{strategy}");
    }
}

#[test]
fn back_to_stable_before_the_end() {
    for strategy in manual() {
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 30);
        play.update("app:1", 100);
        assert_eq!(outcome(&play), "FastRolledBack", "{strategy}");
        assert!((30..=34).contains(&length(&play)), "{strategy}: {}", length(&play));
        let paused = duration(&play).total_manual_pause_duration_seconds.unwrap();
        assert!((27..=29).contains(&paused), "{strategy}: {paused}");
    }
}

#[test]
fn back_to_an_older_version_before_the_end() {
    let canary = json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}});
    let green = |delay: i32| {
        json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false,
            "scaleDownDelaySeconds": delay}})
    };
    // Versions that are promoted before the last one begins; whether the way back to the first is a fast one.
    let window = json!({"rollbackWindow": {"revisions": 1}});
    let plays = [
        (canary.clone(), window.clone(), 2, true),
        (canary.clone(), window.clone(), 3, false),
        (canary, json!({}), 2, false),
        (green(0), window.clone(), 2, true),
        (green(0), window, 3, false),
        (green(600), json!({}), 2, true),
    ];
    for (strategy, spec, promoted, fast) in plays {
        let mut play = Play::with(2, &strategy, &spec);
        for version in 2..=promoted {
            play.update(&format!("app:{version}"), 20);
            play.act("promote", 20);
            assert_eq!((play.phase().as_str(), outcome(&play).as_str()), ("Healthy", "Promoted"));
        }
        play.update("app:9", 20);
        let started = duration(&play).rollout_started_at;
        play.update("app:1", 20);
        if !fast {
            assert_eq!((play.phase().as_str(), duration(&play).finished_at), ("Paused", None), "{strategy}");
            play.act("promote", 20);
        }
        let word = if fast { "FastRolledBack" } else { "RolledBack" };
        assert_eq!((play.phase().as_str(), outcome(&play).as_str()), ("Healthy", word), "{strategy}");
        assert_eq!(duration(&play).rollout_started_at, started, "{strategy}");
        assert!(duration(&play).finished_at.is_some(), "{strategy}");
        assert!(duration(&play).total_manual_pause_duration_seconds.unwrap() > 15, "{strategy}");
    }
}

#[test]
fn a_way_back_that_is_aborted_ends_as_aborted() {
    for strategy in manual() {
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 20);
        play.act("promote", 60);
        play.update("app:3", 20);
        play.update("app:1", 20);
        play.act("abort", 20);
        assert_eq!(outcome(&play), "Aborted", "{strategy}");
        assert!(duration(&play).finished_at.is_some(), "{strategy}");
    }
}

#[test]
fn full_promotion_is_told_apart() {
    for strategy in manual() {
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 30);
        play.act("promoteFull", 60);
        assert_eq!(outcome(&play), "FastPromoted", "{strategy}");
        play.update("app:3", 30);
        play.act("abort", 30);
        play.act("promoteFull", 60);
        assert_eq!(outcome(&play), "FastPromoted", "{strategy}");
        assert!(length(&play) < 10, "{strategy}: {}", length(&play));
    }
}

#[test]
fn an_update_taken_over_in_its_middle_has_no_record() {
    for strategy in manual() {
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 30);
        play.model.world.rollout.status.as_mut().unwrap().duration = None;
        play.act("promote", 60);
        assert_eq!((play.status().duration, play.stable().as_str()), (None, "h2"), "{strategy}");
        play.update("app:3", 30);
        assert!(duration(&play).rollout_started_at.is_some(), "{strategy}");
    }
}

fn recorded(from: i64, to: Option<i64>, waits_since: Option<i64>, paused: i64, how: &str) -> RolloutStatus {
    let time = |seconds| crds::Time::from_unix_seconds(seconds).unwrap();
    let duration = DurationStatus {
        rollout_started_at: Some(time(from)),
        manual_pause_started_at: waits_since.map(time),
        total_manual_pause_duration_seconds: (paused > 0).then_some(paused),
        finished_at: to.map(time),
        completion_status: Some(how.to_owned()).filter(|how| !how.is_empty()),
    };
    RolloutStatus { duration: Some(duration), ..RolloutStatus::default() }
}

#[test]
fn what_metrics_count() {
    let open = recorded(100, None, Some(150), 10, "");
    let over = recorded(100, Some(170), None, 30, "Promoted");
    assert_eq!(ended(&open, &over), Some(Ended { status: "Promoted", seconds: 70, paused_seconds: 30 }));
    assert_eq!(ended(&over, &over), None, "counted once");
    assert_eq!(ended(&open, &open), None);
    assert_eq!(ended(&RolloutStatus::default(), &open), None);
    let next = recorded(180, None, None, 0, "");
    let superseded = Ended { status: "Superseded", seconds: 80, paused_seconds: 40 };
    assert_eq!(ended(&open, &next), Some(superseded), "the pause that lasted is counted");
    assert_eq!(ended(&over, &next), None, "the earlier one has been counted");
    let foreign = recorded(100, Some(170), None, 0, "Somehow");
    assert_eq!(ended(&open, &foreign), None, "words that we do not know make no series");
}
