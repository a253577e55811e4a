//! When a version becomes the stable one. `[promotion]`

use super::pass::Pass;
use super::{pause, rollback, services, status, steps};
use crate::defect;
use crate::traffic::{PING, PONG};
use crate::{ReplicaSet, arithmetic};
use crds::rollout::RolloutStatus;

/// Why the new version is to become the stable one now; `None` when it is not yet time.
pub(super) fn reason(pass: &Pass<'_>, new_status: &RolloutStatus) -> Option<String> {
    let new = pass.new?;
    if let Some(strategy) = pass.blue_green() {
        let active = status::active_of(new_status);
        if pass.old.stable_rs.is_empty() {
            return Some("Initial deploy".to_owned());
        }
        if active != new.hash() || active.is_empty() {
            return None;
        }
        if pass.old.promote_full {
            return Some("Full promotion requested".to_owned());
        }
        // One that was given up is kept for its delay, too: where somebody sends it users again, they are taken back.
        if services::is_fast_rollback(pass) && !pass.is_aborted() {
            return Some("Fast rollback".to_owned());
        }
        if pass.is_aborted() || pass.pause.waits_for(pause::INCONCLUSIVE_ANALYSIS, &pass.old) {
            return None;
        }
        let analysed = strategy.post_promotion_analysis.as_ref().is_none_or(super::analysis::is_empty)
            || super::analysis::is_successful(super::analysis::post_status(new_status));
        return (analysed || defect!(PromotesUnanalysed)).then(|| "Completed blue-green update".to_owned());
    }
    // DIFFERS: Argo Rollouts takes a stable ReplicaSet that it does not find for a first deploy, and promotes at once.
    // It may only not be seen yet, and so the gates hold.
    if pass.old.stable_rs.is_empty() || (defect!(UnseenIsFirst) && pass.stable.is_none()) {
        return Some("Initial deploy".to_owned());
    }
    let aborted = pass.is_aborted() && !defect!(PromotesAborted);
    let unready = !has_enough(pass, new) && !defect!(PromotesUnready);
    if aborted || unready {
        return None;
    }
    if pass.old.promote_full {
        return Some("Full promotion requested".to_owned());
    }
    if rollback::passes_by_steps(pass) {
        return Some("Rollback within window".to_owned());
    }
    // DIFFERS: Argo Rollouts promotes past an analysis beside the steps that could not decide.
    let ignored = defect!(UndecidedIsPromoted) || defect!(PromotesUndecided);
    if pass.pause.waits_for(pause::INCONCLUSIVE_ANALYSIS, &pass.old) && !ignored {
        return None;
    }
    let count = i32::try_from(pass.steps().len()).unwrap_or(i32::MAX);
    let done = new_status.current_step_index.is_none_or(|index| index >= count);
    (done || defect!(PromotesBeforeTheEnd)).then(|| format!("Completed all {count} canary steps"))
}

/// All pods of a canary are available, or as many as its threshold asks for.
fn has_enough(pass: &Pass<'_>, new: &ReplicaSet) -> bool {
    // Pods above its own size are to go.
    let available = pass.world.available(new).min(new.replicas);
    let reaches = |threshold| arithmetic::reaches(threshold, available, pass.replicas);
    new.availability_is_known() && (available >= pass.replicas || steps::threshold(pass).is_some_and(reaches))
}

/// With a pair of Services that take turns, the canary's becomes the stable version's: neither moves.
/// `[canary.ping-pong]`
fn take_turns(pass: &Pass<'_>, status: &mut RolloutStatus) {
    let pair = pass.canary().is_some_and(|canary| canary.ping_pong.is_some());
    if let Some(canary) = status.canary.as_mut().filter(|_| pair) {
        // PARITY: nothing recorded counts as pong.
        let was_ping = canary.stable_ping_pong == PING;
        canary.stable_ping_pong = if was_ping { PONG } else { PING }.to_owned();
    }
}

/// Makes the new version the stable one.
pub(super) fn promote(pass: &mut Pass<'_>, new_status: &mut RolloutStatus, reason: &str) {
    pass.promoted = Some(super::duration::promotion_of(pass));
    pass.pause.clear();
    pass.pause.remove_abort();
    new_status.promote_full = false;
    if let Some(blue_green) = &mut new_status.blue_green {
        blue_green.scale_up_preview_check_point = false;
    }
    let count = i32::try_from(pass.steps().len()).unwrap_or(i32::MAX);
    new_status.current_step_index = (count > 0).then_some(count);
    if new_status.stable_rs != new_status.current_pod_hash {
        take_turns(pass, new_status);
    }
    if new_status.stable_rs != new_status.current_pod_hash {
        new_status.stable_rs = new_status.current_pod_hash.clone();
        let revision = pass.revision;
        let hash = &new_status.current_pod_hash;
        let message = format!("Rollout completed update to revision {revision} ({hash}): {reason}");
        pass.tell("RolloutCompleted", message);
    }
    pass.plan.trail.push(format!("promoted: {reason}"));
}
