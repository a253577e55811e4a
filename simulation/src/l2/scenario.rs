//! What is played: objects, what people do and when, and how it must end.

use super::aimed::Aimed;
use super::look::Look;
use super::metrics::Answer;
use super::weather::Mishap;
use sandbox::PodRule;
use serde_json::Value;
use std::time::Duration;

/// When something is done.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// As soon as the Rollout looks so; with a name for the trace.
    Is(&'static str, fn(Look<'_>) -> bool),
    /// So long after the act before.
    After(Duration),
}

/// What somebody does.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Creates an object, or gives an existing one this spec.
    Apply(Value),
    /// The same, by somebody who lives with a refusal.
    Try(Value),
    /// `promote`.
    Promote,
    /// `promote --full`.
    PromoteFull,
    /// `abort`.
    Abort,
    /// `retry`.
    Retry,
    /// `restart`.
    Restart,
    /// `pause`, or its opposite.
    Pause(bool),
    /// Scales through the scale subresource.
    Scale(i64),
    /// Sets `spec.template` to that of an image with this tag.
    Image(&'static str),
    /// Replaces the steps of the canary.
    Steps(Value),
    /// Replaces what the canary says of its routers.
    Routing(Value),
    /// Sets a label of an object by kind and name, or takes it away.
    Label(&'static str, &'static str, &'static str, (&'static str, Option<&'static str>)),
    /// Deletes an object by kind and name.
    Delete(&'static str, &'static str, &'static str),
    /// Queries with this text are answered so from now on.
    Answer(&'static str, Answer),
    /// Pods behave so from now on (those that begin).
    Pods(PodRule),
    /// No rule about pods any more.
    PodsAsUsual,
    /// The cluster's own controllers behave so from now on.
    Nature(fn(&mut sandbox::Nature)),
    /// Somebody annotates every ReplicaSet again and again for so long.
    Stubborn(Duration),
    /// Nobody's doing: something goes wrong.
    Befalls(Mishap),
}

/// An act of a scenario.
#[derive(Clone, Debug)]
pub struct Act {
    /// When.
    pub when: When,
    /// What.
    pub deed: Deed,
}

/// How a scenario must end, and stay.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// The Rollout looks so.
    Is(&'static str, fn(Look<'_>) -> bool),
    /// There is no Rollout, and nothing that it owned.
    Gone,
}

/// A scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, in the way of a Kubernetes name.
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// What is there before the controller starts.
    pub objects: Vec<Value>,
    /// What people do, in order.
    pub acts: Vec<Act>,
    /// How it must end.
    pub end: End,
    /// Tag of the image that serves all at the end; empty when it does not matter.
    pub serves: &'static str,
    /// Longest time that it may take without faults; with them some minutes more.
    pub limit: Duration,
    /// Controllers that run side by side.
    pub controllers: u32,
    /// What goes wrong in it by design.
    pub aimed: Vec<Aimed>,
    /// What is wrong from the beginning.
    pub from_the_start: Vec<Mishap>,
    /// Whether what another controller has left is at rest: until somebody acts, there is nothing to change.
    pub is_at_rest: bool,
    /// Single faults are played at one write in so many.
    pub stride: u32,
}

impl Scenario {
    /// A scenario of one controller.
    #[must_use]
    pub fn new(name: &'static str, shows: &'static str, objects: Vec<Value>) -> Self {
        Self {
            name,
            shows,
            objects,
            acts: Vec::new(),
            end: End::Is("healthy", |web| web.is_done()),
            serves: "",
            limit: Duration::from_secs(900),
            controllers: 1,
            aimed: Vec::new(),
            from_the_start: Vec::new(),
            is_at_rest: false,
            stride: 1,
        }
    }

    /// Adds an act.
    #[must_use]
    pub fn then(mut self, when: When, deed: Deed) -> Self {
        self.acts.push(Act { when, deed });
        self
    }

    /// Says how it ends, and which version serves then.
    #[must_use]
    pub fn ends(mut self, end: End, serves: &'static str) -> Self {
        self.end = end;
        self.serves = serves;
        self
    }

    /// Something is wrong from the beginning.
    #[must_use]
    pub fn amid(mut self, mishap: Mishap) -> Self {
        self.from_the_start.push(mishap);
        self
    }

    /// Until somebody acts, there is nothing to change.
    #[must_use]
    pub fn at_rest(mut self) -> Self {
        self.is_at_rest = true;
        self
    }

    /// With a fault by design.
    #[must_use]
    pub fn under(mut self, aimed: Aimed) -> Self {
        self.aimed.push(aimed);
        self
    }

    /// It must be over, quiet included, so many seconds after its beginning.
    #[must_use]
    pub fn within(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// Single faults are played at one write in so many.
    #[must_use]
    pub fn sampled(mut self, stride: u32) -> Self {
        self.stride = stride;
        self
    }

    /// With so many controllers.
    #[must_use]
    pub fn with_controllers(mut self, controllers: u32) -> Self {
        self.controllers = controllers;
        self
    }
}
