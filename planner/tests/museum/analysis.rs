//! Analyses: one for each purpose, and their verdicts count.

use crate::play::{Play, analysis};
use crds::analysis::AnalysisPhase;
use serde_json::json;

#[test]
pub(crate) fn analysis_cancelled_when_a_pod_restarts() {
    let mut play =
        Play::new(3, &json!({"blueGreen": {"activeService": "active", "prePromotionAnalysis": analysis()}}));
    play.script("demo-h2-2-pre", 20_000, AnalysisPhase::Failed);
    play.update("app:2", 6);
    play.model.act("deletePod", &json!({"revision": 2}));
    play.watch(60, |play| {
        assert_eq!((play.selected("active").as_str(), play.model.world.analysis_runs.len()), ("h1", 1));
    });
    assert_eq!(play.phase(), "Degraded");
}

#[test]
pub(crate) fn analysis_runs_without_end() {
    let steps = json!([{"setWeight": 25}, {"analysis": analysis()}]);
    let mut play = Play::new(4, &json!({"canary": {"steps": steps}}));
    for run in ["demo-h2-2-1", "demo-h2-2-1.1", "demo-h2-2-1.2"] {
        play.script(run, 2000, AnalysisPhase::Successful);
    }
    play.update("app:2", 60);
    assert_eq!((play.model.world.analysis_runs.len(), play.phase().as_str()), (1, "Healthy"));
}

#[test]
pub(crate) fn background_analysis_starts_again() {
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": "30s"}}]);
    let mut play = Play::new(4, &json!({"canary": {"analysis": analysis(), "steps": steps}}));
    for run in ["demo-h2-2", "demo-h2-2.1"] {
        play.script(run, 2000, AnalysisPhase::Successful);
    }
    play.model.set_image("app:2");
    play.watch(100, |play| assert!(play.model.world.analysis_runs.len() <= 1));
    assert_eq!(play.phase(), "Healthy");
}

#[test]
pub(crate) fn undecided_analysis_blocks_the_promotion() {
    let step = json!({"analysis": analysis()});
    let steps = json!([{"setWeight": 25}, step, step, {"pause": {"duration": "2s"}}]);
    let mut play = Play::new(4, &json!({"canary": {"steps": steps}}));
    play.script("demo-h2-2-1", 1000, AnalysisPhase::Inconclusive);
    play.script("demo-h2-2-2", 1000, AnalysisPhase::Successful);
    play.update("app:2", 20);
    assert_eq!(play.status().message, "InconclusiveAnalysisRun");
    play.act("promote", 60);
    assert_eq!((play.phase().as_str(), play.model.world.analysis_runs.len()), ("Healthy", 2));
}

#[test]
pub(crate) fn undecided_background_analysis_is_promoted() {
    let steps = json!([{"setWeight": 100}, {"pause": {"duration": "20s"}}]);
    let mut play = Play::new(4, &json!({"canary": {"analysis": analysis(), "steps": steps}}));
    play.script("demo-h2-2", 8000, AnalysisPhase::Inconclusive);
    play.script("demo-h2-2.1", 2000, AnalysisPhase::Successful);
    play.update("app:2", 15);
    assert_eq!(play.phase(), "Paused");
    play.watch(3600, |play| assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Paused", "h1")));
    play.act("promote", 60);
    assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
}

#[test]
fn undecided_background_analysis_ends_no_pause() {
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": "6s"}}, {"pause": {"duration": "600s"}},
        {"setWeight": 50}, {"pause": {}}]);
    let mut play = Play::new(4, &json!({"canary": {"analysis": analysis(), "steps": steps}}));
    play.script("demo-h2-2", 3000, AnalysisPhase::Inconclusive);
    play.model.set_image("app:2");
    play.watch(600, |play| assert!(play.status().current_step_index <= Some(2)));
    assert_eq!(play.phase(), "Paused");
}
