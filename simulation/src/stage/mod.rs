//! The cluster in memory as a stage for stories: the real controller, the real verbs, and users who reach pods
//! through a data plane that lags. Time is tokio's: paused in tests, real in a demo.

mod apply;
mod controllers;
mod network;
mod routes;

#[cfg(test)]
mod tests;

pub use network::{PROMETHEUS, executor};

use crate::l2::NAMESPACE;
use controllers::Controllers;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, PropagationPolicy,
};
use kube::core::{ApiResource, GroupVersionKind};
use sandbox::traffic::{Clients, NODES, Outcome, ROUTER, Traffic};
use sandbox::{Blueprint, Cluster, Nature, Options, traffic};
use scenarios::{Kind, Plane, Seen, Stage, Users};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::task::JoinSet;

/// Between two looks of a story.
const REST: Duration = Duration::from_millis(300);
/// Between two scrapes: the stories ask for rates over five seconds.
const SCRAPE: Duration = Duration::from_secs(1);
/// The image of a release; nothing is pulled.
const IMAGE: &str = "demo-server:sandbox";

/// Our own definitions, read once.
static BLUEPRINT: LazyLock<Blueprint> = LazyLock::new(|| {
    let definitions = crds::manifest::all(crds::manifest::Detail::Slim);
    let ours = definitions.into_iter().map(|(_, definition)| definition);
    Blueprint::default().with(&ours.chain(routes::definitions()).collect::<Vec<_>>())
});

/// How a stage is set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Everything random comes from it.
    pub seed: u64,
    /// What the clock shows when the stage is opened.
    pub begin: crds::Time,
    /// How pods and built-in controllers are.
    pub nature: Nature,
    /// How late the nodes hear of changes of pods and Services.
    pub lag: Duration,
    /// How late routers hear of changes of routes, Services and pods.
    pub router_lag: Duration,
    /// Instance id of the controllers; empty for none.
    pub instance_id: String,
    /// How many controllers run, of which one leads.
    pub controllers: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            begin: Options::default().begin,
            nature: Nature::default(),
            lag: Duration::ZERO,
            router_lag: Duration::ZERO,
            instance_id: String::new(),
            controllers: 1,
        }
    }
}

/// What the stage fails with.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The API server refused.
    #[error("{0}")]
    Api(#[from] kube::Error),
    /// An object that no story uses.
    #[error("{0}: no kind that stories use, or no name")]
    Object(String),
    /// What was read is no JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// The command failed, with what it says.
    #[error("{0}")]
    Command(String),
    /// No route serves a host.
    #[error("no route serves the host {0}")]
    Route(String),
    /// Only a real cluster has it.
    #[error("the cluster in memory does not have {0}")]
    NotHere(&'static str),
    /// There is no such controller.
    #[error("no controller {name:?} runs; those that run: {running:?}")]
    Controller {
        /// The one that was asked for.
        name: String,
        /// Those that run.
        running: Vec<String>,
    },
}

/// A cluster in memory on which a story is played.
pub struct SandboxStage {
    cluster: Cluster,
    traffic: Traffic,
    client: kube::Client,
    instance_id: Option<String>,
    router_lag: Duration,
    controllers: RefCell<Controllers>,
    /// What was last applied, by kind and name.
    applied: RefCell<BTreeMap<(&'static str, String), Value>>,
    _tasks: JoinSet<()>,
}

impl std::fmt::Debug for SandboxStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SandboxStage").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl SandboxStage {
    /// A new cluster with its controllers at work. Must be called within a tokio runtime of one thread.
    #[must_use]
    pub fn open(settings: &Settings) -> Self {
        let cluster = Cluster::new(&Options {
            seed: settings.seed,
            begin: settings.begin,
            nature: settings.nature.clone(),
            namespaces: vec![NAMESPACE.to_owned()],
            blueprint: BLUEPRINT.clone(),
        });
        let traffic =
            Traffic::over(&cluster, traffic::Settings { seed: settings.seed, scrape: Some(SCRAPE) });
        traffic.set_lag(NODES, settings.lag);
        traffic.set_lag(ROUTER, settings.router_lag);
        let mut tasks = JoinSet::new();
        tasks.spawn(cluster.clone().run());
        let executor = executor(traffic.prometheus());
        let mut controllers = Controllers::new(&cluster, executor, &settings.instance_id);
        for number in 0..settings.controllers {
            controllers.start(&format!("stepgate-{number}"), Duration::ZERO);
        }
        Self {
            client: kube::Client::new(cluster.client("user"), NAMESPACE),
            cluster,
            traffic,
            instance_id: Some(settings.instance_id.clone()).filter(|id| !id.is_empty()),
            router_lag: settings.router_lag,
            controllers: RefCell::new(controllers),
            applied: RefCell::default(),
            _tasks: tasks,
        }
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The users. Those whom a story sends to a Service have the Service's name.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let (version, name, plural) = kind.names();
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, name), plural);
        Api::namespaced_with(self.client.clone(), NAMESPACE, &resource)
    }
}

