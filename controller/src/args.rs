//! Flags. All that Argo Rollouts has are accepted, so that its manifests and charts start this image unchanged; those
//! without a meaning here say so once at the start.

use crate::connection::Connection;
use clap::Parser;

/// Progressive delivery for Kubernetes: lets a new version through step by step.
#[derive(Clone, Debug, Parser)]
#[command(name = "stepgate-controller", version, disable_help_subcommand = true, args_override_self = true)]
pub struct Args {
    /// Port of /metrics.
    #[arg(long = "metricsPort", alias = "metricsport", default_value_t = 8090)]
    pub metrics_port: u16,
    /// Port of /healthz and /readyz.
    #[arg(long = "healthzPort", default_value_t = 8080)]
    pub healthz_port: u16,
    /// Only objects labelled with this instance id; without it only objects without such a label.
    #[arg(long = "instance-id", default_value = "")]
    pub instance_id: String,
    /// Only the controller's own namespace (or that of --namespace).
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set)]
    pub namespaced: bool,
    /// One of debug, info, warn, error.
    #[arg(long, default_value = "info")]
    pub loglevel: String,
    /// text or json.
    #[arg(long, default_value = "text")]
    pub logformat: String,
    /// Take part in the election of a leader.
    #[arg(long = "leader-elect", num_args = 0..=1, default_missing_value = "true", default_value = "true", action = clap::ArgAction::Set)]
    pub leader_elect: bool,
    /// How long a lease holds, such as 15s.
    #[arg(long = "leader-election-lease-duration", default_value = "15s", value_parser = duration)]
    pub lease_duration: std::time::Duration,
    /// How long the leader may fail to renew its lease, such as 10s.
    #[arg(long = "leader-election-renew-deadline", default_value = "10s", value_parser = duration)]
    pub renew_deadline: std::time::Duration,
    /// How often the lease is looked at, such as 2s.
    #[arg(long = "leader-election-retry-period", default_value = "2s", value_parser = duration)]
    pub retry_period: std::time::Duration,
    /// Rollouts that are looked at in parallel.
    #[arg(long = "rollout-threads", default_value_t = 10)]
    pub rollout_threads: usize,
    /// AnalysisRuns that are looked at in parallel.
    #[arg(long = "analysis-threads", default_value_t = 30)]
    pub analysis_threads: usize,
    /// Pods of one Rollout that get their metadata in parallel.
    #[arg(long = "ephemeral-metadata-threads", default_value_t = 10)]
    pub ephemeral_metadata_threads: usize,
    /// Seconds after which every object is looked at again.
    #[arg(long = "rollout-resync", default_value_t = 900)]
    pub rollout_resync_seconds: u64,
    /// Look after these only; without it after everything. With several instances of a controller, AnalysisRuns can be
    /// one's own business.
    #[arg(long, value_delimiter = ',')]
    pub controllers: Vec<Part>,
    /// Write nothing and take no lease: plan every Rollout beside a live controller, and tell what it does otherwise, as
    /// log, metrics and JSON at /shadow of the metrics port.
    #[arg(long, conflicts_with = "controllers", num_args = 0..=1, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set)]
    pub shadow: bool,
    /// How long something may be planned and not done before --shadow tells of it, such as 30s.
    #[arg(long = "shadow-grace", default_value = "30s", value_parser = duration)]
    pub shadow_grace: std::time::Duration,
    /// How long a Rollout without a stable version waits for Services, templates and workloads that it refers to before
    /// it is InvalidSpec, such as 10s; 0 is the way of Argo Rollouts.
    #[arg(long = "reference-grace", default_value = "10s", value_parser = duration)]
    pub reference_grace: std::time::Duration,
    /// How long a router may take to do what its objects say, and to learn which pods a Service has, such as 5s: pods go
    /// only after it. The annotation stepgate.dev/traffic-settle of a Rollout says otherwise for that one.
    #[arg(long = "traffic-settle", default_value = "5s", value_parser = duration)]
    pub traffic_settle: std::time::Duration,
    /// Whether fields of routers' objects that the API server notes as ours are given back when an update is over, so that
    /// syncers that leave our fields alone see changes of Git in them again.
    #[arg(long = "traffic-give-back", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub traffic_give_back: bool,
    /// How the cluster is reached; from within it when nothing is said.
    #[command(flatten)]
    pub connection: Connection,
    /// What is asked of AWS.
    #[command(flatten)]
    pub aws: Aws,
    /// Which versions of routers' kinds are spoken.
    #[command(flatten)]
    pub router_apis: RouterApis,
    /// Flags of Argo Rollouts that have no meaning here.
    #[command(flatten)]
    pub without_meaning: WithoutMeaning,
}

