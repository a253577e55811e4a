//! Which AnalysisRuns there must be, and what their ends mean for the Rollout. `[analysis.runs]`

mod make;
mod retention;

use super::pass::Pass;
use super::{pause, status, targets};
use crate::defect;
use crate::{AnalysisRunView, Anchor, EventType, Target, Write};
use crds::analysis::AnalysisPhase;
use crds::rollout::RolloutStatus;
use crds::rollout::analysis::RolloutAnalysis;
use crds::rollout::blue_green::BlueGreenStrategy;
use crds::rollout::status::RolloutAnalysisRunStatus;
use crds::validate::{Invalid, InvalidKind};
use std::collections::BTreeMap;

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RunKind {
    Step,
    Background,
    PrePromotion,
    PostPromotion,
}

const KINDS: [RunKind; 4] =
    [RunKind::Step, RunKind::Background, RunKind::PrePromotion, RunKind::PostPromotion];

impl RunKind {
    /// Value of the label `rollout-type`.
    fn label(self) -> &'static str {
        match self {
            Self::Step => "Step",
            Self::Background => "Background",
            Self::PrePromotion => "PrePromotion",
            Self::PostPromotion => "PostPromotion",
        }
    }

    /// How an abort's message begins.
    fn failure(self) -> &'static str {
        match self {
            Self::Step => "Step-based analysis phase error/failed",
            Self::Background => "Background analysis phase error/failed",
            Self::PrePromotion => "Blue/green pre-promotion analysis phase error/failed",
            Self::PostPromotion => "Blue/green post-promotion analysis phase error/failed",
        }
    }
}

/// Runs that are current after this pass; `None` until the pass has come to its analyses.
pub(super) type CurrentRuns = Option<BTreeMap<RunKind, RolloutAnalysisRunStatus>>;

/// An analysis without templates counts as none.
pub(super) fn is_empty(analysis: &RolloutAnalysis) -> bool {
    analysis.templates.as_ref().is_none_or(Vec::is_empty)
}

pub(super) fn is_successful(run: Option<&RolloutAnalysisRunStatus>) -> bool {
    run.is_some_and(|run| run.status == AnalysisPhase::Successful)
}

/// The analysis of the current step has succeeded. The status may still name the run of a step that a person has
/// skipped: that one says nothing of this step.
pub(super) fn step_is_successful(pass: &Pass<'_>, status: &RolloutStatus) -> bool {
    let named = recorded(status, RunKind::Step).filter(|named| is_successful(Some(named)));
    let run = named.and_then(|named| pass.world.analysis_runs.iter().find(|run| run.name == named.name));
    run.is_some_and(|run| belongs_to_step(pass, run))
}

pub(super) fn post_status(status: &RolloutStatus) -> Option<&RolloutAnalysisRunStatus> {
    recorded(status, RunKind::PostPromotion)
}

fn recorded(status: &RolloutStatus, kind: RunKind) -> Option<&RolloutAnalysisRunStatus> {
    let (canary, blue_green) = (status.canary.as_ref(), status.blue_green.as_ref());
    match kind {
        RunKind::Step => canary?.current_step_analysis_run_status.as_ref(),
        RunKind::Background => canary?.current_background_analysis_run_status.as_ref(),
        RunKind::PrePromotion => blue_green?.pre_promotion_analysis_run_status.as_ref(),
        RunKind::PostPromotion => blue_green?.post_promotion_analysis_run_status.as_ref(),
    }
}

/// The run that the recorded status names.
fn current<'w>(pass: &Pass<'w>, kind: RunKind) -> Option<&'w AnalysisRunView> {
    let name = &recorded(&pass.old, kind)?.name;
    pass.world.analysis_runs.iter().find(|run| run.name == *name && !run.deleting)
}

pub(super) fn phase(run: &AnalysisRunView) -> AnalysisPhase {
    run.status.as_ref().map_or(AnalysisPhase::New, |status| status.phase)
}

/// Nothing is analysed: the first deploy, a finished or aborted update, a full promotion, a fast rollback.
fn is_idle(pass: &Pass<'_>) -> bool {
    let stable = pass.old.stable_rs.is_empty() || pass.new.is_none_or(|new| pass.is_stable(new));
    stable || pass.is_aborted() || pass.old.promote_full || super::services::is_fast_rollback(pass)
}

