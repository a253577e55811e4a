//! Rules about what is waited for.

use crate::{Owner, Plan, ReplicaSet, World, Write};
use crds::analysis::AnalysisPhase;
use crds::rollout::RolloutStatus;
use crds::rollout::blue_green::BlueGreenStrategy;
use crds::rollout::canary::{CanaryStep, RolloutPause};
use crds::{Time, defaults, meta};

const CANARY_PAUSE_STEP: &str = "CanaryPauseStep";
const BLUE_GREEN_PAUSE: &str = "BlueGreenPause";
const INCONCLUSIVE_ANALYSIS: &str = "InconclusiveAnalysisRun";

fn steps(world: &World) -> &[CanaryStep] {
    let strategy = world.rollout.spec.strategy.as_ref();
    strategy.and_then(|strategy| strategy.canary.as_ref()?.steps.as_deref()).unwrap_or_default()
}

fn seconds(pause: &RolloutPause) -> Option<i64> {
    defaults::pause_duration_seconds(pause).ok().flatten()
}

fn paused_since(status: &RolloutStatus, reason: &str) -> Option<Time> {
    let mut conditions = status.pause_conditions.iter().flatten();
    conditions.find(|condition| condition.reason == reason).map(|condition| condition.start_time)
}

/// A canary goes past a pause only when its time is over or a person has resumed it, and past an analysis only when
/// a run has succeeded; a new template, a rollback and a full promotion pass by all of them. A blue-green version gets
/// the active Service only with a successful run of its own (argoproj/argo-rollouts#4728) and a promotion before it.
/// While an undecided run waits for a person nothing is promoted (argoproj/argo-rollouts#3850).
pub(super) fn no_skipped_gate(world: &World, plan: &Plan, now: Time) -> Option<String> {
    skipped_step(world, plan, now)
        .or_else(|| skipped_promotion_gate(world, plan, now))
        .or_else(|| undecided_promotion(world, plan))
}

fn undecided_promotion(world: &World, plan: &Plan) -> Option<String> {
    let (old, new) = (world.rollout.status.as_ref()?, plan.status.as_ref()?);
    let promoted = !old.stable_rs.is_empty() && old.stable_rs != new.stable_rs && !old.promote_full;
    // Other steps begin anew.
    let same = old.current_step_hash == new.current_step_hash;
    let undecided = same && paused_since(old, INCONCLUSIVE_ANALYSIS).is_some();
    (promoted && undecided).then(|| format!("{} is promoted though an analysis is undecided", new.stable_rs))
}

fn skipped_promotion_gate(world: &World, plan: &Plan, now: Time) -> Option<String> {
    let blue_green = world.rollout.spec.strategy.as_ref()?.blue_green.as_ref()?;
    let old = world.rollout.status.as_ref()?;
    let selected = world.services.get(&blue_green.active_service).map_or("", |service| service.hash());
    // A write that leaves the Service as it is only asks whether it is as it was seen.
    let switched_to = plan.writes.iter().find_map(|planned| match &planned.write {
        Write::SelectService { target, hash: Some(hash), .. }
            if target.name == blue_green.active_service && hash != selected =>
        {
            Some(hash)
        }
        _ => None,
    })?;
    let new = plan.status.as_ref().map_or(old.current_pod_hash.as_str(), |status| &status.current_pod_hash);
    // The way back to the stable version, and the first version of all, have no gate: until then everybody is served.
    if old.stable_rs.is_empty() || *switched_to == old.stable_rs || switched_to != new || old.promote_full {
        return None;
    }
    // Within its delay, an old version of a rollback has passed its gates before.
    let is_kept = |set: &ReplicaSet| set.scale_down_deadline().is_some_and(|end| now < end);
    if is_in_rollback_window(world, old, switched_to) {
        return None;
    }
    if world.replica_sets.iter().any(|set| set.hash() == switched_to && is_kept(set)) {
        return None;
    }
    let service = &blue_green.active_service;
    if !has_succeeded(world, blue_green, switched_to) {
        return Some(format!("{service} is switched to {switched_to}, whose analysis has not succeeded"));
    }
    let waits = !is_promoted(blue_green, old, now);
    waits.then(|| format!("{service} is switched to {switched_to}, whose promotion is still waited for"))
}

