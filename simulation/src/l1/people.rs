//! What people do to a Rollout, as the kubectl plugin, an autoscaler or an editor would.

use super::controller::revision;
use super::turns::Simulation;
use super::wishes;
use crds::analysis::AnalysisPhase;
use crds::rollout::canary::CanaryStep;
use crds::rollout::{RolloutSpec, RolloutStatus};
use planner::Owner;

/// What somebody does.
#[derive(Clone, Copy, Debug)]
enum Verb {
    SetTemplate,
    BackToStable,
    Promote,
    PromoteFull,
    Abort,
    Retry,
    Freeze,
    Scale,
    Restart,
    EditSteps,
    Annotate,
    Touch,
    Undo,
    DeleteSet,
    ResetService,
    Rewrite,
}

const VERBS: [Verb; 16] = [
    Verb::SetTemplate,
    Verb::BackToStable,
    Verb::Promote,
    Verb::PromoteFull,
    Verb::Abort,
    Verb::Retry,
    Verb::Freeze,
    Verb::Scale,
    Verb::Restart,
    Verb::EditSteps,
    Verb::Annotate,
    Verb::Touch,
    Verb::Undo,
    Verb::DeleteSet,
    Verb::ResetService,
    Verb::Rewrite,
];

/// What people do in a hurry, just as something has happened.
const HASTY: [Verb; 7] = [
    Verb::SetTemplate,
    Verb::Undo,
    Verb::Promote,
    Verb::Promote,
    Verb::Abort,
    Verb::Retry,
    Verb::PromoteFull,
];

/// Somebody does something at once.
pub(super) fn meddle(run: &mut Simulation) {
    if let Some(verb) = run.rng.choice(&HASTY).copied() {
        carry_out(run, verb);
    }
}

/// Somebody does something, of what is done in this run at all.
pub(super) fn act(run: &mut Simulation) {
    let index = run.rng.usize(0..VERBS.len());
    let allowed = u32::try_from(index)
        .is_ok_and(|bit| run.knobs.verbs.checked_shr(bit).is_some_and(|bits| bits & 1 == 1));
    if let Some(verb) = VERBS.get(index).copied().filter(|_| allowed) {
        carry_out(run, verb);
    }
}

fn carry_out(run: &mut Simulation, verb: Verb) {
    match verb {
        Verb::SetTemplate => {
            let version = run.rng.usize(0..run.templates.len().max(1));
            set_template(run, version);
        }
        Verb::BackToStable => {
            let status = run.cluster.rollout.status.as_ref();
            let stable = status.and_then(|status| run.cluster.set_of(&status.stable_rs));
            if let Some(version) = stable.map(|set| set.version) {
                set_template(run, version);
            }
        }
        Verb::Promote => promote(run),
        Verb::PromoteFull => patch(run, "promote --full", |status| status.promote_full = true),
        Verb::Abort => patch(run, "abort", |status| status.abort = true),
        Verb::Retry => {
            let recorded = run.cluster.rollout.status.as_ref().and_then(|status| status.aborted_at);
            patch(run, "retry", |status| status.abort = false);
            if recorded.is_some() {
                run.cluster.retried = run.cluster.revision;
            }
        }
        Verb::Freeze => {
            let frozen = run.cluster.rollout.spec.paused == Some(true);
            run.cluster.change_rollout(true, |rollout| rollout.spec.paused = Some(!frozen));
            run.tell(|_| format!("people {}", if frozen { "unpause" } else { "pause" }));
        }
        Verb::Scale => {
            let replicas = run.rng.i32(0..=5);
            if run.cluster.rollout.spec.replicas != Some(replicas) {
                run.cluster.change_rollout(true, |rollout| rollout.spec.replicas = Some(replicas));
                run.tell(|_| format!("people scale to {replicas}"));
            }
        }
        Verb::Restart => {
            // Now, or some time later.
            let later = if run.rng.u8(..3) == 0 { run.rng.i64(1..120) } else { 0 };
            let at = run.cluster.now.whole_seconds().plus_seconds(later);
            run.cluster.change_rollout(true, |rollout| rollout.spec.restart_at = Some(at));
            run.tell(|_| "people restart".to_owned());
        }
        Verb::EditSteps => edit_steps(run),
        Verb::Annotate => {
            let version = run.cluster.revision.to_string();
            run.cluster.change_rollout(false, |rollout| {
                let annotations = rollout.metadata.annotations.get_or_insert_default();
                annotations.insert("team".to_owned(), version);
            });
            run.tell(|_| "people annotate the Rollout".to_owned());
        }
        Verb::Touch => touch(run),
        Verb::Undo => undo(run),
        Verb::DeleteSet => delete_set(run),
        Verb::ResetService => {
            let name = if run.rng.bool() { "main" } else { "next" };
            run.cluster.reset_service(name);
            run.reach("a Service loses its hash");
            run.tell(|_| format!("people take the hash out of Service {name}"));
        }
        Verb::Rewrite => rewrite(run),
    }
}

