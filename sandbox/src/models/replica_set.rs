//! The ReplicaSet controller: as many pods as are wanted, and a status that counts them.

#[cfg(test)]
mod tests;

use super::pod::{Owner, PodView, surplus_order};
use crds::Time;

/// Most pods that one step creates or deletes; Kubernetes has the same bound.
pub const BURST_MAX: usize = 500;

/// A ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetView {
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i32,
    /// `metadata.generation`.
    pub generation: i64,
    /// It has a deletion timestamp: only its status is kept.
    pub deleting: bool,
    /// Its `ReplicaFailure` condition.
    pub failure: Option<Failure>,
}

/// The `ReplicaFailure` condition, true while it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was refused.
    pub reason: FailureReason,
    /// What the API server said.
    pub message: String,
    /// Since when.
    pub since: Time,
}

/// Which of its writes the API server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// A pod could not be created.
    FailedCreate,
    /// A pod could not be deleted.
    FailedDelete,
}

impl FailureReason {
    /// As it is written in the condition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FailedCreate => "FailedCreate",
            Self::FailedDelete => "FailedDelete",
        }
    }
}

/// `status` of a ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetStatus {
    /// Pods that are neither over nor being deleted.
    pub replicas: i32,
    /// Those of them that have all labels of the template.
    pub fully_labeled: i32,
    /// Those that are ready.
    pub ready: i32,
    /// Those that have been ready for `minReadySeconds`.
    pub available: i32,
    /// Generation that this status is about.
    pub observed_generation: i64,
    /// The `ReplicaFailure` condition.
    pub failure: Option<Failure>,
}

/// What the controller does now. Indexes point into the pods that were passed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetStep {
    /// Pods to become the controller of.
    pub adopt: Vec<usize>,
    /// Pods to let go of: their labels do not match any more.
    pub release: Vec<usize>,
    /// How many pods to create.
    pub create: usize,
    /// Pods to delete, in this order.
    pub delete: Vec<usize>,
    /// The status to write, before the writes above show in it; see [`SetStep::refused`] for the case that one of
    /// them fails.
    pub status: SetStatus,
    /// When a pod becomes available although nothing changes.
    pub wake: Option<Time>,
}

/// What the controller does at `now` about the pods that it controls or may adopt; others are ignored.
#[must_use]
pub fn step(set: &SetView, pods: &[PodView<'_>], now: Time) -> SetStep {
    let mut step = SetStep::default();
    let mut own: Vec<usize> = Vec::new();
    for (index, pod) in pods.iter().enumerate().filter(|(_, pod)| pod.is_active()) {
        match (pod.owner, pod.selected) {
            (Owner::Us, true) => own.push(index),
            (Owner::Us, false) if !set.deleting => step.release.push(index),
            (Owner::Nobody, true) if !set.deleting => {
                step.adopt.push(index);
                own.push(index);
            }
            _ => {}
        }
    }
    step.status = count(set, own.iter().filter_map(|index| pods.get(*index)), now);
    let waits = own.iter().filter_map(|index| pods.get(*index)?.available_at(set.min_ready_seconds));
    step.wake = waits.filter(|at| *at > now).min();
    if set.deleting {
        return step;
    }
    let wanted = usize::try_from(set.replicas).unwrap_or(0);
    step.create = wanted.saturating_sub(own.len()).min(BURST_MAX);
    let surplus = own.len().saturating_sub(wanted);
    if surplus > 0 {
        step.delete = first_to_go(pods, own, surplus.min(BURST_MAX), now);
    }
    step
}

fn first_to_go(pods: &[PodView<'_>], mut own: Vec<usize>, surplus: usize, now: Time) -> Vec<usize> {
    if surplus < own.len() {
        own.sort_by(|a, b| match (pods.get(*a), pods.get(*b)) {
            (Some(a), Some(b)) => surplus_order(a, b, now),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
    }
    own.truncate(surplus);
    own
}

fn count<'a, 'b: 'a>(set: &SetView, pods: impl Iterator<Item = &'a PodView<'b>>, now: Time) -> SetStatus {
    let mut status = SetStatus { observed_generation: set.generation, ..SetStatus::default() };
    for pod in pods {
        status.replicas = status.replicas.saturating_add(1);
        status.fully_labeled = status.fully_labeled.saturating_add(i32::from(pod.fully_labeled));
        status.ready = status.ready.saturating_add(i32::from(pod.ready_since.is_some()));
        let available = pod.is_available(set.min_ready_seconds, now);
        status.available = status.available.saturating_add(i32::from(available));
    }
    status
}

impl SetStep {
    /// The status to write when one of the step's writes was refused with `message`. A failure that is there already
    /// stays as it is, so that its time tells since when.
    #[must_use]
    pub fn refused(&self, set: &SetView, message: &str, now: Time) -> SetStatus {
        let reason = if self.create > 0 { FailureReason::FailedCreate } else { FailureReason::FailedDelete };
        let fresh = || Failure { reason, message: message.to_owned(), since: now };
        SetStatus { failure: Some(set.failure.clone().unwrap_or_else(fresh)), ..self.status.clone() }
    }
}
