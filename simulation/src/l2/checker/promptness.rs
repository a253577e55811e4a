//! V4, V7, V8: what people ask for takes effect soon; what is wrong is told, and no longer than it is wrong.

use super::{Checker, world};
use crate::l2::look::Look;
use crds::Time;
use sandbox::Call;
use serde_json::Value;
use std::time::Duration;

/// A person's wish takes effect within this time when nothing has gone wrong in the whole run.
const SOON: Duration = Duration::from_secs(3);
/// The same after the last thing that went wrong: a lease that has to run out (15 s), a refusal that is remembered
/// (20 s), a request that is given up after 10 s.
const SOON_AFTER_TROUBLE: Duration = Duration::from_secs(50);
/// A kind of write that is refused for so long has to be told in the status.
const UNTOLD_MAX: Duration = Duration::from_secs(60);

/// What is waited for, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    rule: &'static str,
    what: &'static str,
    since: Time,
}

/// What people have written and no pass has taken note of, as the Rollout itself shows; `None` when there is nothing.
fn unheard(web: Look<'_>) -> Option<&'static str> {
    if web.0.is_null() || web.0.pointer("/metadata/deletionTimestamp").is_some() {
        return None;
    }
    if !web.is_observed() {
        return Some("the newest spec is not observed");
    }
    if is_invalid(web) || web.flag("/spec/paused") {
        return None;
    }
    let aborted_at = web.0.pointer("/status/abortedAt").is_some_and(|at| !at.is_null());
    if web.is_aborted() && !aborted_at {
        return Some("an abort is not recorded");
    }
    if !web.is_aborted() && aborted_at {
        return Some("a retry is not recorded");
    }
    let lifted = web.flag("/status/controllerPause") && !web.has_pause();
    let step = web.step().and_then(|step| usize::try_from(step).ok()).and_then(|step| web.steps().get(step));
    if lifted && step.is_some_and(|step| step.get("pause").is_some()) {
        return Some("a pause was lifted and is not passed");
    }
    let count = i64::try_from(web.steps().len()).unwrap_or(0);
    if web.flag("/status/promoteFull") && web.step().is_some_and(|step| step < count) {
        return Some("a full promotion is not begun");
    }
    None
}

fn condition<'v>(web: Look<'v>, kind: &str) -> Option<&'v Value> {
    let conditions = web.0.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().find(|condition| world::text(condition, "/type") == kind)
}

fn is_invalid(web: Look<'_>) -> bool {
    condition(web, "InvalidSpec").is_some_and(|condition| world::text(condition, "/status") == "True")
}

/// The name in quotes of an object that a message says is not found.
fn not_found(message: &str) -> Option<&str> {
    let before = message.split(" not found").next().filter(|before| before.len() < message.len())?;
    before.trim_end_matches(['"', '\'']).rsplit(['"', '\'']).next()
}

impl Checker {
    /// Looked at every half second; nothing has gone wrong since `calm`, and `troubled` says whether anything ever has.
    pub(in crate::l2) fn tick(&mut self, now: Time, calm: Time, troubled: bool) {
        let found = self.overdue(now);
        let still = |waiting: &Waiting| found == Some((waiting.rule, waiting.what));
        let known = self.waiting.take().filter(still);
        let waiting = known.or(found.map(|(rule, what)| Waiting { rule, what, since: now }));
        self.waiting.clone_from(&waiting);
        if let Some(Waiting { rule, what, since }) = waiting {
            let bound = if troubled { SOON_AFTER_TROUBLE } else { SOON };
            if since.max(calm).plus(bound) < now {
                self.fail(rule, now, format!("{what} since {since}, and nothing is wrong since {calm}"));
            }
        }
        self.refusals_are_told(now);
    }

    fn overdue(&self, now: Time) -> Option<(&'static str, &'static str)> {
        let web = self.world.look();
        unheard(web)
            .or_else(|| {
                self.pause_is_over(web, now).then_some("the time of a pause is over and it is not passed")
            })
            .map(|what| ("V4", what))
            .or_else(|| {
                self.is_mended(web).then_some(("V7", "what is wrong is mended, and InvalidSpec stays"))
            })
    }

    /// The time of the pause at which the Rollout stands is over, whosever clock tells it.
    fn pause_is_over(&self, web: Look<'_>, now: Time) -> bool {
        if is_invalid(web) || web.flag("/spec/paused") || web.is_aborted() {
            return false;
        }
        let step = web.step().and_then(|step| usize::try_from(step).ok());
        let length = step.and_then(|step| web.steps().get(step)).and_then(super::gates::pause_seconds);
        length.zip(super::gates::paused_since(web)).is_some_and(|(length, since)| {
            since.plus(length).plus(super::gates::ROUNDING).plus(self.clocks.spread()) < now
        })
    }

    /// V7: the status calls the Rollout invalid for a reason that is no more.
    fn is_mended(&self, web: Look<'_>) -> bool {
        if web.0.is_null() || !web.is_observed() || !is_invalid(web) {
            return false;
        }
        let message =
            condition(web, "InvalidSpec").map_or("", |condition| world::text(condition, "/message"));
        let Some(name) = not_found(message) else {
            let parsed = serde_json::from_value::<crds::Rollout>(web.0.clone());
            return parsed.is_ok_and(|rollout| {
                crds::validate::rollout_spec(&rollout).is_ok()
                    && crds::validate::not_built(&rollout).is_none()
                    && !message.contains("spec.")
            });
        };
        self.world.services.contains_key(name) || self.world.templates.contains(name)
    }

    /// V7: an invalid Rollout is told what is wrong, and where.
    pub(super) fn error_names_its_object(&mut self, new: Look<'_>, now: Time) {
        let Some(condition) = condition(new, "InvalidSpec").filter(|_| is_invalid(new)) else { return };
        let message = world::text(condition, "/message");
        let name = world::text(new.0, "/metadata/name");
        if !message.contains("spec.") || !message.contains(name) {
            self.fail("V7", now, format!("the message does not say where the mistake is: {message:?}"));
        }
    }

    /// V8: how a write of a kind went. `done` when it was carried out.
    pub(super) fn write_went(&mut self, call: &Call, code: u16, now: Time) {
        let kind = match call.resource.as_str() {
            "replicasets" => "replicasets",
            "services" => "services",
            "analysisruns" => "analysisruns",
            _ => return,
        };
        match code {
            0..400 => {
                self.refused.remove(kind);
            }
            // Another world than the plan was made for: it is made anew.
            404 | 409 => {}
            _ => {
                self.refused.entry(kind).or_insert((now, now)).1 = now;
            }
        }
    }

    fn refusals_are_told(&mut self, now: Time) {
        let lasting = |(_, (first, last)): &(&&'static str, &(Time, Time))| first.plus(UNTOLD_MAX) < *last;
        let Some((kind, (since, _))) = self.refused.iter().find(lasting).map(|(kind, times)| (*kind, *times))
        else {
            return;
        };
        let web = self.world.look();
        let told = ["ReplicaFailure", "InvalidSpec"].iter().any(|kind| condition(web, kind).is_some())
            || condition(web, "Progressing").is_some_and(|one| world::text(one, "/status") == "False")
            || web.text("/status/phase") == "Degraded";
        if !told && !web.0.is_null() {
            let status = web.0.get("status").map(Value::to_string).unwrap_or_default();
            self.fail(
                "V8",
                now,
                format!("writes of {kind} are refused since {since}, and the status says nothing: {status}"),
            );
        }
    }
}
