//! What can happen to a client's requests and watches on their way: the place where faults come in.

use crds::Time;
use std::time::Duration;

/// A request, as the weather and the journal see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who asks.
    pub client: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: &'static str,
    /// Name of the resource in addresses; empty for what is not about resources.
    pub resource: String,
    /// Namespace.
    pub namespace: String,
    /// Name of the object, where one is named.
    pub name: String,
    /// Subresource, when one is asked for.
    pub subresource: String,
    /// The body of a write.
    pub body: bytes::Bytes,
}

impl Call {
    /// Whether it changes something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        // A review is a question, though it is sent as a create.
        !matches!(self.verb, "get" | "list" | "watch") && !self.resource.ends_with("reviews")
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    #[default]
    Answered,
    /// It is answered with an error, although it may have been carried out.
    Refused {
        /// Whether it was carried out.
        applied: bool,
        /// HTTP status.
        code: u16,
        /// Reason in the `Status`.
        reason: &'static str,
        /// Message in the `Status`.
        message: String,
    },
    /// The connection ends without an answer.
    Broken {
        /// Whether it was carried out.
        applied: bool,
    },
    /// No answer comes, until the client takes the connection for dead.
    Silent {
        /// Whether it was carried out.
        applied: bool,
    },
    /// It takes its time, before or after it is carried out.
    Slow {
        /// Until it is carried out.
        before: Duration,
        /// From then to the answer.
        after: Duration,
    },
}

/// What becomes of one line of a watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// It is delivered.
    #[default]
    Delivered,
    /// It is delivered at that time, and what comes after it no sooner.
    Until(Time),
    /// It is delivered twice.
    Twice,
    /// The stream ends before it.
    Closed,
    /// The connection breaks before it.
    Broken,
    /// The stream ends with the error that the resource version is too old.
    Gone,
    /// The stream ends with an internal error.
    Failed,
    /// Nothing more comes on this stream, and nobody says so.
    Stalled,
}

/// A line of a watch, as the weather sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News<'a> {
    /// Who watches.
    pub client: &'a str,
    /// Name of the resource in addresses.
    pub resource: &'a str,
    /// `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`.
    pub event: &'static str,
    /// Revision of the change.
    pub revision: u64,
}

/// Decides the fate of requests and news, and hears how they went.
pub trait Weather: Send {
    /// What becomes of a request. Asked once, when it arrives.
    fn call(&mut self, call: &Call, now: Time) -> Fate;

    /// What becomes of a line of a watch. Asked once for each, when it is ready.
    fn news(&mut self, news: &News<'_>, now: Time) -> Delivery {
        let _ = (news, now);
        Delivery::Delivered
    }

    /// A request was carried out: with this HTTP status, at this revision.
    fn done(&mut self, call: &Call, code: u16, revision: u64, now: Time) {
        let _ = (call, code, revision, now);
    }
}

/// A calm day: everything is answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calm;

impl Weather for Calm {
    fn call(&mut self, _: &Call, _: Time) -> Fate {
        Fate::Answered
    }
}
