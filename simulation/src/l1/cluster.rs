//! The cluster as it truly is: objects with versions, pods that live, and what the API server accepts.

use super::setup::UID;
use super::view::{Event, Watches};
use crds::analysis::AnalysisPhase;
use crds::rollout::RolloutStatus;
use crds::{Rollout, Time, defaults, meta};
use planner::{AnalysisRunView, Owner, ReplicaSet, Service, Target, Write};
use sandbox::models::kubelet::{Behaviour, Deletion, PodLife};
use sandbox::models::pod::{PodPhase, PodView};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long a pod may take to end; Kubernetes has the same default.
const GRACE: Duration = Duration::from_secs(30);

/// A pod.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) uid: String,
    pub(super) life: PodLife,
    pub(super) behaviour: Behaviour,
    /// When its next event is due.
    pub(super) wake: Option<Time>,
}

impl Pod {
    /// What the ReplicaSet controller sees.
    pub(super) fn view(&self) -> PodView<'_> {
        PodView {
            uid: &self.uid,
            owner: sandbox::models::pod::Owner::Us,
            selected: true,
            fully_labeled: true,
            phase: if self.life.is_gone() { PodPhase::Failed } else { self.life.phase() },
            deleting: self.life.deletion.is_some(),
            created: self.life.created,
            assigned: self.life.scheduled.is_some(),
            ready_since: self.life.ready_since(),
            deletion_cost: 0,
            neighbours: 0,
            restarts: self.life.restarts,
        }
    }
}

/// A ReplicaSet with its pods.
#[derive(Clone, Debug)]
pub(super) struct Set {
    /// As the API server shows it.
    pub(super) view: ReplicaSet,
    /// Index of its version among those that people choose from.
    pub(super) version: usize,
    pub(super) pods: Vec<Pod>,
    /// Its controller has something to look at.
    pub(super) dirty: bool,
    /// When its controller wants to look again.
    pub(super) wake: Option<Time>,
    /// A pod was lost by no act of ours, and the status does not show it yet.
    pub(super) lost: bool,
    /// The first version of the object that shows the last such loss.
    pub(super) loss_shown: u64,
}

impl Set {
    /// One that is new to the cluster.
    pub(super) fn new(view: ReplicaSet, version: usize) -> Self {
        Self { view, version, pods: Vec::new(), dirty: true, wake: None, lost: false, loss_shown: 0 }
    }

    /// Pods that users can reach.
    pub(super) fn available(&self, now: Time) -> i32 {
        let min = self.view.min_ready_seconds;
        let there = self.pods.iter().map(Pod::view);
        let count = there.filter(|pod| pod.is_active() && pod.is_available(min, now)).count();
        i32::try_from(count).unwrap_or(i32::MAX)
    }
}

/// An AnalysisRun with what will become of it.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) view: AnalysisRunView,
    /// When it ends, and how.
    pub(super) end: (Time, AnalysisPhase),
    /// The revision of the cluster at which it has ended; 0 before.
    pub(super) ended: u64,
}

/// When what never ends by itself would end: in the year 2200.
const FOREVER_SECONDS: i64 = 7_258_118_400;

/// The end of what has none.
pub(super) fn forever() -> Time {
    Time::from_unix_seconds(FOREVER_SECONDS).unwrap_or_default()
}

/// Measures until it is told to end.
pub(super) fn is_endless(run: &Run) -> bool {
    run.end.0 == forever()
}

impl Run {
    pub(super) fn phase(&self) -> AnalysisPhase {
        self.view.status.as_ref().map_or(AnalysisPhase::New, |status| status.phase)
    }
}

/// Resource versions of what a plan has written itself, by name; the Rollout's is under the empty name.
pub(super) type Versions = BTreeMap<String, String>;

