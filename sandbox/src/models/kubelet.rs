//! A pod's life: scheduled, pulled, started, ready, crashed, stopped, as a state machine in virtual time.
//!
//! A pod has one process here; what a pod with several containers shows is made of this one life. Whoever calls
//! decides how it behaves ([`Behaviour`]) and may ask it to stop ([`PodLife::deletion`]); everything else follows
//! from time. A step may span many events: each gets the time at which it happens, not that of the step.

mod behaviour;
#[cfg(test)]
mod tests;

pub use behaviour::{Behaviour, Exit, Process, Pull, Readiness, RestartPolicy, Scheduling};

use super::pod::PodPhase;
use crds::Time;
use std::time::Duration;

/// First wait before a crashed container or a failed pull is tried again; it doubles with each further failure.
pub const BACK_OFF_FIRST: Duration = Duration::from_secs(10);
/// Longest such wait.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(300);
/// A process that has run for so long begins again with the shortest wait.
pub const BACK_OFF_RESET: Duration = Duration::from_secs(600);
/// How long a failed pull shows as such before it shows as waiting for the next try.
const PULL_ERROR_SHOWN: Duration = Duration::from_secs(1);
/// Most events in one step; the step asks to be called again at once when there are more.
const EVENTS_MAX: usize = 64;
/// Exit code of a process that ends because it was asked to.
const EXIT_TERMINATED: i32 = 143;
/// Exit code of a process that was killed.
const EXIT_KILLED: i32 = 137;

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waits for a node.
    Unscheduled,
    /// On a node since then; its image is being pulled.
    Pulling {
        /// Since when.
        since: Time,
        /// Pulls that have failed.
        failures: u32,
    },
    /// The pull has failed: `ErrImagePull`, then `ImagePullBackOff` until the next try.
    PullFailed {
        /// When.
        since: Time,
        /// Pulls that have failed.
        failures: u32,
        /// Shown as waiting for the next try.
        waits: bool,
    },
    /// Its process runs.
    Running {
        /// Since when.
        since: Time,
        /// Crashes one after the other before this start.
        crashes: u32,
    },
    /// `CrashLoopBackOff`.
    BackOff {
        /// When the process ended.
        since: Time,
        /// Crashes one after the other.
        crashes: u32,
    },
    /// The process ended and is not started again.
    Finished {
        /// When.
        at: Time,
        /// How.
        exit: Exit,
    },
    /// It was deleted, and nothing of it is left on its node.
    Gone {
        /// When.
        at: Time,
        /// How its process ended; `None` when it had not started.
        exit: Option<Exit>,
    },
}

/// What the readiness gates of a pod say; others write their conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gates {
    /// It has none.
    #[default]
    Absent,
    /// At least one is not true.
    Closed,
    /// All have been true since then.
    Open(Time),
}

/// A request to delete a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// When it was asked for.
    pub at: Time,
    /// `deletionGracePeriodSeconds`: how long the process may take to end.
    pub grace: Duration,
}

/// A container that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When it had started.
    pub started: Time,
    /// When it ended.
    pub at: Time,
    /// How.
    pub exit: Exit,
}

/// All that is known of a pod's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodLife {
    /// When it was made.
    pub created: Time,
    /// When it got its node.
    pub scheduled: Option<Time>,
    /// Where it is.
    pub stage: Stage,
    /// Restarts of its container.
    pub restarts: u32,
    /// The container before the present one.
    pub last: Option<Ended>,
    /// Since when its container is ready; `None` while it is not.
    pub container_ready: Option<Time>,
    /// Since when its container is not ready, and so its `Ready` condition is false.
    pub unready: Time,
    /// Its readiness gates: written by the caller.
    pub gates: Gates,
    /// The request to delete it: written by the caller.
    pub deletion: Option<Deletion>,
}

