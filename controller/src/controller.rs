//! The controller itself: caches, election, queue and workers over what surrounds it. Dropping it ends all its tasks
//! at once, as the end of a process does.

use crate::analysis_runs::{AnalysisRuns, Jobs};
use crate::apply::{Applier, Doubts, Pace};
use crate::args::Args;
use crate::cache::{Caches, Clients, Watches};
use crate::clock::Clock;
use crate::events::Events;
use crate::lease::{self, Claim};
use crate::metrics::{Metrics, Page};
use crate::queue::Queue;
use crate::read_only::read_only;
use crate::reign::Reader;
use crate::requests::RequestCounter;
use crate::rollouts::Rollouts;
use crate::shadow::Shadow;
use crate::targets::{Bindings, Sources, Targets};
use crate::watches;
use crate::work::{Duty, Work, look_at_all};
use crds::Time;
use kube::{Api, Client};
use planner::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Lease that decides who writes. The one that Argo Rollouts takes: both never write at once in one namespace.
const LEASE: &str = "argo-rollouts-controller-lock";

/// Everything outside the controller that it depends on: the cluster, other services, time and its own name. The
/// process makes it from its environment, a simulation by hand.
#[derive(Clone)]
pub struct Surroundings {
    /// The cluster.
    pub client: Client,
    /// The cluster, for what must not be tried again unasked: a disruption budget refuses an eviction with the answer that
    /// a busy server gives, and a client that waits for another one waits as long as the budget does.
    pub evictions: Client,
    /// The cluster in which Jobs of analyses are made; the same one as a rule.
    pub jobs: Client,
    /// The cluster with the configuration of Istio; the same one as a rule.
    pub mesh: Client,
    /// Asks Elastic Load Balancing what it serves; `None` where it is not to be asked.
    pub aws: Option<Arc<aws::Client>>,
    /// What analyses use when their templates do not say.
    pub analyses: providers::Settings,
    /// Exchanges requests of analyses for answers.
    pub executor: providers::http::Executor,
    /// The time now; from here on tokio's time counts.
    pub begin: Time,
    /// Name of this process in the election.
    pub identity: String,
    /// The controller's own namespace: of the lease, and the one that `--namespaced` means.
    pub namespace: String,
    /// Counts the requests of the clients that were made with it.
    pub requests: RequestCounter,
    /// Whether answers to its own writes are known to it before its watches tell of them. Safety does not depend on
    /// it.
    pub overlay: bool,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// The same surroundings, in which nothing can be written.
    fn read_only(self, metrics: &Metrics) -> Self {
        Self {
            client: read_only(self.client, metrics.clone()),
            evictions: read_only(self.evictions, metrics.clone()),
            jobs: read_only(self.jobs, metrics.clone()),
            mesh: read_only(self.mesh, metrics.clone()),
            ..self
        }
    }
}

/// What a controller tells about itself, while it works and as long as it lives.
#[derive(Clone)]
pub struct Pages {
    metrics: Metrics,
    caches: Caches,
    queue: Arc<Queue>,
    requests: RequestCounter,
    namespace: String,
    shadow: Option<Shadow>,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl Pages {
    /// The metrics, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut page = Page::default();
        self.metrics.show(&mut page, &self.caches);
        self.queue.show(&mut page);
        self.requests.show(&mut page, &self.caches, &self.namespace);
        if let Some(shadow) = &self.shadow {
            shadow.show(&mut page);
            self.metrics.show_shadow(&mut page);
        }
        page.into_text()
    }

    /// What a shadow has found; `None` for a controller that acts.
    #[must_use]
    pub fn shadow(&self) -> Option<serde_json::Value> {
        self.shadow.as_ref().map(Shadow::report)
    }
}

/// A controller with its tasks.
pub struct Controller {
    args: Args,
    /// The controller's own.
    namespace: String,
    pages: Pages,
    caches: Caches,
    queue: Arc<Queue>,
    /// Whether the caches are filled.
    pub(crate) ready: watch::Sender<bool>,
    watches: Watches,
    stop: watch::Sender<bool>,
    election: Option<JoinSet<()>>,
    tasks: JoinSet<()>,
    work: Work,
}

