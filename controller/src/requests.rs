//! Requests to the API server, counted where they are sent.

use crate::cache::Caches;
use crate::metrics::text::Series;
use crate::metrics::{Page, REQUESTS};
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::ResourceExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Most series of requests; beyond them names are left out. It bounds what a cluster of which nobody reads the metrics
/// makes us keep.
const SERIES_MAX: usize = 20_000;
/// In place of a name that is not told.
const NO_NAME: &str = "N/A";

/// Counts what the API server answers. A layer for the client.
#[derive(Clone)]
pub struct RequestCounter(Arc<Series<u64>>);

impl Default for RequestCounter {
    fn default() -> Self {
        Self(Arc::new(Series::new(&REQUESTS)))
    }
}

impl std::fmt::Debug for RequestCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RequestCounter").field(&self.0.len()).finish()
    }
}

impl RequestCounter {
    fn count(&self, place: &Place, code: http::StatusCode) {
        let name = if self.0.len() < SERIES_MAX { place.name.as_str() } else { NO_NAME };
        self.0.count(&[&place.kind, &place.namespace, name, place.verb, code.as_str()]);
    }

    /// Adds the series, without those of objects and namespaces that are gone.
    pub(crate) fn show(&self, page: &mut Page, caches: &Caches, own_namespace: &str) {
        let mut namespaces = BTreeSet::from([String::new(), own_namespace.to_owned()]);
        namespaces.extend(caches.rollouts.all().iter().filter_map(|one| one.namespace()));
        namespaces.extend(caches.runs.all().iter().filter_map(|one| one.namespace()));
        self.0.retain(|values| {
            let [kind, namespace, name, ..] = values else { return false };
            let there = match kind.as_str() {
                _ if name == NO_NAME => true,
                "rollouts" => caches.rollouts.get(namespace, name).is_some(),
                _ => caches.services.get(namespace, name).is_some(),
            };
            there && namespaces.contains(namespace)
        });
        self.0.show(page);
    }
}

impl<S> tower::Layer<S> for RequestCounter {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Counting<S> {
        Counting { inner, counter: self.clone() }
    }
}

/// A client's way to the API server on which requests are counted.
#[derive(Clone, Debug)]
pub struct Counting<S> {
    inner: S,
    counter: RequestCounter,
}

impl<S, B, R> tower::Service<Request<B>> for Counting<S>
where
    S: tower::Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    R: 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let place = Place::of(request.method(), request.uri());
        let (counter, answer) = (self.counter.clone(), self.inner.call(request));
        Box::pin(async move {
            let answer = answer.await?;
            counter.count(&place, answer.status());
            Ok(answer)
        })
    }
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    kind: String,
    namespace: String,
    name: String,
    verb: &'static str,
}

impl Place {
    fn of(method: &Method, uri: &http::Uri) -> Self {
        let mut parts = uri.path().split('/').filter(|part| !part.is_empty());
        match parts.next() {
            Some("api") => drop(parts.next()),
            Some("apis") => drop((parts.next(), parts.next())),
            _ => return Self::unknown(),
        }
        let mut kind = parts.next();
        let mut namespace = "";
        let mut name = parts.next();
        if let (Some("namespaces"), Some(of), Some(inner)) = (kind, name, parts.next()) {
            (kind, namespace, name) = (Some(inner), of, parts.next());
        }
        let watches = uri.query().is_some_and(|query| {
            query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1" | "watch"))
        });
        let verb = match (method, name) {
            (&Method::GET, _) if watches => "Watch",
            (&Method::GET, None) => "List",
            (&Method::GET, Some(_)) => "Get",
            (&Method::POST, _) => "Create",
            (&Method::PUT, _) => "Update",
            (&Method::PATCH, _) => "Patch",
            (&Method::DELETE, _) => "Delete",
            _ => return Self::unknown(),
        };
        let kind = kind.unwrap_or(NO_NAME);
        // Other names come and go with each version, or are none of a metric's business.
        let name = name.filter(|_| matches!(kind, "rollouts" | "services")).unwrap_or(NO_NAME);
        Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned(), verb }
    }

    fn unknown() -> Self {
        let unknown = || "Unknown".to_owned();
        Self { kind: unknown(), namespace: String::new(), name: NO_NAME.to_owned(), verb: "Unknown" }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn place(method: &Method, uri: &str) -> [String; 4] {
        let Place { kind, namespace, name, verb } = Place::of(method, &uri.parse().unwrap());
        [kind, namespace, name, verb.to_owned()]
    }

    #[test]
    fn requests_are_named_by_what_they_are_about() {
        let of = "/apis/argoproj.io/v1alpha1";
        let cases = [
            (Method::GET, format!("{of}/rollouts?limit=500"), ["rollouts", "", "N/A", "List"]),
            (
                Method::GET,
                format!("{of}/rollouts?labelSelector=!x&watch=true"),
                ["rollouts", "", "N/A", "Watch"],
            ),
            (Method::GET, format!("{of}/namespaces/a/rollouts/web?"), ["rollouts", "a", "web", "Get"]),
            (
                Method::PATCH,
                format!("{of}/namespaces/a/rollouts/web/status?"),
                ["rollouts", "a", "web", "Patch"],
            ),
            (Method::POST, "/api/v1/namespaces/a/events?".to_owned(), ["events", "a", "N/A", "Create"]),
            (
                Method::PATCH,
                "/api/v1/namespaces/a/services/web".to_owned(),
                ["services", "a", "web", "Patch"],
            ),
            (Method::PUT, "/api/v1/namespaces/a/pods/x".to_owned(), ["pods", "a", "N/A", "Update"]),
            (Method::GET, "/api/v1/namespaces/a".to_owned(), ["namespaces", "", "N/A", "Get"]),
            (Method::GET, "/version".to_owned(), ["Unknown", "", "N/A", "Unknown"]),
        ];
        for (method, uri, want) in cases {
            assert_eq!(place(&method, &uri), want.map(str::to_owned), "{method} {uri}");
        }
    }

    #[test]
    fn series_of_what_is_gone_go_with_it() {
        let counter = RequestCounter::default();
        let count = |uri: &str| {
            counter.count(&Place::of(&Method::GET, &uri.parse().unwrap()), http::StatusCode::OK);
        };
        count("/apis/argoproj.io/v1alpha1/rollouts");
        count("/apis/coordination.k8s.io/v1/namespaces/own/leases/x");
        count("/apis/argoproj.io/v1alpha1/namespaces/a/rollouts/web");
        count("/apis/apps/v1/namespaces/a/replicasets/x");
        let mut page = Page::default();
        counter.show(&mut page, &Caches::new(true), "own");
        let text = page.into_text();
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 2, "{text}");
        assert!(
            text.contains(
                "{kind=\"leases\",namespace=\"own\",name=\"N/A\",verb=\"Get\",status_code=\"200\"} 1"
            )
        );
    }
}
