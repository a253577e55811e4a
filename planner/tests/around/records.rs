//! What is written on ReplicaSets, what is told of their failures, and how much of the past is kept: `[identify]`
//! `[history]` `[analysis.retention]` `[status.conditions]`

use crate::play::Play;
use crds::analysis::AnalysisPhase;
use crds::meta;
use serde_json::json;

fn plain() -> Play {
    Play::new(2, &json!({"canary": {}}))
}

fn annotation(play: &Play, version: &str, key: &str) -> String {
    play.set(version).annotations.get(key).cloned().unwrap_or_default()
}

fn failure(play: &Play) -> Option<(String, String, String)> {
    let conditions = play.status().conditions.unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition.kind == "ReplicaFailure")?;
    Some((found.status, found.reason, found.message))
}

#[test]
fn annotations_are_copied_and_stay() {
    let mut play = plain();
    let before = (annotation(&play, "h1", meta::REVISION_ANNOTATION), play.model.world.replica_sets.len());
    play.model.patch(&json!({"metadata": {"annotations": {"team": "a", meta::LAST_APPLIED_ANNOTATION: "{}",
        meta::NOTIFIED_ANNOTATION: "{}", meta::DESIRED_REPLICAS_ANNOTATION: "9"}}}));
    play.run(5);
    assert_eq!(annotation(&play, "h1", "team"), "a");
    assert_eq!(annotation(&play, "h1", meta::DESIRED_REPLICAS_ANNOTATION), "2");
    for foreign in [meta::LAST_APPLIED_ANNOTATION, meta::NOTIFIED_ANNOTATION] {
        assert_eq!(annotation(&play, "h1", foreign), "", "{foreign}");
    }
    play.model.patch(&json!({"metadata": {"annotations": {"team": null}}}));
    play.run(5);
    assert_eq!(annotation(&play, "h1", "team"), "a", "what was copied stays");
    let after = (annotation(&play, "h1", meta::REVISION_ANNOTATION), play.model.world.replica_sets.len());
    assert_eq!(before, after, "no new version, and no new revision");
}

#[test]
fn each_return_of_a_version_is_remembered() {
    let mut play = plain();
    for image in ["app:2", "app:1", "app:2", "app:1"] {
        play.update(image, 30);
    }
    let told = |version: &str| {
        let revision = annotation(&play, version, meta::REVISION_ANNOTATION);
        (revision, annotation(&play, version, meta::REVISION_HISTORY_ANNOTATION))
    };
    assert_eq!(told("h1"), ("5".to_owned(), "1,3".to_owned()));
    assert_eq!(told("h2"), ("4".to_owned(), "2".to_owned()));
}

#[test]
fn the_number_of_wanted_pods_is_recorded_with_each_size() {
    let strategy = json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}});
    let mut play = Play::new(2, &strategy);
    play.update("app:2", 30);
    play.model.patch(&json!({"spec": {"replicas": 4}}));
    play.run(30);
    for version in ["h1", "h2"] {
        assert_eq!(annotation(&play, version, meta::DESIRED_REPLICAS_ANNOTATION), "4", "{version}");
        assert_eq!(play.set(version).replicas, 2, "{version}");
    }
}

#[test]
fn a_failure_of_a_replica_set_is_told_while_it_lasts() {
    let mut play = plain();
    play.update("app:2", 30);
    assert_eq!(failure(&play), None);
    let fails = |play: &mut Play, version: usize, message: &str| {
        let failure = (!message.is_empty()).then(|| ("FailedCreate".to_owned(), message.to_owned()));
        play.model.world.replica_sets[version].failure = failure;
        play.run(1);
    };
    let told = |message: &str| Some(("True".to_owned(), "FailedCreate".to_owned(), message.to_owned()));
    fails(&mut play, 0, "of the old one");
    assert_eq!(failure(&play), told("of the old one"));
    fails(&mut play, 0, "");
    fails(&mut play, 1, "of the new one");
    assert_eq!(failure(&play), told("of the new one"));
    fails(&mut play, 1, "");
    assert_eq!(failure(&play), None);
}

#[test]
fn old_versions_and_their_runs_are_kept_up_to_the_limits() {
    let strategy = json!({"canary": {"steps": [{"analysis": crate::play::analysis()}]}});
    let limits = json!({"revisionHistoryLimit": 2,
        "analysis": {"successfulRunHistoryLimit": 2, "unsuccessfulRunHistoryLimit": 1}});
    let mut play = Play::with(1, &strategy, &limits);
    for number in 2..=7 {
        let (phase, image) = if number % 2 == 0 {
            (AnalysisPhase::Failed, format!("app:{number}"))
        } else {
            (AnalysisPhase::Successful, format!("app:{number}"))
        };
        play.script(&format!("demo-h{number}-{number}-0"), 1000, phase);
        play.update(&image, 60);
    }
    let sets: Vec<String> =
        play.model.world.replica_sets.iter().map(|set| play.model.plain(set.hash())).collect();
    assert_eq!(sets, ["h5", "h6", "h7"], "the stable one and two others");
    let runs: Vec<(String, AnalysisPhase)> = play
        .model
        .world
        .analysis_runs
        .iter()
        .map(|run| (play.model.plain(&run.name), run.status.as_ref().unwrap().phase))
        .collect();
    let expected = [
        ("demo-h5-5-0".to_owned(), AnalysisPhase::Successful),
        ("demo-h6-6-0".to_owned(), AnalysisPhase::Failed),
        ("demo-h7-7-0".to_owned(), AnalysisPhase::Successful),
    ];
    assert_eq!(runs, expected);
}

#[test]
fn runs_of_one_version_are_kept_up_to_the_limits() {
    let strategy = json!({"canary": {"steps": [{"analysis": crate::play::analysis()}]}});
    let limits = json!({"analysis": {"successfulRunHistoryLimit": 0, "unsuccessfulRunHistoryLimit": 1}});
    let mut play = Play::with(1, &strategy, &limits);
    for run in ["demo-h2-2-0", "demo-h2-2-0.1", "demo-h2-2-0.2"] {
        play.script(run, 1000, AnalysisPhase::Failed);
    }
    play.script("demo-h2-2-0.3", 1000, AnalysisPhase::Successful);
    play.update("app:2", 60);
    for _ in 0..3 {
        play.act("retry", 60);
    }
    assert_eq!((play.stable().as_str(), play.phase().as_str()), ("h2", "Healthy"));
    let runs: Vec<String> =
        play.model.world.analysis_runs.iter().map(|run| play.model.plain(&run.name)).collect();
    assert_eq!(runs, ["demo-h2-2-0.2"]);
}
