//! The real cluster as a stage: each story in a namespace of its own.

use crate::load::{self, Arrivals, RunningLoad};
use crate::traefik::{self, Speed};
use anyhow::{Context, Result, bail, ensure};
use demo_server::load::Rates;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PropagationPolicy};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config, config::Kubeconfig};
use scenarios::{Kind, Plane, Seen, Stage, Users};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const REST: Duration = Duration::from_millis(300);
/// Users go on until their story ends; this only bounds a load that nobody stops.
const LOAD_LIMIT_SECONDS: u32 = 1200;
const FIELD_MANAGER: &str = "a-user";
/// Label of the controllers' pods, in our manifests as in those of Argo Rollouts.
pub(crate) const CONTROLLER_SELECTOR: &str = "app.kubernetes.io/name=argo-rollouts";

/// What all stages of one cluster share.
#[derive(Debug, Clone)]
pub struct Theatre {
    /// For the API server, from outside.
    pub kubeconfig: PathBuf,
    /// Words before a command that must run inside the cluster's network.
    pub inside: Vec<String>,
    /// The program that sends users.
    pub demo_server: PathBuf,
    /// `kubectl-stepgate`.
    pub cli: PathBuf,
    /// Where logs go.
    pub logs: PathBuf,
    /// Image of a release.
    pub image: String,
    /// Address of Prometheus, as pods reach it.
    pub prometheus: String,
    /// Where the data planes write down what failed.
    pub failures: BTreeMap<&'static str, PathBuf>,
}

/// Connects as the administrator of the cluster.
///
/// # Errors
/// When the kubeconfig cannot be read.
pub async fn connect(kubeconfig: &Path) -> Result<Client> {
    // A second call finds the provider installed, which is what it wants.
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// A namespace in which one story is played.
pub struct RealStage<'t> {
    theatre: &'t Theatre,
    client: Client,
    namespace: String,
    instance_id: Option<String>,
    speed: Speed,
    begun: Instant,
    loads: RefCell<BTreeMap<String, RunningLoad>>,
}

impl std::fmt::Debug for RealStage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealStage").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl<'t> RealStage<'t> {
    /// Makes the namespace.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn open(
        theatre: &'t Theatre,
        client: Client,
        namespace: &str,
        own_controllers: bool,
    ) -> Result<Self> {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let resource = resource("v1", "Namespace", "namespaces");
        Api::<DynamicObject>::all_with(client.clone(), &resource)
            .patch(namespace, &apply_params(), &Patch::Apply(&object))
            .await?;
        Ok(Self {
            theatre,
            client,
            namespace: namespace.to_owned(),
            instance_id: own_controllers.then(|| namespace.to_owned()),
            speed: Speed::Fast,
            begun: Instant::now(),
            loads: RefCell::default(),
        })
    }

    /// Users of routes come through this data plane.
    #[must_use]
    pub fn through(self, speed: Speed) -> Self {
        Self { speed, ..self }
    }

    /// The Services and hosts to which users were sent.
    #[must_use]
    pub fn visited(&self) -> Vec<String> {
        self.loads.borrow().keys().cloned().collect()
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let (version, name, plural) = kind.names();
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(version, name, plural))
    }

    /// Lets users come, who are known by this name.
    fn send(&self, name: &str, arrivals: &Arrivals) -> Result<()> {
        let prefix: Vec<&str> = self.theatre.inside.iter().map(String::as_str).collect();
        let log = self.theatre.logs.join(format!("users-{}-{name}.log", self.namespace));
        let load = load::start(&prefix, &self.theatre.demo_server, arrivals, &log)?;
        self.loads.borrow_mut().insert(name.to_owned(), load);
        Ok(())
    }

    async fn cluster_ip(&self, service: &str) -> Result<String> {
        let service = self.api(Kind::Service).get(service).await?;
        let address = service.data.pointer("/spec/clusterIP").and_then(Value::as_str);
        Ok(address.context("the Service has no address")?.to_owned())
    }
}

fn apply_params() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

