//! What the controller's analyses reach over the network: the Prometheus that scrapes the pods, and nothing else.

use providers::http::{Executor, NoAnswer, Request, Response};
use sandbox::traffic::Prometheus;
use tower::util::BoxCloneSyncService;

/// Address of the Prometheus.
pub const PROMETHEUS: &str = "http://prometheus.sandbox";

/// Exchanges the requests of analyses: those to [`PROMETHEUS`] are answered at once, others find no such host.
#[must_use]
pub fn executor(prometheus: Prometheus) -> Executor {
    BoxCloneSyncService::new(tower::service_fn(move |request: Request| {
        let answer = answer(&prometheus, &request);
        async move { answer }
    }))
}

fn answer(prometheus: &Prometheus, request: &Request) -> Result<Response, NoAnswer> {
    let target = request.url.strip_prefix(PROMETHEUS);
    let Some(target) = target.filter(|rest| rest.is_empty() || rest.starts_with(['/', '?'])) else {
        let host = request.url.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next());
        return Err(NoAnswer(format!("no such host: {}", host.unwrap_or(&request.url))));
    };
    let (status, body) = prometheus.answer(&request.method, target, request.body.as_bytes());
    Ok(Response { status, body: body.to_string().into_bytes() })
}
