//! Traffic: clients at a steady rate that reach pods through Services and weighted routes, and what Prometheus reads
//! of the pods meanwhile.
//!
//! Those who pass requests on are late: a data plane learns what has changed in the cluster after its lag, and sends
//! requests to pods that are gone until then. What clients saw is a record for each request. A route with weights is one
//! that a simulation sets itself, or one that the objects of a router describe.
//!
//! There is no task: everything up to now is computed when someone asks, or when the cluster changes. Given the seed,
//! the same changes at the same times give the same records.

mod answers;
mod clients;
mod journal;
mod plane;
mod pods;
mod prometheus;
mod routers;
mod scrape;
mod state;

#[cfg(test)]
mod tests;

pub use answers::{AnswerChange, AnswerRule};
pub use clients::{Clients, NODES, ROUTER, Route};
pub use journal::{Outcome, RECORDS_MAX, Record, SECONDS_MAX, Second, Tally};
pub use plane::{Backend, Manner, Share, Split};
pub use prometheus::Prometheus;
pub use routers::{RouteKey, RouterKind, Routers, definition, definitions};

use crate::api::registry::ResourceId;
use crate::api::store::Change;
use crate::{ApiServer, Clock, Cluster, Witness};
use crds::Time;
use state::State;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How traffic begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which pods requests are sent to comes from it.
    pub seed: u64,
    /// Between two scrapes of each pod; `None`: nobody scrapes. A millisecond at least.
    pub scrape: Option<Duration>,
}

impl Default for Settings {
    /// A scrape every five seconds: with less, scraping costs more than all else.
    fn default() -> Self {
        Self { seed: 0, scrape: Some(Duration::from_secs(5)) }
    }
}

/// The traffic of a cluster. Clones are the same traffic.
#[derive(Clone)]
pub struct Traffic {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

impl std::fmt::Debug for Traffic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Traffic").finish_non_exhaustive()
    }
}

fn micros(time: Time) -> i64 {
    time.0.timestamp_micros()
}

