//! Evictions and PodDisruptionBudgets.

use super::pod::PodPhase;
use crds::{IntOrString, Time};

/// How long an eviction that was let through may take to show as a deletion.
pub const DISRUPTION_TIMEOUT_SECONDS: i64 = 120;
/// Seconds after which a client may ask again while the budget's status is behind its spec.
pub const RETRY_AFTER_SECONDS: u32 = 10;

/// What a budget asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `minAvailable`.
    MinAvailable(IntOrString),
    /// `maxUnavailable`.
    MaxUnavailable(IntOrString),
}

/// A pod that a budget's selector matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// Its `Ready` condition is true.
    pub ready: bool,
    /// It has a deletion timestamp.
    pub deleting: bool,
    /// When an eviction of it was let through: its entry in `status.disruptedPods`.
    pub disrupted: Option<Time>,
}

/// `status` of a budget, as far as it is computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetStatus {
    /// `disruptionsAllowed`.
    pub disruptions_allowed: i32,
    /// `currentHealthy`.
    pub current_healthy: i32,
    /// `desiredHealthy`.
    pub desired_healthy: i32,
    /// `expectedPods`.
    pub expected_pods: i32,
    /// Indexes of the pods whose entries in `disruptedPods` stay.
    pub disrupted: Vec<usize>,
    /// When an entry runs out.
    pub wake: Option<Time>,
}

/// The status of a budget over `pods`. `scale` is the sum of `spec.replicas` of the pods' controllers: percentages
/// and `maxUnavailable` count from it, not from the pods that there are.
///
/// Example: `maxUnavailable: 1` over a ReplicaSet of 3 with 3 ready pods allows one disruption, with 2 none.
#[must_use]
pub fn budget(wanted: &Wanted, pods: &[Guarded], scale: i32, now: Time) -> BudgetStatus {
    let count = i32::try_from(pods.len()).unwrap_or(i32::MAX);
    let (expected, desired) = match wanted {
        Wanted::MinAvailable(IntOrString::Int(number)) => (count, i32::try_from(*number).unwrap_or(i32::MAX)),
        Wanted::MinAvailable(share) => (scale, round_up(share, scale)),
        Wanted::MaxUnavailable(share) => (scale, scale.saturating_sub(round_up(share, scale)).max(0)),
    };
    let ends = |pod: &Guarded| pod.disrupted.map(|since| since.plus_seconds(DISRUPTION_TIMEOUT_SECONDS));
    let on_the_way = |pod: &Guarded| ends(pod).filter(|end| !pod.deleting && *end > now);
    let healthy = pods.iter().filter(|pod| !pod.deleting && on_the_way(pod).is_none() && pod.ready).count();
    let healthy = i32::try_from(healthy).unwrap_or(i32::MAX);
    let allowed = healthy.saturating_sub(desired).max(0);
    let disrupted = pods.iter().enumerate().filter(|(_, pod)| on_the_way(pod).is_some());
    BudgetStatus {
        disruptions_allowed: if expected > 0 { allowed } else { 0 },
        current_healthy: healthy,
        desired_healthy: desired,
        expected_pods: expected,
        disrupted: disrupted.map(|(index, _)| index).collect(),
        wake: pods.iter().filter_map(on_the_way).min(),
    }
}

/// A number, or a percentage of `of` rounded up; text that is no percentage counts as 0.
fn round_up(share: &IntOrString, of: i32) -> i32 {
    let product = match share {
        IntOrString::Int(number) => return i32::try_from(*number).unwrap_or(i32::MAX),
        IntOrString::String(text) => {
            let percent: i64 = text.strip_suffix('%').and_then(|text| text.parse().ok()).unwrap_or(0);
            percent.saturating_mul(i64::from(of))
        }
    };
    i32::try_from(product.saturating_add(99) / 100).unwrap_or(i32::MAX)
}

/// A budget over the pod that is to be evicted, as its status stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetView {
    /// `metadata.generation` is observed.
    pub observed: bool,
    /// `status.disruptionsAllowed`.
    pub disruptions_allowed: i32,
    /// `status.currentHealthy`.
    pub current_healthy: i32,
    /// `status.desiredHealthy`.
    pub desired_healthy: i32,
    /// `spec.unhealthyPodEvictionPolicy` is `AlwaysAllow`.
    pub always_allows_unhealthy: bool,
}

/// The pod that is to be evicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// `status.phase`.
    pub phase: PodPhase,
    /// Its `Ready` condition is true.
    pub ready: bool,
    /// It has a deletion timestamp.
    pub deleting: bool,
}

