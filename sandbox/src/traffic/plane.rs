//! Data planes: what those who pass requests on know of pods, Services and weights, some time after it came true.

use super::routers::RouteKey;
use crate::models::endpoints::{Candidate, slice};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Namespace and name.
pub(super) type Key = (String, String);

/// A pod, for as long as anyone knows it: another pod of the same name has another number.
pub(super) type PodId = u64;

/// Who a pod is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its label `rollouts-pod-template-hash`; empty without one.
    pub hash: String,
    /// Its variable `VERSION`, or the tag of its first image; empty without either.
    pub version: Arc<str>,
}

/// What a data plane learns of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) backend: Arc<Backend>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) candidate: Candidate,
}

/// What a data plane learns of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Front {
    pub(super) selector: BTreeMap<String, String>,
    pub(super) publish_not_ready: bool,
}

/// The part of a route's requests that goes to one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Name of the Service, in the namespace of the route.
    pub service: String,
    /// Its weight among those of the route.
    pub weight: u32,
    /// Labels that its pods must have beside those that the Service selects: a subset.
    pub labels: BTreeMap<String, String>,
}

/// What happens to requests whose Service has no pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// They are not answered.
    #[default]
    Plain,
    /// As in ingress-nginx: a canary without pods leaves its requests to the stable Service, which is the first share;
    /// while that one has no pods, nothing is answered, whatever the canary's weight is.
    Nginx,
}

/// How a route splits its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Who gets how much.
    pub shares: Arc<[Share]>,
    /// What happens where there are no pods.
    pub manner: Manner,
}

/// A change that a data plane learns; without a value it is gone.
#[derive(Clone, Debug)]
pub(super) enum News {
    Pod(PodId, Option<Arc<Facts>>),
    Service(Key, Option<Arc<Front>>),
    Split(RouteKey, Option<Arc<Split>>),
}

/// Pods, Services and weights as someone knows them.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pods: BTreeMap<PodId, Arc<Facts>>,
    services: BTreeMap<Key, Arc<Front>>,
    splits: BTreeMap<RouteKey, Arc<Split>>,
}

/// Pods that a Service's requests go to.
pub(super) type Endpoints = Vec<(PodId, Arc<Backend>)>;

impl View {
    pub(super) fn learn(&mut self, news: News) {
        match news {
            News::Pod(id, Some(facts)) => drop(self.pods.insert(id, facts)),
            News::Pod(id, None) => drop(self.pods.remove(&id)),
            News::Service(key, Some(front)) => drop(self.services.insert(key, front)),
            News::Service(key, None) => drop(self.services.remove(&key)),
            News::Split(key, Some(split)) => drop(self.splits.insert(key, split)),
            News::Split(key, None) => drop(self.splits.remove(&key)),
        }
    }

    /// Whether this is nothing new.
    pub(super) fn knows(&self, news: &News) -> bool {
        match news {
            News::Pod(id, facts) => self.pods.get(id) == facts.as_ref(),
            News::Service(key, front) => self.services.get(key) == front.as_ref(),
            News::Split(key, split) => self.splits.get(key) == split.as_ref(),
        }
    }

    /// Pods that get the requests to a Service: those that are ready; where there is none, those on their way out that
    /// still answer, as kube-proxy does it. None for a Service that is not known. Only pods with all `labels` count.
    pub(super) fn endpoints(&self, service: &Key, labels: &BTreeMap<String, String>) -> Endpoints {
        let Some(front) = self.services.get(service).filter(|front| !front.selector.is_empty()) else {
            return Vec::new();
        };
        let selected = |facts: &Facts| {
            let has = |(key, value): (&String, &String)| facts.labels.get(key) == Some(value);
            facts.backend.namespace == service.0 && front.selector.iter().chain(labels).all(has)
        };
        let chosen: Vec<(&PodId, &Arc<Facts>)> = self.pods.iter().filter(|(_, pod)| selected(pod)).collect();
        let candidates: Vec<Candidate> = chosen.iter().map(|(_, facts)| facts.candidate).collect();
        let slice = slice(&candidates, front.publish_not_ready);
        let any_ready = slice.iter().any(|end| end.ready);
        let takes =
            slice.iter().filter(|end| if any_ready { end.ready } else { end.serving && end.terminating });
        takes.filter_map(|end| chosen.get(end.pod)).map(|(id, facts)| (**id, facts.backend.clone())).collect()
    }

    /// How a route splits its requests.
    pub(super) fn split(&self, route: &RouteKey) -> Option<&Arc<Split>> {
        self.splits.get(route)
    }
}

/// One data plane. Times are microseconds since the epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct Plane {
    pub(super) view: View,
    /// Grows with each change of the view.
    pub(super) version: u64,
    pub(super) lag_us: i64,
    /// What it has not heard yet, in the order in which it happened.
    pending: VecDeque<(i64, News)>,
}

impl Plane {
    /// One that knows all this from the beginning.
    pub(super) fn knowing(view: View) -> Self {
        Self { view, ..Self::default() }
    }

    /// Something came true. It is heard after the lag, but never before what came true earlier.
    pub(super) fn tell(&mut self, news: News, now_us: i64) {
        let due = now_us.saturating_add(self.lag_us);
        let due = self.pending.back().map_or(due, |(last, _)| due.max(*last));
        self.pending.push_back((due, news));
    }

    /// When it hears something next.
    pub(super) fn next(&self) -> Option<i64> {
        self.pending.front().map(|(due, _)| *due)
    }

    /// Hears what is due.
    pub(super) fn hear(&mut self, now_us: i64) {
        while self.next().is_some_and(|due| due <= now_us) {
            let Some((_, news)) = self.pending.pop_front() else { return };
            self.view.learn(news);
            self.version += 1;
        }
    }
}
