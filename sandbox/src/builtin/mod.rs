//! The built-in controllers and the kubelet at work on the API server's objects: each maps objects to the views of its
//! [model](crate::models) and carries out what the model says. A change is acted on after the actor's own lag.

mod behaviour;
mod definitions;
mod deployments;
mod endpoints;
pub(crate) mod eviction;
mod garbage;
mod jobs;
mod namespaces;
mod nodes;
mod pod_status;
mod sets;
mod views;

use crate::api::registry::ResourceId;
use crate::api::store::{Change, Stored};
use crate::api::{ApiServer, At, text};
use crds::Time;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long after a change each actor acts on it, and what else differs between clusters.
#[derive(Clone, Debug)]
pub struct Nature {
    /// Of the ReplicaSet controller.
    pub replica_sets: Duration,
    /// Of the node.
    pub nodes: Duration,
    /// Of the Job controller.
    pub jobs: Duration,
    /// Of the garbage collector.
    pub garbage: Duration,
    /// Of the endpoints controller.
    pub endpoints: Duration,
    /// How long an image takes to come, start of the container included.
    pub pull: Duration,
    /// How long a process takes to become ready when it has a probe.
    pub ready: Duration,
    /// How long a process takes to end when it does not say.
    pub stop: Duration,
    /// Whether Endpoints and EndpointSlices are written, for those who read them.
    pub endpoint_objects: bool,
    /// Rules that change how pods behave: the last one that fits counts.
    pub pods: Vec<PodRule>,
}

impl Default for Nature {
    fn default() -> Self {
        Self {
            replica_sets: Duration::from_millis(5),
            nodes: Duration::from_millis(5),
            jobs: Duration::from_millis(5),
            garbage: Duration::from_millis(20),
            endpoints: Duration::from_millis(5),
            pull: Duration::from_millis(200),
            ready: Duration::from_millis(300),
            stop: Duration::from_millis(500),
            endpoint_objects: false,
            pods: Vec::new(),
        }
    }
}

pub use behaviour::{Change as PodChange, PodRule};
pub(crate) use behaviour::{annotation, environment};
pub(crate) use views::{candidate, labels};

/// Something that an actor has to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    Deployment(At),
    Set(At),
    Pod(At),
    Job(At),
    Service(At),
    Budget(At),
    Garbage(At),
    Namespace(At),
    Definition(At),
    /// The quotas of a namespace.
    Quota(String),
}

/// Most looks of actors in one moment. More is a defect of a model, which would never come to rest.
const LOOKS_MAX: usize = 20_000;

/// Ids of the resources that the actors know.
#[derive(Clone, Copy, Debug)]
struct Known {
    deployments: ResourceId,
    sets: ResourceId,
    pods: ResourceId,
    jobs: ResourceId,
    services: ResourceId,
    budgets: ResourceId,
    namespaces: ResourceId,
    definitions: ResourceId,
    quotas: ResourceId,
}

impl Known {
    fn of(api: &ApiServer) -> Option<Self> {
        let id = |version: &str, kind: &str| api.resource_of(version, kind);
        Some(Self {
            deployments: id("apps/v1", "Deployment")?,
            sets: id("apps/v1", "ReplicaSet")?,
            pods: id("v1", "Pod")?,
            jobs: id("batch/v1", "Job")?,
            services: id("v1", "Service")?,
            budgets: id("policy/v1", "PodDisruptionBudget")?,
            namespaces: id("v1", "Namespace")?,
            definitions: id("apiextensions.k8s.io/v1", "CustomResourceDefinition")?,
            quotas: id("v1", "ResourceQuota")?,
        })
    }
}

/// The actors with what they keep in memory.
#[derive(Debug)]
pub(crate) struct Actors {
    pub(crate) nature: Nature,
    known: Option<Known>,
    due: BTreeMap<Work, Time>,
    order: BTreeSet<(Time, u64, Work)>,
    count: u64,
    nodes: nodes::Nodes,
    jobs: jobs::Memory,
    garbage: garbage::Garbage,
    /// Whether anybody has ever made a quota.
    has_quotas: bool,
}

impl Actors {
    pub(crate) fn new(api: &ApiServer, nature: Nature, seed: u64) -> Self {
        Self {
            nature,
            known: Known::of(api),
            due: BTreeMap::new(),
            order: BTreeSet::new(),
            count: 0,
            nodes: nodes::Nodes::new(seed),
            jobs: jobs::Memory::default(),
            garbage: garbage::Garbage::default(),
            has_quotas: false,
        }
    }

    /// Asks for a look at a time; an earlier one stays.
    fn add(&mut self, work: Work, at: Time) {
        if let Some(known) = self.due.get(&work) {
            if *known <= at {
                return;
            }
            let known = *known;
            self.order.retain(|(time, _, other)| *time != known || *other != work);
        }
        self.count += 1;
        self.due.insert(work.clone(), at);
        self.order.insert((at, self.count, work));
    }

