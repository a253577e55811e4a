//! How many pods the new and the stable version get in a canary without a router. `[canary.replicas]`

use crate::defect;

/// One ReplicaSet as the arithmetic sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `spec.replicas`.
    pub spec: i32,
    /// `status.availableReplicas`.
    pub available: i32,
}

/// What the arithmetic needs to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CanaryInput {
    /// `spec.replicas` of the Rollout.
    pub replicas: i32,
    /// Share of the new version, in percent.
    pub weight: i32,
    /// Pods above `replicas` that may exist.
    pub max_surge: i32,
    /// Pods below `replicas` that may be missing.
    pub max_unavailable: i32,
    /// The new version.
    pub new: Counts,
    /// The stable version; `None` when there is none apart from the new one.
    pub stable: Option<Counts>,
    /// Sum of `spec.replicas` of all other ReplicaSets.
    pub others_spec: i32,
}

/// How many pods to ask for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CanaryReplicas {
    /// The new version.
    pub new: i32,
    /// The stable version.
    pub stable: i32,
}

/// The whole weight, in percent.
const WHOLE: i64 = 100;

/// The pair (new, stable) that comes closest to `weight`, once everything has settled.
///
/// Example: 5 replicas, weight 20, surge 2: exactly one of five, so (1, 4). 3 replicas, weight 50, surge 1:
/// two of four is exact, so (2, 2).
#[must_use]
pub fn desired_pair(replicas: i32, weight: i32, max_surge: i32) -> CanaryReplicas {
    if replicas == 0 {
        return CanaryReplicas::default();
    }
    let (total, weight) = (i64::from(replicas), i64::from(weight));
    let floor = total * weight / WHOLE;
    let ceil = (total * weight + if defect!(RoundsDown) { 0 } else { WHOLE - 1 }) / WHOLE;
    let zero_allowed = weight == 0 || weight == WHOLE || (replicas == 1 && max_surge == 0);
    // Exactly half a pod: rounding down would be as good, and the larger canary is preferred.
    let tied = |total: i64| (total * weight) % WHOLE * 2 == WHOLE;
    let floor_allowed = floor != 0 || zero_allowed;
    let ceil_allowed = ceil < total || zero_allowed;
    // DIFFERS: Argo Rollouts takes no pair at all where rounding up would leave no stable pod and rounding down is
    // tied (2 replicas, weight 75, no surge), and falls back to no new pod; here rounding down is taken then.
    let floor_wins = !tied(total) || (!ceil_allowed && max_surge == 0);
    let candidates = [
        ceil_allowed.then_some((ceil, total)),
        (floor_wins && floor_allowed).then_some((floor, total)),
        (max_surge > 0).then_some((ceil, total + 1)),
        (max_surge > 0 && !tied(total + 1) && floor_allowed).then_some((floor, total + 1)),
    ];
    // |new/total - weight/100| compared without rounding: cross-multiplied by both totals.
    let mut best: Option<(i64, i64)> = None;
    for (new, of) in candidates.into_iter().flatten() {
        let error = |new: i64, of: i64| (new * WHOLE - weight * of).abs();
        let better =
            best.is_none_or(|(best_new, best_of)| error(new, of) * best_of < error(best_new, best_of) * of);
        if better {
            best = Some((new, of));
        }
    }
    let (new, of) = best.unwrap_or((0, total));
    CanaryReplicas { new: to_i32(new), stable: to_i32(of - new) }
}

fn to_i32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// How many pods to ask for in this pass, inside the bounds of surge and availability.
///
/// Example: 10 replicas, weight 30, stable 10 of 10 available, nothing unavailable allowed, surge 3: stable must
/// stay at 10 until new pods are available, and three more fit: (3, 10).
#[must_use]
pub fn canary_replicas(input: &CanaryInput) -> CanaryReplicas {
    let bounded = |_: &Counts| i64::from(input.weight) < WHOLE || !defect!(NoBoundsAtTheEnd);
    let Some(stable) = input.stable.filter(bounded) else {
        return CanaryReplicas { new: input.replicas, stable: 0 };
    };
    let desired = desired_pair(input.replicas, input.weight, input.max_surge);
    let limit = input.replicas + input.max_surge + i32::from(defect!(OneMoreSurge));
    let mut now = CanaryReplicas { new: input.new.spec, stable: stable.spec };

    // Up first, stable before new, as far as the budget goes.
    let mut budget = limit - (now.new + now.stable + input.others_spec);
    if now.stable < desired.stable && budget > 0 {
        let added = budget.min(desired.stable - now.stable);
        now.stable += added;
        budget -= added;
    }
    if now.new < desired.new && budget > 0 {
        now.new += budget.min(desired.new - now.new);
    }
    if input.others_spec > 0 {
        return give_way(input, stable, desired, now, limit);
    }
    scale_down(input, stable, desired, now)
}