fn set_template(run: &mut Simulation, version: usize) {
    let template = run.templates.get(version).cloned();
    if run.cluster.rollout.spec.template == template {
        return;
    }
    run.cluster.change_rollout(true, |rollout| rollout.spec.template = template);
    run.reach("a new template");
    run.tell(|_| format!("people set template {}", version.saturating_add(1)));
}

fn patch(run: &mut Simulation, what: &'static str, change: impl FnOnce(&mut RolloutStatus)) {
    run.cluster.change_rollout(false, |rollout| change(rollout.status.get_or_insert_default()));
    run.reach(what);
    run.tell(|_| format!("people {what}"));
}

/// `promote`: goes on after a pause, or else to the next step.
fn promote(run: &mut Simulation) {
    if run.cluster.rollout.spec.paused == Some(true) {
        run.cluster.change_rollout(true, |rollout| rollout.spec.paused = Some(false));
    }
    let canary = run.cluster.rollout.spec.strategy.as_ref().is_some_and(|strategy| strategy.canary.is_some());
    let status = run.cluster.rollout.status.clone().unwrap_or_default();
    let step = status.canary.as_ref().and_then(|canary| canary.current_step_analysis_run_status.as_ref());
    let undecided = step.is_some_and(|step| step.status == AnalysisPhase::Inconclusive);
    let next = status.current_step_index.unwrap_or(0).saturating_add(1);
    let skips = canary && (undecided || status.pause_conditions.is_none());
    patch(run, "promote", |status| {
        status.pause_conditions = None;
        if undecided {
            status.controller_pause = false;
        }
        if skips {
            status.current_step_index = Some(next);
        }
    });
}

fn edit_steps(run: &mut Simulation) {
    let steps: Option<Vec<CanaryStep>> = serde_json::from_value(wishes::steps(&mut run.rng)).ok();
    let canary = run.cluster.rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    if canary.is_none_or(|canary| canary.steps == steps) {
        return;
    }
    run.cluster.change_rollout(true, |rollout| {
        let strategy = rollout.spec.strategy.as_mut();
        if let Some(canary) = strategy.and_then(|strategy| strategy.canary.as_mut()) {
            canary.steps = steps;
        }
    });
    run.reach("steps are edited");
    run.tell(|run| format!("people edit steps {:?}", run.cluster.rollout.spec.strategy));
}

/// `undo`: the version before the newest one.
fn undo(run: &mut Simulation) {
    let current = run.cluster.rollout.status.as_ref().map_or("", |status| status.current_pod_hash.as_str());
    let others =
        run.cluster.sets.iter().filter(|set| set.view.owner == Owner::Ours && set.view.hash() != current);
    let before = others.max_by_key(|set| revision(Some(&set.view.annotations)));
    if let Some(version) = before.map(|set| set.version) {
        run.reach("undo");
        set_template(run, version);
    }
}

/// Somebody deletes a ReplicaSet of ours.
fn delete_set(run: &mut Simulation) {
    let ours = run.cluster.sets.iter().enumerate().filter(|(_, set)| set.view.owner == Owner::Ours);
    let ours: Vec<usize> = ours.map(|(index, _)| index).collect();
    let Some(index) = run.rng.choice(&ours).copied() else { return };
    run.cluster.take_set(index);
    run.losses = run.losses.saturating_add(1);
    run.reach("a ReplicaSet is deleted");
    run.tell(|run| format!("people delete ReplicaSet {:?}", run.cluster.taken.last()));
}

/// Somebody applies another manifest: another strategy, or other options.
fn rewrite(run: &mut Simulation) {
    let template = run.cluster.rollout.spec.template.as_ref().map(|template| template.0.clone());
    let spec = wishes::spec(&mut run.rng, template.as_ref());
    let Ok(mut spec) = serde_json::from_value::<RolloutSpec>(spec) else { return };
    let old = run.cluster.rollout.spec.clone();
    (spec.replicas, spec.paused, spec.restart_at) = (old.replicas, old.paused, old.restart_at);
    if run.rng.bool() {
        // Of the same strategy, as far as both have one.
        let (now, then) = (old.strategy.unwrap_or_default(), spec.strategy.clone().unwrap_or_default());
        if now.canary.is_some() != then.canary.is_some() {
            return;
        }
    }
    run.cluster.change_rollout(true, |rollout| rollout.spec = spec);
    run.reach("another manifest is applied");
    run.tell(|run| {
        format!("people apply {}", serde_json::to_string(&run.cluster.rollout.spec).unwrap_or_default())
    });
}

/// Somebody writes to an object of ours something that does not matter: its version is another one then.
fn touch(run: &mut Simulation) {
    let count = run.cluster.sets.len();
    if count > 0 {
        let index = run.rng.usize(0..count);
        let name = run.cluster.sets.get(index).map(|set| set.view.name.clone()).unwrap_or_default();
        run.cluster.change_set(&name, |_| {});
        run.tell(|_| format!("people touch {name}"));
    }
}