    /// Takes note of a change.
    pub(crate) fn saw(&mut self, resource: ResourceId, change: &Change, now: Time) {
        let Some(known) = self.known else { return };
        let object = &change.object.value;
        let at = At {
            resource,
            namespace: text(object, "/metadata/namespace").to_owned(),
            name: text(object, "/metadata/name").to_owned(),
        };
        let after = |lag: Duration| now.plus(lag);
        for concerned in self.garbage.saw(&at, change) {
            self.add(Work::Garbage(concerned), after(self.nature.garbage));
        }
        if resource == known.pods {
            self.saw_pod(known, &at, change, now);
        } else if resource == known.sets {
            self.for_owners(known, &at, change, now);
            self.add(Work::Set(at), after(self.nature.replica_sets));
        } else if resource == known.deployments {
            self.add(Work::Deployment(at), after(self.nature.replica_sets));
        } else if resource == known.jobs {
            self.add(Work::Job(at), after(self.nature.jobs));
        } else if resource == known.services {
            self.add(Work::Service(At { name: String::new(), ..at }), after(self.nature.endpoints));
        } else if resource == known.budgets {
            self.add(Work::Budget(At { name: String::new(), ..at }), after(self.nature.nodes));
        } else if resource == known.namespaces {
            self.add(Work::Namespace(at), after(self.nature.garbage));
        } else if resource == known.definitions {
            self.add(Work::Definition(at), after(self.nature.garbage));
        } else if resource == known.quotas {
            self.has_quotas = true;
            self.add(Work::Quota(at.namespace), after(self.nature.nodes));
        }
    }

    fn saw_pod(&mut self, known: Known, at: &At, change: &Change, now: Time) {
        let after = |lag: Duration| now.plus(lag);
        self.add(Work::Pod(at.clone()), after(self.nature.nodes));
        self.for_owners(known, at, change, now);
        let all_of = |resource| At { resource, namespace: at.namespace.clone(), name: String::new() };
        self.add(Work::Service(all_of(known.services)), after(self.nature.endpoints));
        self.add(Work::Budget(all_of(known.budgets)), after(self.nature.nodes));
        if self.has_quotas {
            self.add(Work::Quota(at.namespace.clone()), after(self.nature.nodes));
        }
    }

    /// Asks for a look at who controls an object, or did.
    fn for_owners(&mut self, known: Known, at: &At, change: &Change, now: Time) {
        for (kind, name) in views::owners(change) {
            let owner = |resource| At { resource, namespace: at.namespace.clone(), name: name.clone() };
            match kind.as_str() {
                "ReplicaSet" => self.add(Work::Set(owner(known.sets)), now.plus(self.nature.replica_sets)),
                "Deployment" => {
                    self.add(Work::Deployment(owner(known.deployments)), now.plus(self.nature.replica_sets));
                }
                "Job" => self.add(Work::Job(owner(known.jobs)), now.plus(self.nature.jobs)),
                _ => {}
            }
        }
    }

    /// When the next look is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.order.first().map(|(at, ..)| *at)
    }

    /// Lets every actor act whose time has come. `seen` is told of each change before the next actor acts.
    pub(crate) fn act(&mut self, api: &mut ApiServer, seen: &mut dyn FnMut(&mut Self, &mut ApiServer)) {
        let now = api.now();
        for _ in 0..LOOKS_MAX {
            match self.order.first() {
                Some((at, ..)) if *at <= now => {}
                _ => return,
            }
            let Some((_, _, work)) = self.order.pop_first() else { return };
            self.due.remove(&work);
            if let Some(wake) = self.look(api, &work, now) {
                // A model that asks to be called again at once goes on after a moment.
                self.add(work, wake.max(now.plus(Duration::from_millis(1))));
            }
            seen(self, api);
        }
    }

    fn look(&mut self, api: &mut ApiServer, work: &Work, now: Time) -> Option<Time> {
        let known = self.known?;
        match work {
            Work::Set(at) => sets::look(api, known, at, now),
            Work::Pod(at) => self.nodes.look(api, &self.nature, at, now),
            Work::Job(at) => self.jobs.look(api, known, at, now),
            Work::Service(at) => {
                if self.nature.endpoint_objects {
                    endpoints::look(api, known, &at.namespace);
                }
                None
            }
            Work::Budget(at) => eviction::look(api, known.budgets, &at.namespace, now),
            Work::Garbage(at) => {
                self.garbage.look(api, at);
                None
            }
            Work::Deployment(at) => deployments::look(api, known, at, now),
            Work::Definition(at) => {
                definitions::look(api, at);
                None
            }
            Work::Quota(namespace) => {
                api.count_quotas(namespace);
                None
            }
            Work::Namespace(at) => namespaces::look(api, at),
        }
    }
}

/// The uid of an object.
fn uid(object: &Stored) -> &str {
    text(&object.value, "/metadata/uid")
}

/// Objects of a kind in a namespace, to be looked at one by one while the server changes.
fn all(api: &ApiServer, resource: ResourceId, namespace: &str) -> Vec<std::sync::Arc<Stored>> {
    api.objects(resource, Some(namespace)).cloned().collect()
}

/// Writes a status, if it differs from the one that is there. A refusal is met again with the next look.
fn write_status(api: &mut ApiServer, at: &At, status: Value) {
    let same = api.get(at).is_none_or(|old| old.value.get("status") == Some(&status));
    if same {
        return;
    }
    let _ = api.change(at, crate::api::Part::Status, false, |old| {
        let mut new = old.clone();
        if let Some(map) = new.as_object_mut() {
            map.insert("status".to_owned(), status);
        }
        Ok(new)
    });
}
