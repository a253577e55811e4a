//! What the analyses of a trial reach: no network. A query about the simulated traffic is answered from it; anything else is
//! answered by assumption, and said to be.

use super::manifests::text;
use super::values;
use crds::analysis::Metric;
use crds::{AnalysisRun, Time};
use providers::http::{self, Executor, Request, Response};
use sandbox::Cluster;
use sandbox::traffic::Prometheus;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tower::util::BoxCloneSyncService;

/// Where metrics without an address are sent: a controller's own setting decides that.
pub(super) const DEFAULT_PROMETHEUS: &str = "http://default-prometheus-of-the-controller";
/// Series that the simulated pods have. A query that names none of them is about somebody's own.
const SIMULATED: [&str; 2] = ["http_requests_total", "http_request_duration_seconds"];
/// Questions that are kept until the player looks.
const ASKED_MAX: usize = 10_000;

/// A question and its answer.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Name of the metric; empty when none was recognised.
    pub(super) metric: String,
    /// Method and URL.
    pub(super) address: String,
    /// Query or body, its arguments put in.
    pub(super) question: String,
    /// What was answered, in short.
    pub(super) answer: String,
    /// Why nobody should take the answer for a measurement; `None` when it comes from the simulated traffic.
    pub(super) assumed: Option<String>,
}

/// The network of one play.
#[derive(Clone)]
pub(super) struct Network {
    cluster: Cluster,
    prometheus: Prometheus,
    namespace: String,
    is_good: bool,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Network {
    pub(super) fn new(cluster: &Cluster, prometheus: Prometheus, namespace: &str, is_good: bool) -> Self {
        let namespace = namespace.to_owned();
        Self { cluster: cluster.clone(), prometheus, namespace, is_good, asked: Arc::default() }
    }

    /// What the controller sends its requests through.
    pub(super) fn executor(&self) -> Executor {
        let network = self.clone();
        BoxCloneSyncService::new(tower::service_fn(move |request: Request| {
            let answer = network.answer(&request);
            async move { Ok(answer) }
        }))
    }

    /// What was asked since the last call.
    pub(super) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answer(&self, request: &Request) -> Response {
        let now = self.cluster.clock().now();
        let address = format!("{} {}", request.method, request.url);
        let Some(metric) = self.metric_of(request) else {
            // Such as the login before a query.
            let body = json!({"access_token": "assumed", "token_type": "Bearer", "expires_in": 3600});
            self.note(Asked {
                metric: String::new(),
                address,
                question: String::new(),
                answer: "a token".to_owned(),
                assumed: Some("taken for a login".to_owned()),
            });
            return Response { status: 200, body: body.to_string().into_bytes() };
        };
        let query = metric.provider.prometheus.as_ref().and_then(|prometheus| prometheus.query.clone());
        let question = query.clone().unwrap_or_else(|| request.body.clone());
        let simulated = query.as_deref().filter(|query| SIMULATED.iter().any(|name| query.contains(name)));
        let (response, answer, assumed) = match simulated.and_then(|_| self.measured(request)) {
            Some((response, answer)) => (response, answer, None),
            None => {
                let (response, answer, why) = self.assume(&metric, simulated.is_some(), now);
                (response, answer, Some(why))
            }
        };
        self.note(Asked { metric: metric.name, address, question, answer, assumed });
        response
    }

    fn note(&self, asked: Asked) {
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < ASKED_MAX {
            all.push(asked);
        }
    }

    /// The answer over the simulated traffic, if that has such series.
    fn measured(&self, request: &Request) -> Option<(Response, String)> {
        let path = request.url.find("/api/v1/").and_then(|at| request.url.get(at..))?;
        let (status, body) = self.prometheus.answer(&request.method, path, request.body.as_bytes());
        let result = body.pointer("/data/result")?;
        if status != 200 || result.as_array().is_none_or(Vec::is_empty) {
            return None;
        }
        let shown = match text(&body, "/data/resultType") {
            "scalar" => text(result, "/1").to_owned(),
            "vector" => {
                let values: Vec<&str> =
                    result.as_array()?.iter().map(|series| text(series, "/value/1")).collect();
                format!("[{}]", values.join(", "))
            }
            other => format!("a {other} of {} series", result.as_array().map_or(0, Vec::len)),
        };
        Some((Response { status, body: body.to_string().into_bytes() }, shown))
    }

    fn assume(&self, metric: &Metric, is_simulated: bool, now: Time) -> (Response, String, String) {
        let assumed = values::find(metric, self.is_good, now);
        let why = match (is_simulated, metric.provider.web.is_some()) {
            (true, _) => "the simulated traffic has no such series",
            (false, true) => "nobody is called",
            (false, false) => "your own series are not simulated",
        };
        let outcome = match assumed.phase {
            crds::analysis::AnalysisPhase::Successful if !self.is_good => {
                "; no value that was tried makes it fail"
            }
            phase if self.is_good && phase != crds::analysis::AnalysisPhase::Successful => {
                "; no value that was tried meets its conditions"
            }
            _ => "",
        };
        (assumed.response, assumed.shown, format!("{why}{outcome}"))
    }

    /// The metric of a request: of the AnalysisRuns, the newest first.
    fn metric_of(&self, request: &Request) -> Option<Metric> {
        let mut runs = self.cluster.objects("argoproj.io/v1alpha1", "AnalysisRun", &self.namespace);
        runs.sort_by(|a, b| {
            text(b, "/metadata/creationTimestamp").cmp(text(a, "/metadata/creationTimestamp"))
        });
        let runs = runs.into_iter().filter_map(|run: Value| serde_json::from_value::<AnalysisRun>(run).ok());
        for run in runs {
            let args = run.spec.args.clone().unwrap_or_default();
            for metric in &run.spec.metrics {
                let Ok(metric) = analysis::arguments::resolve_metric(metric, &args, None) else { continue };
                if asks(&metric, request) {
                    return Some(metric);
                }
            }
        }
        None
    }
}

/// Whether a request is that of a metric.
fn asks(metric: &Metric, request: &Request) -> bool {
    if let Some(prometheus) = &metric.provider.prometheus {
        let query = http::form(&[("query", prometheus.query.as_deref().unwrap_or_default())]);
        let sent = |text: &str| text.split(['&', '?']).any(|part| part == query);
        return sent(&request.body) || sent(&request.url);
    }
    metric.provider.web.as_ref().is_some_and(|web| web.url == request.url)
}
