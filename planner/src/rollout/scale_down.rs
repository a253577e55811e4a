//! Scaling down the versions that are neither new nor stable, and the delay before it. `[scale-down]`

use super::pass::{Pass, target};
use super::status::sum;
use super::{services, targets};
use crate::defect;
use crate::{ReplicaSet, Write};
use crds::{defaults, meta};
use std::collections::BTreeMap;

/// Scales other versions of a canary without a router down: first what is not available, then from the highest
/// revision on as far as the availability allows. True when something was scaled.
///
/// Example: 5 replicas, 1 may be unavailable, 6 available in all: two of the old pods may go.
pub(super) fn canary_others(pass: &mut Pass<'_>) -> bool {
    let mut others = pass.others();
    others.retain(|set| set.replicas > 0);
    if others.is_empty() {
        return false;
    }
    let mut scaled = false;
    let mut sizes: BTreeMap<String, i32> = BTreeMap::new();
    for set in &others {
        let healthy = pass.world.available(set).min(set.replicas);
        sizes.insert(set.name.clone(), healthy);
    }
    let available = sum(&pass.all, |set| pass.world.available(set).min(set.replicas));
    let unavailable = defaults::max_unavailable(&pass.world.rollout);
    let mut budget = available.saturating_sub(pass.replicas.saturating_sub(unavailable)).max(0);
    others.sort_by_key(|set| std::cmp::Reverse(set.revision()));
    let mut goals = Vec::new();
    for set in others {
        let size = sizes.get(&set.name).copied().unwrap_or(0);
        let less = if defect!(OthersGoAtOnce) { size } else { size.min(budget) };
        budget = budget.saturating_sub(less);
        let least = i32::from(is_served(pass, set) && !defect!(EmptiesTheServed));
        let to = targets::least(pass, set, size.saturating_sub(less).max(least));
        goals.push((set, to));
    }
    if !confirm_counted(pass, &goals) {
        return false;
    }
    for (set, to) in goals {
        scaled |= pass.scale(set, to, format!("version {} is neither new nor stable", set.hash()));
    }
    scaled
}

/// Pods of every version are counted on where one gives some up: all are to be as they were seen. The first one that is
/// written says so itself. False while it is not known how many there are.
fn confirm_counted(pass: &mut Pass<'_>, goals: &[(&ReplicaSet, i32)]) -> bool {
    let Some((first, _)) = goals.iter().find(|(set, to)| *to < set.replicas) else { return true };
    let counted =
        |set: &&ReplicaSet| set.name != first.name && pass.world.available(set).min(set.replicas) > 0;
    let counted: Vec<&ReplicaSet> = pass.all.iter().copied().filter(counted).collect();
    if let Some(unknown) = counted.iter().find(|set| !set.availability_is_known()) {
        pass.plan.trail.push(format!("nothing goes: the pods of {} are counted anew", unknown.name));
        return false;
    }
    counted.into_iter().for_each(|set| services::confirm_set(pass, set));
    true
}

/// The stable Service selects the version, and users are to be served all the time: one pod stays until the Service
/// has left.
pub(super) fn is_served(pass: &Pass<'_>, set: &ReplicaSet) -> bool {
    let name = pass.canary().and_then(|canary| canary.stable_service.as_deref());
    let service = name.and_then(|name| pass.world.services.get(name));
    let needed = pass.replicas > defaults::max_unavailable(&pass.world.rollout);
    needed && service.is_some_and(|service| service.hash() == set.hash())
}

/// What the delay says of one ReplicaSet that is to go.
pub(super) enum Delay {
    /// It waits; the deadline may have to be recorded first.
    Wait,
    /// Its time has come.
    Over,
}

/// Counts how many versions wait, so that no more than `limit` do.
pub(super) struct DelayLine {
    waiting: i32,
    limit: i32,
    seconds: i32,
}

impl DelayLine {
    pub(super) fn new(pass: &Pass<'_>) -> Self {
        let strategy = pass.blue_green();
        Self {
            waiting: 0,
            limit: strategy.and_then(|s| s.scale_down_delay_revision_limit).unwrap_or(i32::MAX),
            seconds: defaults::blue_green_scale_down_delay_seconds(&pass.world.rollout),
        }
    }

    /// The line of a canary behind routers.
    pub(super) fn of_canary(pass: &Pass<'_>) -> Self {
        let strategy = pass.canary();
        Self {
            waiting: 0,
            limit: strategy.and_then(|s| s.scale_down_delay_revision_limit).unwrap_or(i32::MAX),
            seconds: defaults::canary_scale_down_delay_seconds(&pass.world.rollout),
        }
    }

    /// Decides about one ReplicaSet; call in the order in which they may wait.
    pub(super) fn decide(&mut self, pass: &mut Pass<'_>, set: &ReplicaSet) -> Delay {
        let Some(deadline) = set.scale_down_deadline() else {
            if self.waiting >= self.limit || self.seconds <= 0 || defect!(NoDelay) {
                return Delay::Over;
            }
            self.waiting = self.waiting.saturating_add(1);
            set_deadline(pass, set, i64::from(self.seconds));
            return Delay::Wait;
        };
        self.waiting = self.waiting.saturating_add(1);
        if (self.waiting > self.limit && !defect!(LimitIgnored))
            || pass.now >= deadline
            || defect!(DelayIgnored)
        {
            return Delay::Over;
        }
        pass.plan.wake_at(deadline, format!("{} may be scaled down", set.name));
        Delay::Wait
    }
}

/// Records when a ReplicaSet may be scaled down.
pub(super) fn set_deadline(pass: &mut Pass<'_>, set: &ReplicaSet, seconds: i64) {
    let seconds = if defect!(DelayTooShort) { seconds / 2 } else { seconds };
    let deadline = pass.now.plus_seconds(seconds).whole_seconds();
    annotate_deadline(pass, set, Some(deadline.to_string()), format!("{} is kept for {seconds} s", set.name));
    pass.plan.wake_at(deadline, format!("{} may be scaled down", set.name));
}

/// Takes the deadline off a ReplicaSet that is to stay.
pub(super) fn clear_deadline(pass: &mut Pass<'_>, set: &ReplicaSet) {
    if set.is_marked_for_scale_down() {
        annotate_deadline(pass, set, None, format!("{} is needed again", set.name));
    }
}

fn annotate_deadline(pass: &mut Pass<'_>, set: &ReplicaSet, value: Option<String>, why: String) {
    let annotations = BTreeMap::from([(meta::SCALE_DOWN_DEADLINE_ANNOTATION.to_owned(), value)]);
    pass.write(Write::AnnotateReplicaSet { target: target(set), annotations, min_ready_seconds: None }, why);
}