fn span_us(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// The time of so many microseconds since the epoch; the epoch beyond the calendar's range, which no clock shows.
fn time_of(us: i64) -> Time {
    chrono::DateTime::from_timestamp_micros(us).map(Time).unwrap_or_default()
}

impl Traffic {
    /// Traffic of a cluster, without clients yet.
    #[must_use]
    pub fn over(cluster: &Cluster, settings: Settings) -> Self {
        let clock = cluster.clock();
        let state = State::new(settings.seed, micros(clock.now()), settings.scrape.map(span_us));
        let traffic = Self { state: Arc::new(Mutex::new(state)), clock };
        // First the eyes, then what is there already: what is seen twice is no news.
        let eyes = cluster.with(|api| Eyes {
            traffic: traffic.clone(),
            pods: api.resource_of("v1", "Pod"),
            services: api.resource_of("v1", "Service"),
            routers: BTreeMap::new(),
        });
        let (pods, services) = (eyes.pods, eyes.services);
        cluster.add_witness(eyes);
        cluster.with(|api| {
            traffic.with(|state| {
                for pod in pods.into_iter().flat_map(|pods| api.objects(pods, None)) {
                    state.saw_pod(&pod.value, false);
                }
                for service in services.into_iter().flat_map(|services| api.objects(services, None)) {
                    state.saw_service(&service.value, false);
                }
                for (id, resource) in api.registry.all() {
                    let Some(kind) = RouterKind::of(&resource.group, &resource.kind) else { continue };
                    for object in api.objects(id, None) {
                        state.saw_router(kind, &object.value, false);
                    }
                }
            });
        });
        traffic
    }

    /// Works on the state as it is now. Never takes the cluster's lock: its witnesses call this under it.
    fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(micros(self.clock.now()));
        let result = work(&mut state);
        // What was changed without a lag is known at once.
        state.advance(micros(self.clock.now()));
        result
    }

    /// Lets clients come, under this name, until they are stopped; those that have come under it before are replaced,
    /// and what they saw is kept.
    pub fn send(&self, name: &str, clients: Clients) {
        self.with(|state| state.send(name, clients));
    }

    /// Lets no more clients of this name come. What they saw is kept.
    pub fn stop(&self, name: &str) {
        self.with(|state| {
            if let Some(stream) = state.streams.get_mut(name) {
                stream.clients.per_second = 0;
            }
        });
    }

    /// From now on the data plane of this name ([`NODES`], [`ROUTER`] or another) hears of changes so late.
    pub fn set_lag(&self, plane: &str, lag: Duration) {
        self.with(|state| state.plane(plane).lag_us = span_us(lag));
    }

    /// Sets the weights of a route. Each data plane hears of it after its lag.
    pub fn weigh(&self, namespace: &str, route: &str, shares: &[Share]) {
        self.with(|state| state.weigh((namespace.to_owned(), route.to_owned()), shares));
    }

    /// From now on pods answer so. A rule takes the place of an earlier one that says something else of the same.
    pub fn rule(&self, rule: AnswerRule) {
        self.with(|state| state.pods.rule(rule));
    }

    /// From now on pods answer as they say themselves.
    pub fn forget_rules(&self) {
        self.with(|state| state.pods.forget_rules());
    }

    /// How all requests of these clients ended so far; empty when nobody has come under this name.
    #[must_use]
    pub fn tally(&self, name: &str) -> Tally {
        self.with(|state| state.streams.get(name).map(|stream| stream.journal.tally.clone()))
            .unwrap_or_default()
    }

    /// The last [`RECORDS_MAX`] requests of these clients that began at `since` or later, oldest first.
    #[must_use]
    pub fn records(&self, name: &str, since: Time) -> Vec<Record> {
        self.with(|state| {
            let Some(stream) = state.streams.get(name) else { return Vec::new() };
            let records = &stream.journal.records;
            records.range(records.partition_point(|record| record.at < since)..).cloned().collect()
        })
    }

    /// The requests of these clients by second, from this second since the epoch on; at most the last [`SECONDS_MAX`].
    #[must_use]
    pub fn seconds(&self, name: &str, since: i64) -> Vec<Second> {
        self.with(|state| {
            let Some(stream) = state.streams.get(name) else { return Vec::new() };
            let seconds = &stream.journal.seconds;
            seconds.range(seconds.partition_point(|second| second.at < since)..).cloned().collect()
        })
    }

    /// Names of all groups of clients that have come.
    #[must_use]
    pub fn clients(&self) -> Vec<String> {
        self.with(|state| state.streams.keys().cloned().collect())
    }

    /// The Prometheus that scrapes the pods.
    #[must_use]
    pub fn prometheus(&self) -> Prometheus {
        Prometheus::of(self.clone())
    }
}

/// Sees the cluster's pods, Services and objects of routers.
struct Eyes {
    traffic: Traffic,
    pods: Option<ResourceId>,
    services: Option<ResourceId>,
    /// Which kind of a router each resource is, as far as it was looked up.
    routers: BTreeMap<ResourceId, Option<RouterKind>>,
}

impl Witness for Eyes {
    fn saw(&mut self, api: &ApiServer, resource: ResourceId, change: &Change, _: Time) {
        let object = &change.object.value;
        if Some(resource) == self.pods {
            self.traffic.with(|state| state.saw_pod(object, change.deleted));
        } else if Some(resource) == self.services {
            self.traffic.with(|state| state.saw_service(object, change.deleted));
        } else if let Some(kind) = *self.routers.entry(resource).or_insert_with(|| {
            let resource = api.resource(resource).ok()?;
            RouterKind::of(&resource.group, &resource.kind)
        }) {
            self.traffic.with(|state| state.saw_router(kind, object, change.deleted));
        }
    }
}
