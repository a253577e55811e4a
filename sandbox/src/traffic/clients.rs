//! Clients: a steady stream of requests, each of which goes to one pod.

use super::journal::{Journal, Outcome, Record};
use super::plane::{Endpoints, Manner, Plane, Split};
use super::pods::Pods;
use super::routers::{RouteKey, RouterKind};
use super::time_of;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Microseconds of a second.
const SECOND_US: i64 = 1_000_000;
/// The data plane of Services: each node's own.
pub const NODES: &str = "nodes";
/// The data plane of routes with weights.
pub const ROUTER: &str = "router";

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the pods that a Service selects, each as likely as the next.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// To Services by the weights that [`Traffic::weigh`](super::Traffic::weigh) has set, and on to their pods.
    Split {
        /// Its namespace, and that of its Services.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// To Services as an object of a router says, and on to their pods.
    Object {
        /// Its kind.
        kind: RouterKind,
        /// Its namespace, and that of its Services.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Route {
    fn key(&self) -> RouteKey {
        match self {
            Self::Service { namespace, name } | Self::Split { namespace, name } => {
                (None, namespace.clone(), name.clone())
            }
            Self::Object { kind, namespace, name } => (Some(*kind), namespace.clone(), name.clone()),
        }
    }
}

/// A group of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Where they send their requests.
    pub route: Route,
    /// The data plane that passes the requests on: one for each name.
    pub plane: String,
    /// Requests per second of them all together, evenly spaced.
    pub per_second: u32,
}

impl Clients {
    /// Clients of a Service.
    #[must_use]
    pub fn of_service(namespace: &str, name: &str, per_second: u32) -> Self {
        let route = Route::Service { namespace: namespace.to_owned(), name: name.to_owned() };
        Self { route, plane: NODES.to_owned(), per_second }
    }

    /// Clients of a route with weights.
    #[must_use]
    pub fn of_split(namespace: &str, name: &str, per_second: u32) -> Self {
        let route = Route::Split { namespace: namespace.to_owned(), name: name.to_owned() };
        Self { route, plane: ROUTER.to_owned(), per_second }
    }

    /// Clients of a route that an object of a router describes.
    #[must_use]
    pub fn of_object(kind: RouterKind, namespace: &str, name: &str, per_second: u32) -> Self {
        let route = Route::Object { kind, namespace: namespace.to_owned(), name: name.to_owned() };
        Self { route, plane: ROUTER.to_owned(), per_second }
    }
}

/// A Service as requests meet it.
struct Target {
    service: Arc<str>,
    weight: u64,
    endpoints: Endpoints,
}

/// A group of clients at work. Times are microseconds since the epoch.
pub(super) struct Stream {
    pub(super) clients: Clients,
    pub(super) journal: Journal,
    begun_us: i64,
    sent: u64,
    random: fastrand::Rng,
    /// Where requests can go, at one version of the data plane's knowledge.
    targets: Option<(u64, Vec<Target>)>,
}

impl Stream {
    pub(super) fn new(clients: Clients, now_us: i64, seed: u64) -> Self {
        Self {
            clients,
            journal: Journal::default(),
            begun_us: now_us,
            sent: 0,
            random: fastrand::Rng::with_seed(seed),
            targets: None,
        }
    }

    /// Goes on with other clients; what was seen stays.
    pub(super) fn become_like(&mut self, clients: Clients, now_us: i64) {
        (self.clients, self.begun_us, self.sent, self.targets) = (clients, now_us, 0, None);
    }

    /// When request number `nth` (from 0) begins. Worked example: of 3 a second they begin after 0, 333333, 666666 and
    /// 1000000 microseconds.
    fn at(&self, nth: u64) -> i64 {
        let per_second = i64::from(self.clients.per_second.max(1));
        let nth = i64::try_from(nth).unwrap_or(i64::MAX);
        self.begun_us.saturating_add(nth.saturating_mul(SECOND_US) / per_second)
    }

    /// Sends the requests that begin before `until_us`.
    pub(super) fn run(&mut self, until_us: i64, plane: &Plane, pods: &mut Pods) {
        if self.clients.per_second == 0 {
            return;
        }
        let targets = match self.targets.take() {
            Some((version, targets)) if version == plane.version => targets,
            _ => self.look_up(plane),
        };
        loop {
            let at_us = self.at(self.sent);
            if at_us >= until_us {
                break;
            }
            self.sent += 1;
            let record = send(&targets, &mut self.random, pods, at_us);
            self.journal.note(record);
        }
        self.targets = Some((plane.version, targets));
    }

    fn look_up(&self, plane: &Plane) -> Vec<Target> {
        let key = self.clients.route.key();
        let target = |service: &str, weight: u32, labels: &BTreeMap<String, String>| Target {
            service: Arc::from(service),
            weight: u64::from(weight),
            endpoints: plane.view.endpoints(&(key.1.clone(), service.to_owned()), labels),
        };
        match &self.clients.route {
            Route::Service { name, .. } => vec![target(name, 1, &BTreeMap::new())],
            Route::Split { .. } | Route::Object { .. } => {
                let Some(split) = plane.view.split(&key) else { return Vec::new() };
                let shares = split.shares.iter();
                let all = shares.map(|share| target(&share.service, share.weight, &share.labels)).collect();
                served(split, all).into_iter().filter(|target| target.weight > 0).collect()
            }
        }
    }
}

/// Who gets requests in the end.
fn served(split: &Split, mut targets: Vec<Target>) -> Vec<Target> {
    let Some(first) = targets.first_mut().filter(|_| split.manner == Manner::Nginx) else { return targets };
    if first.endpoints.is_empty() {
        first.weight = first.weight.max(1);
        targets.truncate(1);
        return targets;
    }
    // What a canary without pods does not take stays with the first.
    let lost: u64 = targets.iter().filter(|one| one.endpoints.is_empty()).map(|one| one.weight).sum();
    targets.retain(|target| !target.endpoints.is_empty());
    if let Some(first) = targets.first_mut() {
        first.weight = first.weight.saturating_add(lost);
    }
    targets
}

/// Sends one request.
fn send(targets: &[Target], random: &mut fastrand::Rng, pods: &mut Pods, at_us: i64) -> Record {
    let nothing = Record {
        at: time_of(at_us),
        service: Arc::from(""),
        backend: None,
        outcome: Outcome::NoEndpoint,
        took: Duration::ZERO,
    };
    let Some(target) = choose(targets, random) else { return nothing };
    let service = target.service.clone();
    let chosen = match target.endpoints.len() {
        0 => None,
        many => target.endpoints.get(random.usize(..many)),
    };
    let Some((id, backend)) = chosen else { return Record { service, ..nothing } };
    let (outcome, took) = pods.ask(*id);
    Record { service, backend: Some(backend.clone()), outcome, took, ..nothing }
}

/// One of the targets, by weight.
fn choose<'t>(targets: &'t [Target], random: &mut fastrand::Rng) -> Option<&'t Target> {
    if let [only] = targets {
        return Some(only);
    }
    let sum: u64 = targets.iter().map(|target| target.weight).sum();
    if sum == 0 {
        return None;
    }
    let mut left = random.u64(..sum);
    targets.iter().find(|target| {
        let is_it = left < target.weight;
        left = left.saturating_sub(target.weight);
        is_it
    })
}
