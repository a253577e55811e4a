//! The cluster in memory on which a trial is played, with the real controller at work in paused time.

use super::Release;
use super::manifests::{Manifests, text};
use super::network::{DEFAULT_PROMETHEUS, Network};
use super::routes;
use clap::Parser;
use controller::args::Args;
use controller::{Controller, Surroundings};
use sandbox::api::registry::ResourceId;
use sandbox::traffic::{Clients, Traffic};
use sandbox::{ApiServer, Blueprint, Cluster, Options, Witness, api, traffic};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

const GROUP: &str = "argoproj.io/v1alpha1";
/// Requests per second to each Service.
pub(super) const USERS_PER_SECOND: u32 = 10;
/// Of the requests to the bad version so many fail, and all take so long.
pub(super) const BAD_PERCENT: u32 = 50;
pub(super) const BAD_LATENCY: &str = "2s";
/// The Service that users call where the manifests have none.
const OWN_SERVICE: &str = "stepgate-try";
/// Between two scrapes of the simulated Prometheus.
const SCRAPE: Duration = Duration::from_secs(15);
/// Marks a version of the pods.
const RELEASE: &str = "sandbox.stepgate.dev/release";
/// What the API server writes into objects that were exported from a cluster.
const WRITTEN: [&str; 8] = [
    "uid",
    "resourceVersion",
    "managedFields",
    "ownerReferences",
    "creationTimestamp",
    "generation",
    "selfLink",
    "finalizers",
];

/// Why a play cannot begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    /// The API server refused a manifest.
    #[error("{0}")]
    Refused(String),
    /// No runtime.
    #[error("start the play: {0}")]
    Runtime(#[from] std::io::Error),
}

/// A cluster with one Rollout in it.
pub(super) struct Stage {
    pub(super) cluster: Cluster,
    pub(super) client: kube::Client,
    pub(super) network: Network,
    pub(super) namespace: String,
    pub(super) name: String,
    /// Services and routes that users call, by what they are told as.
    pub(super) users: Vec<(String, Clients)>,
    /// Told of each change of the cluster.
    pub(super) changed: Arc<Notify>,
    traffic: Traffic,
    _tasks: JoinSet<()>,
}

/// Kinds whose changes the player looks at. Events, for instance, are none of his business.
const WATCHED: [(&str, &str); 5] =
    [(GROUP, "Rollout"), (GROUP, "AnalysisRun"), ("v1", "Pod"), ("v1", "Service"), ("batch/v1", "Job")];

struct Bell {
    watched: Vec<ResourceId>,
    changed: Arc<Notify>,
}

impl Witness for Bell {
    fn saw(&mut self, _: &ApiServer, resource: ResourceId, _: &api::store::Change, _: crds::Time) {
        if self.watched.contains(&resource) {
            self.changed.notify_one();
        }
    }
}

/// The object below a key, made where there is none.
fn below<'v>(object: &'v mut Value, path: &[&str]) -> Option<&'v mut Map<String, Value>> {
    let mut place = object;
    for key in path {
        let map = place.as_object_mut()?;
        place = map.entry(*key).or_insert_with(|| json!({}));
        if place.is_null() {
            *place = json!({});
        }
    }
    place.as_object_mut()
}

impl Stage {
    /// Sets the stage. Must be called in a runtime whose time is paused.
    pub(super) fn open(
        manifests: &Manifests,
        rollout: &Value,
        namespace: &str,
        release: Release,
    ) -> Result<Self, StageError> {
        let ours = crds::manifest::all(crds::manifest::Detail::Slim).into_iter().map(|(_, value)| value);
        let definitions: Vec<Value> = ours.chain(traffic::definitions()).collect();
        let cluster = Cluster::new(&Options {
            namespaces: vec![namespace.to_owned()],
            blueprint: Blueprint::default().with(&definitions),
            ..Options::default()
        });
        let traffic = Traffic::over(
            &cluster,
            traffic::Settings { scrape: Some(SCRAPE), ..traffic::Settings::default() },
        );
        let changed = Arc::new(Notify::new());
        let watched = cluster.with(|api| {
            WATCHED.iter().filter_map(|(version, kind)| api.resource_of(version, kind)).collect()
        });
        cluster.add_witness(Bell { watched, changed: changed.clone() });
        let is_good = release == Release::Good;
        let network = Network::new(&cluster, traffic.prometheus(), namespace, is_good);
        let mut tasks = JoinSet::new();
        tasks.spawn(cluster.clone().run());
        let instance = rollout.pointer("/metadata/labels").and_then(|l| l.get(crds::meta::INSTANCE_ID_LABEL));
        tasks.spawn(control(
            &cluster,
            &network,
            namespace,
            instance.and_then(Value::as_str).unwrap_or_default(),
        ));
        let mut stage = Self {
            client: kube::Client::new(cluster.client("try"), namespace),
            cluster,
            network,
            namespace: namespace.to_owned(),
            name: text(rollout, "/metadata/name").to_owned(),
            users: Vec::new(),
            changed,
            traffic,
            _tasks: tasks,
        };
        stage.fill(manifests, rollout, is_good)?;
        Ok(stage)
    }

