//! What goes wrong around the controllers rather than with a request: clocks, the lease, other writers, nodes, gates.

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One thing that goes wrong, with the seconds for which it does: it ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mishap {
    /// F6: clocks of controllers that start from now on are so many seconds fast; those of every second one slow.
    Clock(i32),
    /// F1, F6: the controller that leads dies, and comes back.
    Crash,
    /// F5: requests of the leader about the lease are lost.
    LeaseLost(u16),
    /// F5: nobody's requests about the lease are answered.
    LeaseDown(u16),
    /// F5: the leader is frozen: what it sends arrives, and what it hears comes, when it wakes.
    Freeze(u16),
    /// F8: a GitOps syncer is at work.
    Sync(Manners, u16),
    /// F9: an autoscaler wants so many replicas; then as many as people do.
    Scale(u8, u16),
    /// F10: all pods of the stable version are deleted at once.
    Drain,
    /// F10: no pod can be made, because a quota is used up.
    Quota(u16),
    /// F10: the ReplicaSet controller is a minute late.
    LateSets(u16),
    /// F10: pods take a minute to end.
    SlowStops(u16),
    /// F10: pods that begin are ready for some seconds, and then not, again and again.
    Flaps(u16),
    /// F11: all queries are answered so.
    Gates(Mood, u16),
    /// F12: clients come through all Services, whose data plane is so many seconds late; from the beginning only.
    Customers(u8),
    /// F12: clients come through all routes, whose routers are so many seconds late; from the beginning only.
    Routers(u8),
    /// F5: so many controllers run side by side; from the beginning only.
    Beside(u8),
}

/// What a syncer does every few seconds, beside creating what is missing and setting what Git says of specs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Manners {
    /// It leaves what others own.
    Gentle,
    /// It takes `spec.replicas` back to what Git says.
    Replicas,
    /// It takes the selectors of Services back to what Git says.
    Selectors,
    /// It takes the weights of routes back to what Git says.
    Weights,
    /// It takes annotations away that Git does not have.
    Annotations,
    /// It deletes AnalysisRuns, which are not in Git.
    Prunes,
    /// It applies the version before, and half a second later the newest.
    OldThenNew,
}

/// How gates answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mood {
    /// HTTP 500.
    Error,
    /// Nothing has been measured.
    Empty,
    /// Not a number.
    NaN,
    /// Ten seconds late.
    Slow,
    /// Well and badly in turn.
    Flips,
}

const MANNERS: [Manners; 7] = [
    Manners::Gentle,
    Manners::Replicas,
    Manners::Selectors,
    Manners::Weights,
    Manners::Annotations,
    Manners::Prunes,
    Manners::OldThenNew,
];
const MOODS: [Mood; 5] = [Mood::Error, Mood::Empty, Mood::NaN, Mood::Slow, Mood::Flips];

/// How late a late ReplicaSet controller is.
pub(in crate::l2) const LATE_SETS: Duration = Duration::from_secs(60);
/// How long slow pods take to end.
pub(in crate::l2) const SLOW_STOP: Duration = Duration::from_secs(60);
/// How long flapping pods are ready, and how long they are not.
pub(in crate::l2) const FLAP: Duration = Duration::from_secs(7);
/// Largest error of the clock of a process that runs well enough, in seconds.
const SKEW_SECONDS: i32 = 60;
/// Largest error of a clock after a restart, in seconds.
const JUMP_SECONDS: i32 = 3_600;
/// Kinds of mishaps, each of which is on or off in a run.
const KINDS: u8 = 15;
/// Of so many runs one has a kind.
const ONE_IN: u8 = 9;
/// Longest time for which one goes on, in seconds.
const LONGEST: u16 = 75;

impl Mishap {
    /// How long it goes on.
    #[must_use]
    pub fn lasts(self) -> Duration {
        let seconds = match self {
            Self::Clock(_)
            | Self::Crash
            | Self::Drain
            | Self::Customers(_)
            | Self::Routers(_)
            | Self::Beside(_) => 0,
            Self::LeaseLost(seconds)
            | Self::LeaseDown(seconds)
            | Self::Freeze(seconds)
            | Self::Sync(_, seconds)
            | Self::Scale(_, seconds)
            | Self::Quota(seconds)
            | Self::LateSets(seconds)
            | Self::SlowStops(seconds)
            | Self::Flaps(seconds)
            | Self::Gates(_, seconds) => seconds,
        };
        Duration::from_secs(seconds.into())
    }

    /// How much later than usual a controller may hear of the cluster because of it.
    pub(in crate::l2) fn delays(self) -> Duration {
        match self {
            Self::Freeze(_) => self.lasts(),
            // Its statuses are what availability is read from.
            Self::LateSets(_) => self.lasts() + LATE_SETS,
            _ => Duration::ZERO,
        }
    }

    /// For how long after its end it still shows: what was put off comes then.
    pub(in crate::l2) fn lingers(self) -> Duration {
        match self {
            Self::LateSets(_) => LATE_SETS,
            Self::SlowStops(_) => SLOW_STOP,
            _ => Duration::ZERO,
        }
    }

    /// Some kinds of mishaps, at milliseconds from the beginning, none of which goes on after `until` (in seconds).
    pub(super) fn random(random: &mut Rng, until: u16) -> Vec<(u32, Self)> {
        let mut all = Vec::new();
        for kind in 0..KINDS {
            if random.u8(..ONE_IN) > 0 {
                continue;
            }
            for _ in 0..random.u8(1..4) {
                let at = random.u16(..until);
                let seconds = random.u16(1..=LONGEST).min(until - at);
                Self::of_kind(kind, seconds, random, at, &mut all);
            }
        }
        all.sort_unstable();
        all
    }

    fn of_kind(kind: u8, seconds: u16, random: &mut Rng, at: u16, all: &mut Vec<(u32, Self)>) {
        let milliseconds = u32::from(at) * 1000 + random.u32(..1000);
        let mishap = match kind {
            0 => {
                all.push((0, Self::Clock(random.i32(-SKEW_SECONDS..=SKEW_SECONDS))));
                return;
            }
            1 => {
                all.push((0, Self::Customers(*random.choice(&[0, 0, 5, 12, 40, 120]).unwrap_or(&0))));
                return;
            }
            2 => {
                all.push((0, Self::Beside(random.u8(2..=3))));
                return;
            }
            3 => {
                all.push((milliseconds, Self::Clock(random.i32(-JUMP_SECONDS..=JUMP_SECONDS))));
                Self::Crash
            }
            4 => Self::LeaseLost(seconds),
            5 => Self::LeaseDown(seconds),
            6 => Self::Freeze(seconds),
            7 => Self::Sync(*random.choice(&MANNERS).unwrap_or(&Manners::Gentle), seconds),
            8 => Self::Scale(random.u8(..7), seconds),
            9 => Self::Drain,
            10 => Self::Quota(seconds),
            11 => Self::LateSets(seconds),
            12 => Self::SlowStops(seconds),
            13 => Self::Flaps(seconds),
            _ => Self::Gates(*random.choice(&MOODS).unwrap_or(&Mood::Error), seconds),
        };
        all.push((milliseconds, mishap));
    }
}