/// The cluster.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) now: Time,
    pub(super) revision: u64,
    pub(super) rollout: Arc<Rollout>,
    pub(super) sets: Vec<Set>,
    pub(super) services: BTreeMap<String, Service>,
    pub(super) runs: Vec<Run>,
    pub(super) watches: Watches,
    /// Names of ReplicaSets that nobody here sees.
    pub(super) strangers: BTreeSet<String>,
    /// Uids of ReplicaSets that people have deleted.
    pub(super) taken: Vec<String>,
    /// Versions that were active and have been left for another, when, and with what delay.
    pub(super) left: BTreeMap<String, (Time, i32)>,
    /// When the current version was called so first.
    pub(super) begun: Time,
    /// When the write that is carried out was decided: a process may be slow.
    pub(super) decided: Time,
    /// The revision at which people have taken an abort back that was recorded.
    pub(super) retried: u64,
    /// How far the API server's clock is ahead of the controller's.
    pub(super) skew_seconds: i64,
    /// How pods of each version behave.
    pub(super) behaviours: Vec<Behaviour>,
    /// Images of the versions, to know a template again.
    pub(super) images: Vec<String>,
}

impl Cluster {
    pub(super) fn next(&mut self) -> String {
        self.revision = self.revision.saturating_add(1);
        self.revision.to_string()
    }

    pub(super) fn set(&self, name: &str) -> Option<&Set> {
        self.sets.iter().find(|set| set.view.name == name)
    }

    pub(super) fn set_of(&self, hash: &str) -> Option<&Set> {
        self.sets
            .iter()
            .find(|set| !hash.is_empty() && set.view.owner != Owner::Other && set.view.hash() == hash)
    }

    /// Hash that a Service selects; empty for none.
    pub(super) fn selected(&self, service: &str) -> &str {
        self.services.get(service).map_or("", Service::hash)
    }

    /// Changes the Rollout; the generation follows the spec.
    pub(super) fn change_rollout(&mut self, spec: bool, change: impl FnOnce(&mut Rollout)) {
        let version = self.next();
        let rollout = Arc::make_mut(&mut self.rollout);
        change(rollout);
        if spec {
            let generation = rollout.metadata.generation.unwrap_or(0);
            rollout.metadata.generation = Some(generation.saturating_add(1));
        }
        rollout.metadata.resource_version = Some(version);
        self.watches.send(Event::Rollout(self.rollout.clone()));
    }

    pub(super) fn change_set(&mut self, name: &str, change: impl FnOnce(&mut Set)) {
        let version = self.next();
        let Some(set) = self.sets.iter_mut().find(|set| set.view.name == name) else { return };
        change(set);
        set.view.resource_version = version;
        self.watches.send(Event::Set(Box::new(set.view.clone())));
    }

    /// Takes a Service's hash away, as somebody does who applies an old manifest.
    pub(super) fn reset_service(&mut self, name: &str) {
        let version = self.next();
        let Some(service) = self.services.get_mut(name) else { return };
        service.selector.remove(meta::POD_TEMPLATE_HASH_LABEL);
        service.resource_version = version;
        self.watches.send(Event::Service(Box::new(service.clone())));
    }

    /// Somebody deletes a ReplicaSet with its pods.
    pub(super) fn take_set(&mut self, index: usize) {
        self.next();
        let gone = self.sets.remove(index);
        self.taken.push(gone.view.uid.clone());
        self.watches.send(Event::SetGone(gone.view.uid));
    }

    pub(super) fn change_run(&mut self, name: &str, change: impl FnOnce(&mut Run)) {
        let version = self.next();
        let Some(run) = self.runs.iter_mut().find(|run| run.view.name == name) else { return };
        change(run);
        run.view.resource_version = version;
        self.watches.send(Event::Run(Box::new(run.view.clone())));
    }

    /// Notes when a run has ended, if it has.
    pub(super) fn note_verdict(&mut self, name: &str) {
        let revision = self.revision;
        let ended = |run: &&mut Run| run.view.name == name && run.phase().is_completed();
        if let Some(run) = self.runs.iter_mut().find(ended) {
            run.ended = revision;
        }
    }

    /// Asks a pod to go.
    pub(super) fn delete_pod(&mut self, uid: &str) {
        let now = self.now;
        for set in &mut self.sets {
            if let Some(pod) = set.pods.iter_mut().find(|pod| pod.uid == uid) {
                if pod.life.deletion.is_none() {
                    pod.life.deletion = Some(Deletion { at: now, grace: GRACE });
                }
                (pod.wake, set.dirty) = (Some(now), true);
            }
        }
    }

