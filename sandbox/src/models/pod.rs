//! What the controllers look at in a pod, and which pods go first when there are too many.

use crds::Time;
use std::cmp::{Ordering, Reverse};

/// `status.phase`, in the order in which pods are given up: those that do not run go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodPhase {
    /// Not all containers have started.
    #[default]
    Pending,
    /// Its node does not answer.
    Unknown,
    /// Runs.
    Running,
    /// All containers ended well, and none is started again.
    Succeeded,
    /// All containers ended, at least one of them badly.
    Failed,
}

impl PodPhase {
    /// As it is written in a status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Unknown => "Unknown",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }

    /// Nothing runs in it any more, and nothing will.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// Who controls an object, seen from one controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// Nobody.
    #[default]
    Nobody,
    /// The object that is looked at.
    Us,
    /// Something else.
    Other,
}

/// A pod as the ReplicaSet and the Job controller see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PodView<'a> {
    /// `metadata.uid`; decides between pods that are equal in all else.
    pub uid: &'a str,
    /// Who controls it.
    pub owner: Owner,
    /// Its labels match the controller's selector.
    pub selected: bool,
    /// Its labels contain all labels of the controller's template.
    pub fully_labeled: bool,
    /// `status.phase`.
    pub phase: PodPhase,
    /// It has a deletion timestamp.
    pub deleting: bool,
    /// `metadata.creationTimestamp`.
    pub created: Time,
    /// It has a node.
    pub assigned: bool,
    /// Since when its `Ready` condition is true; `None` while it is not.
    pub ready_since: Option<Time>,
    /// Annotation `controller.kubernetes.io/pod-deletion-cost`, 0 without one or with one that is not a number.
    pub deletion_cost: i32,
    /// Active pods on the same node that belong to ReplicaSets of the same owner, itself included.
    pub neighbours: u32,
    /// Most restarts of any of its containers.
    pub restarts: u32,
}

impl PodView<'_> {
    /// It counts: it is neither over nor being deleted.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.phase.is_over() && !self.deleting
    }

    /// It has been ready for `min_ready_seconds`.
    #[must_use]
    pub fn is_available(&self, min_ready_seconds: i32, now: Time) -> bool {
        self.available_at(min_ready_seconds).is_some_and(|at| at <= now)
    }

    /// When it becomes available if it stays ready; `None` while it is not ready.
    #[must_use]
    pub fn available_at(&self, min_ready_seconds: i32) -> Option<Time> {
        self.ready_since.map(|since| since.plus_seconds(i64::from(min_ready_seconds)))
    }
}

/// Order in which a ReplicaSet gives pods up: the first goes first.
///
/// Ages are compared by their order of magnitude only (a power of two), so that not always the youngest version of a
/// rolling update loses its pods; within one magnitude Kubernetes lets the uid decide. Here restarts are looked at
/// before the uid, which makes the order total; uids are random, so this is one of the outcomes that it has.
#[must_use]
pub fn surplus_order(a: &PodView<'_>, b: &PodView<'_>, now: Time) -> Ordering {
    let ready_age = |pod: &PodView<'_>| pod.ready_since.map(|since| magnitude(since, now));
    standing(a)
        .cmp(&standing(b))
        .then(a.deletion_cost.cmp(&b.deletion_cost))
        .then(b.neighbours.cmp(&a.neighbours))
        .then_with(|| ready_age(a).cmp(&ready_age(b)))
        .then(b.restarts.cmp(&a.restarts))
        .then_with(|| magnitude(a.created, now).cmp(&magnitude(b.created, now)))
        .then(a.uid.cmp(b.uid))
}

/// Order in which a Job gives pods up: the first goes first. No cost, no neighbours, and ages to the second.
#[must_use]
pub fn job_surplus_order(a: &PodView<'_>, b: &PodView<'_>) -> Ordering {
    standing(a)
        .cmp(&standing(b))
        .then(b.ready_since.cmp(&a.ready_since))
        .then(b.restarts.cmp(&a.restarts))
        .then(Reverse(a.created).cmp(&Reverse(b.created)))
        .then(a.uid.cmp(b.uid))
}

/// How far it has come: without a node, not running, not ready, ready.
fn standing(pod: &PodView<'_>) -> (bool, PodPhase, bool) {
    (pod.assigned, pod.phase, pod.ready_since.is_some())
}

/// Order of magnitude of an age: the power of two of its nanoseconds.
fn magnitude(since: Time, now: Time) -> Option<u32> {
    since.until(now).as_nanos().checked_ilog2()
}
