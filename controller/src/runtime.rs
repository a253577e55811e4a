//! The process: its environment, its ports and its signals around a [`Controller`].

use crate::admin;
use crate::args::Args;
use crate::clock;
use crate::controller::{Controller, Surroundings};
use crate::mesh;
use crate::requests::RequestCounter;
use anyhow::Context;
use kube::client::ClientBuilder;
use kube::config::KubeConfigOptions;
use kube::{Client, Config};
use std::sync::Arc;

/// Namespace of the lease where none can be found out.
const NAMESPACE: &str = "argo-rollouts";
/// What the API server's logs know the controller by: the name that Argo Rollouts has.
const USER_AGENT: &str = concat!("rollouts-controller/", env!("CARGO_PKG_VERSION"), " (stepgate)");
/// Variables that Argo Rollouts reads and that have no meaning here, with the reason.
const WITHOUT_MEANING: [(&str, &str); 4] = [
    ("ROLLOUT_VERIFY_RETRY_INTERVAL", "weights are verified every 10 s"),
    ("DD_API_KEY", "there is no Datadog provider yet"),
    ("DD_APP_KEY", "there is no Datadog provider yet"),
    ("DD_ADDRESS", "there is no Datadog provider yet"),
];
/// Where a pod finds its namespace.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Runs the controller until the process is told to stop.
///
/// # Errors
/// When there is no cluster to connect to, or a port is taken.
pub async fn run(args: Args) -> anyhow::Result<()> {
    for (variable, why) in WITHOUT_MEANING.iter().filter(|(name, _)| std::env::var_os(name).is_some()) {
        tracing::warn!(variable, why, "this variable has no meaning here");
    }
    let around = surroundings(&args).await?;
    let ports = (args.healthz_port, args.metrics_port);
    let controller = Controller::start(args, around);
    admin::start(ports, &controller).await?;
    let mut told = Signals::new()?;
    controller.work(async { told.wait().await }).await;
    Ok(())
}

async fn surroundings(args: &Args) -> anyhow::Result<Surroundings> {
    let requests = RequestCounter::default();
    let config = args.connection.config(USER_AGENT).await?;
    let mut once = config.clone();
    once.default_retry = false;
    let evictions = connect(once, &requests)?;
    let client = connect(config, &requests)?;
    let (jobs, analyses) = jobs(&client, &requests).await?;
    let namespace = own_namespace(args);
    let mesh = match mesh::primary(&client, args.namespaced.then_some(namespace.as_str())).await? {
        Some(mut config) => {
            config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT)));
            connect(config, &requests)?
        }
        None => client.clone(),
    };
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let unique = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    Ok(Surroundings {
        client,
        evictions,
        jobs,
        mesh,
        aws: aws_client(args),
        analyses,
        executor: providers::execute::network(),
        begin: clock::wall(),
        identity: format!("{}_{}", host.trim(), unique.trim()),
        namespace,
        requests,
        overlay: true,
    })
}

fn connect(config: Config, requests: &RequestCounter) -> anyhow::Result<Client> {
    Ok(ClientBuilder::try_from(config)?.with_layer(requests).build())
}

/// Asks AWS, where that is wanted: with the credentials that its SDKs would find.
fn aws_client(args: &Args) -> Option<Arc<aws::Client>> {
    args.aws.verifies.then(|| Arc::new(aws::Client::new(Arc::new(aws::Process), aws::network())))
}

/// What the environment says of analyses, by the names that Argo Rollouts gives it.
async fn jobs(client: &Client, requests: &RequestCounter) -> anyhow::Result<(Client, providers::Settings)> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let kubeconfig = variable("ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG");
    let settings = providers::Settings {
        prometheus_address: variable("ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"),
        job_namespace: variable("ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE"),
        jobs_elsewhere: kubeconfig.is_some(),
    };
    let client = match kubeconfig.as_deref() {
        None => client.clone(),
        Some("in-cluster") => connect(Config::incluster()?, requests)?,
        Some(path) => {
            let file = kube::config::Kubeconfig::read_from(path)
                .with_context(|| format!("ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG: {path}"))?;
            let options = KubeConfigOptions::default();
            connect(Config::from_custom_kubeconfig(file, &options).await?, requests)?
        }
    };
    Ok((client, settings))
}

/// The controller's own namespace.
fn own_namespace(args: &Args) -> String {
    let named = args.connection.namespace.clone().or_else(|| std::env::var("POD_NAMESPACE").ok());
    let mounted = || std::fs::read_to_string(NAMESPACE_FILE).ok().map(|text| text.trim().to_owned());
    named.or_else(mounted).filter(|name| !name.is_empty()).unwrap_or_else(|| NAMESPACE.to_owned())
}

/// The signals that ask the process to stop.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