    /// Carries an accepted write out, and notes the version that it made.
    pub(super) fn apply(&mut self, write: &Write, versions: &mut Versions, end: (Time, AnalysisPhase)) {
        match write {
            Write::CreateReplicaSet { name, .. } => {
                self.create_set(write);
                self.note_set(name, versions);
            }
            Write::AdoptReplicaSet { target } => {
                self.edit(target, versions, |set| set.view.owner = Owner::Ours)
            }
            Write::ReleaseReplicaSet { target } => {
                self.edit(target, versions, |set| set.view.owner = Owner::Nobody);
            }
            Write::ScaleReplicaSet { target, to, annotations, .. } => self.edit(target, versions, |set| {
                set.view.counts.generation_observed &= set.view.replicas == *to;
                (set.view.replicas, set.dirty) = (*to, true);
                merge(&mut set.view.annotations, annotations);
            }),
            Write::AnnotateReplicaSet { target, annotations, min_ready_seconds } => {
                self.edit(target, versions, |set| {
                    merge(&mut set.view.annotations, annotations);
                    if let Some(seconds) = *min_ready_seconds {
                        set.view.counts.generation_observed &= set.view.min_ready_seconds == seconds;
                        (set.view.min_ready_seconds, set.dirty) = (seconds, true);
                    }
                });
            }
            Write::DeleteReplicaSet { target } => {
                self.next();
                if let Some(index) = self.sets.iter().position(|set| set.view.name == target.name) {
                    let gone = self.sets.remove(index);
                    self.watches.send(Event::SetGone(gone.view.uid));
                }
            }
            Write::SelectService { target, hash, managed_by } => self.select(&target.name, hash, managed_by),
            Write::AnnotateRollout { annotations } => {
                self.change_rollout(false, |rollout| {
                    rollout.metadata.annotations.get_or_insert_default().extend(annotations.clone());
                });
                self.note_rollout(versions);
            }
            Write::SetRolloutReplicas { replicas } => {
                self.change_rollout(true, |rollout| rollout.spec.replicas = Some(*replicas));
                self.note_rollout(versions);
            }
            Write::CreateAnalysisRun { .. } => self.create_run(write, end),
            Write::TerminateAnalysisRun { target } => {
                self.change_run(&target.name, |run| Arc::make_mut(&mut run.view.spec).terminate = Some(true));
            }
            Write::DeleteAnalysisRun { target } => {
                self.next();
                let found = |run: &Run| run.view.name == target.name && run.view.uid == target.uid;
                if let Some(index) = self.runs.iter().position(found) {
                    let gone = self.runs.remove(index);
                    self.watches.send(Event::RunGone(gone.view.uid));
                }
            }
            Write::EvictPod { target } => self.delete_pod(&target.uid),
            Write::EditTemplate { target, to, annotations, .. } => self.edit(target, versions, |set| {
                (set.view.counts.generation_observed, set.dirty) = (false, true);
                set.view.template = to.clone();
                merge(&mut set.view.annotations, annotations);
            }),
            // Pods have no metadata here, and there are neither workloads nor routers.
            Write::LabelPod { .. }
            | Write::ScaleWorkload { .. }
            | Write::RouteTraffic { .. }
            | Write::GiveBackRoutes { .. } => {}
        }
    }

    /// Writes the status; the difference to nothing is no write at all.
    pub(super) fn record(&mut self, status: &RolloutStatus, versions: &mut Versions) {
        let known = self.rollout.status.as_ref().map_or("", |known| known.current_pod_hash.as_str());
        if known != status.current_pod_hash {
            self.begun = self.decided.whole_seconds();
        }
        self.change_rollout(false, |rollout| rollout.status = Some(status.clone()));
        self.note_rollout(versions);
    }

    fn note_rollout(&self, versions: &mut Versions) {
        versions.insert(String::new(), self.rollout.metadata.resource_version.clone().unwrap_or_default());
    }

