//! Wiring: client, caches, election, queue and workers; start and graceful stop.

use crate::analysis_runs::{AnalysisRuns, Jobs};
use crate::apply::Applier;
use crate::args::Args;
use crate::cache::{self, Caches, Watches};
use crate::clock::Clock;
use crate::events::Events;
use crate::lease::{self, Claim};
use crate::metrics::Metrics;
use crate::queue::{Key, Kind, Outcome, Queue};
use crate::rollouts::Rollouts;
use crate::{admin, observe, services};
use anyhow::Context;
use crds::meta::{ANALYSIS_RUN_UID_LABEL, INSTANCE_ID_LABEL, POD_TEMPLATE_HASH_LABEL};
use futures::FutureExt;
use kube::config::KubeConfigOptions;
use kube::core::DeserializeGuard;
use kube::runtime::watcher;
use kube::{Api, Client, Config, Resource, ResourceExt};
use planner::Settings;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Lease that decides who writes. The one that Argo Rollouts takes: both never write at once in one namespace.
const LEASE: &str = "argo-rollouts-controller-lock";
/// Namespace of the lease where none can be found out.
const NAMESPACE: &str = "argo-rollouts";
/// Where a pod finds its namespace.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Runs the controller until the process is told to stop.
///
/// # Errors
/// When there is no cluster to connect to, or a port is taken.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = config(&args).await?;
    let client = Client::try_from(config)?;
    let clock = Clock::system();
    let metrics = Metrics::default();
    let caches = Caches::default();
    let queue = Arc::new(Queue::default());
    let ready = Arc::new(AtomicBool::new(false));
    let ports = (args.healthz_port, args.metrics_port);
    admin::start(ports, ready.clone(), metrics.clone(), caches.clone(), queue.clone()).await?;

    let own = own_namespace(&args);
    let mut watches = Watches::default();
    start_watches(&mut watches, &client, &caches, &queue, &args, &own);

    let (stop_sender, stop) = watch::channel(false);
    let (claim, election) = elect(&args, &client, clock, &own, stop.clone());
    let events = Events::start(client.clone(), clock, claim.clone(), metrics.clone());
    let applier = Applier { client, claim: claim.clone(), caches: caches.clone(), events };
    let instance_id = Some(args.instance_id.clone()).filter(|id| !id.is_empty());
    let rollouts =
        Rollouts::new(caches.clone(), applier.clone(), clock, Settings { instance_id }, metrics.clone());
    let jobs = jobs(&applier.client).await?;
    let executor = providers::execute::network();
    let runs = AnalysisRuns::new(applier.clone(), clock, metrics, executor, jobs);

    watches.filled().await;
    ready.store(true, Ordering::Relaxed);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        rollouts = caches.rollouts.all().len(),
        "the caches are filled"
    );
    let work = Work { queue: queue.clone(), rollouts, runs, applier, claim: claim.clone() };
    for _ in 0..(args.rollout_threads.max(1) + args.analysis_threads.max(1)) {
        tokio::spawn(work.clone().run());
    }
    let resync = Duration::from_secs(args.rollout_resync_seconds.max(1));
    tokio::spawn(look_at_all(caches, queue, claim, resync));

    told_to_stop().await?;
    tracing::info!("stopping");
    stop_sender.send_replace(true);
    if let Some(election) = election {
        let _ = election.await;
    }
    Ok(())
}

async fn config(args: &Args) -> anyhow::Result<Config> {
    if args.kubeconfig.is_none() && args.context.is_none() {
        return Ok(Config::infer().await?);
    }
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    Ok(match &args.kubeconfig {
        Some(path) => {
            Config::from_custom_kubeconfig(kube::config::Kubeconfig::read_from(path)?, &options).await?
        }
        None => Config::from_kubeconfig(&options).await?,
    })
}

/// What the environment says of analyses, by the names that Argo Rollouts gives it.
async fn jobs(client: &Client) -> anyhow::Result<Jobs> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let kubeconfig = variable("ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG");
    let settings = providers::Settings {
        prometheus_address: variable("ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"),
        job_namespace: variable("ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE"),
        jobs_elsewhere: kubeconfig.is_some(),
    };
    let client = match kubeconfig.as_deref() {
        None => client.clone(),
        Some("in-cluster") => Client::try_from(Config::incluster()?)?,
        Some(path) => {
            let file = kube::config::Kubeconfig::read_from(path)
                .with_context(|| format!("ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG: {path}"))?;
            Client::try_from(Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?)?
        }
    };
    Ok(Jobs { client, settings })
}

