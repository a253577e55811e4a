//! The controller's process: what it has seen, the plan that it carries out, and its deaths.

use super::admission::Refused;
use super::cluster::{Cluster, Versions};
use super::invariants::Basis;
use super::view::{self, Event};
use crds::{Time, meta};
use planner::{Plan, Refusal, RefusalCode, World, Write};

/// How long a refusal counts.
const REFUSAL_SECONDS: i64 = 20;

/// The controller.
#[derive(Debug)]
pub(super) struct Controller {
    /// What it has been told.
    pub(super) seen: World,
    /// Something has changed since its last plan, or its last plan was cut short.
    pub(super) dirty: bool,
    /// When its last plan wanted to look again.
    pub(super) wake: Option<Time>,
    /// The plan that it carries out.
    pub(super) work: Option<Work>,
    /// The generation that something was refused for, and until when that counts.
    refused: Option<(Option<i64>, Time)>,
}

/// A plan that is being carried out.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) plan: Plan,
    /// Writes that are done.
    pub(super) done: usize,
    pub(super) versions: Versions,
    /// What the plan was made on.
    pub(super) basis: Basis,
}

impl Controller {
    pub(super) fn new(cluster: &Cluster, mut seen: World) -> Self {
        view::list(cluster, &mut seen);
        Self { seen, dirty: true, wake: None, work: None, refused: None }
    }

    /// A new process: its memory is gone, and it reads everything anew.
    pub(super) fn restart(&mut self, cluster: &mut Cluster) {
        cluster.watches.clear();
        view::list(cluster, &mut self.seen);
        (self.dirty, self.wake, self.work) = (true, None, None);
        self.seen.refusals.clear();
        self.refused = None;
    }

    /// A refusal counts for a while, and until the Rollout changes.
    pub(super) fn forget_refusals(&mut self, now: Time) {
        let generation = self.seen.rollout.metadata.generation;
        if self.refused.is_some_and(|(of, until)| of != generation || until <= now) {
            self.seen.refusals.clear();
            self.refused = None;
        }
    }

    /// Until when a refusal counts.
    pub(super) fn refused_until(&self) -> Option<Time> {
        self.refused.map(|(_, until)| until)
    }

    /// The name of a ReplicaSet is taken by somebody else's: the next plan is to know.
    fn note_refusal(&mut self, name: &str, now: Time) {
        let target = format!("ReplicaSet/{name}");
        self.seen.refusals.retain(|known| known.target != target);
        let message = format!("ReplicaSet {name} exists already");
        let code = RefusalCode::AlreadyExists;
        self.seen.refusals.push(Refusal { target, code, message });
        self.refused = Some((self.seen.rollout.metadata.generation, now.plus_seconds(REFUSAL_SECONDS)));
    }

    /// Whether it would look at the Rollout now.
    pub(super) fn is_due(&self, now: Time) -> bool {
        self.work.is_some() || self.dirty || self.wake.is_some_and(|wake| wake <= now)
    }

    /// Pods are asked for when they are needed, not watched.
    pub(super) fn fetch_pods(&mut self, cluster: &Cluster) {
        let status = self.seen.rollout.status.as_ref();
        let restarted = status.and_then(|status| status.restarted_at);
        let due =
            self.seen.rollout.spec.restart_at.is_some_and(|at| cluster.now >= at && restarted != Some(at));
        self.seen.pods.clear();
        self.seen.pods_are_known = due;
        if due {
            let known = |uid: &str| self.seen.replica_sets.iter().any(|set| set.uid == uid);
            let pods: Vec<planner::Pod> = cluster
                .sets
                .iter()
                .filter(|set| known(&set.view.uid))
                .flat_map(|set| set.pods.iter().map(move |pod| (set, pod)))
                .map(|(set, pod)| planner::Pod {
                    name: pod.uid.clone(),
                    uid: pod.uid.clone(),
                    replica_set_uid: set.view.uid.clone(),
                    created: pod.life.created.whole_seconds(),
                    deleting: pod.life.deletion.is_some(),
                    available: pod.view().is_available(set.view.min_ready_seconds, cluster.now),
                    eviction: None,
                })
                .collect();
            self.seen.pods = pods;
        }
    }

    /// The answer to a write goes into the caches at once, where there is an overlay.
    pub(super) fn hear(&mut self, cluster: &Cluster, write: &Write) {
        let set = |name: &str| cluster.set(name).map(|set| Event::Set(Box::new(set.view.clone())));
        let run = |name: &str| {
            let run = cluster.runs.iter().find(|run| run.view.name == name);
            run.map(|run| Event::Run(Box::new(run.view.clone())))
        };
        let event = match write {
            Write::CreateReplicaSet { name, .. } => set(name),
            Write::AdoptReplicaSet { target }
            | Write::ReleaseReplicaSet { target }
            | Write::ScaleReplicaSet { target, .. }
            | Write::EditTemplate { target, .. }
            | Write::AnnotateReplicaSet { target, .. } => set(&target.name),
            Write::SelectService { target, .. } => {
                cluster.services.get(&target.name).map(|service| Event::Service(Box::new(service.clone())))
            }
            Write::AnnotateRollout { .. } | Write::SetRolloutReplicas { .. } => {
                Some(Event::Rollout(cluster.rollout.clone()))
            }
            Write::CreateAnalysisRun { name, .. } => run(name),
            Write::TerminateAnalysisRun { target } => run(&target.name),
            Write::DeleteReplicaSet { .. }
            | Write::DeleteAnalysisRun { .. }
            | Write::EvictPod { .. }
            | Write::LabelPod { .. }
            | Write::RouteTraffic { .. }
            | Write::GiveBackRoutes { .. }
            | Write::ScaleWorkload { .. } => None,
        };
        if let Some(event) = event {
            view::learn(&mut self.seen, event);
            self.dirty = true;
        }
    }

    /// A create met an object of its name: that is read, whatever the watch has come to. The plan ends.
    pub(super) fn stumble(&mut self, cluster: &Cluster, write: &Write, refused: Refused) {
        match (refused, write) {
            (Refused::Foreign, Write::CreateReplicaSet { name, .. }) => self.note_refusal(name, cluster.now),
            (Refused::Exists, _) => self.hear(cluster, write),
            _ => {}
        }
        (self.work, self.dirty) = (None, true);
    }
}

/// Value of the revision annotation.
pub(super) fn revision(annotations: Option<&std::collections::BTreeMap<String, String>>) -> i64 {
    let text = annotations.and_then(|map| map.get(meta::REVISION_ANNOTATION));
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