/// Analyses of a canary: that of the step, and the one beside the steps.
pub(super) fn canary(pass: &mut Pass<'_>) {
    let mut runs = BTreeMap::new();
    if !is_idle(pass) {
        let steps = pass.steps();
        let index = status::step_index(pass).and_then(|index| usize::try_from(index).ok());
        let step = index.and_then(|index| steps.get(index));
        let analysis = step.and_then(|step| step.analysis.as_ref()).filter(|analysis| !is_empty(analysis));
        if let Some(analysis) = analysis {
            need(pass, RunKind::Step, analysis, &mut runs);
        }
        if let Some((analysis, start)) = background(pass) {
            let index = pass.old.current_step_index.unwrap_or(0);
            if steps.is_empty() || index >= start || defect!(BackgroundTooEarly) {
                need(pass, RunKind::Background, &analysis, &mut runs);
            }
        }
    }
    settle(pass, runs);
}

/// The analysis beside the steps, and the step at which it starts.
fn background(pass: &Pass<'_>) -> Option<(RolloutAnalysis, i32)> {
    let background = pass.canary()?.analysis.as_ref().filter(|_| !defect!(NoBackground))?;
    let analysis = RolloutAnalysis {
        templates: background.templates.clone(),
        args: background.args.clone(),
        dry_run: background.dry_run.clone(),
        measurement_retention: background.measurement_retention.clone(),
        analysis_run_metadata: background.analysis_run_metadata.clone(),
    };
    (!is_empty(&analysis)).then(|| (analysis, background.starting_step.unwrap_or(0)))
}

/// Whether the analysis beside the steps starts with this one.
pub(super) fn background_begins_at(pass: &Pass<'_>, number: i32) -> bool {
    background(pass).is_some_and(|(_, start)| start == number)
}

/// Analyses of a blue-green update: before the switch and after it. One that has begun goes on when pods flap.
pub(super) fn blue_green(pass: &mut Pass<'_>, strategy: &BlueGreenStrategy) {
    let mut runs = BTreeMap::new();
    if let Some(new) = pass.new.filter(|_| !is_idle(pass)) {
        let active = pass.world.services.get(&strategy.active_service).map_or("", |service| service.hash());
        let (pre, post) = (&strategy.pre_promotion_analysis, &strategy.post_promotion_analysis);
        let begun = |kind| {
            current(pass, kind).is_some_and(|run| !is_used_up(pass, run)) && !defect!(AnalysisNeedsPods)
        };
        let full = status::is_saturated(pass, new)
            || strategy
                .preview_replica_count
                .is_some_and(|count| new.counts.available == count && new.replicas == count);
        let (pre_begun, post_begun) = (begun(RunKind::PrePromotion), begun(RunKind::PostPromotion));
        if active == new.hash() {
            if let Some(kept) = recorded(&pass.old, RunKind::PrePromotion) {
                runs.insert(RunKind::PrePromotion, kept.clone());
            }
            let reached = targets::are_registered(pass, &strategy.active_service);
            if let Some(analysis) = post.as_ref().filter(|analysis| !is_empty(analysis))
                && (post_begun || (reached && status::is_saturated(pass, new)))
            {
                need(pass, RunKind::PostPromotion, analysis, &mut runs);
            }
        } else if let Some(analysis) = pre.as_ref().filter(|analysis| !is_empty(analysis))
            && (pre_begun || full)
        {
            need(pass, RunKind::PrePromotion, analysis, &mut runs);
        }
    }
    settle(pass, runs);
}

/// Whether the switch need not wait for an analysis any more.
pub(super) fn pre_promotion_is_done(pass: &Pass<'_>, strategy: &BlueGreenStrategy) -> bool {
    strategy.pre_promotion_analysis.as_ref().is_none_or(is_empty)
        || current(pass, RunKind::PrePromotion)
            .is_some_and(|run| phase(run) == AnalysisPhase::Successful && !is_used_up(pass, run))
}

