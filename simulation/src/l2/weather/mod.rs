//! The faults of one run.

mod mishaps;

pub(super) use mishaps::{FLAP, LATE_SETS, SLOW_STOP};
pub use mishaps::{Manners, Mishap, Mood};

use crds::Time;
use fastrand::Rng;
use sandbox::{Call, Delivery, Fate, News};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CallFault {
    /// F1: the controller dies before the request is carried out.
    CrashBefore,
    /// F1: the controller dies after it, before it hears of it.
    CrashAfter,
    /// F4: the connection breaks before the request is carried out.
    Lost,
    /// F4: the connection breaks, and the request was carried out.
    LostAnswer,
    /// F4: no answer, and it was not carried out.
    Silent,
    /// F4: no answer, and it was carried out.
    SilentAnswer,
    /// F4: a conflict that is none.
    Conflict,
    /// F4: not allowed.
    Forbidden,
    /// F4: a webhook says no.
    Invalid,
    /// F4: too many requests.
    TooMany,
    /// F4: an error of the server, not carried out.
    Broken,
    /// F4: an error of the server, but carried out.
    BrokenAnswer,
    /// F4: the server gives up waiting; it was carried out.
    GatewayTimeout,
    /// F4: 30 s until it is carried out.
    Slow,
}

/// All of them.
pub const CALL_FAULTS: [CallFault; 14] = [
    CallFault::CrashBefore,
    CallFault::CrashAfter,
    CallFault::Lost,
    CallFault::LostAnswer,
    CallFault::Silent,
    CallFault::SilentAnswer,
    CallFault::Conflict,
    CallFault::Forbidden,
    CallFault::Invalid,
    CallFault::TooMany,
    CallFault::Broken,
    CallFault::BrokenAnswer,
    CallFault::GatewayTimeout,
    CallFault::Slow,
];

/// How long a slow request takes.
pub(super) const SLOW: Duration = Duration::from_secs(30);

impl CallFault {
    /// Whether the controller dies.
    #[must_use]
    pub fn is_crash(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashAfter)
    }

    pub(super) fn fate(self) -> Fate {
        let refused = |applied, code, reason, message: &str| Fate::Refused {
            applied,
            code,
            reason,
            message: message.to_owned(),
        };
        match self {
            Self::CrashBefore | Self::Silent => Fate::Silent { applied: false },
            Self::CrashAfter | Self::SilentAnswer => Fate::Silent { applied: true },
            Self::Lost => Fate::Broken { applied: false },
            Self::LostAnswer => Fate::Broken { applied: true },
            Self::Conflict => refused(false, 409, "Conflict", "the object has been modified"),
            Self::Forbidden => refused(false, 403, "Forbidden", "not allowed now"),
            Self::Invalid => refused(false, 422, "Invalid", "admission webhook denied the request"),
            Self::TooMany => refused(false, 429, "TooManyRequests", "too many requests, try again later"),
            Self::Broken => refused(false, 500, "InternalError", "etcdserver: leader changed"),
            Self::BrokenAnswer => refused(true, 500, "InternalError", "etcdserver: request timed out"),
            Self::GatewayTimeout => refused(true, 504, "Timeout", "request did not complete in time"),
            Self::Slow => Fate::Slow { before: SLOW, after: Duration::ZERO },
        }
    }
}

/// What happens to one line of a watch (F2, F3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NewsFault {
    /// It comes a minute late.
    Late,
    /// It comes twice.
    Twice,
    /// The stream ends before it.
    Closed,
    /// The connection breaks before it.
    Broken,
    /// The resource version is too old.
    Gone,
    /// The server fails.
    Failed,
    /// The stream says nothing more, until it ends.
    Stalled,
}

/// All of them.
pub const NEWS_FAULTS: [NewsFault; 7] = [
    NewsFault::Late,
    NewsFault::Twice,
    NewsFault::Closed,
    NewsFault::Broken,
    NewsFault::Gone,
    NewsFault::Failed,
    NewsFault::Stalled,
];

/// How late a late line is.
const LATE: Duration = Duration::from_secs(60);

impl NewsFault {
    pub(super) fn delivery(self, now: Time, late: Duration) -> Delivery {
        match self {
            Self::Late => Delivery::Until(now.plus(late)),
            Self::Twice => Delivery::Twice,
            Self::Closed => Delivery::Closed,
            Self::Broken => Delivery::Broken,
            Self::Gone => Delivery::Gone,
            Self::Failed => Delivery::Failed,
            Self::Stalled => Delivery::Stalled,
        }
    }
}

/// One fault at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fault {
    /// At the write with this number (from 0), leases not counted.
    Write(u32, CallFault),
    /// At the request with this number, reads and leases counted.
    Call(u32, CallFault),
    /// At the line of a watch with this number.
    News(u32, NewsFault),
    /// The line of a watch with this number comes so many milliseconds late.
    Late(u32, u64),
    /// So many milliseconds after the beginning.
    World(u32, Mishap),
}

/// Faults by chance: each kind on or off for a run, with a rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Swarm {
    /// Kinds of call faults, each with its chance in a thousand.
    pub calls: Vec<(CallFault, u32)>,
    /// Kinds of watch faults, each with its chance in a thousand.
    pub news: Vec<(NewsFault, u32)>,
    /// Longest lag of a late line.
    pub lag: Duration,
    /// Chance in a thousand that a lease request fails.
    pub leases: u32,
    /// What goes wrong beside requests and watches, with milliseconds from the beginning.
    pub mishaps: Vec<(u32, Mishap)>,
    /// Faults end here; `None` for never.
    pub until: Option<Time>,
}

/// Longest time for which faults go on in liveness mode.
const SWARM_SECONDS: u16 = 240;