/// The controller's own namespace: of the lease, and the one that `--namespaced` means.
fn own_namespace(args: &Args) -> String {
    let named = args.namespace.clone().or_else(|| std::env::var("POD_NAMESPACE").ok());
    let mounted = || std::fs::read_to_string(NAMESPACE_FILE).ok().map(|text| text.trim().to_owned());
    named.or_else(mounted).filter(|name| !name.is_empty()).unwrap_or_else(|| NAMESPACE.to_owned())
}

fn elect(
    args: &Args,
    client: &Client,
    clock: Clock,
    own: &str,
    stop: watch::Receiver<bool>,
) -> (Claim, Option<tokio::task::JoinHandle<()>>) {
    if !args.leader_elect {
        return (Claim::always(), None);
    }
    let name =
        if args.instance_id.is_empty() { LEASE.to_owned() } else { format!("{LEASE}-{}", args.instance_id) };
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let unique = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    let settings = lease::Settings {
        name,
        identity: format!("{}_{}", host.trim(), unique.trim()),
        duration: args.lease_duration,
        renew_deadline: args.renew_deadline,
        retry_period: args.retry_period,
    };
    let (claim, task) = lease::start(Api::namespaced(client.clone(), own), clock, settings, stop);
    (claim, Some(task))
}

/// Our own kinds: of this instance id only.
fn own_kinds(args: &Args) -> watcher::Config {
    let selector = if args.instance_id.is_empty() {
        format!("!{INSTANCE_ID_LABEL}")
    } else {
        format!("{INSTANCE_ID_LABEL}={}", args.instance_id)
    };
    watcher::Config::default().labels(&selector)
}

fn start_watches(
    watches: &mut Watches,
    client: &Client,
    caches: &Caches,
    queue: &Arc<Queue>,
    args: &Args,
    own: &str,
) {
    let scope = args.namespaced.then_some(own);
    let keys = |kind: Kind| {
        let queue = queue.clone();
        move |namespace: String, name: String| queue.add(Key { namespace, kind: kind.clone(), name })
    };
    let rollout = keys(Kind::Rollout);
    let service = keys(Kind::Service);
    let changed = {
        let (rollout, service) = (rollout.clone(), service.clone());
        move |new: &crds::Rollout, old: Option<&crds::Rollout>| {
            let namespace = new.namespace().unwrap_or_default();
            // Services that are not referred to any more are released.
            for name in old.into_iter().chain([new]).flat_map(observe::service_names) {
                service(namespace.clone(), name);
            }
            rollout(namespace, new.name_any());
        }
    };
    cache::start(watches, api(client, scope), own_kinds(args), caches.rollouts.clone(), changed);

    let owner = rollout.clone();
    let config = watcher::Config::default().labels(POD_TEMPLATE_HASH_LABEL);
    cache::start(
        watches,
        api(client, scope),
        config,
        caches.replica_sets.clone(),
        move |set: &cache::RawReplicaSet, _| {
            enqueue_owner(&set.metadata, &owner);
        },
    );

    cache::start(
        watches,
        api(client, scope),
        watcher::Config::default(),
        caches.services.clone(),
        move |new, _| {
            service(new.namespace().unwrap_or_default(), new.name_any());
        },
    );

    let (owner, run) = (rollout.clone(), keys(Kind::AnalysisRun));
    cache::start(
        watches,
        api(client, scope),
        own_kinds(args),
        caches.runs.clone(),
        move |new: &crds::AnalysisRun, _| {
            // On every event: a phase of our own writing is in the store before the watch tells of it.
            enqueue_owner(&new.metadata, &owner);
            run(new.namespace().unwrap_or_default(), new.name_any());
        },
    );

    let run = keys(Kind::AnalysisRun);
    let config = watcher::Config::default().labels(ANALYSIS_RUN_UID_LABEL);
    cache::start(
        watches,
        api(client, scope),
        config,
        caches.jobs.clone(),
        move |job: &k8s_openapi::api::batch::v1::Job, _| {
            let annotations = job.metadata.annotations.clone().unwrap_or_default();
            let name = annotations.get(crds::meta::ANALYSIS_RUN_NAME_ANNOTATION);
            let namespace = annotations.get(crds::meta::ANALYSIS_RUN_NAMESPACE_ANNOTATION);
            if let (Some(namespace), Some(name)) = (namespace, name) {
                run(namespace.clone(), name.clone());
            }
        },
    );
    start_template_watches(watches, client, caches, queue, args, scope);
}

