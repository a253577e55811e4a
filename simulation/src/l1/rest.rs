//! The end of a run: inputs and faults stop, and the Rollout comes to rest.

use super::ends;
use super::invariants::Fault;
use super::turns::{Simulation, Step};
use crds::Time;

/// Virtual time to come to rest: longer than any deadline, pause and delay that a run may have, one after the other.
const SETTLE_SECONDS: i64 = 3_600;
/// Virtual time that is given before it is judged, and in which pods that fail for ever show that they do.
const WATCH_SECONDS: i64 = 1_800;
/// Virtual time at rest, in which nothing is written.
const REST_SECONDS: i64 = 3_600;
/// How often everything is looked at again meanwhile.
const RESYNCS: i64 = 3;
/// Most turns for both; a Rollout that is at rest needs few.
const TURNS_MAX: u64 = 60_000;

/// V1: a phase that people can do something with, for good. V2: nothing is written while nothing changes.
pub(super) fn come_to_rest(run: &mut Simulation) -> Step {
    run.tell(|_| "rest   inputs and faults stop".to_owned());
    (run.knobs.crash, run.knobs.lost_answers) = (0, 0);
    run.controller.dirty = true;
    let end = run.cluster.now.plus_seconds(SETTLE_SECONDS);
    let limit = run.summary.turns.saturating_add(TURNS_MAX);
    live_until(run, end, limit)?;
    let before = run.losses;
    live_until(run, run.cluster.now.plus_seconds(WATCH_SECONDS), limit)?;
    if run.losses != before {
        run.reach("pods fail for ever");
        return Ok(());
    }
    let status = run.cluster.rollout.status.clone().unwrap_or_default();
    if !["Healthy", "Paused", "Degraded"].contains(&status.phase.as_str()) {
        let what = format!("after an hour and a half of peace it is {}: {}", status.phase, status.message);
        return Err(run.violation(Fault { invariant: "V1", what }));
    }
    run.reach(match status.phase.as_str() {
        "Healthy" => "ends Healthy",
        "Paused" => "ends Paused",
        _ => "ends Degraded",
    });
    let fault = ends::at_rest(&run.cluster);
    run.check(fault)?;
    let (writes, losses) = (run.summary.writes, run.losses);
    for _ in 0..RESYNCS {
        live_until(run, run.cluster.now.plus_seconds(REST_SECONDS / RESYNCS), limit)?;
        // Everything is looked at again from time to time: that, too, changes nothing.
        run.controller.dirty = true;
    }
    live_until(run, run.cluster.now.plus_seconds(1), limit)?;
    let written = run.summary.writes.saturating_sub(writes);
    let after = run.cluster.rollout.status.clone().unwrap_or_default();
    if written > 0 && run.losses == losses {
        let text = |status| serde_json::to_string(status).unwrap_or_default();
        let what = format!(
            "{written} writes in {REST_SECONDS} s in which nothing changed; the status was {} and is {}",
            text(&status),
            text(&after)
        );
        return Err(run.violation(Fault { invariant: "V2", what }));
    }
    if after.phase != status.phase && run.losses == losses {
        let what = format!("it was {}, and is {} without a reason", status.phase, after.phase);
        return Err(run.violation(Fault { invariant: "V1", what }));
    }
    Ok(())
}

/// Everybody does what there is to do, and only then time goes on.
fn live_until(run: &mut Simulation, end: Time, limit: u64) -> Step {
    loop {
        if run.summary.turns >= limit {
            let what = format!("{TURNS_MAX} turns and no rest");
            return Err(run.violation(Fault { invariant: "V2", what }));
        }
        if let Some(actor) = run.someone(0) {
            run.turn(actor)?;
            continue;
        }
        match run.next_moment().filter(|next| *next < end) {
            Some(next) => run.cluster.now = next,
            None => {
                run.cluster.now = end;
                return Ok(());
            }
        }
    }
}
