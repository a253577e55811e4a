//! Rules about what is waited for.

use crate::{Plan, World};
use crds::analysis::AnalysisPhase;
use crds::rollout::RolloutStatus;
use crds::rollout::canary::{CanaryStep, RolloutPause};
use crds::{Time, defaults};

const CANARY_PAUSE_STEP: &str = "CanaryPauseStep";

fn steps(world: &World) -> &[CanaryStep] {
    let strategy = world.rollout.spec.strategy.as_ref();
    strategy.and_then(|strategy| strategy.canary.as_ref()?.steps.as_deref()).unwrap_or_default()
}

fn seconds(pause: &RolloutPause) -> Option<i64> {
    defaults::pause_duration_seconds(pause).ok().flatten()
}

fn paused_since(status: &RolloutStatus) -> Option<Time> {
    let mut conditions = status.pause_conditions.iter().flatten();
    conditions.find(|condition| condition.reason == CANARY_PAUSE_STEP).map(|condition| condition.start_time)
}

/// A canary goes past a pause only when its time is over or a person has resumed it, and past an analysis only when
/// a run has succeeded; a new template, a rollback and a full promotion pass by all of them.
pub(super) fn no_skipped_gate(world: &World, plan: &Plan, now: Time) -> Option<String> {
    let (old, new) = (world.rollout.status.as_ref()?, plan.status.as_ref()?);
    let same = old.current_pod_hash == new.current_pod_hash && old.current_step_hash == new.current_step_hash;
    let guarded =
        same && !old.promote_full && !old.stable_rs.is_empty() && old.stable_rs != new.current_pod_hash;
    if !guarded {
        return None;
    }
    let from = usize::try_from(old.current_step_index?).ok()?;
    let to = usize::try_from(new.current_step_index?).ok()?;
    let passed = steps(world).iter().enumerate().take(to).skip(from);
    passed.into_iter().find_map(|(index, step)| {
        let open = match (&step.pause, &step.analysis) {
            (Some(pause), _) => match paused_since(old) {
                Some(since) => seconds(pause).is_some_and(|length| now >= since.plus_seconds(length)),
                None => index == from && old.controller_pause,
            },
            (None, Some(_)) => world.analysis_runs.iter().any(|run| {
                run.status.as_ref().is_some_and(|status| status.phase == AnalysisPhase::Successful)
            }),
            (None, None) => true,
        };
        (!open).then(|| format!("step {index} is passed by, though nothing has opened it"))
    })
}

/// A plan that changes nothing, in a timed pause, says when to look again.
pub(super) fn wake_is_present(world: &World, plan: &Plan, now: Time) -> Option<String> {
    let status = plan.status.as_ref()?;
    let quiet = plan.writes.is_empty() && world.rollout.status.as_ref() == Some(status);
    let invalid = status.conditions.iter().flatten().any(|condition| condition.kind == "InvalidSpec");
    if !quiet || invalid || status.abort || world.rollout.spec.paused == Some(true) {
        return None;
    }
    let step = steps(world).get(usize::try_from(status.current_step_index?).ok()?)?;
    let due = paused_since(status)?.plus_seconds(seconds(step.pause.as_ref()?)?);
    let woken = plan.wake.as_ref().is_some_and(|wake| wake.at <= due.max(now));
    (!woken).then(|| format!("the pause ends at {due}, but nobody looks then"))
}
