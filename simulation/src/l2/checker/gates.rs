//! S5, S6, S7: no step, no analysis and no promotion is passed by.

use super::{Checker, Verb, world};
use crate::l2::look::Look;
use crds::{GoDuration, Time};
use serde_json::Value;
use std::time::Duration;

/// Times of a status have whole seconds.
pub(super) const ROUNDING: Duration = Duration::from_secs(1);

pub(super) fn pause_seconds(step: &Value) -> Option<Duration> {
    match step.pointer("/pause/duration")? {
        Value::Number(number) => number.as_u64().map(Duration::from_secs),
        Value::String(text) => match text.parse::<u64>() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => GoDuration::parse(text).ok()?.to_std(),
        },
        _ => None,
    }
}

/// Since when the Rollout stands at the pause of a step.
pub(super) fn paused_since(web: Look<'_>) -> Option<Time> {
    let conditions = web.0.pointer("/status/pauseConditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .filter(|condition| world::text(condition, "/reason") == "CanaryPauseStep")
        .find_map(|condition| Time::parse(world::text(condition, "/startTime")))
}

fn is_bad(phase: &str) -> bool {
    matches!(phase, "Failed" | "Error" | "Inconclusive")
}

impl Checker {
    /// A controller wrote the Rollout.
    pub(super) fn rollout_written(&mut self, before: Option<&Value>, after: Option<&Value>, now: Time) {
        let (Some(before), Some(after)) = (before, after) else { return };
        let (old, new) = (Look(before), Look(after));
        self.spec_is_untouched(before, after, now);
        self.records_go_on(old, new, now);
        self.error_names_its_object(new, now);
        // Other steps are another way: it begins anew.
        let same_steps = old.text("/status/currentStepHash") == new.text("/status/currentStepHash");
        let same_version = !old.current().is_empty() && old.current() == new.current() && same_steps;
        let free = new.current() == new.stable() || old.flag("/status/promoteFull") || new.is_aborted();
        if same_version
            && !free
            && let (Some(from), Some(to)) = (old.step(), new.step())
        {
            self.steps_passed(old, from, to, now);
        }
        if !old.stable().is_empty() && old.stable() != new.stable() {
            self.stable_changes(old, new, now);
        }
    }

    fn steps_passed(&mut self, old: Look<'_>, from: i64, to: i64, now: Time) {
        let steps = old.steps().to_vec();
        // Fewer steps than before: the index points at what the old list no longer has.
        if to < from && !self.crosses(now, |_| true) {
            self.fail("S10", now, format!("the step goes back from {from} to {to}"));
            return;
        }
        for index in from..to {
            let Some(step) = usize::try_from(index).ok().and_then(|index| steps.get(index)) else { return };
            if step.get("pause").is_some() {
                self.pause_passed(old, step, index, index == from, now);
            }
            if step.get("analysis").is_some() {
                self.analysis_passed(old.current(), index, now);
            }
        }
    }

    /// S5: a pause is over by time, or by a person's hand.
    fn pause_passed(&mut self, old: Look<'_>, step: &Value, index: i64, stood_there: bool, now: Time) {
        let lifted = old.flag("/status/controllerPause") && !old.has_pause();
        if stood_there && lifted {
            return;
        }
        let over = match (pause_seconds(step), paused_since(old)) {
            (Some(length), Some(since)) => since.plus(length) <= self.its_time(now).plus(ROUNDING),
            _ => false,
        };
        if !(stood_there && over) {
            self.fail("S5", now, format!("the pause at step {index} is passed by"));
        }
    }

    /// S5, S6: an analysis step is passed by its own successful run only.
    fn analysis_passed(&mut self, hash: &str, index: i64, now: Time) {
        let own = index.to_string();
        let runs: Vec<&world::Run> =
            self.world.runs_of(hash, "Step").filter(|run| run.role.1 == own).collect();
        let failed = runs.iter().any(|run| matches!(run.phase.as_str(), "Failed" | "Error"));
        let passed = runs.iter().any(|run| run.phase == "Successful");
        let retried = self.verbs.iter().any(|(_, verb)| *verb == Verb::Retry);
        if !passed || (failed && !retried) {
            let phases: Vec<&str> = runs.iter().map(|run| run.phase.as_str()).collect();
            self.fail("S6", now, format!("the analysis at step {index} is passed by with runs {phases:?}"));
        }
    }

    /// S7: the stable version changes when all steps are done and the new one is there.
    fn stable_changes(&mut self, old: Look<'_>, new: Look<'_>, now: Time) {
        let hash = new.stable().to_owned();
        let full = old.flag("/status/promoteFull") || self.crosses(now, |verb| verb == Verb::PromoteFull);
        let canary = old.0.pointer("/spec/strategy/canary").is_some();
        let steps = i64::try_from(old.steps().len()).unwrap_or(0);
        if hash != new.current() {
            self.fail("S7", now, format!("{hash} becomes stable and is not the newest version"));
        }
        let at = new.step().or(old.step()).unwrap_or(steps);
        if canary && !full && at < steps {
            self.fail("S7", now, format!("{hash} becomes stable at step {at} of {steps}"));
        }
        if self.world.set_of(&hash).is_none() {
            self.fail("S7", now, format!("{hash} becomes stable and has no ReplicaSet"));
        }
        let (has, wanted) = (self.world.available(&hash), self.believed_replicas(now));
        if has < wanted && !self.world_took_pods(now) && !full {
            self.fail("S7", now, format!("{hash} becomes stable with {has} of {wanted} available pods"));
        }
        for role in ["Background", "PostPromotion", "PrePromotion"] {
            let bad = |run: &world::Run| is_bad(&run.phase);
            let retried = self.verbs.iter().any(|(_, verb)| *verb == Verb::Retry);
            let excused = full || retried || self.crosses_verdict(now);
            if self.world.runs_of(&hash, role).any(bad) && !excused {
                self.fail("S6", now, format!("{hash} becomes stable against its {role} analysis"));
            }
        }
        let post = old.0.pointer("/spec/strategy/blueGreen/postPromotionAnalysis").is_some();
        let passed = self.world.runs_of(&hash, "PostPromotion").any(|run| run.phase == "Successful");
        if post && !passed && !full {
            self.fail("S6", now, format!("{hash} becomes stable without its analysis after the promotion"));
        }
    }

    /// S6: a blue-green version goes live with its own successful analysis.
    pub(super) fn gate_before_traffic(&mut self, service: &str, hash: &str, now: Time) {
        let web = self.world.look();
        let active = web.text("/spec/strategy/blueGreen/activeService") == service;
        let gated = web.0.pointer("/spec/strategy/blueGreen/prePromotionAnalysis").is_some();
        let full = web.flag("/status/promoteFull") || self.crosses(now, |verb| verb == Verb::PromoteFull);
        let back = hash == web.stable() || web.stable().is_empty();
        if !active || !gated || full || back {
            return;
        }
        let kept = self.world.set_of(hash).is_some_and(|set| !set.deadline.is_empty());
        let passed = self.world.runs_of(hash, "PrePromotion").any(|run| run.phase == "Successful");
        if !passed && !kept {
            self.fail("S6", now, format!("{hash} goes live without its analysis before the promotion"));
        }
    }

    /// S6: a verdict is final, one run lives for each role, none begins before a status names it, and a success has
    /// measured all that it had to.
    pub(super) fn run_changed(&mut self, before: Option<&Value>, after: Option<&Value>, now: Time) {
        let Some(after) = after else { return };
        let new = world::run(after);
        let final_phase = |phase: &str| matches!(phase, "Successful" | "Failed" | "Error" | "Inconclusive");
        if let Some(old) = before.map(world::run)
            && final_phase(&old.phase)
            && old.phase != new.phase
        {
            self.fail("S6", now, format!("a verdict changes from {} to {}", old.phase, new.phase));
        }
        if is_bad(&new.phase) && before.is_none_or(|old| world::run(old).phase != new.phase) {
            self.last_verdict = Some(now);
        }
        let begins = before.is_some_and(|old| world::run(old).phase.is_empty()) && !new.phase.is_empty();
        if begins && !new.ending && new.owner == self.world.uid() {
            let name = world::text(after, "/metadata/name");
            if !self.world.named.contains(name) {
                self.fail("S6", now, format!("{name} begins before any status names it"));
            }
            let alike = |run: &world::Run| {
                (&run.owner, &run.hash, &run.role) == (&new.owner, &new.hash, &new.role)
                    && !run.ending
                    && !run.phase.is_empty()
                    && !final_phase(&run.phase)
            };
            let others = self.world.runs.iter().filter(|(other, _)| *other != name);
            if others.map(|(_, run)| run).any(alike) {
                self.fail("S6", now, format!("a second run begins for {} {:?}", new.hash, new.role));
            }
        }
        let just_passed =
            new.phase == "Successful" && before.is_none_or(|old| world::run(old).phase != "Successful");
        if just_passed && after.pointer("/spec/terminate") != Some(&Value::Bool(true)) {
            self.measured(after, now);
        }
    }

    fn measured(&mut self, run: &Value, now: Time) {
        let metrics = run.pointer("/spec/metrics").and_then(Value::as_array);
        for metric in metrics.into_iter().flatten() {
            let name = world::text(metric, "/name");
            let wanted = match metric.get("count") {
                Some(Value::Number(number)) => number.as_i64().unwrap_or(1),
                Some(Value::String(text)) => text.parse().unwrap_or(1),
                _ => 1,
            };
            let results = run.pointer("/status/metricResults").and_then(Value::as_array);
            let own = results.into_iter().flatten().find(|result| world::text(result, "/name") == name);
            let count = own.and_then(|own| own.get("count")).and_then(Value::as_i64).unwrap_or(0);
            if count < wanted {
                self.fail(
                    "S6",
                    now,
                    format!("{name} was measured {count} of {wanted} times, and the run is successful"),
                );
            }
        }
    }
}
