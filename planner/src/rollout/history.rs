//! How many old ReplicaSets are kept. `[history]`

use super::pass::{Pass, target};
use crate::Write;
use crate::defect;
use crds::defaults;

/// Deletes ReplicaSets of old versions beyond the limit, oldest first; one that still has pods stays, and so does one
/// that a Service still selects.
pub(super) fn replica_sets(pass: &mut Pass<'_>) {
    let limit = usize::try_from(defaults::revision_history_limit(&pass.world.rollout)).unwrap_or(0);
    let mut others = pass.others();
    others.sort_by_key(|set| (set.created, set.revision()));
    if defect!(NewestGoFirst) {
        others.reverse();
    }
    let many = others.len().saturating_sub(limit) + usize::from(defect!(OneTooManyGoes));
    for set in others.into_iter().take(many) {
        let is_selected = pass.world.services.values().any(|service| service.hash() == set.hash());
        let goes =
            !is_selected && set.replicas == 0 && set.counts.replicas == 0 && set.counts.generation_observed;
        if !goes && !defect!(DeletesTheLive) {
            continue;
        }
        let write = Write::DeleteReplicaSet { target: target(set) };
        pass.write(write, format!("ReplicaSet {} is beyond the history limit of {limit}", set.name));
    }
}
