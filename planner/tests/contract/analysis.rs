//! Analyses of a Rollout. `[analysis.runs]`

use crate::play::{Play, analysis};
use crds::analysis::AnalysisPhase;
use crds::meta;
use planner::AnalysisRunView;
use serde_json::{Value, json};

fn gated(analysis: &Value) -> Value {
    json!({"canary": {"steps": [{"setWeight": 50}, {"analysis": analysis}, {"pause": {}}]}})
}

fn run<'p>(play: &'p Play, name: &str) -> &'p AnalysisRunView {
    let runs = &play.model.world.analysis_runs;
    runs.iter()
        .find(|run| play.model.plain(&run.name) == name)
        .unwrap_or_else(|| panic!("no {name}: {runs:?}"))
}

fn names(play: &Play) -> Vec<String> {
    play.model.world.analysis_runs.iter().map(|run| play.model.plain(&run.name)).collect()
}

#[test]
fn a_run_says_what_it_is_for() {
    let mut wanted = analysis();
    wanted["analysisRunMetadata"] =
        json!({"labels": {"team": "a", "app": "other"}, "annotations": {"why": "gate"}});
    let mut play = Play::new(2, &gated(&wanted));
    play.model.world.settings.instance_id = Some("one".to_owned());
    play.update("app:2", 10);
    let run = run(&play, "demo-h2-2-1");
    let label = |key: &str| play.model.plain(run.labels.get(key).map_or("", String::as_str));
    assert_eq!(label(meta::POD_TEMPLATE_HASH_LABEL), "h2");
    assert_eq!(
        (label(meta::ROLLOUT_TYPE_LABEL).as_str(), label(meta::STEP_INDEX_LABEL).as_str()),
        ("Step", "1")
    );
    assert_eq!(label(meta::INSTANCE_ID_LABEL), "one");
    assert_eq!((label("team").as_str(), label("app").as_str()), ("a", "demo"), "the selector's labels win");
    assert_eq!(run.annotations[meta::REVISION_ANNOTATION], "2");
    assert_eq!(run.annotations["why"], "gate");
}

#[test]
fn each_kind_of_run_has_a_name_of_its_own() {
    let both = json!({"canary": {"analysis": analysis(),
        "steps": [{"setWeight": 50}, {"analysis": analysis()}, {"pause": {}}]}});
    let mut play = Play::new(2, &both);
    play.update("app:2", 10);
    assert_eq!(names(&play), ["demo-h2-2", "demo-h2-2-1"]);
    let gates = json!({"blueGreen": {"activeService": "active", "prePromotionAnalysis": analysis(),
        "postPromotionAnalysis": analysis()}});
    let mut play = Play::new(2, &gates);
    play.script("demo-h2-2-pre", 2_000, AnalysisPhase::Successful);
    play.update("app:2", 20);
    assert_eq!(names(&play), ["demo-h2-2-pre", "demo-h2-2-post"]);
}

#[test]
fn a_verdict_against_the_version_aborts_it_and_says_why() {
    for (phase, event) in
        [(AnalysisPhase::Failed, "AnalysisRunFailed"), (AnalysisPhase::Error, "AnalysisRunError")]
    {
        let mut play = Play::new(2, &gated(&analysis()));
        let script = vec![(0, AnalysisPhase::Running, String::new()), (2_000, phase, "too slow".to_owned())];
        play.model.scripts.insert("demo-h2-2-1".to_owned(), script);
        play.update("app:2", 20);
        let said = "Rollout aborted update to revision 2: Step-based analysis phase error/failed: too slow";
        assert_eq!(play.status().message, format!("RolloutAborted: {said}"));
        assert!(play.model.reasons().contains(&event));
        assert!(play.model.events.contains(&("RolloutAborted".to_owned(), said.to_owned())));
        assert_eq!((play.phase().as_str(), play.set("h2").replicas), ("Degraded", 0));
    }
}

#[test]
fn an_undecided_one_halts_all_and_going_on_asks_again() {
    let background = json!({"canary": {"analysis": analysis(),
        "steps": [{"setWeight": 50}, {"pause": {"duration": 20}}, {"setWeight": 75}]}});
    let mut play = Play::new(4, &background);
    play.script("demo-h2-2", 5_000, AnalysisPhase::Inconclusive);
    play.update("app:2", 10);
    assert_eq!((play.phase().as_str(), play.status().controller_pause), ("Paused", true));
    play.run(60);
    assert_eq!(play.set("h2").replicas, 2, "nothing is scaled");
    play.act("promote", 10);
    assert_eq!(names(&play), ["demo-h2-2", "demo-h2-2.1"]);
}