/// Makes sure that there is a run, and lets its end speak.
fn need(
    pass: &mut Pass<'_>,
    kind: RunKind,
    analysis: &RolloutAnalysis,
    runs: &mut BTreeMap<RunKind, RolloutAnalysisRunStatus>,
) {
    let run = current(pass, kind)
        .filter(|run| kind != RunKind::Step || belongs_to_step(pass, run) || defect!(RunOfAnotherStep));
    if pause::any(&pass.old) && kind != RunKind::Background {
        // Whoever waits for a person starts nothing; the run that stands is kept as it is.
        if let Some(run) = run {
            runs.insert(kind, as_status(run));
        }
        return;
    }
    let Some(run) =
        run.filter(|run| !(is_used_up(pass, run) || defect!(EndedRunAgain) && phase(run).is_completed()))
    else {
        match make::new_run(pass, kind, analysis) {
            Ok(made) => {
                runs.insert(kind, made);
            }
            Err(why) => {
                let (path, kind) = (path(pass, kind), InvalidKind::Reference);
                pass.unmade = Some(Invalid { path, message: why, kind, missing: None });
            }
        }
        return;
    };
    let message = run.status.as_ref().map_or("", |status| status.message.as_str());
    match phase(run) {
        AnalysisPhase::Inconclusive if !defect!(UndecidedGoesOn) => {
            pass.pause.add(pause::INCONCLUSIVE_ANALYSIS);
        }
        AnalysisPhase::Error if defect!(ErrorIgnored) => {}
        AnalysisPhase::Failed | AnalysisPhase::Error if !defect!(FailureIgnored) => {
            let text = if message.is_empty() { String::new() } else { format!(": {message}") };
            pass.pause.abort(format!("{}{text}", kind.failure()));
        }
        _ => {}
    }
    runs.insert(kind, as_status(run));
}

/// Where an analysis stands in the Rollout.
fn path(pass: &Pass<'_>, kind: RunKind) -> String {
    match kind {
        RunKind::Step => {
            let index = status::step_index(pass).unwrap_or(0);
            format!("spec.strategy.canary.steps[{index}].analysis")
        }
        RunKind::Background => "spec.strategy.canary.analysis".to_owned(),
        RunKind::PrePromotion => "spec.strategy.blueGreen.prePromotionAnalysis".to_owned(),
        RunKind::PostPromotion => "spec.strategy.blueGreen.postPromotionAnalysis".to_owned(),
    }
}

/// A person has gone on after an undecided run, or has retried after an abort: a new run is needed.
fn is_used_up(pass: &Pass<'_>, run: &AnalysisRunView) -> bool {
    let waiting = [pause::CANARY_PAUSE_STEP, pause::BLUE_GREEN_PAUSE, pause::INCONCLUSIVE_ANALYSIS];
    let waiting = waiting.iter().any(|reason| pause::get(&pass.old, reason).is_some());
    // Before a blue-green switch it stays written that a person has gone on: only a verdict that they knew is meant.
    let known = KINDS
        .into_iter()
        .filter_map(|kind| recorded(&pass.old, kind))
        .any(|known| known.name == run.name && known.status == AnalysisPhase::Inconclusive);
    let undecided = phase(run) == AnalysisPhase::Inconclusive && known;
    (pass.old.controller_pause && !waiting && undecided) || pass.old.aborted_at.is_some()
}

/// A step's run belongs to the step whose index is on its label; one of another step has been skipped over.
fn belongs_to_step(pass: &Pass<'_>, run: &AnalysisRunView) -> bool {
    let index = status::step_index(pass).map(|index| index.to_string());
    run.labels.get(crds::meta::STEP_INDEX_LABEL) == index.as_ref()
}

fn as_status(run: &AnalysisRunView) -> RolloutAnalysisRunStatus {
    let message = run.status.as_ref().map_or_else(String::new, |status| status.message.clone());
    RolloutAnalysisRunStatus { name: run.name.clone(), status: phase(run), message }
}

/// Ends every run that is not current, deletes what is beyond the limits, and remembers what is current.
fn settle(pass: &mut Pass<'_>, mut runs: BTreeMap<RunKind, RolloutAnalysisRunStatus>) {
    if pass.is_aborted() {
        runs.retain(|_, run| run.status.is_completed());
    }
    let running: Vec<&AnalysisRunView> = pass
        .world
        .analysis_runs
        .iter()
        .filter(|run| !run.deleting && !phase(run).is_completed() && run.spec.terminate != Some(true))
        .filter(|run| !runs.values().any(|current| current.name == run.name))
        .collect();
    for run in running.into_iter().filter(|_| !defect!(RunsGoOn)) {
        let write = Write::TerminateAnalysisRun { target: target(run) };
        pass.write(write, format!("AnalysisRun {} is not needed any more", run.name));
    }
    retention::delete_old(pass, &runs);
    pass.runs = Some(runs);
}

