//! How a pod behaves: plain data with durations, made by others from image, command, environment and annotations.

use crds::Time;
use std::time::Duration;

/// How a pod behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Whether and when it gets a node.
    pub scheduling: Scheduling,
    /// How its image arrives.
    pub pull: Pull,
    /// What its process does.
    pub process: Process,
    /// When the process counts as ready.
    pub readiness: Readiness,
    /// `spec.restartPolicy`.
    pub restart: RestartPolicy,
    /// How long the process takes to end once it is asked to.
    pub stop: Duration,
}

impl Default for Behaviour {
    /// A pod that is scheduled, pulled and ready at once, runs for ever and ends at once.
    fn default() -> Self {
        Self {
            scheduling: Scheduling::After(Duration::ZERO),
            pull: Pull::Takes(Duration::ZERO),
            process: Process::Runs,
            readiness: Readiness::AtOnce,
            restart: RestartPolicy::Always,
            stop: Duration::ZERO,
        }
    }
}

/// Whether a pod gets a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// So long after it was made.
    After(Duration),
    /// No node has room for it.
    Never,
}

/// How an image arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// After so long, the start of the container included.
    Takes(Duration),
    /// Each try fails after so long: there is no such image.
    Fails(Duration),
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// Runs until it is asked to end.
    Runs,
    /// Ends by itself.
    Exits {
        /// So long after its start.
        after: Duration,
        /// How.
        exit: Exit,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With code 0.
    Completed,
    /// With this code.
    Failed(i32),
    /// It used more memory than its limit.
    OutOfMemory,
}

impl Exit {
    /// `exitCode`.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Completed => 0,
            Self::Failed(code) => code,
            Self::OutOfMemory => super::EXIT_KILLED,
        }
    }

    /// `reason` of the container's `terminated` state.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Failed(_) => "Error",
            Self::OutOfMemory => "OOMKilled",
        }
    }
}

/// When a process counts as ready, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// With its start: it has no probe.
    AtOnce,
    /// After so long (the probe's delay included), and then for good.
    After(Duration),
    /// Never.
    Never,
    /// Now and then.
    Flaps {
        /// So long until it is ready for the first time.
        first: Duration,
        /// So long it stays ready.
        ready: Duration,
        /// So long it is not.
        unready: Duration,
    },
}

/// `spec.restartPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// However the process ends.
    #[default]
    Always,
    /// When it ends badly.
    OnFailure,
    /// Not at all.
    Never,
}

/// Shortest phase of something that flaps, so that time goes on.
const FLAP_MIN: Duration = Duration::from_millis(10);

impl Readiness {
    /// When readiness changes next, for a process that started at `since`, has been ready since `ready` or else not
    /// since `unready`.
    pub(super) fn next_change(self, since: Time, ready: Option<Time>, unready: Time) -> Option<Time> {
        match (self, ready) {
            (Self::After(wait), None) => Some(since.plus(wait)),
            (Self::Flaps { ready: stays, .. }, Some(ready)) => Some(ready.plus(stays.max(FLAP_MIN))),
            (Self::Flaps { unready: stays, .. }, None) if unready > since => {
                Some(unready.plus(stays.max(FLAP_MIN)))
            }
            (Self::Flaps { first, .. }, None) => Some(since.plus(first)),
            (Self::AtOnce | Self::Never | Self::After(_), _) => None,
        }
    }
}
