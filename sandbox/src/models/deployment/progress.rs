//! Status and conditions of a Deployment.

use super::sizes::Work;
use super::{DeploymentConditionKind, DeploymentStatus, DeploymentStep, DeploymentView, OwnedSet};
use crate::models::condition::{Condition, Truth, find, remove, set};
use crds::Time;

const PROGRESSING: DeploymentConditionKind = DeploymentConditionKind::Progressing;
const PAUSED: &str = "DeploymentPaused";
const RESUMED: &str = "DeploymentResumed";
const ARRIVED: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";

fn progressing(step: &mut DeploymentStep, truth: Truth, reason: &str, message: impl Into<String>, now: Time) {
    set(&mut step.status.conditions, Condition::new(PROGRESSING, truth, reason, message, now));
}

/// Tells that it is paused or goes on, so that its deadline counts from then.
pub(super) fn pause(step: &mut DeploymentStep, deployment: &DeploymentView, now: Time) {
    let reason = find(&step.status.conditions, PROGRESSING).map(|condition| condition.reason.as_str());
    let paused = reason == Some(PAUSED);
    if deployment.progress_deadline_seconds.is_none() || reason == Some(TIMED_OUT) {
        return;
    }
    match (deployment.paused, paused) {
        (true, false) => progressing(step, Truth::Unknown, PAUSED, "Deployment is paused", now),
        (false, true) => progressing(step, Truth::Unknown, RESUMED, "Deployment is resumed", now),
        _ => {}
    }
}

/// The current ReplicaSet was there already when the Deployment was first looked at.
pub(super) fn found(step: &mut DeploymentStep, deployment: &DeploymentView, work: &Work<'_>, now: Time) {
    let known = find(&step.status.conditions, PROGRESSING).is_some();
    if deployment.progress_deadline_seconds.is_some() && !known {
        let message = format!("Found new replica set {:?}", work.current_name().unwrap_or_default());
        progressing(step, Truth::True, "FoundNewReplicaSet", message, now);
    }
}

/// The ReplicaSet of the current template is made in this step.
pub(super) fn created(step: &mut DeploymentStep, deployment: &DeploymentView, now: Time) {
    if deployment.progress_deadline_seconds.is_some() {
        let message = format!("Created new replica set {:?}", deployment.next_set);
        progressing(step, Truth::True, "NewReplicaSetCreated", message, now);
    }
}

/// Counts, and whether enough is available.
pub(super) fn count(step: &mut DeploymentStep, deployment: &DeploymentView, work: &Work<'_>, now: Time) {
    let sum =
        |of: fn(&OwnedSet) -> i32| work.sets().iter().fold(0_i32, |sum, set| sum.saturating_add(of(set)));
    let current = work.current.and_then(|index| work.sets().get(index));
    let available = sum(|set| set.available);
    let status = &mut step.status;
    status.observed_generation = deployment.generation;
    status.replicas = sum(|set| set.pods);
    status.updated = current.map_or(0, |set| set.pods);
    status.ready = sum(|set| set.ready);
    status.available = available;
    status.unavailable = sum(|set| set.replicas).saturating_sub(available).max(0);
    let enough = available >= deployment.replicas.saturating_sub(work.bounds.unavailable);
    let (reason, message) = if enough {
        ("MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    let kind = DeploymentConditionKind::Available;
    set(&mut status.conditions, Condition::new(kind, Truth::from(enough), reason, message, now));
}

/// All pods are of the current template, available, and counted for the current generation.
pub(super) fn is_complete(deployment: &DeploymentView, status: &DeploymentStatus) -> bool {
    let wanted = deployment.replicas;
    status.updated == wanted
        && status.replicas == wanted
        && status.available == wanted
        && status.observed_generation >= deployment.generation
}

/// Counts, progress, the deadline, and failures of its ReplicaSets.
pub(super) fn conclude(
    step: &mut DeploymentStep,
    deployment: &DeploymentView,
    sets: &[OwnedSet],
    work: &Work<'_>,
    now: Time,
) {
    count(step, deployment, work, now);
    if deployment.progress_deadline_seconds.is_none() {
        remove(&mut step.status.conditions, PROGRESSING);
    }
    let reason = find(&step.status.conditions, PROGRESSING).map(|condition| condition.reason.as_str());
    let arrived = step.status.replicas == step.status.updated && reason == Some(ARRIVED);
    if deployment.progress_deadline_seconds.is_some() && !arrived {
        estimate(step, deployment, work, now);
    }
    let kind = DeploymentConditionKind::ReplicaFailure;
    // The current ReplicaSet's failure says more than that of an old one.
    let current = work.current.and_then(|index| sets.get(index)?.failure.as_ref());
    match current.or_else(|| sets.iter().find_map(|set| set.failure.as_ref())) {
        Some((reason, message)) => {
            set(&mut step.status.conditions, Condition::new(kind, Truth::True, reason, message, now));
        }
        None => remove(&mut step.status.conditions, kind),
    }
}

fn estimate(step: &mut DeploymentStep, deployment: &DeploymentView, work: &Work<'_>, now: Time) {
    let subject = work
        .current_name()
        .map_or_else(|| format!("Deployment {:?}", deployment.name), |name| format!("ReplicaSet {name:?}"));
    let (old, new) = (&deployment.status, &step.status);
    if is_complete(deployment, new) {
        return progressing(
            step,
            Truth::True,
            ARRIVED,
            format!("{subject} has successfully progressed."),
            now,
        );
    }
    let left = |status: &DeploymentStatus| status.replicas.saturating_sub(status.updated);
    let moved = new.updated > old.updated
        || left(new) < left(old)
        || new.ready > old.ready
        || new.available > old.available;
    if moved {
        let mut fresh = Condition::new(
            PROGRESSING,
            Truth::True,
            "ReplicaSetUpdated",
            format!("{subject} is progressing."),
            now,
        );
        // The time of the update is written in any case: the deadline counts from it.
        if let Some(last) =
            find(&step.status.conditions, PROGRESSING).filter(|last| last.truth == Truth::True)
        {
            fresh.changed = last.changed;
        }
        remove(&mut step.status.conditions, PROGRESSING);
        step.status.conditions.push(fresh);
    }
    let Some((reason, updated)) =
        find(&step.status.conditions, PROGRESSING).map(|last| (last.reason.as_str(), last.updated))
    else {
        return;
    };
    if reason == ARRIVED || reason == TIMED_OUT {
        return;
    }
    let seconds = i64::from(deployment.progress_deadline_seconds.unwrap_or(0));
    let deadline = updated.plus_seconds(seconds);
    if !moved && deadline < now {
        progressing(step, Truth::False, TIMED_OUT, format!("{subject} has timed out progressing."), now);
    } else {
        // A second more, so that the deadline has passed when it is looked at.
        step.wake = Some(deadline.plus_seconds(1));
    }
}