/// Other versions go first. But where all places are taken, pods that serve nobody give theirs up to the side that needs
/// them: the others wait for its pods, and would wait for ever.
///
/// DIFFERS: in Argo Rollouts an aborted version whose pods never got ready keeps stable from coming back here.
///
/// Example: 3 replicas, no surge, an aborted version with 2 pods, none of them available, 1 pod of a third version:
/// both pods go.
fn give_way(
    input: &CanaryInput,
    stable: Counts,
    desired: CanaryReplicas,
    mut now: CanaryReplicas,
    limit: i32,
) -> CanaryReplicas {
    if defect!(NobodyGivesWay) {
        return now;
    }
    let full = now.new + now.stable + input.others_spec >= limit;
    if full && now.stable < desired.stable && now.new > desired.new {
        now.new = desired.new.max(now.new.min(input.new.available));
    } else if full && now.new < desired.new && now.stable > desired.stable {
        now.stable = desired.stable.max(now.stable.min(stable.available));
    }
    now
}

/// The second half of [`canary_replicas`]: what may go.
///
/// Example: 5 replicas, 1 may be unavailable, stable 5 of 5, new 0, desired (1, 4): 5 available pods count and 4
/// must stay, so stable may go to 4.
fn scale_down(
    input: &CanaryInput,
    stable: Counts,
    desired: CanaryReplicas,
    mut now: CanaryReplicas,
) -> CanaryReplicas {
    let min_available = input.replicas - input.max_unavailable;
    let increasing = desired.new >= input.new.spec;
    let counted = count(input.new, !increasing || defect!(CountsMissingPods)) + count(stable, increasing);
    if counted <= min_available {
        return now;
    }
    let surplus = counted - min_available + i32::from(defect!(OnePodTooMany));
    let limit = input.replicas + input.max_surge;
    if increasing {
        if now.stable > desired.stable {
            now.stable = desired.stable.max(now.stable - surplus);
            let (drain, adjust) = clamp(now.stable, now.new, stable, input.new, limit, min_available);
            now = CanaryReplicas { new: adjust, stable: drain };
        }
    } else if now.new > desired.new {
        now.new = desired.new.max(now.new - surplus);
        let (drain, adjust) = clamp(now.new, now.stable, input.new, stable, limit, min_available);
        now = CanaryReplicas { new: drain, stable: adjust };
    }
    now
}

/// Pods of one side that count as available. The side that is scaled down counts with its whole size, so that pods
/// that are not available are the first to go.
fn count(counts: Counts, ignore_availability: bool) -> i32 {
    if counts.spec < counts.available || ignore_availability { counts.spec } else { counts.available }
}

/// Keeps the sum of both sides inside `limit`: first the side that grows gives way, but not so far that fewer than
/// `min_available` pods would be available; the rest is taken from the side that drains.
fn clamp(
    drain: i32,
    adjust: i32,
    drain_now: Counts,
    adjust_now: Counts,
    limit: i32,
    min_available: i32,
) -> (i32, i32) {
    let over = (adjust + drain - limit).max(0);
    if over == 0 {
        return (drain, adjust);
    }
    let adjusted = adjust - over;
    let available = |size: i32, now: Counts| size.min(now.available);
    let lost = (available(adjust, adjust_now) - available(adjusted, adjust_now)).max(0);
    let shortage = (min_available - (available(drain, drain_now) + available(adjusted, adjust_now))).max(0);
    let back = lost.min(shortage);
    ((drain - back).max(0), adjusted + back)
}

#[cfg(test)]
#[path = "canary_replicas_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "canary_replicas_grid.rs"]
mod grid;