impl Stage for SandboxStage {
    type Error = StageError;

    fn now(&self) -> Duration {
        self.cluster.clock().elapsed()
    }

    async fn rest(&self) {
        tokio::time::sleep(REST).await;
    }

    fn image(&self) -> &str {
        IMAGE
    }

    fn prometheus(&self) -> &str {
        PROMETHEUS
    }

    fn instance_id(&self) -> Option<&str> {
        self.instance_id.as_deref()
    }

    async fn apply(&self, object: &Value) -> Result<(), StageError> {
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        let (Some(kind), Some(name)) = (Kind::of(object), name) else {
            return Err(StageError::Object(object.to_string()));
        };
        let api = self.api(kind);
        let key = (kind.names().1, name.to_owned());
        let before = self.applied.borrow_mut().insert(key, object.clone());
        // A merge: what others have set stays, and what is not applied any more goes, as with an apply.
        if api.get_opt(name).await?.is_some() {
            let patch = apply::patch(before.as_ref(), object);
            api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        } else {
            api.create(&PostParams::default(), &serde_json::from_value(object.clone())?).await?;
        }
        Ok(())
    }

    async fn get(&self, kind: Kind, name: &str) -> Result<Option<Value>, StageError> {
        let found = self.api(kind).get_opt(name).await?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }

    async fn list(&self, kind: Kind) -> Result<Vec<Value>, StageError> {
        let list = self.api(kind).list(&ListParams::default()).await?;
        Ok(list.items.into_iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
    }

    async fn delete(&self, kind: Kind, name: &str) -> Result<(), StageError> {
        let background = Some(PropagationPolicy::Background);
        let how = DeleteParams { propagation_policy: background, ..DeleteParams::default() };
        self.api(kind).delete(name, &how).await?;
        Ok(())
    }

    async fn command(&self, args: &[&str]) -> Result<String, StageError> {
        let clock = self.cluster.clock();
        let (terminal, transcript) = cli::Terminal::recorded(move || clock.now());
        let ended = cli::run(args, self.client.clone(), NAMESPACE, &terminal).await;
        match ended {
            Ok(0) => Ok(transcript.out().trim().to_owned()),
            Ok(code) => Err(StageError::Command(format!("exit code {code}: {}", transcript.err().trim()))),
            Err(error) => Err(StageError::Command(error.to_string())),
        }
    }

    async fn send_users(&self, service: &str, per_second: u32) -> Result<(), StageError> {
        self.traffic.send(service, Clients::of_service(NAMESPACE, service, per_second));
        Ok(())
    }

    fn plane(&self) -> Plane {
        routes::plane(self.router_lag)
    }

    async fn send_through(&self, host: &str, users: Users) -> Result<(), StageError> {
        let (Users::Requests(per_second) | Users::Streams(per_second)) = users;
        let mut objects = Vec::new();
        for kind in routes::KINDS {
            objects.extend(self.list(kind).await?);
        }
        let (kind, name) =
            routes::of_host(&objects, host).ok_or_else(|| StageError::Route(host.to_owned()))?;
        self.traffic.send(host, Clients::of_object(kind, NAMESPACE, &name, per_second));
        Ok(())
    }

    async fn failed_at(&self, _: &str) -> Result<BTreeMap<String, u64>, StageError> {
        Err(StageError::NotHere("what a data plane writes down"))
    }

    async fn crash(&self, _: &str) -> Result<(), StageError> {
        Err(StageError::NotHere("a process that one could kill"))
    }

    async fn seen(&self, service: &str) -> Result<Seen, StageError> {
        // Which pods were leaving is not written down here: what they fail to answer is.
        let mut seen = Seen::default();
        for ((version, outcome), count) in self.traffic.tally(service) {
            let of_version = || version.to_string();
            match outcome {
                Outcome::Answered => seen.versions.entry(of_version()).or_default().answered += count,
                Outcome::Failed(_) => seen.versions.entry(of_version()).or_default().failed += count,
                Outcome::NoEndpoint | Outcome::Refused => seen.connect_errors += count,
            }
        }
        Ok(seen)
    }

    async fn controllers(&self) -> Result<Vec<String>, StageError> {
        Ok(self.controllers.borrow().names())
    }

    async fn kill_controller(&self, name: &str) -> Result<(), StageError> {
        let mut controllers = self.controllers.borrow_mut();
        if controllers.kill(name) {
            return Ok(());
        }
        let running = controllers.names();
        Err(StageError::Controller { name: name.to_owned(), running })
    }
}