    fn fill(&mut self, manifests: &Manifests, rollout: &Value, is_good: bool) -> Result<(), StageError> {
        let labels = rollout.pointer("/spec/template/metadata/labels").cloned().unwrap_or_default();
        let mut services = Vec::new();
        for other in &manifests.others {
            let mut other = other.clone();
            if text(&other, "/kind").ends_with("AnalysisTemplate") {
                self.make_secrets(&other);
                decide_jobs(&mut other, is_good);
            }
            let name = text(&other, "/metadata/name");
            if text(&other, "/kind") == "Service" && selects(&other, &labels) {
                services
                    .push((name.to_owned(), Clients::of_service(&self.namespace, name, USERS_PER_SECOND)));
            }
            if let Some(kind) = routes::of(rollout, &other) {
                let clients = Clients::of_object(kind, &self.namespace, name, USERS_PER_SECOND);
                self.users.push((format!("{} {name}", text(&other, "/kind")), clients));
            }
            routes::in_its_version(&mut other);
            self.create(other)?;
        }
        // Who comes through a router calls no Service beside it.
        if self.users.is_empty() {
            self.users = services;
        }
        if self.users.is_empty() {
            let selector = rollout.pointer("/spec/selector/matchLabels").cloned().unwrap_or_default();
            let spec = json!({"selector": selector, "ports": [{"port": 80}]});
            let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": OWN_SERVICE}, "spec": spec});
            self.create(service)?;
            let clients = Clients::of_service(&self.namespace, OWN_SERVICE, USERS_PER_SECOND);
            self.users.push((OWN_SERVICE.to_owned(), clients));
        }
        let mut rollout = rollout.clone();
        if let Some(spec) = below(&mut rollout, &["spec"]) {
            spec.remove("paused");
            spec.remove("restartAt");
        }
        simulate_pods(&mut rollout);
        self.create(rollout)
    }

    /// Makes an object as a first apply does.
    fn create(&self, mut object: Value) -> Result<(), StageError> {
        let (version, kind) = (text(&object, "/apiVersion").to_owned(), text(&object, "/kind").to_owned());
        let name = text(&object, "/metadata/name").to_owned();
        if let Some(map) = object.as_object_mut() {
            map.remove("status");
        }
        let namespace = if kind.starts_with("Cluster") { "" } else { self.namespace.as_str() };
        if let Some(metadata) = below(&mut object, &["metadata"]) {
            metadata.retain(|key, _| !WRITTEN.contains(&key.as_str()));
            metadata.insert("namespace".to_owned(), json!(namespace));
            if namespace.is_empty() {
                metadata.remove("namespace");
            }
        }
        if let Some(spec) = object.pointer_mut("/spec").and_then(Value::as_object_mut)
            && kind == "Service"
        {
            spec.retain(|key, _| !key.starts_with("clusterIP"));
        }
        match self.cluster.create(&version, &kind, namespace, object) {
            Ok(_) => Ok(()),
            Err(refused) => Err(StageError::Refused(format!("{kind} {name:?}: {}", refused.message))),
        }
    }

