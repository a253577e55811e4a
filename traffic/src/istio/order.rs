//! Which is written first when weights and versions change together.
//!
//! Weights are in VirtualServices, versions in a DestinationRule: between the two writes, one half is new and the other
//! old. That state must not send more to a version than it gets before or after.

use planner::traffic::{Intent, ObservedTraffic};
use std::collections::BTreeMap;

/// Whether the DestinationRule is written before the VirtualServices.
///
/// Examples: at a promotion the stable subset must select the new version before it gets all traffic; when an update is
/// replaced by another, the canary subset must have no traffic before it selects pods that are not there yet.
///
/// DIFFERS: Argo Rollouts writes the rule first unless the canary has no pods.
pub(super) fn rule_goes_first(observed: &ObservedTraffic, intent: &Intent) -> bool {
    let Some((canary, stable)) = &observed.subsets else { return true };
    if planner::defect!(RuleAlwaysLast) {
        return false;
    }
    let wanted = ObservedTraffic { splits: vec![intent.split()], ..ObservedTraffic::default() };
    let weights = |traffic: &ObservedTraffic| (traffic.canary(intent.total), traffic.stable(intent.total));
    let (old_hashes, old_weights) = ((canary.as_str(), stable.as_str()), weights(observed));
    let (new_hashes, new_weights) =
        ((intent.canary.hash.as_str(), intent.stable.hash.as_str()), weights(&wanted));
    let (before, after) = (shares(old_hashes, old_weights), shares(new_hashes, new_weights));
    let excess = |between: &BTreeMap<&str, i32>| excess(between, &before, &after);
    excess(&shares(new_hashes, old_weights)) <= excess(&shares(old_hashes, new_weights))
}

/// What each version gets.
fn shares<'a>(hashes: (&'a str, &'a str), weights: (i32, i32)) -> BTreeMap<&'a str, i32> {
    let mut shares = BTreeMap::from([(hashes.0, weights.0)]);
    let stable = shares.entry(hashes.1).or_default();
    *stable = stable.saturating_add(weights.1);
    shares
}

/// How much more versions get than both before and after.
fn excess(between: &BTreeMap<&str, i32>, before: &BTreeMap<&str, i32>, after: &BTreeMap<&str, i32>) -> i32 {
    let share = |shares: &BTreeMap<&str, i32>, hash: &str| shares.get(hash).copied().unwrap_or(0);
    let more = |(hash, weight): (&&str, &i32)| {
        weight.saturating_sub(share(before, hash).max(share(after, hash))).max(0)
    };
    between.iter().map(more).fold(0, i32::saturating_add)
}
