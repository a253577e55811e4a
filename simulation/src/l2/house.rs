//! A cluster with controllers in it.

use super::metrics::Answers;
use controller::args::Args;
use controller::{Controller, Surroundings};
use crds::Time;
use sandbox::{Blueprint, Cluster, Nature, Options};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tokio::task::{JoinHandle, JoinSet};

/// Namespace of everything in a simulation, the lease included.
pub const NAMESPACE: &str = "default";

/// Our own definitions, read once.
static BLUEPRINT: LazyLock<Blueprint> = LazyLock::new(|| Blueprint::default().with(&definitions()));

/// CustomResourceDefinitions of all kinds that the controller serves.
fn definitions() -> Vec<Value> {
    crds::manifest::all(crds::manifest::Detail::Slim).into_iter().map(|(_, definition)| definition).collect()
}

/// Definitions as they were before they had rules of their own.
fn without_rules(mut definitions: Vec<Value>) -> Vec<Value> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.remove("x-kubernetes-validations");
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    definitions.iter_mut().for_each(strip);
    definitions
}

/// How a simulation begins.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Everything random comes from it.
    pub seed: u64,
    /// How pods and built-in controllers are.
    pub nature: Nature,
    /// Whether the controller knows of its own writes at once.
    pub overlay: bool,
    /// Seconds after which the controller looks at everything again.
    pub resync_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, nature: Nature::default(), overlay: true, resync_seconds: 900 }
    }
}

/// The house: a cluster in memory, and the controllers that run in it.
pub struct House {
    /// The cluster.
    pub cluster: Cluster,
    /// What analyses are answered.
    pub answers: Answers,
    settings: Settings,
    controllers: BTreeMap<String, JoinHandle<()>>,
    started: u32,
    tasks: JoinSet<()>,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for controller in self.controllers.values() {
            controller.abort();
        }
    }
}

impl House {
    /// A cluster without controllers, whose own actors are at work.
    #[must_use]
    pub fn open(settings: Settings) -> Self {
        let cluster = Cluster::new(&Options {
            seed: settings.seed,
            nature: settings.nature.clone(),
            namespaces: vec![NAMESPACE.to_owned()],
            blueprint: if planner::defect!(SelectorMayChange) {
                Blueprint::default().with(&without_rules(definitions()))
            } else {
                BLUEPRINT.clone()
            },
            ..Options::default()
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(cluster.clone().run());
        Self {
            cluster,
            answers: Answers::default(),
            settings,
            controllers: BTreeMap::new(),
            started: 0,
            tasks,
        }
    }

    /// Time since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> std::time::Duration {
        self.cluster.clock().elapsed()
    }

    /// Starts a controller of this name; one that ran under it before has another identity.
    pub fn start_controller(&mut self, name: &str, skew_seconds: i64) {
        self.started += 1;
        let client = kube::Client::new(self.cluster.client(name), NAMESPACE);
        let clock = self.cluster.clock();
        let around = Surroundings {
            jobs: client.clone(),
            client,
            analyses: providers::Settings::default(),
            executor: self.answers.executor(move || clock.now()),
            begin: clock.now().plus_seconds(skew_seconds),
            identity: format!("{name}_{}", self.started),
            namespace: NAMESPACE.to_owned(),
            requests: controller::RequestCounter::default(),
            overlay: self.settings.overlay,
        };
        let args = args(self.settings.resync_seconds);
        let task = tokio::spawn(async move {
            Controller::start(args, around).work(std::future::pending()).await;
        });
        self.controllers.insert(name.to_owned(), task);
    }

    /// Ends a controller at once, as a crash does.
    pub fn kill_controller(&mut self, name: &str) {
        if let Some(task) = self.controllers.remove(name) {
            task.abort();
        }
    }

    /// Names of the controllers that run.
    pub fn controllers(&self) -> impl Iterator<Item = &str> {
        self.controllers.keys().map(String::as_str)
    }

    /// Tasks beside the controllers, which end with the house.
    pub fn tasks(&mut self) -> &mut JoinSet<()> {
        &mut self.tasks
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.cluster.clock().now()
    }
}

fn args(resync_seconds: u64) -> Args {
    use clap::Parser;
    let resync = resync_seconds.to_string();
    // A few workers are as many as a small cluster keeps busy.
    Args::parse_from([
        "stepgate-controller",
        "--rollout-threads=2",
        "--analysis-threads=2",
        "--rollout-resync",
        resync.as_str(),
    ])
}