/// A template that appears or changes may mend a Rollout that waits for it.
fn start_template_watches(
    watches: &mut Watches,
    client: &Client,
    caches: &Caches,
    queue: &Arc<Queue>,
    args: &Args,
    scope: Option<&str>,
) {
    let wake = |caches: &Caches, queue: &Arc<Queue>| {
        let (caches, queue) = (caches.clone(), queue.clone());
        move |namespace: Option<String>| {
            for rollout in caches.rollouts.all() {
                let own = rollout.namespace().unwrap_or_default();
                let near = namespace.as_ref().is_none_or(|namespace| *namespace == own);
                if near && !observe::template_refs(&rollout).is_empty() {
                    queue.add(Key { namespace: own, kind: Kind::Rollout, name: rollout.name_any() });
                }
            }
        }
    };
    let near = wake(caches, queue);
    cache::start(
        watches,
        api(client, scope),
        own_kinds(args),
        caches.templates.clone(),
        move |new: &crds::AnalysisTemplate, _| {
            near(new.namespace());
        },
    );
    if scope.is_none() {
        let all = wake(caches, queue);
        let config = own_kinds(args);
        let api: Api<DeserializeGuard<crds::ClusterAnalysisTemplate>> = Api::all(client.clone());
        cache::start(
            watches,
            api,
            config,
            caches.cluster_templates.clone(),
            move |_: &crds::ClusterAnalysisTemplate, _| all(None),
        );
    }
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<DeserializeGuard<K>>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    DeserializeGuard<K>: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn enqueue_owner(
    metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    add: &impl Fn(String, String),
) {
    let owners = metadata.owner_references.iter().flatten();
    for owner in owners.filter(|owner| owner.kind == "Rollout" && owner.controller == Some(true)) {
        add(metadata.namespace.clone().unwrap_or_default(), owner.name.clone());
    }
}

/// Looks at every object when this process begins to lead, and from time to time: what no watch tells is found then.
async fn look_at_all(caches: Caches, queue: Arc<Queue>, mut claim: Claim, every: Duration) {
    loop {
        claim.held().await;
        for rollout in caches.rollouts.all() {
            queue.add(Key {
                namespace: rollout.namespace().unwrap_or_default(),
                kind: Kind::Rollout,
                name: rollout.name_any(),
            });
        }
        for run in caches.runs.all() {
            queue.add(Key {
                namespace: run.namespace().unwrap_or_default(),
                kind: Kind::AnalysisRun,
                name: run.name_any(),
            });
        }
        for service in caches.services.all() {
            queue.add(Key {
                namespace: service.namespace().unwrap_or_default(),
                kind: Kind::Service,
                name: service.name_any(),
            });
        }
        tokio::select! {
            biased;
            () = claim.lost() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
}

#[derive(Clone)]
struct Work {
    queue: Arc<Queue>,
    rollouts: Rollouts,
    runs: AnalysisRuns,
    applier: Applier,
    claim: Claim,
}

impl Work {
    async fn run(mut self) {
        loop {
            self.claim.held().await;
            let key = self.queue.next().await;
            // A defect in one object's handling must not stop the others.
            let outcome = AssertUnwindSafe(self.look(&key)).catch_unwind().await.unwrap_or_else(|_| {
                tracing::error!(?key, "a look at this object panicked; it is tried again");
                Outcome::Retry
            });
            self.queue.done(key, outcome);
        }
    }

    async fn look(&self, key: &Key) -> Outcome {
        match key.kind {
            Kind::Rollout => self.rollouts.look(key).await,
            Kind::AnalysisRun => self.runs.look(key).await,
            Kind::Service => services::look(&self.applier, &self.queue, key).await,
        }
    }
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
