//! The way back to a version that has been in production not long ago. `[rollback]`

use super::pass::Pass;
use crate::ReplicaSet;
use crds::meta;

/// The update goes back to a version that is older than the stable one, with fewer than `rollbackWindow.revisions` other
/// versions made between the two. By the times at which the ReplicaSets were made: a revision is numbered anew with
/// each rollback.
///
/// Example: versions 1 to 4, 4 is stable. With a window of 2, 3 and 2 are within it, 1 is not.
pub(super) fn is_within_window(pass: &Pass<'_>) -> bool {
    let window = pass.world.rollout.spec.rollback_window.as_ref();
    let revisions = window.and_then(|window| window.revisions).unwrap_or(0);
    let (Some(new), Some(stable)) = (pass.new, pass.stable) else { return false };
    let is_between = |set: &&&ReplicaSet| {
        set.created > new.created
            && set.created < stable.created
            && !set.annotations.contains_key(meta::EXPERIMENT_NAME_ANNOTATION)
    };
    let between = pass.all.iter().filter(is_between).count();
    new.created < stable.created && usize::try_from(revisions).is_ok_and(|revisions| between < revisions)
}

/// Steps, pauses and analyses do not count: the way back is within the window, and nobody has aborted it.
///
/// DIFFERS: Argo Rollouts takes every abort of it back, and a version that is broken can only be left by another
/// template.
pub(super) fn passes_by_steps(pass: &Pass<'_>) -> bool {
    is_within_window(pass) && !pass.is_aborted()
}
