//! How long an update takes, and how much of that it waits for people. `[status.duration]`

use super::pass::Pass;
use super::{pause, services, status, steps};
use crds::Time;
use crds::rollout::RolloutStatus;
use crds::rollout::status::DurationStatus;

const PROMOTED: &str = "Promoted";
const FAST_PROMOTED: &str = "FastPromoted";
const ABORTED: &str = "Aborted";
const ROLLED_BACK: &str = "RolledBack";
const FAST_ROLLED_BACK: &str = "FastRolledBack";
/// Never recorded: the update that comes instead has the place. Metrics name it.
const SUPERSEDED: &str = "Superseded";

/// What a promotion in this pass is called.
pub(super) fn promotion_of(pass: &Pass<'_>) -> &'static str {
    if pass.old.promote_full { FAST_PROMOTED } else { PROMOTED }
}

/// Brings the record up to date: an update begins, waits for people, is decided, and is over once that is carried out.
pub(super) fn record(pass: &Pass<'_>, status: &mut RolloutStatus) {
    let now = pass.now.whole_seconds();
    let mut record = status.duration.take().unwrap_or_default();
    let back = goes_back(pass, &record);
    let begun = back.is_none() && begins(pass, status, &record);
    if begun {
        record = DurationStatus { rollout_started_at: Some(now), ..DurationStatus::default() };
    }
    if record.rollout_started_at.is_none() {
        // Begun under a controller that does not measure: there is nothing to count from.
        status.duration = Some(record).filter(|record| *record != DurationStatus::default());
        return;
    }
    if back.is_some() {
        record.completion_status = back.map(str::to_owned);
    } else if let Some(outcome) = outcome(pass, status, begun).filter(|_| is_open(&record)) {
        record.completion_status = Some(outcome.to_owned());
    } else if status.abort && record.finished_at.is_none() && is_slow(&record) {
        // A way back that is given up, too.
        record.completion_status = Some(ABORTED.to_owned());
    }
    count_pause(&mut record, now, waits_for_people(pass, status));
    if record.finished_at.is_none() && is_carried_out(pass, status, &record) {
        record.finished_at = Some(now);
    }
    status.duration = Some(record);
}

/// How an update that is not over goes back with this pass, if it does: to the stable version or one that is older. What
/// is carried out at once is fast; anything else goes by the steps.
fn goes_back(pass: &Pass<'_>, record: &DurationStatus) -> Option<&'static str> {
    let (new, stable) = pass.new.zip(pass.stable)?;
    let is_older = new.hash() == pass.old.stable_rs || new.created < stable.created;
    let is_under_way = record.rollout_started_at.is_some() && record.finished_at.is_none();
    (is_older && is_under_way && status::has_changed(pass) && !pass.old.stable_rs.is_empty())
        .then(|| if services::is_fast_rollback(pass) { FAST_ROLLED_BACK } else { ROLLED_BACK })
}

/// It goes back by the steps.
fn is_slow(record: &DurationStatus) -> bool {
    record.completion_status.as_deref() == Some(ROLLED_BACK)
}

/// The first deploy, another template or other steps, or a new try after an abort. The way back to the stable version
/// is not an update of its own.
fn begins(pass: &Pass<'_>, status: &RolloutStatus, record: &DurationStatus) -> bool {
    let first = pass.old.stable_rs.is_empty() && record.rollout_started_at.is_none();
    let again = record.completion_status.as_deref() == Some(ABORTED) && !status.abort;
    let to_another = pass.new.is_some_and(|new| new.hash() != pass.old.stable_rs);
    first || (to_another && (again || status::has_changed(pass)))
}

/// What this pass decides about the update, if anything.
fn outcome(pass: &Pass<'_>, status: &RolloutStatus, begun: bool) -> Option<&'static str> {
    if status.abort {
        return Some(ABORTED);
    }
    // A first deploy is stable from its first pass on, and is counted as promoted from the second.
    let first = begun && pass.old.stable_rs.is_empty();
    pass.promoted.filter(|_| !first)
}

/// Nothing is decided about the update yet.
fn is_open(record: &DurationStatus) -> bool {
    record.completion_status.is_none()
}

/// An abort is over at once, everything else when the version is stable and all its pods are available.
fn is_carried_out(pass: &Pass<'_>, status: &RolloutStatus, record: &DurationStatus) -> bool {
    let is_stable = status.stable_rs == status.current_pod_hash;
    match record.completion_status.as_deref() {
        None => false,
        Some(ABORTED) => true,
        Some(_) => is_stable && pass.new.is_some_and(|new| new.counts.available >= pass.replicas),
    }
}

/// Adds a wait for people that has ended, and notes the beginning of one. What ends an update ends its waits, too.
///
/// Example: paused from 10:00:05 to 10:00:12 after 3 seconds of earlier pauses: 10 seconds in all.
fn count_pause(record: &mut DurationStatus, now: Time, waits: bool) {
    let waits = waits && (is_open(record) || (is_slow(record) && record.finished_at.is_none()));
    match record.manual_pause_started_at {
        None if waits => record.manual_pause_started_at = Some(now),
        Some(since) if !waits => {
            let before = record.total_manual_pause_duration_seconds.unwrap_or(0);
            record.total_manual_pause_duration_seconds = Some(before.saturating_add(seconds(since, now)));
            record.manual_pause_started_at = None;
        }
        None | Some(_) => {}
    }
}

/// The Rollout is frozen, or holds at something that only a person ends: a pause with a length is none.
fn waits_for_people(pass: &Pass<'_>, status: &RolloutStatus) -> bool {
    let has = |reason| pause::get(status, reason).is_some();
    let step = steps::current(pass, status).and_then(|step| step.pause.as_ref());
    let endless = step.is_some_and(|pause| steps::duration_seconds(pause).is_none());
    let by_hand =
        pass.blue_green().is_some_and(|blue_green| blue_green.auto_promotion_enabled == Some(false));
    pass.is_frozen()
        || has(pause::INCONCLUSIVE_ANALYSIS)
        || (has(pause::CANARY_PAUSE_STEP) && endless)
        || (has(pause::BLUE_GREEN_PAUSE) && by_hand)
}

fn seconds(from: Time, to: Time) -> i64 {
    i64::try_from(from.until(to).as_secs()).unwrap_or(i64::MAX)
}

/// An update that is over, as metrics count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How: one of a closed set of words, `Superseded` when another update has taken its place.
    pub status: &'static str,
    /// Seconds from its beginning to its end.
    pub seconds: i64,
    /// How many of them it waited for people.
    pub paused_seconds: i64,
}

/// The update that ends with the step from one recorded status to the next, if any does.
#[must_use]
pub fn ended(before: &RolloutStatus, after: &RolloutStatus) -> Option<Ended> {
    let (old, new) =
        (before.duration.clone().unwrap_or_default(), after.duration.clone().unwrap_or_default());
    let (started, finished) = (new.rollout_started_at?, new.finished_at);
    if let Some(finished) =
        finished.filter(|_| old.finished_at.is_none() || old.rollout_started_at != Some(started))
    {
        let known = [PROMOTED, FAST_PROMOTED, ABORTED, ROLLED_BACK, FAST_ROLLED_BACK];
        let status = new.completion_status.as_deref()?;
        let status = known.into_iter().find(|known| *known == status)?;
        return Some(sum_up(status, started, finished, &new));
    }
    let unfinished = old.rollout_started_at.filter(|began| *began != started && old.finished_at.is_none())?;
    let mut old = old;
    old.completion_status = Some(SUPERSEDED.to_owned());
    count_pause(&mut old, started, false);
    Some(sum_up(SUPERSEDED, unfinished, started, &old))
}

fn sum_up(status: &'static str, from: Time, to: Time, record: &DurationStatus) -> Ended {
    let seconds = seconds(from, to);
    let paused_seconds = record.total_manual_pause_duration_seconds.unwrap_or(0).clamp(0, seconds);
    Ended { status, seconds, paused_seconds }
}