/// What is asked of AWS, with the credentials that its SDKs would find.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "AWS")]
pub struct Aws {
    /// Ask Elastic Load Balancing which weights its rules have, and which pods its target groups: a step waits for the
    /// weights, weight and promotions wait for the pods, and pods go after both.
    #[arg(long = "aws-verify-target-group", alias = "alb-verify-weight", num_args = 0..=1, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set)]
    pub verifies: bool,
    /// Tag by which the AWS Load Balancer Controller marks target groups.
    #[arg(long = "alb-tag-key-resource-id", default_value = aws::DEFAULT_TAG_KEY)]
    pub tag_key: String,
    /// API version of TargetGroupBindings; that of EKS Auto Mode is eks.amazonaws.com/v1.
    #[arg(long = "aws-target-group-binding-api-version", default_value = "elbv2.k8s.aws/v1beta1")]
    pub binding_api_version: String,
}

/// API groups and versions of routers' kinds.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Routers")]
pub struct RouterApis {
    /// API version of Istio's VirtualServices and DestinationRules.
    #[arg(long = "istio-api-version", default_value = "v1alpha3")]
    pub istio_api_version: String,
    /// API group of TraefikServices; that of older ones is traefik.containo.us.
    #[arg(long = "traefik-api-group", default_value = "traefik.io")]
    pub traefik_api_group: String,
    /// API version of TraefikServices, alone or behind its group.
    #[arg(long = "traefik-api-version", default_value = "v1alpha1")]
    pub traefik_api_version: String,
}

impl Default for RouterApis {
    fn default() -> Self {
        Self {
            istio_api_version: "v1alpha3".to_owned(),
            traefik_api_group: "traefik.io".to_owned(),
            traefik_api_version: "v1alpha1".to_owned(),
        }
    }
}

/// A part of the controller that can work by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// AnalysisRuns.
    Analysis,
}

/// Accepted, so that manifests written for Argo Rollouts start; without a meaning (yet).
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Accepted without a meaning")]
#[allow(missing_docs, reason = "their meaning is that they have none here")]
pub struct WithoutMeaning {
    #[arg(long, hide = true)]
    pub kloglevel: Option<String>,
    #[arg(long, hide = true)]
    pub qps: Option<String>,
    #[arg(long, hide = true)]
    pub burst: Option<String>,
    #[arg(long = "experiment-threads", hide = true)]
    pub experiment_threads: Option<String>,
    #[arg(long = "service-threads", hide = true)]
    pub service_threads: Option<String>,
    #[arg(long = "ingress-threads", hide = true)]
    pub ingress_threads: Option<String>,
    #[arg(long = "ephemeral-metadata-update-pod-retries", hide = true)]
    pub ephemeral_metadata_update_pod_retries: Option<String>,
    #[arg(long = "ambassador-api-version", hide = true)]
    pub ambassador_api_version: Option<String>,
    #[arg(long = "traffic-split-api-version", hide = true)]
    pub traffic_split_api_version: Option<String>,
    #[arg(long = "ingress-api-version", hide = true)]
    pub ingress_api_version: Option<String>,
    #[arg(long = "appmesh-crd-version", hide = true)]
    pub appmesh_crd_version: Option<String>,
    #[arg(long = "alb-ingress-classes", hide = true)]
    pub alb_ingress_classes: Vec<String>,
    #[arg(long = "nginx-ingress-classes", hide = true)]
    pub nginx_ingress_classes: Vec<String>,
    #[arg(long = "self-service-notification-enabled", hide = true, num_args = 0..=1, default_missing_value = "true")]
    pub self_service_notification_enabled: Option<String>,
    #[arg(long = "enable-pprof-address", hide = true)]
    pub enable_pprof_address: Option<String>,
}

