#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use scenarios::{Release, RolloutView, rollout, service};
use serde_json::json;

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

async fn until(stage: &SandboxStage, phase: &str) {
    for _ in 0..200 {
        let found = stage.get(Kind::Rollout, "web").await.unwrap();
        if found.map(RolloutView).is_some_and(|web| web.phase() == phase) {
            return;
        }
        stage.rest().await;
    }
    panic!("not {phase} within a minute");
}

#[test]
fn verbs_speak_as_they_do_to_a_person() {
    paused().block_on(async {
        let stage = SandboxStage::open(&Settings::default());
        let steps = json!({"strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}});
        stage.apply(&service("web", "web")).await.unwrap();
        stage.apply(&rollout("web", IMAGE, Release::good("v1"), 2, steps.clone())).await.unwrap();
        until(&stage, "Healthy").await;
        stage.apply(&rollout("web", IMAGE, Release::good("v2"), 2, steps)).await.unwrap();
        until(&stage, "Paused").await;
        assert_eq!(
            stage.command(&["status", "web", "--watch=false"]).await.unwrap(),
            "Paused - CanaryPauseStep"
        );
        let tree = stage.command(&["get", "rollout", "web"]).await.unwrap();
        assert!(tree.contains("॥ Paused") && tree.contains("revision:2"), "{tree}");
        assert_eq!(stage.command(&["promote", "web"]).await.unwrap(), "rollout 'web' promoted");
        let seen = stage.command(&["status", "web", "--timeout", "60s"]).await.unwrap();
        assert!(seen.ends_with("Healthy"), "{seen}");
        let error = stage.command(&["promote", "gone"]).await.unwrap_err().to_string();
        assert_eq!(error, "rollouts.argoproj.io \"gone\" not found");
        let error = stage.command(&["promte", "web"]).await.unwrap_err().to_string();
        assert!(error.contains("unrecognized subcommand 'promte'"), "{error}");
    });
}

#[test]
fn analyses_reach_the_prometheus_and_no_other_host() {
    paused().block_on(async {
        let stage = SandboxStage::open(&Settings { controllers: 0, ..Settings::default() });
        let ask = async |url: &str| {
            let request = providers::http::Request {
                method: "GET".to_owned(),
                url: url.to_owned(),
                headers: Vec::new(),
                body: String::new(),
                timeout: Duration::from_secs(5),
                insecure: false,
            };
            providers::http::send(executor(stage.traffic().prometheus()), request).await
        };
        let answer = ask("http://prometheus.sandbox/api/v1/query?query=vector(2)").await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(String::from_utf8(answer.body).unwrap().contains("\"2\""));
        for url in ["http://elsewhere.example/api", "http://prometheus.sandbox.example/api/v1/query?query=1"]
        {
            let error = ask(url).await.unwrap_err().to_string();
            assert!(error.starts_with("no such host: "), "{error}");
        }
        let refused = stage.kill_controller("nobody").await.unwrap_err().to_string();
        assert_eq!(refused, "no controller \"nobody\" runs; those that run: []");
    });
}