#[test]
fn the_one_beside_the_steps_begins_at_its_step_and_goes_on() {
    let mut background = analysis();
    background["startingStep"] = json!(2);
    let strategy = json!({"canary": {"analysis": background,
        "steps": [{"setWeight": 25}, {"pause": {"duration": 10}}, {"setWeight": 50}, {"pause": {}}]}});
    let mut play = Play::new(4, &strategy);
    play.update("app:2", 8);
    assert!(names(&play).is_empty(), "it is not its turn yet");
    play.run(30);
    assert_eq!(names(&play), ["demo-h2-2"]);
    assert_eq!(run(&play, "demo-h2-2").spec.terminate, None);
    play.act("promote", 30);
    assert_eq!(run(&play, "demo-h2-2").spec.terminate, Some(true), "the update is over");
}

#[test]
fn runs_end_with_an_abort_and_a_retry_makes_others() {
    let mut play = Play::new(2, &gated(&analysis()));
    play.update("app:2", 10);
    play.act("abort", 10);
    assert_eq!(run(&play, "demo-h2-2-1").spec.terminate, Some(true));
    play.act("retry", 20);
    assert_eq!(names(&play), ["demo-h2-2-1", "demo-h2-2-1.1"]);
}

#[test]
fn runs_end_with_a_full_promotion_and_with_the_way_back() {
    let mut play = Play::new(2, &gated(&analysis()));
    play.update("app:2", 10);
    play.act("promoteFull", 10);
    assert_eq!((run(&play, "demo-h2-2-1").spec.terminate, play.stable().as_str()), (Some(true), "h2"));
    play.update("app:3", 10);
    play.update("app:2", 10);
    assert_eq!((run(&play, "demo-h3-3-1").spec.terminate, play.stable().as_str()), (Some(true), "h2"));
}

#[test]
fn the_first_deploy_is_not_analysed() {
    let both = json!({"canary": {"analysis": analysis(), "steps": [{"analysis": analysis()}]}});
    let mut play = Play::begun("app:1", 2, &both, &json!({}));
    play.run(30);
    assert_eq!((names(&play).len(), play.phase().as_str()), (0, "Healthy"));
}

#[test]
fn arguments_can_be_the_hashes_of_both_versions() {
    let mut wanted = analysis();
    let hash = |of: &str| json!({"podTemplateHashValue": of});
    wanted["args"] = json!([{"name": "new", "valueFrom": hash("Latest")},
        {"name": "old", "valueFrom": hash("Stable")},
        {"name": "size", "valueFrom": {"fieldRef": {"fieldPath": "spec.replicas"}}},
        {"name": "dropped", "value": "x"}]);
    let mut play = Play::new(2, &gated(&wanted));
    let template = play.model.world.analysis_templates.get_mut("t").unwrap();
    let args = json!([{"name": "new"}, {"name": "old"}, {"name": "size"}]);
    template.args = serde_json::from_value(args).unwrap();
    play.update("app:2", 10);
    let args = run(&play, "demo-h2-2-1").spec.args.clone().unwrap();
    let args: Vec<String> = args
        .iter()
        .map(|arg| format!("{}={}", arg.name, play.model.plain(arg.value.as_deref().unwrap())))
        .collect();
    assert_eq!(args, ["new=h2", "old=h1", "size=2"]);
}

#[test]
fn no_gate_is_passed_by_whose_run_cannot_be_made() {
    let mut wanted = analysis();
    let field = json!({"fieldRef": {"fieldPath": "spec.progressDeadlineSeconds"}});
    wanted["args"] = json!([{"name": "team", "valueFrom": field}]);
    let gates = [
        (json!({"canary": {"analysis": wanted, "steps": [{"setWeight": 50}]}}), "canary.analysis"),
        (json!({"canary": {"analysis": wanted}}), "canary.analysis"),
        (json!({"canary": {"steps": [{"setWeight": 50}, {"analysis": wanted}]}}), "canary.steps[1].analysis"),
        (
            json!({"blueGreen": {"activeService": "active", "prePromotionAnalysis": wanted}}),
            "blueGreen.prePromotionAnalysis",
        ),
        (
            json!({"blueGreen": {"activeService": "active", "postPromotionAnalysis": wanted}}),
            "blueGreen.postPromotionAnalysis",
        ),
    ];
    for (strategy, path) in gates {
        let mut play = Play::new(2, &strategy);
        let template = play.model.world.analysis_templates.get_mut("t").unwrap();
        template.args = serde_json::from_value(json!([{"name": "team"}])).unwrap();
        play.update("app:2", 60);
        assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Degraded", "h1"), "{strategy}");
        let told = format!(
            "InvalidSpec: The Rollout \"demo\" is invalid: spec.strategy.{path}: argument \"team\": the Rollout has no field \"spec.progressDeadlineSeconds\" with a plain value"
        );
        assert_eq!(play.status().message, told);
        assert!(play.model.world.analysis_runs.is_empty(), "{strategy}");
        play.model.patch(&json!({"spec": {"progressDeadlineSeconds": 300}}));
        play.run(60);
        assert_eq!(play.model.world.analysis_runs.len(), 1, "{strategy}: {}", play.status().message);
        assert!(!play.status().message.contains("InvalidSpec"), "{strategy}: {}", play.status().message);
    }
}
