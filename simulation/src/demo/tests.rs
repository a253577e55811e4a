#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use scenarios::show::Team;
use scenarios::{Kind, RolloutView, Stage};
use serde_json::{Value, json};

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

#[test]
fn the_good_release_is_stable_the_bad_one_was_stopped() {
    paused().block_on(async {
        let (stage, screen) = (open(Settings::default().begin), Screen::kept());
        led(&stage).await.unwrap();
        let ends = tell(&stage, &screen).await.unwrap();
        let text = screen.text();
        assert_eq!(ends.len(), 3);
        assert!(ends[0].contains("good") && ends[0].ends_with("no answer 0"), "{ends:?}");
        assert!(ends[1].contains("bad") && ends[1].contains(" failed; no answer 0"), "{ends:?}");
        assert!(ends[2].contains("v2 ") && ends[2].ends_with("no answer 0"), "{ends:?}");
        assert!(text.contains("Degraded: RolloutAborted"), "{text}");
        let web = RolloutView(stage.get(Kind::Rollout, "web").await.unwrap().unwrap());
        assert!(web.is_healthy() && web.stable() == web.current(), "{}", web.line());
        let env = web.0.pointer("/spec/template/spec/containers/0/env/0/value").and_then(Value::as_str);
        assert_eq!(env, Some("v2"));
        let runs = stage.list(Kind::AnalysisRun).await.unwrap();
        let mut phases: Vec<_> = runs.iter().map(|run| run["status"]["phase"].as_str().unwrap()).collect();
        phases.sort_unstable();
        assert_eq!(phases, ["Failed", "Successful"]);
        // A minute is what people watch.
        assert!(stage.now() < Duration::from_secs(90), "{:?}", stage.now());
    });
}

#[test]
fn a_revert_brings_back_what_stood_before() {
    let commits = Commits::default();
    assert!(commits.revert().is_err());
    let file = |version: &str| vec![json!({"kind": "Rollout", "version": version})];
    paused().block_on(async {
        commits.commit("one", &[("web.yaml", file("v1")), ("gate.yaml", file("gate"))]).unwrap();
        commits.commit("two", &[("web.yaml", file("v2"))]).unwrap();
        commits.revert().unwrap();
        let stage = open(Settings::default().begin);
        // It is no object that the stage knows: the syncer says so and ends.
        assert!(commits.sync(&stage).await.to_string().contains("gate"));
    });
}