impl WithoutMeaning {
    /// Names of those that were given.
    fn given(&self) -> Vec<&'static str> {
        let one = |name: &'static str, value: &Option<String>| value.is_some().then_some(name);
        let many = |name: &'static str, values: &[String]| (!values.is_empty()).then_some(name);
        [
            one("--kloglevel", &self.kloglevel),
            one("--qps", &self.qps),
            one("--burst", &self.burst),
            one("--experiment-threads", &self.experiment_threads),
            one("--service-threads", &self.service_threads),
            one("--ingress-threads", &self.ingress_threads),
            one("--ephemeral-metadata-update-pod-retries", &self.ephemeral_metadata_update_pod_retries),
            one("--ambassador-api-version", &self.ambassador_api_version),
            one("--traffic-split-api-version", &self.traffic_split_api_version),
            one("--ingress-api-version", &self.ingress_api_version),
            one("--appmesh-crd-version", &self.appmesh_crd_version),
            many("--alb-ingress-classes", &self.alb_ingress_classes),
            many("--nginx-ingress-classes", &self.nginx_ingress_classes),
            one("--self-service-notification-enabled", &self.self_service_notification_enabled),
            one("--enable-pprof-address", &self.enable_pprof_address),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let parsed = crds::GoDuration::parse(text).map_err(|error| error.to_string())?;
    parsed.to_std().ok_or_else(|| format!("{text:?} is negative"))
}

/// Starts the log, and says which flags have no meaning here.
pub fn init_logs(args: &Args) {
    let filter = match args.loglevel.to_lowercase().as_str() {
        "trace" => "trace",
        "debug" => "debug,hyper=info,kube=info,tower=info,rustls=info",
        "warn" | "warning" => "warn",
        "error" | "fatal" | "panic" => "error",
        _ => "info",
    };
    let builder = tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::new(filter));
    if args.logformat == "json" {
        builder.json().init();
    } else {
        builder.with_ansi(false).init();
    }
    for flag in args.without_meaning.given() {
        tracing::warn!(flag, "this flag is accepted and has no meaning here");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn flags_of_charts_are_accepted() {
        let args = Args::try_parse_from([
            "stepgate-controller",
            "--healthzPort=8080",
            "--metricsPort=8090",
            "--loglevel=info",
            "--logformat=text",
            "--kloglevel=0",
            "--leader-elect",
            "--namespaced",
            "--instance-id",
            "x",
            "--qps",
            "40",
            "--burst=80",
            "--istio-api-version",
            "v1beta1",
            "--alb-ingress-classes",
            "alb",
            "--self-service-notification-enabled",
            "--aws-verify-target-group",
            "--rollout-resync",
            "900",
            "--leader-election-lease-duration",
            "15s",
        ])
        .unwrap();
        assert!(args.namespaced && args.leader_elect);
        assert_eq!(args.lease_duration.as_secs(), 15);
        assert_eq!(args.without_meaning.given().len(), 5);
        assert!(args.aws.verifies);
        assert_eq!(args.aws.tag_key, "ingress.k8s.aws/resource");
        assert_eq!(args.aws.binding_api_version, "elbv2.k8s.aws/v1beta1");
        assert_eq!(args.router_apis.istio_api_version, "v1beta1");
        assert!(
            Args::try_parse_from(["stepgate-controller", "--leader-elect=false"])
                .is_ok_and(|a| !a.leader_elect)
        );
    }

    #[test]
    fn flags_with_a_meaning_are_read() {
        let parse = |flags: &[&str]| Args::try_parse_from(["stepgate-controller"].iter().chain(flags));
        let args = parse(&["--controllers", "analysis", "--reference-grace=0s", "-n", "ops"]).unwrap();
        assert_eq!(args.controllers, [Part::Analysis]);
        assert!(args.reference_grace.is_zero() && !args.shadow);
        assert_eq!(args.connection.namespace.as_deref(), Some("ops"));
        let args = parse(&["--shadow", "--shadow-grace=2m", "--server=https://x", "--as=me"]).unwrap();
        assert!(args.shadow && args.shadow_grace.as_secs() == 120);
        assert_eq!(parse(&[]).unwrap().reference_grace.as_secs(), 10);
        // The last one counts, as with Go's flags: charts add to what they have.
        let args = parse(&["--leader-elect", "--loglevel=info", "--loglevel=debug", "--leader-elect=false"])
            .unwrap();
        assert_eq!((args.leader_elect, args.loglevel.as_str()), (false, "debug"));
        let args = parse(&[
            "--controllers=analysis",
            "--insecure-skip-tls-verify=true",
            "--disable-compression=false",
        ]);
        assert_eq!(args.unwrap().controllers, [Part::Analysis]);
        let error = parse(&["--controllers=rollouts"]).unwrap_err().to_string();
        assert!(error.contains("possible values: analysis"), "{error}");
        assert!(parse(&["--shadow", "--controllers=analysis"]).is_err(), "a shadow looks at Rollouts");
    }
}
