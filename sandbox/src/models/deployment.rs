//! The Deployment controller: ReplicaSets for revisions, sizes within the bounds of a rolling update, and a status.

mod progress;
mod sizes;
#[cfg(test)]
mod tests;

use super::condition::Condition;
use crds::{IntOrString, Time};

/// Types of a Deployment's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentConditionKind {
    /// It moves, or has arrived.
    Progressing,
    /// Enough pods are available.
    Available,
    /// A ReplicaSet cannot create or delete pods.
    ReplicaFailure,
}

impl DeploymentConditionKind {
    /// As it is written in a status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Progressing => "Progressing",
            Self::Available => "Available",
            Self::ReplicaFailure => "ReplicaFailure",
        }
    }
}

/// A condition of a Deployment.
pub type DeploymentCondition = Condition<DeploymentConditionKind>;

/// `spec.strategy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Old and new side by side.
    RollingUpdate {
        /// `maxSurge`: a percentage is rounded up.
        max_surge: IntOrString,
        /// `maxUnavailable`: a percentage is rounded down.
        max_unavailable: IntOrString,
    },
    /// Old first goes, then new comes.
    Recreate,
}

/// A Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentView {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// Annotation `deployment.kubernetes.io/revision`; 0 without one.
    pub revision: i64,
    /// It has a deletion timestamp: only its status is kept.
    pub deleting: bool,
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.strategy`.
    pub strategy: Strategy,
    /// `spec.paused`.
    pub paused: bool,
    /// `spec.revisionHistoryLimit`.
    pub revision_history_limit: Option<i32>,
    /// `spec.progressDeadlineSeconds`.
    pub progress_deadline_seconds: Option<i32>,
    /// Name that a ReplicaSet of the current template would get.
    pub next_set: String,
    /// Its status.
    pub status: DeploymentStatus,
}

/// `status` of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// `observedGeneration`.
    pub observed_generation: i64,
    /// Pods of all its ReplicaSets.
    pub replicas: i32,
    /// Pods of the newest.
    pub updated: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that are available.
    pub available: i32,
    /// Pods that are still wanted to be available.
    pub unavailable: i32,
    /// Conditions.
    pub conditions: Vec<DeploymentCondition>,
}

/// A ReplicaSet that the Deployment controls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedSet {
    /// Name.
    pub name: String,
    /// Creation time.
    pub created: Time,
    /// Its template is the Deployment's.
    pub is_current: bool,
    /// Annotation `deployment.kubernetes.io/revision`; 0 without one.
    pub revision: i64,
    /// `spec.replicas`.
    pub replicas: i32,
    /// Annotation `deployment.kubernetes.io/desired-replicas`.
    pub desired: Option<i32>,
    /// Annotation `deployment.kubernetes.io/max-replicas`.
    pub most: Option<i32>,
    /// `status.replicas`.
    pub pods: i32,
    /// `status.readyReplicas`.
    pub ready: i32,
    /// `status.availableReplicas`.
    pub available: i32,
    /// Its generation is observed.
    pub observed: bool,
    /// It has a deletion timestamp.
    pub deleting: bool,
    /// Its `ReplicaFailure` condition: reason and message.
    pub failure: Option<(String, String)>,
    /// At least one of its pods is not over, be it on its way out.
    pub pods_left: bool,
}

/// A ReplicaSet to create for the current template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSet {
    /// `spec.replicas`.
    pub replicas: i32,
    /// Its revision.
    pub revision: i64,
}

/// A size to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Index of the ReplicaSet.
    pub set: usize,
    /// `spec.replicas`, which may be what it was when only the annotations differ.
    pub to: i32,
}

/// What the controller does now, in this order. Indexes point into the ReplicaSets that were passed in. Whatever is
/// created or scaled gets [`DeploymentStep::desired`] and [`DeploymentStep::most`] as annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentStep {
    /// Give the current ReplicaSet this revision; the old one joins its history.
    pub renumber: Option<(usize, i64)>,
    /// The ReplicaSet to create.
    pub create: Option<NewSet>,
    /// Sizes to write.
    pub scale: Vec<Scale>,
    /// ReplicaSets to delete: beyond the history limit.
    pub delete: Vec<usize>,
    /// Revision of the Deployment's own annotation.
    pub revision: i64,
    /// `deployment.kubernetes.io/desired-replicas`.
    pub desired: i32,
    /// `deployment.kubernetes.io/max-replicas`.
    pub most: i32,
    /// The status to write; it counts what was there before the writes above.
    pub status: DeploymentStatus,
    /// When the progress deadline passes.
    pub wake: Option<Time>,
}

/// What the controller does at `now`.
#[must_use]
pub fn step(deployment: &DeploymentView, sets: &[OwnedSet], now: Time) -> DeploymentStep {
    let mut work = sizes::Work::new(deployment, sets);
    let most = deployment.replicas.saturating_add(work.bounds.surge);
    let mut step = DeploymentStep {
        revision: deployment.revision,
        desired: deployment.replicas,
        most,
        status: deployment.status.clone(),
        ..DeploymentStep::default()
    };
    if deployment.deleting {
        progress::count(&mut step, deployment, &work, now);
        return step;
    }
    progress::pause(&mut step, deployment, now);
    number(&mut step, deployment, sets, &work);
    if work.current.is_some() {
        progress::found(&mut step, deployment, &work, now);
    }
    if deployment.paused || work.is_scaling_event() {
        work.scale_in_proportion(most);
        step.scale = work.changes(most);
        if deployment.paused {
            step.delete = beyond_limit(deployment, sets, &work);
        }
        progress::count(&mut step, deployment, &work, now);
        return step;
    }
    match deployment.strategy {
        Strategy::RollingUpdate { .. } => roll(&mut step, &mut work),
        Strategy::Recreate => recreate(&mut step, &mut work),
    }
    if let Some(new) = &mut step.create {
        new.revision = newest_revision(sets, &work).saturating_add(1);
        step.revision = new.revision;
        progress::created(&mut step, deployment, now);
    }
    step.scale = work.changes(most);
    if progress::is_complete(deployment, &deployment.status) {
        step.delete = beyond_limit(deployment, sets, &work);
    }
    progress::conclude(&mut step, deployment, sets, &work, now);
    step
}

fn roll(step: &mut DeploymentStep, work: &mut sizes::Work<'_>) {
    if work.current.is_none() {
        step.create = Some(NewSet { replicas: work.make_current(), revision: 0 });
    }
    // One direction in one step, as far as existing ReplicaSets go.
    if !work.scale_current() {
        work.scale_old_down();
    }
}

fn recreate(step: &mut DeploymentStep, work: &mut sizes::Work<'_>) {
    if work.empty_old() || work.has_old_pods() {
        return;
    }
    if work.current.is_none() {
        step.create = Some(NewSet { replicas: work.make_current(), revision: 0 });
    }
    work.fill_current();
}

fn newest_revision(sets: &[OwnedSet], work: &sizes::Work<'_>) -> i64 {
    let old = sets.iter().enumerate().filter(|(index, _)| Some(*index) != work.current);
    old.map(|(_, set)| set.revision).max().unwrap_or(0)
}

/// The current ReplicaSet has the highest revision; after a rollback it gets a new one.
fn number(step: &mut DeploymentStep, deployment: &DeploymentView, sets: &[OwnedSet], work: &sizes::Work<'_>) {
    let Some((index, current)) = work.current.and_then(|index| Some((index, sets.get(index)?))) else {
        step.revision = deployment.revision;
        return;
    };
    let next = newest_revision(sets, work).saturating_add(1);
    if current.revision < next {
        step.renumber = Some((index, next));
    }
    step.revision = current.revision.max(next);
}

/// Old ReplicaSets beyond the history limit, lowest revision first; one that still has or wants pods stays.
fn beyond_limit(deployment: &DeploymentView, sets: &[OwnedSet], work: &sizes::Work<'_>) -> Vec<usize> {
    let Some(limit) = deployment.revision_history_limit else { return Vec::new() };
    let mut old: Vec<(i64, usize)> = sets
        .iter()
        .enumerate()
        .filter(|(index, set)| Some(*index) != work.current && !set.deleting)
        .map(|(index, set)| (set.revision, index))
        .collect();
    old.sort_unstable();
    old.truncate(old.len().saturating_sub(usize::try_from(limit).unwrap_or(0)));
    let empty = |index: &usize| {
        sets.get(*index).is_some_and(|set| set.pods == 0 && set.replicas == 0 && set.observed)
    };
    old.into_iter().map(|(_, index)| index).filter(empty).collect()
}
