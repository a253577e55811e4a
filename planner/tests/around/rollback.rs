//! `[rollback]`

use crate::play::Play;
use crds::analysis::AnalysisPhase;
use serde_json::{Value, json};

fn pausing() -> Value {
    json!({"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}})
}

/// Four versions, the last one stable; the window is two revisions wide.
fn four(strategy: &Value) -> Play {
    let mut play = Play::with(4, strategy, &json!({"rollbackWindow": {"revisions": 2}}));
    for image in ["app:2", "app:3", "app:4"] {
        play.update(image, 30);
        play.act("promoteFull", 120);
    }
    assert_eq!(play.stable(), "h4");
    play
}

#[test]
fn within_the_window_the_steps_are_passed_by() {
    for image in ["app:3", "app:2"] {
        let mut play = four(&pausing());
        let from = play.model.events.len();
        play.update(image, 60);
        assert_eq!((play.phase().as_str(), play.stable()), ("Healthy", image.replace("app:", "h")));
        let events = &play.model.events[from..];
        assert!(
            events.iter().all(|(reason, _)| reason != "RolloutPaused" && reason != "SkipSteps"),
            "{events:?}"
        );
        let told = events.iter().any(|(_, message)| message.ends_with(": Rollback within window"));
        assert!(told, "{events:?}");
        assert_eq!(play.status().duration.unwrap().completion_status.as_deref(), Some("Promoted"));
    }
}

#[test]
fn beyond_the_window_the_steps_hold() {
    let mut play = four(&pausing());
    play.update("app:1", 60);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Paused", "h4"));
    play.model.patch(&json!({"spec": {"rollbackWindow": {"revisions": 3}}}));
    play.run(60);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h1"));
}

#[test]
fn a_version_that_still_has_pods_is_told_of() {
    // Blue-green keeps the pods of h3 for a while; as a canary it goes straight past the steps.
    let mut play = four(&json!({"blueGreen": {"activeService": "active", "scaleDownDelaySeconds": 600}}));
    assert_eq!(play.set("h3").replicas, 4);
    let mut strategy = pausing();
    strategy["blueGreen"] = Value::Null;
    play.model.patch(&json!({"spec": {"strategy": strategy}}));
    play.update("app:3", 60);
    let skip = ("SkipSteps".to_owned(), "Rollback to active ReplicaSets within RollbackWindow".to_owned());
    assert!(play.model.events.contains(&skip), "{:?}", play.model.events);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h3"));
}

#[test]
fn an_abort_is_obeyed_and_a_retry_goes_on() {
    let mut play = four(&pausing());
    play.update("app:3", 1);
    play.act("abort", 60);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Degraded", "h4"));
    assert_eq!(play.set("h4").counts.available, 4);
    play.act("retry", 60);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h3"));
}

#[test]
fn analyses_and_pauses_of_blue_green_are_passed_by() {
    let pre = crate::play::analysis();
    let strategy = json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false,
        "prePromotionAnalysis": pre, "scaleDownDelaySeconds": 1}});
    let mut play = four(&strategy);
    let runs = play.model.world.analysis_runs.len();
    play.update("app:2", 60);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
    assert_eq!((play.selected("active").as_str(), play.model.world.analysis_runs.len()), ("h2", runs));
}

#[test]
fn a_background_analysis_is_not_begun() {
    let strategy = json!({"canary": {"analysis": crate::play::analysis(),
        "steps": [{"setWeight": 50}, {"pause": {}}]}});
    let mut play = four(&strategy);
    let ended = |run: &planner::AnalysisRunView| {
        run.status.as_ref().is_none_or(|s| s.phase != AnalysisPhase::Running)
    };
    let runs = play.model.world.analysis_runs.len();
    play.update("app:3", 60);
    assert_eq!((play.stable().as_str(), play.model.world.analysis_runs.len()), ("h3", runs));
    assert!(play.model.world.analysis_runs.iter().all(ended));
}