impl PodLife {
    /// A pod that was made at `now`.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self {
            created: now,
            scheduled: None,
            stage: Stage::Unscheduled,
            restarts: 0,
            last: None,
            container_ready: None,
            unready: now,
            gates: Gates::Absent,
            deletion: None,
        }
    }

    /// `status.phase`.
    #[must_use]
    pub fn phase(&self) -> PodPhase {
        match self.stage {
            Stage::Unscheduled | Stage::Pulling { .. } | Stage::PullFailed { .. } => PodPhase::Pending,
            Stage::Running { .. } | Stage::BackOff { .. } => PodPhase::Running,
            Stage::Finished { exit: Exit::Completed, .. }
            | Stage::Gone { exit: Some(Exit::Completed), .. } => PodPhase::Succeeded,
            Stage::Finished { .. } | Stage::Gone { .. } => PodPhase::Failed,
        }
    }

    /// Since when the `Ready` condition is true: container and gates together; `None` while it is not.
    #[must_use]
    pub fn ready_since(&self) -> Option<Time> {
        match self.gates {
            Gates::Absent => self.container_ready,
            Gates::Closed => None,
            Gates::Open(since) => self.container_ready.map(|ready| ready.max(since)),
        }
    }

    /// `reason` of the container's `waiting` state; `None` when it does not wait.
    #[must_use]
    pub fn waiting_reason(&self) -> Option<&'static str> {
        match self.stage {
            Stage::Pulling { failures: 0, .. } => Some("ContainerCreating"),
            Stage::PullFailed { waits: false, .. } => Some("ErrImagePull"),
            Stage::Pulling { .. } | Stage::PullFailed { .. } => Some("ImagePullBackOff"),
            Stage::BackOff { .. } => Some("CrashLoopBackOff"),
            Stage::Unscheduled | Stage::Running { .. } | Stage::Finished { .. } | Stage::Gone { .. } => None,
        }
    }

    /// It has an address: it was on a node and its sandbox came up with the first pull.
    #[must_use]
    pub fn has_address(&self) -> bool {
        self.scheduled.is_some() && !matches!(self.stage, Stage::Gone { .. })
    }

    /// Nothing of it is left: the object may go.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone { .. })
    }
}

/// Lives until `now`. The second value is when the next event is due, if time alone brings one.
#[must_use]
pub fn step(pod: &PodLife, behaviour: &Behaviour, now: Time) -> (PodLife, Option<Time>) {
    let mut life = *pod;
    for _ in 0..EVENTS_MAX {
        let Some((at, event)) = next(&life, behaviour) else { return (life, None) };
        if at > now {
            return (life, Some(at));
        }
        happen(&mut life, behaviour, at, event);
    }
    (life, Some(now))
}

/// What happens next to a pod.
#[derive(Clone, Copy, Debug)]
enum Event {
    Scheduled,
    Pulled,
    PullFails,
    PullWaits,
    PullAgain,
    Ends(Exit),
    Restarts,
    BecomesReady,
    BecomesUnready,
    Stopped,
}

/// The next event and when it is due. Of several at one time, an end comes before a change of readiness.
fn next(life: &PodLife, behaviour: &Behaviour) -> Option<(Time, Event)> {
    let own = match life.stage {
        Stage::Unscheduled => match behaviour.scheduling {
            Scheduling::After(wait) => Some((life.created.plus(wait), Event::Scheduled)),
            Scheduling::Never => None,
        },
        Stage::Pulling { since, .. } => Some(match behaviour.pull {
            Pull::Takes(time) => (since.plus(time), Event::Pulled),
            Pull::Fails(time) => (since.plus(time), Event::PullFails),
        }),
        Stage::PullFailed { since, waits: false, .. } => {
            Some((since.plus(PULL_ERROR_SHOWN), Event::PullWaits))
        }
        Stage::PullFailed { since, failures, .. } => Some((since.plus(back_off(failures)), Event::PullAgain)),
        Stage::Running { since, .. } => running(life, behaviour, since),
        Stage::BackOff { since, crashes } => Some((since.plus(restart_wait(crashes)), Event::Restarts)),
        Stage::Finished { .. } | Stage::Gone { .. } => None,
    };
    let stop = stops_at(life, behaviour).map(|at| (at, Event::Stopped));
    match (own, stop) {
        (Some(own), Some(stop)) => {
            // A pod that is to go starts nothing new, but what was due before that has happened.
            let before = life.deletion.is_some_and(|deletion| own.0 < deletion.at);
            let goes_on = matches!(own.1, Event::Ends(_) | Event::BecomesReady | Event::BecomesUnready);
            Some(if before || (goes_on && own.0 < stop.0) { own } else { stop })
        }
        (own, stop) => own.or(stop),
    }
}

fn running(life: &PodLife, behaviour: &Behaviour, since: Time) -> Option<(Time, Event)> {
    let end = match behaviour.process {
        Process::Runs => None,
        Process::Exits { after, exit } => Some((since.plus(after), Event::Ends(exit))),
    };
    let ready = life.container_ready;
    let change = behaviour
        .readiness
        .next_change(since, ready, life.unready)
        .map(|at| (at, if ready.is_some() { Event::BecomesUnready } else { Event::BecomesReady }));
    match (end, change) {
        (Some(end), Some(change)) if change.0 < end.0 => Some(change),
        (end, change) => end.or(change),
    }
}

