//! A client that only reads. What would write is refused where requests are sent, whoever asks for it.

use crate::metrics::Metrics;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use std::task::{Context, Poll};

/// A write that a shadow was asked to send.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path} was not sent: this process is a shadow and writes nothing")]
struct Refused {
    method: Method,
    path: String,
}

struct ReadOnly {
    client: Client,
    metrics: Metrics,
}

/// What the API server is asked about our own rights: a question, though it is sent as a POST.
const QUESTION: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// The same client without the means to write: each request that neither is a GET nor asks for our rights is refused,
/// logged and counted.
pub(crate) fn read_only(client: Client, metrics: Metrics) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(ReadOnly { client, metrics }, namespace)
}

impl tower::Service<Request<Body>> for ReadOnly {
    type Response = Response<Body>;
    type Error = tower::BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, tower::BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), tower::BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let asks = request.method() == Method::POST && request.uri().path() == QUESTION;
        if request.method() != Method::GET && !asks {
            let error = Refused { method: request.method().clone(), path: request.uri().path().to_owned() };
            tracing::error!(%error, "please report this");
            self.metrics.refused_write();
            return Box::pin(std::future::ready(Err(error.into())));
        }
        let client = self.client.clone();
        Box::pin(async move { Ok(client.send(request).await?) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::cache::Caches;
    use crate::metrics::Page;
    use crds::Rollout;
    use kube::Api;
    use kube::api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams};
    use serde_json::json;
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn nothing_but_reads_reaches_the_server() {
        let sent: Arc<Mutex<Vec<Method>>> = Arc::default();
        let seen = sent.clone();
        let server = tower::service_fn(move |request: Request<Body>| {
            seen.lock().unwrap().push(request.method().clone());
            let body = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
                "metadata": {"name": "web", "namespace": "a"}, "spec": {}});
            let body = Body::from(serde_json::to_vec(&body).unwrap());
            std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(body)))
        });
        let metrics = Metrics::default();
        let client = read_only(Client::new(server, "a"), metrics.clone());
        let api: Api<Rollout> = Api::default_namespaced(client.clone());
        let rollout = api.get("web").await.unwrap();
        let patch = Patch::Merge(json!({"spec": {"paused": true}}));
        let errors = [
            api.create(&PostParams::default(), &rollout).await.unwrap_err(),
            api.replace("web", &PostParams::default(), &rollout).await.unwrap_err(),
            api.patch("web", &PatchParams::default(), &patch).await.unwrap_err(),
            api.patch_status("web", &PatchParams::default(), &patch).await.unwrap_err(),
            api.delete("web", &DeleteParams::default()).await.unwrap_err(),
            Api::<k8s_openapi::api::core::v1::Pod>::default_namespaced(client)
                .evict("web-1", &EvictParams::default())
                .await
                .unwrap_err(),
        ];
        for error in &errors {
            assert!(error.to_string().contains("this process is a shadow"), "{error}");
        }
        assert_eq!(*sent.lock().unwrap(), [Method::GET]);
        let mut page = Page::default();
        metrics.show(&mut page, &Caches::new(true));
        metrics.show_shadow(&mut page);
        assert!(page.into_text().contains("stepgate_shadow_refused_writes_total 6\n"));
    }
}