fn resource(version: &str, kind: &str, plural: &str) -> ApiResource {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

fn value(object: &DynamicObject) -> Result<Value> {
    Ok(serde_json::to_value(object)?)
}

impl Stage for RealStage<'_> {
    type Error = anyhow::Error;

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    async fn rest(&self) {
        tokio::time::sleep(REST).await;
    }

    fn image(&self) -> &str {
        &self.theatre.image
    }

    fn prometheus(&self) -> &str {
        &self.theatre.prometheus
    }

    fn instance_id(&self) -> Option<&str> {
        self.instance_id.as_deref()
    }

    async fn apply(&self, object: &Value) -> Result<()> {
        let kind = Kind::of(object).context("no kind that stories use")?;
        let name = object.pointer("/metadata/name").and_then(Value::as_str).context("no name")?;
        self.api(kind).patch(name, &apply_params(), &Patch::Apply(object)).await?;
        Ok(())
    }

    async fn get(&self, kind: Kind, name: &str) -> Result<Option<Value>> {
        self.api(kind).get_opt(name).await?.as_ref().map(value).transpose()
    }

    async fn list(&self, kind: Kind) -> Result<Vec<Value>> {
        self.api(kind).list(&ListParams::default()).await?.items.iter().map(value).collect()
    }

    async fn delete(&self, kind: Kind, name: &str) -> Result<()> {
        let how =
            DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..Default::default() };
        self.api(kind).delete(name, &how).await?;
        Ok(())
    }

    async fn command(&self, args: &[&str]) -> Result<String> {
        let output = tokio::process::Command::new(&self.theatre.cli)
            .arg("--kubeconfig")
            .arg(&self.theatre.kubeconfig)
            .args(["--namespace", &self.namespace])
            .args(args)
            .output()
            .await
            .with_context(|| format!("start {}", self.theatre.cli.display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        ensure!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
        Ok(text(&output.stdout))
    }

    async fn send_users(&self, service: &str, per_second: u32) -> Result<()> {
        let url = format!("http://{}/", self.cluster_ip(service).await?);
        let rates = Rates::new_connections(per_second);
        self.send(service, &Arrivals { url, connect: None, rates, seconds: LOAD_LIMIT_SECONDS })
    }

    fn plane(&self) -> Plane {
        // As late as the plane is, with a margin of a few seconds in which it reads and applies.
        let (settle, linger) = match self.speed {
            Speed::Fast => (5, 5),
            Speed::Late => (35, 40),
        };
        Plane {
            class: self.speed.class().to_owned(),
            port: self.speed.port(),
            settle: Duration::from_secs(settle),
            linger: Duration::from_secs(linger),
        }
    }

    async fn send_through(&self, host: &str, users: Users) -> Result<()> {
        let rates = match users {
            Users::Requests(all) => {
                let third = all / 3;
                Rates { new: all - 2 * third, kept: third, http2: third, streams: 0 }
            }
            Users::Streams(streams) => Rates { streams, ..Rates::default() },
        };
        let (url, connect) = (format!("http://{host}/"), Some(self.speed.address()));
        self.send(host, &Arrivals { url, connect, rates, seconds: LOAD_LIMIT_SECONDS })
    }

    async fn failed_at(&self, host: &str) -> Result<BTreeMap<String, u64>> {
        let log = self.theatre.failures.get(self.speed.class()).context("no data plane runs")?;
        let mut counts = BTreeMap::new();
        for address in traefik::failures(log, host)? {
            let (pod, _port) = address.rsplit_once(':').unwrap_or((&address, ""));
            *counts.entry(pod.to_owned()).or_default() += 1;
        }
        Ok(counts)
    }

    async fn crash(&self, pod: &str) -> Result<()> {
        kill(pod)
    }

    async fn seen(&self, service: &str) -> Result<Seen> {
        let loads = self.loads.borrow();
        Ok(loads.get(service).with_context(|| format!("nobody was sent to {service}"))?.so_far()?)
    }

    async fn controllers(&self) -> Result<Vec<String>> {
        let pods = self.api(Kind::Pod).list(&ListParams::default().labels(CONTROLLER_SELECTOR)).await?;
        let running = pods
            .items
            .into_iter()
            .filter(|pod| pod.data.pointer("/status/containerStatuses/0/ready") == Some(&Value::Bool(true)));
        Ok(running.filter_map(|pod| pod.metadata.name).collect())
    }

    async fn kill_controller(&self, name: &str) -> Result<()> {
        kill(name)
    }
}

/// Ends what runs in a pod, at once.
fn kill(pod: &str) -> Result<()> {
    let wanted = format!("HOSTNAME={pod}");
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A process that has ended meanwhile has no environment, and is not the one.
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes()) {
            crate::process::run(std::process::Command::new("kill").args(["-9", &pid.to_string()]))?;
            killed += 1;
        }
    }
    if killed == 0 {
        bail!("no process of pod {pod} found");
    }
    Ok(())
}