fn target(run: &AnalysisRunView) -> Target {
    Target { name: run.name.clone(), uid: run.uid.clone(), resource_version: run.resource_version.clone() }
}

/// Puts the current runs of a canary into the status.
pub(super) fn record_canary(pass: &mut Pass<'_>, base: &mut RolloutStatus) {
    let mut runs = current_runs(pass);
    if let Some(canary) = &mut base.canary {
        canary.current_step_analysis_run_status = runs.remove(&RunKind::Step);
        canary.current_background_analysis_run_status = runs.remove(&RunKind::Background);
    }
}

/// Puts the current runs of a blue-green update into the status. Their verdicts stay there until the next version or
/// a retry. `[analysis.runs]`
pub(super) fn record_blue_green(pass: &mut Pass<'_>, base: &mut RolloutStatus) {
    let mut runs = current_runs(pass);
    if (pass.is_aborted() || pass.old.aborted_at.is_none()) && !defect!(AnalysisNeedsPods) {
        for kind in [RunKind::PrePromotion, RunKind::PostPromotion] {
            let seen = current(pass, kind).map(as_status).or_else(|| recorded(&pass.old, kind).cloned());
            if let Some(seen) = seen {
                runs.entry(kind).or_insert(seen);
            }
        }
    }
    if let Some(blue_green) = &mut base.blue_green {
        blue_green.pre_promotion_analysis_run_status = runs.remove(&RunKind::PrePromotion);
        blue_green.post_promotion_analysis_run_status = runs.remove(&RunKind::PostPromotion);
    }
}

/// The pass ended before its analyses: what was recorded stays, seen as the run stands now. But a retry, or the end of
/// the wait for a person, is recorded in this pass: the next one would take the verdict that it is about for a new one.
fn kept(pass: &Pass<'_>, kind: RunKind) -> Option<RolloutAnalysisRunStatus> {
    let run = current(pass, kind);
    let used_up = run.map_or(pass.old.aborted_at.is_some(), |run| is_used_up(pass, run));
    if used_up && !pass.is_aborted() {
        return None;
    }
    // That nothing is decided is recorded with the pause that follows from it.
    let is_new = |run: &&AnalysisRunView| phase(run) != AnalysisPhase::Inconclusive;
    run.filter(is_new).map(as_status).or_else(|| recorded(&pass.old, kind).cloned())
}

/// The current runs, told about where their phase is new.
fn current_runs(pass: &mut Pass<'_>) -> BTreeMap<RunKind, RolloutAnalysisRunStatus> {
    let runs = pass
        .runs
        .clone()
        .unwrap_or_else(|| KINDS.into_iter().filter_map(|kind| Some((kind, kept(pass, kind)?))).collect());
    for (kind, run) in &runs {
        let before = recorded(&pass.old, *kind).filter(|before| before.name == run.name);
        let before = before.map_or(AnalysisPhase::New, |before| before.status);
        if run.status != before && run.status != AnalysisPhase::New {
            tell(pass, *kind, run, before);
        }
    }
    runs
}

fn tell(pass: &mut Pass<'_>, kind: RunKind, run: &RolloutAnalysisRunStatus, before: AnalysisPhase) {
    let (event_type, reason) = match run.status {
        AnalysisPhase::Failed => (EventType::Warning, "AnalysisRunFailed"),
        AnalysisPhase::Error => (EventType::Warning, "AnalysisRunError"),
        AnalysisPhase::Inconclusive => (EventType::Normal, "AnalysisRunInconclusive"),
        AnalysisPhase::Successful => (EventType::Normal, "AnalysisRunSuccessful"),
        AnalysisPhase::Running => (EventType::Normal, "AnalysisRunRunning"),
        AnalysisPhase::New | AnalysisPhase::Pending => (EventType::Normal, "AnalysisRunPending"),
    };
    let (label, name, now) = (kind.label(), &run.name, run.status);
    let message = format!("{label} Analysis Run '{name}' Status New: '{now}' Previous: '{before}'");
    pass.notice(Anchor::Status, event_type, reason, message);
}
