//! A Rollout named `demo` with Services `main` and `next` and an AnalysisTemplate `t`.

use super::Model;
use serde_json::{Value, json};
use std::time::Duration;

/// The model with version `app:1` of the Rollout.
pub fn model(replicas: i32, strategy: &Value) -> Model {
    let mut model = Model::new();
    for name in ["main", "next"] {
        let spec = json!({"selector": {"app": "demo"}});
        model.create(&json!({"kind": "Service", "metadata": {"name": name}, "spec": spec}));
    }
    let metric = json!({"name": "m", "provider": {"prometheus": {"address": "http://a", "query": "q"}}});
    model.create(
        &json!({"kind": "AnalysisTemplate", "metadata": {"name": "t"}, "spec": {"metrics": [metric]}}),
    );
    let template = json!({"metadata": {"labels": {"app": "demo"}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]}});
    model.create(&json!({"apiVersion": crds::API_VERSION, "kind": "Rollout", "metadata": {"name": "demo"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "demo"}}, "template": template,
            "strategy": strategy}}));
    model
}

/// Lets time pass until `done` holds at rest.
pub fn until(model: &mut Model, what: &str, done: impl Fn(&Model) -> bool) {
    let there = model.run_until(Duration::from_millis(800), Duration::from_secs(90), done);
    assert!(there, "never {what}: {:?}", model.world.rollout.status);
}

/// Lets time pass until the newest manifest has this phase.
pub fn until_phase(model: &mut Model, phase: &str) {
    until(model, phase, |model| {
        let generation = model.world.rollout.metadata.generation.unwrap().to_string();
        let status = model.world.rollout.status.as_ref();
        status.is_some_and(|status| status.phase == phase && status.observed_generation == generation)
    });
}