/// When a pod that is to go has ended; `None` while nobody wants it to go, and once it is gone.
fn stops_at(life: &PodLife, behaviour: &Behaviour) -> Option<Time> {
    let deletion = life.deletion?;
    match life.stage {
        Stage::Gone { .. } => None,
        Stage::Running { since, .. } => Some(deletion.at.max(since).plus(behaviour.stop.min(deletion.grace))),
        Stage::Finished { at, .. } => Some(deletion.at.max(at)),
        Stage::Unscheduled | Stage::Pulling { .. } | Stage::PullFailed { .. } | Stage::BackOff { .. } => {
            Some(deletion.at)
        }
    }
}

fn happen(life: &mut PodLife, behaviour: &Behaviour, at: Time, event: Event) {
    let failures = match life.stage {
        Stage::Pulling { failures, .. } | Stage::PullFailed { failures, .. } => failures,
        _ => 0,
    };
    match event {
        Event::Scheduled => {
            life.scheduled = Some(at);
            life.stage = Stage::Pulling { since: at, failures };
        }
        Event::Pulled => start(life, behaviour, at, 0),
        Event::PullFails => {
            life.stage = Stage::PullFailed { since: at, failures: failures.saturating_add(1), waits: false };
        }
        Event::PullWaits => {
            let since = match life.stage {
                Stage::PullFailed { since, .. } => since,
                _ => at,
            };
            life.stage = Stage::PullFailed { since, failures, waits: true };
        }
        Event::PullAgain => life.stage = Stage::Pulling { since: at, failures },
        Event::Ends(exit) => end(life, behaviour, at, exit),
        Event::Restarts => {
            let crashes = match life.stage {
                Stage::BackOff { crashes, .. } => crashes,
                _ => 0,
            };
            life.restarts = life.restarts.saturating_add(1);
            start(life, behaviour, at, crashes);
        }
        Event::BecomesReady => life.container_ready = Some(at),
        Event::BecomesUnready => set_unready(life, at),
        Event::Stopped => stop(life, behaviour, at),
    }
}

fn start(life: &mut PodLife, behaviour: &Behaviour, at: Time, crashes: u32) {
    life.stage = Stage::Running { since: at, crashes };
    if behaviour.readiness == Readiness::AtOnce {
        life.container_ready = Some(at);
    }
}

fn set_unready(life: &mut PodLife, at: Time) {
    if life.container_ready.take().is_some() {
        life.unready = at;
    }
}

fn end(life: &mut PodLife, behaviour: &Behaviour, at: Time, exit: Exit) {
    set_unready(life, at);
    let Stage::Running { since, crashes } = life.stage else { return };
    let again = match behaviour.restart {
        RestartPolicy::Always => true,
        RestartPolicy::OnFailure => exit != Exit::Completed,
        RestartPolicy::Never => false,
    };
    if !again {
        life.stage = Stage::Finished { at, exit };
        return;
    }
    life.last = Some(Ended { started: since, at, exit });
    let crashes = if since.until(at) >= BACK_OFF_RESET { 0 } else { crashes };
    life.stage = Stage::BackOff { since: at, crashes: crashes.saturating_add(1) };
}

fn stop(life: &mut PodLife, behaviour: &Behaviour, at: Time) {
    set_unready(life, at);
    let exit = match life.stage {
        Stage::Finished { exit, .. } => Some(exit),
        Stage::Running { .. } => {
            let killed = life.deletion.is_some_and(|deletion| behaviour.stop > deletion.grace);
            Some(Exit::Failed(if killed { EXIT_KILLED } else { EXIT_TERMINATED }))
        }
        _ => life.last.map(|last| last.exit),
    };
    life.stage = Stage::Gone { at, exit };
}

/// Wait after so many failures in a row: 10 s, 20 s, 40 s, 80 s, 160 s, 300 s.
fn back_off(failures: u32) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    BACK_OFF_FIRST.saturating_mul(doubled).min(BACK_OFF_MAX)
}

/// Wait before a crashed process starts again: the first restart comes at once.
fn restart_wait(crashes: u32) -> Duration {
    if crashes <= 1 { Duration::ZERO } else { back_off(crashes.saturating_sub(1)) }
}