/// The version of that hash is one that a rollback may go to at once.
fn is_in_rollback_window(world: &World, old: &RolloutStatus, hash: &str) -> bool {
    let made = |hash: &str| {
        let set = world.replica_sets.iter().find(|set| set.owner == Owner::Ours && set.hash() == hash);
        set.map(|set| set.created)
    };
    let (Some(target), Some(stable)) = (made(hash), made(&old.stable_rs)) else { return false };
    let ours = world.replica_sets.iter().filter(|set| set.owner == Owner::Ours && !set.deleting);
    let between = ours.filter(|set| set.created > target && set.created < stable).count();
    let window = world.rollout.spec.rollback_window.as_ref().and_then(|window| window.revisions);
    target < stable && usize::try_from(window.unwrap_or(0)).is_ok_and(|window| between < window)
}

/// The analysis before the switch has succeeded, or there is none.
fn has_succeeded(world: &World, blue_green: &BlueGreenStrategy, hash: &String) -> bool {
    let analysis = blue_green.pre_promotion_analysis.as_ref();
    analysis.is_none_or(|analysis| analysis.templates.as_ref().is_none_or(Vec::is_empty))
        || world.analysis_runs.iter().any(|run| {
            run.labels.get(meta::POD_TEMPLATE_HASH_LABEL) == Some(hash)
                && run.labels.get(meta::ROLLOUT_TYPE_LABEL).map(String::as_str) == Some("PrePromotion")
                && run.status.as_ref().is_some_and(|status| status.phase == AnalysisPhase::Successful)
        })
}

/// The pause before the switch has been ended by a person or by its time, or there is none.
fn is_promoted(blue_green: &BlueGreenStrategy, old: &RolloutStatus, now: Time) -> bool {
    let since = paused_since(old, BLUE_GREEN_PAUSE);
    let seconds = i64::from(blue_green.auto_promotion_seconds.unwrap_or(0));
    let timed_out = blue_green.auto_promotion_enabled != Some(false)
        && (seconds == 0 || since.is_some_and(|since| now >= since.plus_seconds(seconds)));
    let checkpoint = old.blue_green.as_ref().is_some_and(|seen| seen.scale_up_preview_check_point);
    timed_out || checkpoint || (old.controller_pause && since.is_none())
}

fn skipped_step(world: &World, plan: &Plan, now: Time) -> Option<String> {
    let (old, new) = (world.rollout.status.as_ref()?, plan.status.as_ref()?);
    let same = old.current_pod_hash == new.current_pod_hash && old.current_step_hash == new.current_step_hash;
    let guarded =
        same && !old.promote_full && !old.stable_rs.is_empty() && old.stable_rs != new.current_pod_hash;
    if !guarded || is_in_rollback_window(world, old, &new.current_pod_hash) {
        return None;
    }
    let from = usize::try_from(old.current_step_index?).ok()?;
    let to = usize::try_from(new.current_step_index?).ok()?;
    let passed = steps(world).iter().enumerate().take(to).skip(from);
    passed.into_iter().find_map(|(index, step)| {
        let open = match (&step.pause, &step.analysis) {
            (Some(pause), _) => match paused_since(old, CANARY_PAUSE_STEP) {
                Some(since) => seconds(pause).is_some_and(|length| now >= since.plus_seconds(length)),
                // One without a length begins and ends in the same plan.
                None => (index == from && old.controller_pause) || seconds(pause) == Some(0),
            },
            (None, Some(analysis)) if analysis.templates.as_ref().is_none_or(Vec::is_empty) => true,
            (None, Some(_)) => world.analysis_runs.iter().any(|run| {
                run.status.as_ref().is_some_and(|status| status.phase == AnalysisPhase::Successful)
            }),
            (None, None) => true,
        };
        (!open).then(|| format!("step {index} is passed by, though nothing has opened it"))
    })
}

