//! A Rollout that is Healthy with `app:1`, and what is done to it and looked at afterwards.

use crate::support::Model;
use crds::analysis::AnalysisPhase;
use crds::rollout::RolloutStatus;
use planner::ReplicaSet;
use serde_json::{Value, json};
use std::time::Duration;

/// Versions are called h1, h2, ... in the order in which they came up.
pub(crate) struct Play {
    pub(crate) model: Model,
}

/// A pod template of the application.
pub(crate) fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "demo"}}, "spec": {"containers": [{"name": "app", "image": image}]}})
}

/// The only AnalysisTemplate, as a Rollout refers to it.
pub(crate) fn analysis() -> Value {
    json!({"templates": [{"templateName": "t"}]})
}

impl Play {
    /// `app:1` is Healthy.
    pub(crate) fn new(replicas: i32, strategy: &Value) -> Self {
        Self::with(replicas, strategy, &json!({}))
    }

    /// The same with more fields in the spec.
    pub(crate) fn with(replicas: i32, strategy: &Value, spec: &Value) -> Self {
        Self::of_image("app:1", replicas, strategy, spec)
    }

    /// A minute after the first deploy of an image.
    pub(crate) fn of_image(image: &str, replicas: i32, strategy: &Value, spec: &Value) -> Self {
        let mut play = Self::begun(image, replicas, strategy, spec);
        play.run(60);
        play
    }

    /// The Rollout has been created and nobody has looked at it yet.
    pub(crate) fn begun(image: &str, replicas: i32, strategy: &Value, more: &Value) -> Self {
        let mut model = Model::new();
        for name in ["active", "preview", "stable", "canary"] {
            let spec = json!({"selector": {"app": "demo"}});
            model.create(&json!({"kind": "Service", "metadata": {"name": name}, "spec": spec}));
        }
        let metric = json!({"name": "m", "provider": {"web": {"url": "http://x"}}});
        let spec = json!({"metrics": [metric]});
        model.create(&json!({"kind": "AnalysisTemplate", "metadata": {"name": "t"}, "spec": spec}));
        let mut spec = json!({"replicas": replicas, "selector": {"matchLabels": {"app": "demo"}},
            "template": template(image), "strategy": strategy});
        let fields = more.as_object().unwrap().clone();
        spec.as_object_mut().unwrap().extend(fields);
        model.create(&json!({"apiVersion": crds::API_VERSION, "kind": "Rollout",
            "metadata": {"name": "demo"}, "spec": spec}));
        Self { model }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, seconds: u64) {
        self.watch(seconds, |_| {});
    }

    /// Lets time pass, and looks whenever the controller has come to rest.
    pub(crate) fn watch(&mut self, seconds: u64, mut look: impl FnMut(&Self)) {
        let end = self.model.now.plus(Duration::from_secs(seconds));
        loop {
            self.model.reconcile();
            look(self);
            match self.model.next_moment().filter(|next| *next <= end) {
                Some(next) => self.model.now = next,
                None => break,
            }
        }
        self.model.now = end;
        self.model.reconcile();
        look(self);
    }

    /// What a person does, and then time passes.
    pub(crate) fn act(&mut self, verb: &str, seconds: u64) {
        assert!(self.model.act(verb, &Value::Null), "nobody can {verb}");
        self.run(seconds);
    }

    /// Another image, and then time passes.
    pub(crate) fn update(&mut self, image: &str, seconds: u64) {
        self.model.set_image(image);
        self.run(seconds);
    }

    /// What becomes of an AnalysisRun some milliseconds after its beginning; until then it runs.
    pub(crate) fn script(&mut self, run: &str, milliseconds: u64, phase: AnalysisPhase) {
        let running = (0, AnalysisPhase::Running, String::new());
        let script = vec![running, (milliseconds, phase, String::new())];
        self.model.scripts.insert(run.to_owned(), script);
    }

    pub(crate) fn status(&self) -> RolloutStatus {
        self.model.world.rollout.status.clone().unwrap_or_default()
    }

    pub(crate) fn phase(&self) -> String {
        self.status().phase
    }

    /// The stable version.
    pub(crate) fn stable(&self) -> String {
        self.model.plain(&self.status().stable_rs)
    }

    /// The ReplicaSet of a version, while there is one.
    pub(crate) fn find(&self, version: &str) -> Option<&ReplicaSet> {
        self.model.world.replica_sets.iter().find(|set| self.model.plain(set.hash()) == version)
    }

    pub(crate) fn set(&self, version: &str) -> &ReplicaSet {
        self.find(version).unwrap_or_else(|| panic!("there is no version {version}"))
    }

    /// The version that a Service selects; empty when it selects all of them.
    pub(crate) fn selected(&self, service: &str) -> String {
        self.model.plain(self.model.world.services[service].hash())
    }

    /// Pods that are available and are to stay, of all versions.
    pub(crate) fn available(&self) -> i32 {
        self.model.world.replica_sets.iter().map(|set| set.counts.available.min(set.replicas)).sum()
    }

    /// Pods that are asked for, of all versions.
    pub(crate) fn asked(&self) -> i32 {
        self.model.world.replica_sets.iter().map(|set| set.replicas).sum()
    }

    /// Puts a scale-down deadline on every version that has no pods, as other tools leave them behind.
    pub(crate) fn leave_deadlines(&mut self, seconds_ago: i64) {
        let past = self.model.now.plus_seconds(-seconds_ago).to_string();
        for set in self.model.world.replica_sets.iter_mut().filter(|set| set.replicas == 0) {
            set.annotations.insert(crds::meta::SCALE_DOWN_DEADLINE_ANNOTATION.to_owned(), past.clone());
        }
    }
}