/// The answer to an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The pod is deleted; no budget is charged.
    Delete,
    /// The pod is deleted, the budget has one disruption less, and the pod is entered in its `disruptedPods`.
    DeleteAndCharge,
    /// 429: the budget's status is behind its spec; ask again after [`RETRY_AFTER_SECONDS`].
    NotYetKnown,
    /// 429: no disruption is allowed now.
    Refused,
    /// 500: the pod has more than one budget.
    TooManyBudgets,
}

/// The answer to an eviction of `pod` under the budgets that match it.
#[must_use]
pub fn evict(pod: &Evicted, budgets: &[BudgetView]) -> Answer {
    if pod.phase.is_over() || pod.phase == PodPhase::Pending || pod.deleting {
        return Answer::Delete;
    }
    let budget = match budgets {
        [] => return Answer::Delete,
        [budget] => budget,
        [..] => return Answer::TooManyBudgets,
    };
    let holds = budget.current_healthy >= budget.desired_healthy && budget.desired_healthy > 0;
    if !pod.ready && (budget.always_allows_unhealthy || holds) {
        return Answer::Delete;
    }
    match (budget.observed, budget.disruptions_allowed > 0) {
        (false, _) => Answer::NotYetKnown,
        (true, false) => Answer::Refused,
        (true, true) => Answer::DeleteAndCharge,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_unix_seconds(1_900_000_000 + seconds).unwrap()
    }

    fn guarded(ready: usize, unready: usize) -> Vec<Guarded> {
        let pod = |ready| Guarded { ready, ..Guarded::default() };
        [vec![pod(true); ready], vec![pod(false); unready]].concat()
    }

    fn allowed(wanted: &Wanted, ready: usize, unready: usize, scale: i32) -> (i32, i32) {
        let status = budget(wanted, &guarded(ready, unready), scale, at(0));
        (status.disruptions_allowed, status.desired_healthy)
    }

    fn text(text: &str) -> IntOrString {
        IntOrString::String(text.to_owned())
    }

    #[test]
    fn a_budget_allows_what_is_above_what_is_wanted() {
        let min = Wanted::MinAvailable(IntOrString::Int(2));
        assert_eq!((allowed(&min, 3, 0, 3), allowed(&min, 2, 1, 3)), ((1, 2), (0, 2)));
        let max = Wanted::MaxUnavailable(IntOrString::Int(1));
        assert_eq!((allowed(&max, 3, 0, 3), allowed(&max, 3, 0, 4)), ((1, 2), (0, 3)));
        let share = Wanted::MinAvailable(text("50%"));
        assert_eq!(allowed(&share, 5, 0, 5), (2, 3), "rounded up");
        assert_eq!(allowed(&Wanted::MaxUnavailable(text("30%")), 5, 0, 5), (2, 3), "rounded up, too");
        assert_eq!(allowed(&min, 0, 0, 0), (0, 2), "nothing is there to be disrupted");
    }

    #[test]
    fn an_eviction_counts_until_it_shows_or_runs_out() {
        let mut pods = guarded(3, 0);
        pods.iter_mut().take(1).for_each(|pod| pod.disrupted = Some(at(0)));
        let max = Wanted::MaxUnavailable(IntOrString::Int(1));
        let soon = budget(&max, &pods, 3, at(10));
        assert_eq!((soon.disruptions_allowed, soon.current_healthy, soon.disrupted), (0, 2, vec![0]));
        assert_eq!(soon.wake, Some(at(120)));
        assert_eq!(budget(&max, &pods, 3, at(121)).disruptions_allowed, 1);
    }

    #[test]
    fn evictions_ask_the_budget_only_for_pods_that_serve() {
        let pod = Evicted { phase: PodPhase::Running, ready: true, deleting: false };
        let view =
            BudgetView { observed: true, current_healthy: 2, desired_healthy: 2, ..BudgetView::default() };
        let open = BudgetView { disruptions_allowed: 1, current_healthy: 3, ..view };
        assert_eq!(evict(&pod, &[]), Answer::Delete);
        assert_eq!(evict(&pod, &[open]), Answer::DeleteAndCharge);
        assert_eq!(evict(&pod, &[view]), Answer::Refused);
        assert_eq!(evict(&pod, &[BudgetView { observed: false, ..open }]), Answer::NotYetKnown);
        assert_eq!(evict(&pod, &[open, view]), Answer::TooManyBudgets);
        assert_eq!(evict(&Evicted { phase: PodPhase::Pending, ..pod }, &[view]), Answer::Delete);
        let broken = Evicted { ready: false, ..pod };
        assert_eq!(evict(&broken, &[view]), Answer::Delete, "the budget holds without it");
        let short = BudgetView { current_healthy: 1, ..view };
        assert_eq!(evict(&broken, &[short]), Answer::Refused);
        assert_eq!(evict(&broken, &[BudgetView { always_allows_unhealthy: true, ..short }]), Answer::Delete);
    }
}