/// An abort that somebody has asked for since the last look is recorded, unless another version has come up or this one
/// is the stable one meanwhile (argoproj/argo-rollouts#4461).
pub(super) fn no_ignored_abort(world: &World, plan: &Plan) -> Option<String> {
    let (old, new) = (world.rollout.status.as_ref()?, plan.status.as_ref()?);
    let asked = old.abort && old.aborted_at.is_none() && !old.stable_rs.is_empty();
    let same = old.current_pod_hash == new.current_pod_hash && old.current_step_hash == new.current_step_hash;
    let ignored = asked && same && new.stable_rs != new.current_pod_hash && !new.abort;
    ignored.then(|| "the abort that was asked for is dropped".to_owned())
}

/// A plan that changes nothing, while something is timed, says when to look again: at the end of a pause step, of the
/// pause before an automatic promotion, and of the delay for which an old version is kept.
pub(super) fn wake_is_present(world: &World, plan: &Plan, now: Time) -> Option<String> {
    let status = plan.status.as_ref()?;
    let quiet = plan.writes.is_empty() && world.rollout.status.as_ref() == Some(status);
    let invalid = status.conditions.iter().flatten().any(|condition| condition.kind == "InvalidSpec");
    if !quiet || invalid || world.rollout.spec.paused == Some(true) {
        return None;
    }
    // Nothing is scaled while an undecided analysis waits for a person.
    let halted = paused_since(status, INCONCLUSIVE_ANALYSIS).is_some();
    let pauses = if status.abort {
        [None, None]
    } else {
        [step_end(world, status), promotion_time(world, status, now)]
    };
    let strategy = world.rollout.spec.strategy.as_ref().and_then(|strategy| strategy.blue_green.as_ref());
    let active = strategy.and_then(|strategy| world.services.get(&strategy.active_service));
    // What is active stays, whatever was written on it before.
    let goes =
        |set: &&ReplicaSet| set.replicas > 0 && active.is_none_or(|active| active.hash() != set.hash());
    let delays = world.replica_sets.iter().filter(goes).filter_map(|set| {
        let end = set.scale_down_deadline()?;
        // One that has passed is another rule's matter: it may wait for the limit of old versions.
        (end > now && !halted && strategy.is_some()).then_some(("the delay of an old version", end))
    });
    let (what, due) = pauses.into_iter().flatten().chain(delays).min_by_key(|(_, due)| *due)?;
    let woken = plan.wake.as_ref().is_some_and(|wake| wake.at <= due.max(now));
    (!woken).then(|| format!("{what} ends at {due}, but nobody looks then"))
}

fn step_end(world: &World, status: &RolloutStatus) -> Option<(&'static str, Time)> {
    let step = steps(world).get(usize::try_from(status.current_step_index?).ok()?)?;
    let due = paused_since(status, CANARY_PAUSE_STEP)?.plus_seconds(seconds(step.pause.as_ref()?)?);
    Some(("the pause", due))
}

/// Once the time has passed, the promotion waits for pods, and they report themselves.
fn promotion_time(world: &World, status: &RolloutStatus, now: Time) -> Option<(&'static str, Time)> {
    let blue_green = world.rollout.spec.strategy.as_ref()?.blue_green.as_ref()?;
    let wait = blue_green.auto_promotion_seconds.filter(|seconds| *seconds > 0)?;
    if blue_green.auto_promotion_enabled == Some(false) {
        return None; // a person promotes, whatever the seconds say
    }
    let due = paused_since(status, BLUE_GREEN_PAUSE)?.plus_seconds(i64::from(wait));
    (due > now).then_some(("the wait for the automatic promotion", due))
}