impl Controller {
    /// Starts to watch, and to take part in the election. Nothing is decided before [`Controller::work`].
    #[must_use]
    pub fn start(args: Args, around: Surroundings) -> Self {
        let clock = Clock::starting_at(around.begin);
        let metrics = Metrics::default();
        // Before anything has a client: whatever is asked of a shadow, nothing that writes is sent.
        let around = if args.shadow { around.read_only(&metrics) } else { around };
        let shadow = args.shadow.then(|| Shadow::new(args.shadow_grace, clock));
        let mut caches = Caches::new(around.overlay);
        let queue = Arc::new(Queue::default());
        let mut tasks = JoinSet::new();
        if let Some(aws) = around.aws.clone() {
            let bindings = Bindings::new(around.client.clone(), &args.aws.binding_api_version);
            let sources = Sources { aws, tag_key: args.aws.tag_key.clone(), bindings };
            caches.targets = Targets::start(&mut tasks, sources, clock, queue.clone());
        }
        let mut watches = Watches::default();
        let (client, own) = (&around.client, &around.namespace);
        watches::start(&mut watches, client, &caches, &queue, &args, own, shadow.as_ref());
        let scope = args.namespaced.then_some(around.namespace.as_str());
        let of_routes = Clients::new(around.client.clone(), around.mesh.clone(), args.router_apis.clone());
        let of_routes = if args.shadow { of_routes.reading() } else { of_routes };
        watches::start_when_wanted(&mut watches, &around.client, &of_routes, &caches, &queue, scope);

        let settings = settings(&args, &around);
        let (stop, stopped) = watch::channel(false);
        let (ready, is_ready) = watch::channel(false);
        let (claim, election) = elect(&args, &around, clock, is_ready, stopped);
        let events = Events::start(&mut tasks, around.client.clone(), clock, claim.clone(), metrics.clone());
        let pages = Pages {
            metrics: metrics.clone(),
            caches: caches.clone(),
            queue: queue.clone(),
            requests: around.requests,
            namespace: around.namespace.clone(),
            shadow: shadow.clone(),
        };
        let applier = Applier {
            client: around.client,
            evictions: around.evictions,
            of_routes,
            claim: claim.clone(),
            caches: caches.clone(),
            events,
            metrics: metrics.clone(),
            pace: Pace::default(),
            doubts: Doubts::default(),
            pod_threads: args.ephemeral_metadata_threads,
        };
        let rollouts = Rollouts::new(caches.clone(), applier.clone(), clock, settings, metrics.clone());
        let jobs = Jobs { client: around.jobs, settings: around.analyses };
        let runs = AnalysisRuns::new(applier.clone(), clock, metrics.clone(), around.executor, jobs);
        let duty = Duty::of(&args, shadow);
        let work = Work { queue: queue.clone(), rollouts, runs, applier, claim, duty };
        Self {
            args,
            namespace: around.namespace,
            pages,
            caches,
            queue,
            ready,
            watches,
            stop,
            election,
            tasks,
            work,
        }
    }

    /// What it tells about itself.
    #[must_use]
    pub fn pages(&self) -> Pages {
        self.pages.clone()
    }

    /// Works once the caches are filled, until `stop` ends; then the lease is given back.
    pub async fn work(mut self, stop: impl Future<Output = ()>) {
        self.watches.filled().await;
        self.ready.send_replace(true);
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            rollouts = self.caches.rollouts.all().len(),
            "the caches are filled"
        );
        for _ in 0..(self.args.rollout_threads.max(1) + self.args.analysis_threads.max(1)) {
            self.tasks.spawn(self.work.clone().run());
        }
        let reader = Reader {
            client: self.work.applier.client.clone(),
            scope: self.args.namespaced.then_some(self.namespace.clone()),
            selector: watches::own_kinds(&self.args).label_selector,
            caches: self.caches.clone(),
        };
        self.tasks.spawn(reader.run(self.work.claim.clone()));
        let resync = Duration::from_secs(self.args.rollout_resync_seconds.max(1));
        let again = look_at_all(self.caches.clone(), self.queue.clone(), self.work.claim.clone(), resync);
        self.tasks.spawn(again);
        stop.await;
        tracing::info!("stopping");
        self.stop.send_replace(true);
        if let Some(mut election) = self.election.take() {
            while election.join_next().await.is_some() {}
        }
    }
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("args", &self.args).finish_non_exhaustive()
    }
}

/// What the planner has to know of flags and surroundings.
fn settings(args: &Args, around: &Surroundings) -> Settings {
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Settings {
        instance_id: Some(args.instance_id.clone()).filter(|id| !id.is_empty()),
        reference_grace_seconds: seconds(args.reference_grace),
        settle_seconds: seconds(args.traffic_settle),
        // In the shadow of Argo Rollouts, which never does it, it would be a difference everywhere.
        gives_back: args.traffic_give_back && !args.shadow,
        verifies_targets: around.aws.is_some(),
    }
}

fn elect(
    args: &Args,
    around: &Surroundings,
    clock: Clock,
    ready: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
) -> (Claim, Option<JoinSet<()>>) {
    if !args.leader_elect || args.shadow {
        return (Claim::always(), None);
    }
    let name =
        if args.instance_id.is_empty() { LEASE.to_owned() } else { format!("{LEASE}-{}", args.instance_id) };
    let settings = lease::Settings {
        name,
        identity: around.identity.clone(),
        duration: args.lease_duration,
        renew_deadline: args.renew_deadline,
        retry_period: args.retry_period,
    };
    let api = Api::namespaced(around.client.clone(), &around.namespace);
    let (claim, election) = lease::start(api, clock, settings);
    let mut tasks = JoinSet::new();
    tasks.spawn(election.run(ready, stop));
    (claim, Some(tasks))
}
