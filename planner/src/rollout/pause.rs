//! Pauses and aborts: what one pass wants changed, and what becomes of the status. `[pause]` `[abort]`

use crate::defect;
use crds::Time;
use crds::rollout::RolloutStatus;
use crds::rollout::status::PauseCondition;

pub(super) const CANARY_PAUSE_STEP: &str = "CanaryPauseStep";
pub(super) const BLUE_GREEN_PAUSE: &str = "BlueGreenPause";
pub(super) const INCONCLUSIVE_ANALYSIS: &str = "InconclusiveAnalysisRun";

/// Changes of pause and abort that one pass decides.
#[derive(Clone, Debug, Default)]
pub(super) struct PauseChange {
    add: Vec<&'static str>,
    remove: Vec<&'static str>,
    clear: bool,
    abort: Option<String>,
    remove_abort: bool,
}

impl PauseChange {
    pub(super) fn add(&mut self, reason: &'static str) {
        if !self.add.contains(&reason) {
            self.add.push(reason);
        }
    }

    /// Whether that pause stands, or begins in this pass.
    pub(super) fn waits_for(&self, reason: &str, old: &RolloutStatus) -> bool {
        self.add.contains(&reason) || get(old, reason).is_some()
    }

    pub(super) fn has_added(&self) -> bool {
        !self.add.is_empty()
    }

    pub(super) fn remove(&mut self, reason: &'static str) {
        self.remove.push(reason);
    }

    pub(super) fn clear(&mut self) {
        self.clear = true;
    }

    /// Gives the update up; the message says why and may be empty. The first one counts.
    pub(super) fn abort(&mut self, message: impl Into<String>) {
        if self.abort.is_none() {
            self.abort = Some(message.into());
        }
    }

    /// The update is given up in this very pass: what follows from it waits until that is recorded.
    pub(super) fn has_aborted(&self) -> bool {
        self.abort.is_some()
    }

    pub(super) fn remove_abort(&mut self) {
        self.remove_abort = true;
        self.abort = None;
    }

    pub(super) fn abort_message(&self) -> Option<&str> {
        self.abort.as_deref().filter(|message| !message.is_empty())
    }

    pub(super) fn is_aborted(&self, old: &RolloutStatus) -> bool {
        !self.remove_abort && (self.abort.is_some() || old.abort)
    }

    /// Writes abort, pause conditions and controllerPause into `new`. An abort drops every pause, and a full promotion
    /// that was asked for before it: one that is asked for later ends the abort.
    pub(super) fn record(&self, old: &RolloutStatus, new: &mut RolloutStatus, now: Time, keep_resumed: bool) {
        new.abort = self.is_aborted(old);
        new.aborted_at =
            new.abort.then(|| old.aborted_at.filter(|_| old.abort).unwrap_or(now.whole_seconds()));
        new.promote_full &= !new.abort;
        new.controller_pause = false;
        new.pause_conditions = None;
        if (new.abort && !defect!(AbortKeepsPause)) || self.clear {
            return;
        }
        let mut kept: Vec<PauseCondition> = old.pause_conditions.clone().unwrap_or_default();
        kept.retain(|condition| !self.remove.iter().any(|reason| *reason == condition.reason));
        let mut controller_pause = old.controller_pause;
        for reason in &self.add {
            controller_pause = true;
            if defect!(PauseBeginsAgain) {
                kept.retain(|condition| condition.reason != *reason);
            }
            if !kept.iter().any(|condition| condition.reason == *reason) {
                kept.push(PauseCondition { reason: (*reason).to_owned(), start_time: now.whole_seconds() });
            }
        }
        if !kept.is_empty() {
            new.controller_pause = controller_pause;
            new.pause_conditions = Some(kept);
        } else if keep_resumed {
            // A person has resumed, but what the pause guards has not happened yet: it is not paused again.
            new.controller_pause = controller_pause;
        }
    }
}

/// The pause condition with that reason.
pub(super) fn get<'s>(status: &'s RolloutStatus, reason: &str) -> Option<&'s PauseCondition> {
    status.pause_conditions.iter().flatten().find(|condition| condition.reason == reason)
}

/// Whether there is any pause condition.
pub(super) fn any(status: &RolloutStatus) -> bool {
    status.pause_conditions.as_ref().is_some_and(|conditions| !conditions.is_empty())
}