impl Swarm {
    /// A random set of kinds, so that the harshest does not mask the rest.
    #[must_use]
    pub fn random(random: &mut Rng, begin: Time) -> Self {
        let rate = |random: &mut Rng| *random.choice(&[5_u32, 20, 60, 150]).unwrap_or(&20);
        let calls = CALL_FAULTS.iter().filter(|_| random.u8(..) < 70).copied().collect::<Vec<_>>();
        let news = NEWS_FAULTS.iter().filter(|_| random.u8(..) < 80).copied().collect::<Vec<_>>();
        let until = random.u16(30..SWARM_SECONDS);
        Self {
            calls: calls.into_iter().map(|fault| (fault, rate(random))).collect(),
            news: news.into_iter().map(|fault| (fault, rate(random))).collect(),
            lag: Duration::from_millis(random.u64(100..90_000)),
            leases: if random.u8(..) < 60 { rate(random) } else { 0 },
            mishaps: Mishap::random(random, until),
            until: Some(begin.plus_seconds(until.into())),
        }
    }

    fn rages(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// All faults of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// At set places.
    pub set: Vec<Fault>,
    /// By chance.
    pub swarm: Option<Swarm>,
}

impl Faults {
    /// What goes wrong beside requests and watches, in order, with the time from the beginning.
    pub(super) fn mishaps(&self) -> VecDeque<(Duration, Mishap)> {
        let set = self.set.iter().filter_map(|fault| match fault {
            Fault::World(at, mishap) => Some((*at, *mishap)),
            _ => None,
        });
        let swarm = self.swarm.iter().flat_map(|swarm| swarm.mishaps.iter().copied());
        let mut all: Vec<(u32, Mishap)> = set.chain(swarm).collect();
        all.sort_unstable();
        all.into_iter().map(|(at, mishap)| (Duration::from_millis(at.into()), mishap)).collect()
    }

    /// The fault of a request, when it has one.
    /// `number` counts all requests, `write` the writes.
    pub(super) fn of_call(
        &self,
        call: &Call,
        number: u32,
        write: u32,
        now: Time,
        random: &mut Rng,
    ) -> Option<CallFault> {
        let exact = self.set.iter().find_map(|fault| match fault {
            Fault::Call(at, fault) if *at == number => Some(*fault),
            _ => None,
        });
        if exact.is_some() {
            return exact;
        }
        let lease = call.resource == "leases";
        if call.is_write() && !lease {
            let set = self.set.iter().find_map(|fault| match fault {
                Fault::Write(at, fault) if *at == write => Some(*fault),
                _ => None,
            });
            if set.is_some() {
                return set;
            }
        }
        let swarm = self.swarm.as_ref().filter(|swarm| swarm.rages(now))?;
        if lease {
            return (random.u32(..1000) < swarm.leases).then_some(CallFault::Lost);
        }
        if call.verb == "watch" {
            return None;
        }
        let hit =
            swarm.calls.iter().find(|(_, chance)| random.u32(..1000) < *chance).map(|(fault, _)| *fault)?;
        // Reads cannot conflict and are not carried out; of them only the errors of the way matter.
        let on_reads = matches!(
            hit,
            CallFault::Lost | CallFault::Silent | CallFault::Broken | CallFault::TooMany | CallFault::Slow
        );
        (call.is_write() || on_reads).then_some(hit)
    }

    /// What becomes of a line of a watch. `number` counts the lines to controllers.
    pub(super) fn of_news(&self, news: &News<'_>, number: u32, now: Time, random: &mut Rng) -> Delivery {
        let set = self.set.iter().find_map(|fault| match fault {
            Fault::News(at, fault) if *at == number => Some(fault.delivery(now, LATE)),
            Fault::Late(at, milliseconds) if *at == number => {
                Some(Delivery::Until(now.plus(Duration::from_millis(*milliseconds))))
            }
            _ => None,
        });
        if let Some(delivery) = set {
            return delivery;
        }
        let Some(swarm) = self.swarm.as_ref().filter(|swarm| swarm.rages(now)) else {
            return Delivery::Delivered;
        };
        let _ = news;
        let hit = swarm.news.iter().find(|(_, chance)| random.u32(..1000) < *chance).map(|(fault, _)| *fault);
        let lag =
            Duration::from_millis(random.u64(0..u64::try_from(swarm.lag.as_millis()).unwrap_or(1).max(1)));
        hit.map_or(Delivery::Delivered, |fault| fault.delivery(now, lag))
    }
}

impl Faults {
    /// Whether they never end.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.swarm.as_ref().is_some_and(|swarm| swarm.until.is_none())
    }

    /// How late the controller may hear of things.
    #[must_use]
    pub fn lag(&self) -> Duration {
        let slow = self.set.iter().any(|fault| {
            matches!(
                fault,
                Fault::News(_, NewsFault::Late)
                    | Fault::Late(..)
                    | Fault::Call(..)
                    | Fault::Write(_, CallFault::Slow | CallFault::Silent | CallFault::SilentAnswer)
            )
        });
        // A stream that has died silently is noticed when it ends: the client asks for less than five minutes.
        let stalled = self.set.iter().any(|fault| matches!(fault, Fault::News(_, NewsFault::Stalled)))
            || self
                .swarm
                .as_ref()
                .is_some_and(|swarm| swarm.news.iter().any(|(fault, _)| *fault == NewsFault::Stalled));
        let swarm = self.swarm.as_ref().map_or(Duration::ZERO, |swarm| swarm.lag + SLOW);
        let set = if slow { LATE + SLOW } else { Duration::ZERO };
        let stall = if stalled { STALL } else { Duration::ZERO };
        swarm.max(set).max(stall)
    }
}

/// Longest time until a stalled stream is noticed.
pub(super) const STALL: Duration = Duration::from_secs(320);
