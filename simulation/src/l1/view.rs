//! What the controller has been told: watches that lag kind by kind, and its own writes.

use super::cluster::Cluster;
use crds::Rollout;
use planner::{AnalysisRunView, ReplicaSet, Service, World};
use std::collections::VecDeque;
use std::sync::Arc;

/// Kinds that are watched, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rollout,
    ReplicaSet,
    Service,
    AnalysisRun,
}

pub(super) const KINDS: [Kind; 4] = [Kind::Rollout, Kind::ReplicaSet, Kind::Service, Kind::AnalysisRun];

/// A change of one object. The history of one kind comes in order.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Rollout(Arc<Rollout>),
    Set(Box<ReplicaSet>),
    /// By its uid: a new one may have the name.
    SetGone(String),
    Service(Box<Service>),
    Run(Box<AnalysisRunView>),
    /// By its uid.
    RunGone(String),
}

/// Changes that the controller has not been told of.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    queues: [VecDeque<Event>; 4],
}

impl Watches {
    fn queue(&mut self, kind: Kind) -> &mut VecDeque<Event> {
        let [rollout, sets, services, runs] = &mut self.queues;
        match kind {
            Kind::Rollout => rollout,
            Kind::ReplicaSet => sets,
            Kind::Service => services,
            Kind::AnalysisRun => runs,
        }
    }

    pub(super) fn send(&mut self, event: Event) {
        let kind = match event {
            Event::Rollout(_) => Kind::Rollout,
            Event::Set(_) | Event::SetGone(_) => Kind::ReplicaSet,
            Event::Service(_) => Kind::Service,
            Event::Run(_) | Event::RunGone(_) => Kind::AnalysisRun,
        };
        self.queue(kind).push_back(event);
    }

    pub(super) fn next(&mut self, kind: Kind) -> Option<Event> {
        self.queue(kind).pop_front()
    }

    pub(super) fn waiting(&mut self, kind: Kind) -> usize {
        self.queue(kind).len()
    }

    pub(super) fn clear(&mut self) {
        self.queues.iter_mut().for_each(VecDeque::clear);
    }
}

/// Number of a resource version; 0 for none.
pub(super) fn number(version: &str) -> u64 {
    version.parse().unwrap_or(0)
}

fn version_of(rollout: &Rollout) -> u64 {
    rollout.metadata.resource_version.as_deref().map_or(0, number)
}

/// Takes in one change. An object that is known at a newer version stays: the controller's own write is newer than
/// what the watch has come to.
pub(super) fn learn(world: &mut World, event: Event) {
    match event {
        Event::Rollout(rollout) => {
            if version_of(&rollout) > version_of(&world.rollout) {
                world.rollout = Arc::unwrap_or_clone(rollout);
            }
        }
        Event::Set(set) => {
            let known = world.replica_sets.iter_mut().find(|known| known.name == set.name);
            match known {
                Some(known) if number(&known.resource_version) >= number(&set.resource_version) => {}
                Some(known) => *known = *set,
                None => {
                    world.replica_sets.push(*set);
                    world.replica_sets.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
                }
            }
        }
        Event::SetGone(uid) => world.replica_sets.retain(|set| set.uid != uid),
        Event::Service(service) => {
            let known = world.services.get(&service.name).map_or("", |known| &known.resource_version);
            if number(known) < number(&service.resource_version) {
                world.services.insert(service.name.clone(), *service);
            }
        }
        Event::Run(run) => {
            let known = world.analysis_runs.iter_mut().find(|known| known.name == run.name);
            match known {
                Some(known) if number(&known.resource_version) >= number(&run.resource_version) => {}
                Some(known) => *known = *run,
                None => {
                    world.analysis_runs.push(*run);
                    world.analysis_runs.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
                }
            }
        }
        Event::RunGone(uid) => world.analysis_runs.retain(|run| run.uid != uid),
    }
}

/// What a process that starts reads: everything as it is.
pub(super) fn list(cluster: &Cluster, world: &mut World) {
    world.rollout = (*cluster.rollout).clone();
    world.replica_sets = cluster.sets.iter().map(|set| set.view.clone()).collect();
    world.services = cluster.services.clone();
    world.analysis_runs = cluster.runs.iter().map(|run| run.view.clone()).collect();
}
