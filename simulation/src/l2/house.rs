//! A cluster with controllers in it.

use super::metrics::Answers;
use controller::args::Args;
use controller::{Controller, Surroundings};
use crds::Time;
use sandbox::traffic::{self, RouterKind, Traffic};
use sandbox::{Blueprint, Cluster, Nature, Options};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};

/// Namespace of everything in a simulation, the lease included.
pub const NAMESPACE: &str = "default";

/// Requests of the clients of each Service: enough that each state of some seconds meets some.
const REQUESTS_PER_SECOND: u32 = 2;

/// How the names of clients of routes begin; no name of a Service has a slash.
pub(super) const ROUTE: &str = "route/";

/// Our own definitions, read once.
static BLUEPRINT: LazyLock<Blueprint> = LazyLock::new(|| Blueprint::default().with(&definitions()));

/// CustomResourceDefinitions of the kinds that routers read, and of all that the controller serves, of a day to come: pods
/// have fields that nobody here knows, and which must survive.
fn definitions() -> Vec<Value> {
    let ours = crds::manifest::all(crds::manifest::Detail::Slim).into_iter();
    let mut all: Vec<Value> = ours.map(|(_, definition)| definition).collect();
    for definition in &mut all {
        let versions = definition.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
        let pods = "/schema/openAPIV3Schema/properties/spec/properties/template/properties/spec";
        let pods = versions.into_iter().flatten().filter_map(|version| version.pointer_mut(pods));
        for pod in pods.filter_map(Value::as_object_mut) {
            pod.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
        }
    }
    all.extend(traffic::definitions());
    all
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
    /// Seconds that the controller gives routers.
    pub settle_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, nature: Nature::default(), overlay: true, resync_seconds: 900, settle_seconds: 5 }
    }
}

/// The house: a cluster in memory, and the controllers that run in it.
pub struct House {
    /// The cluster.
    pub cluster: Cluster,
    /// What analyses are answered.
    pub answers: Answers,
    settings: Settings,
    traffic: Option<Traffic>,
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
            traffic: None,
            controllers: BTreeMap::new(),
            started: 0,
            tasks,
        }
    }

    /// Lets clients of these Services come, some requests a second, through a data plane that is so late.
    pub fn open_doors(&mut self, services: &[String], lag: Duration) {
        let settings = traffic::Settings { seed: self.settings.seed, scrape: None };
        let traffic = self.traffic.get_or_insert_with(|| Traffic::over(&self.cluster, settings));
        traffic.set_lag(traffic::NODES, lag);
        for name in services {
            traffic.send(name, traffic::Clients::of_service(NAMESPACE, name, REQUESTS_PER_SECOND));
        }
    }

    /// Lets clients of these routes come, through routers that are so late.
    pub fn open_routes(&mut self, routes: &[(RouterKind, String)], lag: Duration) {
        let settings = traffic::Settings { seed: self.settings.seed, scrape: None };
        let traffic = self.traffic.get_or_insert_with(|| Traffic::over(&self.cluster, settings));
        traffic.set_lag(traffic::ROUTER, lag);
        for (kind, name) in routes {
            let clients = traffic::Clients::of_object(*kind, NAMESPACE, name, REQUESTS_PER_SECOND);
            traffic.send(&format!("{ROUTE}{name}"), clients);
        }
    }

    /// The clients' requests, when any come.
    #[must_use]
    pub fn traffic(&self) -> Option<&Traffic> {
        self.traffic.as_ref()
    }

    /// Time since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.cluster.clock().elapsed()
    }

    /// Starts a controller of this name; one that ran under it before has another identity.
    pub fn start_controller(&mut self, name: &str, skew_seconds: i64) {
        self.started += 1;
        let client = kube::Client::new(self.cluster.client(name), NAMESPACE);
        let clock = self.cluster.clock();
        let around = Surroundings {
            evictions: client.clone(),
            jobs: client.clone(),
            mesh: client.clone(),
            aws: None,
            client,
            analyses: providers::Settings::default(),
            executor: self.answers.executor(move || clock.now()),
            begin: clock.now().plus_seconds(skew_seconds),
            identity: format!("{name}_{}", self.started),
            namespace: NAMESPACE.to_owned(),
            requests: controller::RequestCounter::default(),
            overlay: self.settings.overlay,
        };
        let args = args(&self.settings);
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

fn args(settings: &Settings) -> Args {
    use clap::Parser;
    let (resync, settle) = (settings.resync_seconds.to_string(), format!("{}s", settings.settle_seconds));
    // A few workers are as many as a small cluster keeps busy.
    Args::parse_from([
        "stepgate-controller",
        "--rollout-threads=2",
        "--analysis-threads=2",
        "--rollout-resync",
        resync.as_str(),
        "--traffic-settle",
        settle.as_str(),
    ])
}