    /// Secrets of arguments that the manifests do not have: what is in them is nobody's business here.
    fn make_secrets(&self, template: &Value) {
        for arg in template.pointer("/spec/args").and_then(Value::as_array).into_iter().flatten() {
            let (name, key) =
                (text(arg, "/valueFrom/secretKeyRef/name"), text(arg, "/valueFrom/secretKeyRef/key"));
            if name.is_empty() || self.cluster.object("v1", "Secret", &self.namespace, name).is_some() {
                continue;
            }
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: "assumed"}});
            // One that cannot be made is missed by the analysis, which says so.
            let _ = self.create(secret);
        }
    }

    /// Lets users come.
    pub(super) fn send_users(&self) {
        for (name, clients) in &self.users {
            self.traffic.send(name, clients.clone());
        }
    }

    /// The Rollout as it is.
    pub(super) fn rollout(&self) -> Option<crds::Rollout> {
        let found = self.cluster.object(GROUP, "Rollout", &self.namespace, &self.name)?;
        serde_json::from_value(found).ok()
    }

    /// The change of the pod template that makes the new version.
    pub(super) fn release(release: Release) -> Value {
        let mut annotations = json!({RELEASE: "2"});
        if let (Release::Bad, Some(map)) = (release, annotations.as_object_mut()) {
            map.insert("sandbox.stepgate.dev/error-percent".to_owned(), json!(BAD_PERCENT.to_string()));
            map.insert("sandbox.stepgate.dev/latency".to_owned(), json!(BAD_LATENCY));
        }
        json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})
    }
}

async fn work(args: Args, around: Surroundings) {
    Controller::start(args, around).work(std::future::pending()).await;
}

fn control(
    cluster: &Cluster,
    network: &Network,
    namespace: &str,
    instance_id: &str,
) -> impl Future<Output = ()> + Send + use<> {
    let client = kube::Client::new(cluster.client("stepgate"), namespace);
    let settings = providers::Settings {
        prometheus_address: Some(DEFAULT_PROMETHEUS.to_owned()),
        ..providers::Settings::default()
    };
    let around = Surroundings {
        evictions: client.clone(),
        jobs: client.clone(),
        mesh: client.clone(),
        aws: None,
        client,
        analyses: settings,
        executor: network.executor(),
        begin: cluster.clock().now(),
        identity: "try".to_owned(),
        namespace: namespace.to_owned(),
        requests: controller::RequestCounter::default(),
        overlay: true,
    };
    // It is alone: an election would only write its Lease every two seconds.
    let words = ["stepgate-controller", "--leader-elect=false", "--instance-id", instance_id];
    work(Args::parse_from(words), around)
}

fn selects(service: &Value, labels: &Value) -> bool {
    let selector = service.pointer("/spec/selector").and_then(Value::as_object);
    selector.is_some_and(|selector| {
        !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    })
}

/// Pods here are no programs: their commands would be taken at their word, and there is one node without names.
fn simulate_pods(rollout: &mut Value) {
    if let Some(spec) = below(rollout, &["spec", "template", "spec"]) {
        spec.remove("nodeSelector");
        for container in spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                container.remove("command");
                container.remove("args");
            }
        }
    }
    if let Some(annotations) = below(rollout, &["spec", "template", "metadata", "annotations"]) {
        annotations.insert("prometheus.io/scrape".to_owned(), json!("true"));
        annotations.insert(RELEASE.to_owned(), json!("1"));
    }
}

/// Jobs end as the play wants it: what they would find out is not here.
fn decide_jobs(template: &mut Value, is_good: bool) {
    let metrics = template.pointer_mut("/spec/metrics").and_then(Value::as_array_mut);
    for metric in metrics.into_iter().flatten() {
        let Some(job) = metric.pointer_mut("/provider/job/spec") else { continue };
        if let Some(spec) = below(job, &["template", "spec"]) {
            spec.remove("nodeSelector");
        }
        if let Some(annotations) = below(job, &["template", "metadata", "annotations"]) {
            annotations.insert("sandbox.stepgate.dev/crash-after".to_owned(), json!("2s"));
            let code = if is_good { "0" } else { "1" };
            annotations.insert("sandbox.stepgate.dev/exit-code".to_owned(), json!(code));
        }
    }
}

/// Between a change and a look at it: what belongs together is seen together.
pub(super) const REST: Duration = Duration::from_millis(200);
