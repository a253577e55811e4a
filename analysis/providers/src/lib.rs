//! Metric providers. Each is a pure pair: `prepare` makes a request as plain data, `interpret` makes a
//! [`analysis::provider::Reading`] of the answer. Only [`execute`] touches the network, behind a `tower::Service` that
//! is chosen at the start, so that a simulation can answer instead.

pub mod execute;
pub mod http;
pub mod job;
pub mod oauth2;
pub mod prometheus;
pub mod web;

use analysis::provider::{Metadata, MetricContext, Reading};
use crds::analysis::Metric;

/// Which provider a metric asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Prometheus.
    Prometheus,
    /// An HTTP endpoint.
    Web,
    /// A Job in the cluster.
    Job,
    /// A provider that this version does not have.
    NotBuilt(&'static str),
}

/// The provider of a metric; the first one that is set, as validation has made sure that there is one.
#[must_use]
pub fn kind(metric: &Metric) -> Kind {
    let provider = &metric.provider;
    let missing = [
        (provider.kayenta.is_some(), "kayenta"),
        (provider.datadog.is_some(), "datadog"),
        (provider.wavefront.is_some(), "wavefront"),
        (provider.new_relic.is_some(), "newRelic"),
        (provider.cloud_watch.is_some(), "cloudWatch"),
        (provider.graphite.is_some(), "graphite"),
        (provider.influxdb.is_some(), "influxdb"),
        (provider.skywalking.is_some(), "skywalking"),
    ];
    if provider.prometheus.is_some() {
        Kind::Prometheus
    } else if provider.web.is_some() {
        Kind::Web
    } else if provider.job.is_some() {
        Kind::Job
    } else {
        Kind::NotBuilt(missing.into_iter().find_map(|(set, name)| set.then_some(name)).unwrap_or("plugin"))
    }
}

/// An Error reading without notes.
#[must_use]
pub fn error(message: impl Into<String>) -> Reading {
    Reading::Error { message: message.into(), metadata: Metadata::new() }
}

/// Reading of a provider that this version does not have.
#[must_use]
pub fn not_built(name: &str) -> Reading {
    error(format!("the {name} provider is not supported by this version of Stepgate yet"))
}

/// Settings that providers take from the controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Address of Prometheus where a metric names none.
    pub prometheus_address: Option<String>,
    /// Namespace of the Jobs of analyses; that of the run when unset.
    pub job_namespace: Option<String>,
    /// Jobs are made in another cluster, where their run is not.
    pub jobs_elsewhere: bool,
}

/// Takes one measurement of an HTTP provider through `executor`; gives the reading and the notes on the metric.
pub async fn measure(
    executor: http::Executor,
    context: MetricContext<'_>,
    settings: &Settings,
) -> (Reading, Metadata) {
    match kind(context.metric) {
        Kind::Prometheus => prometheus::measure(executor, context, settings).await,
        Kind::Web => (web::measure(executor, context).await, Metadata::new()),
        Kind::Job => (error("a job metric is measured in the cluster"), Metadata::new()),
        Kind::NotBuilt(name) => (not_built(name), Metadata::new()),
    }
}

/// Chooses the one TLS provider of the process; the second call does nothing.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