    fn note_set(&self, name: &str, versions: &mut Versions) {
        if let Some(set) = self.set(name) {
            versions.insert(name.to_owned(), set.view.resource_version.clone());
        }
    }

    fn edit(&mut self, target: &Target, versions: &mut Versions, change: impl FnOnce(&mut Set)) {
        self.change_set(&target.name, change);
        self.note_set(&target.name, versions);
    }

    fn create_set(&mut self, write: &Write) {
        let Write::CreateReplicaSet {
            name,
            labels,
            annotations,
            selector,
            template,
            replicas,
            min_ready_seconds,
        } = write
        else {
            return;
        };
        let version = self.next();
        let image = template.0.pointer("/spec/containers/0/image").and_then(serde_json::Value::as_str);
        let index = self.images.iter().position(|known| Some(known.as_str()) == image).unwrap_or(0);
        let view = ReplicaSet {
            name: name.clone(),
            uid: format!("set-{version}"),
            resource_version: version,
            created: self.now.whole_seconds(),
            owner: Owner::Ours,
            labels: labels.clone(),
            annotations: annotations.clone(),
            selector: selector.clone(),
            template: template.clone(),
            replicas: *replicas,
            min_ready_seconds: *min_ready_seconds,
            ..ReplicaSet::default()
        };
        debug_assert_eq!(self.rollout.metadata.uid.as_deref(), Some(UID));
        self.watches.send(Event::Set(Box::new(view.clone())));
        self.sets.push(Set::new(view, index));
        self.sets.sort_by(|a, b| (a.view.created, &a.view.name).cmp(&(b.view.created, &b.view.name)));
    }

    fn create_run(&mut self, write: &Write, end: (Time, AnalysisPhase)) {
        let Write::CreateAnalysisRun { name, labels, annotations, spec } = write else { return };
        let version = self.next();
        let view = AnalysisRunView {
            name: name.clone(),
            uid: format!("run-{version}"),
            resource_version: version,
            // The API server's clock is another one than the controller's.
            created: self.now.plus_seconds(self.skew_seconds).whole_seconds(),
            deleting: false,
            labels: labels.clone(),
            annotations: annotations.clone(),
            spec: spec.clone(),
            status: None,
        };
        self.watches.send(Event::Run(Box::new(view.clone())));
        self.runs.push(Run { view, end, ended: 0 });
        self.runs.sort_by(|a, b| (a.view.created, &a.view.name).cmp(&(b.view.created, &b.view.name)));
    }

    fn select(&mut self, name: &str, hash: &Option<String>, managed_by: &Option<String>) {
        let version = self.next();
        let Some(service) = self.services.get_mut(name) else { return };
        let strategy = self.rollout.spec.strategy.as_ref().and_then(|strategy| strategy.blue_green.as_ref());
        let from = service.hash();
        if let Some(to) = hash.as_ref().filter(|to| *to != from) {
            self.left.remove(to);
            // What an abort has taken out of service goes by another delay.
            let aborted = self.rollout.status.as_ref().is_some_and(|status| status.abort);
            if strategy.is_some_and(|strategy| strategy.active_service == name)
                && !aborted
                && !from.is_empty()
            {
                let delay = defaults::blue_green_scale_down_delay_seconds(&self.rollout);
                self.left.insert(from.to_owned(), (self.decided, delay));
            }
        }
        put(&mut service.selector, meta::POD_TEMPLATE_HASH_LABEL, hash);
        put(&mut service.annotations, meta::MANAGED_BY_ANNOTATION, managed_by);
        service.resource_version = version;
        self.watches.send(Event::Service(Box::new(service.clone())));
    }
}

fn put(map: &mut BTreeMap<String, String>, key: &str, value: &Option<String>) {
    match value {
        Some(value) => map.insert(key.to_owned(), value.clone()),
        None => map.remove(key),
    };
}

fn merge(into: &mut BTreeMap<String, String>, changes: &BTreeMap<String, Option<String>>) {
    changes.iter().for_each(|(key, value)| put(into, key, value));
}
