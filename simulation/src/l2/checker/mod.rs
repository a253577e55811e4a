//! The invariants of a simulation, looked at with each change of the cluster (S1 to S14, V2, V3 of
//! `docs/invariants.md`).

mod availability;
mod clocks;
mod gates;
mod records;
mod requests;
mod world;

pub(super) use world::{Kind, World};

use crds::Time;
use sandbox::Call;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name, such as `S1`.
    pub invariant: &'static str,
    /// When.
    pub at: Time,
    /// At which revision.
    pub revision: u64,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} (revision {}): {}", self.invariant, self.at, self.revision, self.what)
    }
}

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    /// One of our controllers.
    Controller(Arc<str>),
    /// A person, or the cluster's own controllers and nodes.
    World,
}

/// What a person did, as far as rules have exceptions for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Template,
    PromoteFull,
    Abort,
    Retry,
    Other,
}

/// Most writes that were carried out in a minute (V2): what all acts of a scenario in a minute need, and no more.
const WRITES_PER_MINUTE_MAX: usize = 60;
/// And so many for each act of another writer, and for each pod that the world took out of service.
const WRITES_PER_UPSET_MAX: usize = 8;
/// A person's act may cross with a pass of the controller that has not seen it: for so long a rule that it turns off
/// or on is not applied.
const CROSSING: Duration = Duration::from_secs(15);

/// The checker.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) world: World,
    /// How late the controller may see things, beside [`CROSSING`].
    pub(super) lag: Duration,
    pub(super) violation: Option<Violation>,
    pub(super) verbs: Vec<(Time, Verb)>,
    /// The last time at which the world itself took a pod out of service.
    last_loss: Option<Time>,
    writes: VecDeque<Time>,
    last_write: Option<Time>,
    /// Values of secrets, which must not be seen anywhere.
    pub(super) secrets: Vec<String>,
    /// Named rare states that this run has met.
    pub(super) reached: BTreeMap<&'static str, u32>,
    replicas: VecDeque<(Time, i64)>,
    /// Identity that the lease names.
    pub(super) leader: String,
    /// When others than the people of the scenario wrote, and when the world took pods: answers to that are no loop.
    upsets: VecDeque<Time>,
    requests: requests::Requests,
    /// Nobody has done anything yet about what another controller has left: there is nothing to change.
    pub(super) taken_over: bool,
    /// Whose clock shows what.
    pub(super) clocks: clocks::Clocks,
    /// By how many seconds the clock of the controller that writes now is fast.
    fast: i64,
}

impl Checker {
    pub(super) fn new(lag: Duration) -> Self {
        Self {
            world: World::default(),
            lag,
            violation: None,
            verbs: Vec::new(),
            last_loss: None,
            writes: VecDeque::new(),
            last_write: None,
            secrets: Vec::new(),
            reached: BTreeMap::new(),
            replicas: VecDeque::new(),
            leader: String::new(),
            upsets: VecDeque::new(),
            requests: requests::Requests::default(),
            taken_over: false,
            clocks: clocks::Clocks::default(),
            fast: 0,
        }
    }

    /// The first violation counts: what follows may come from it.
    pub(super) fn fail(&mut self, invariant: &'static str, at: Time, what: String) {
        if self.violation.is_none() {
            let revision = self.world.revision;
            self.violation = Some(Violation { invariant, at, revision, what });
        }
    }

    pub(super) fn reach(&mut self, name: &'static str) {
        *self.reached.entry(name).or_default() += 1;
    }

    /// Whether a person did this a moment ago, so that a controller may not know of it.
    fn crosses(&self, now: Time, is: impl Fn(Verb) -> bool) -> bool {
        let window = CROSSING + self.lag;
        self.verbs.iter().any(|(at, verb)| is(*verb) && at.plus(window) >= now)
    }

    /// The world took pods out of service.
    pub(super) fn lost_pods(&mut self, now: Time) {
        self.last_loss = Some(now);
        self.upsets.push_back(now);
        self.reach("the world took a pod out of service");
    }

    /// Somebody whom the scenario does not name wrote.
    pub(super) fn meddled(&mut self, now: Time, verb: Verb) {
        self.verbs.push((now, verb));
        self.upsets.push_back(now);
    }

    /// What the clock of the controller shows that writes now.
    fn its_time(&self, now: Time) -> Time {
        now.plus_seconds(self.fast)
    }

    /// Whether the world itself took pods away a moment ago.
    fn world_took_pods(&self, now: Time) -> bool {
        self.last_loss.is_some_and(|at| at.plus(CROSSING + self.lag) >= now)
    }

    /// The smallest `spec.replicas` that a controller may believe in.
    fn believed_replicas(&self, now: Time) -> i64 {
        let window = CROSSING + self.lag;
        let recent = self.replicas.iter().rev().take_while(|(until, _)| until.plus(window) >= now);
        recent.map(|(_, size)| *size).chain([self.world.look().replicas()]).min().unwrap_or(0)
    }

    /// A request of a controller was carried out.
    pub(super) fn called(&mut self, call: &Call, code: u16, now: Time) {
        if !call.is_write() {
            return;
        }
        if matches!(call.resource.as_str(), "leases" | "events") {
            if code < 300 {
                self.lease_written(call);
            }
            return;
        }
        self.last_write = Some(now);
        if code >= 300 {
            return;
        }
        self.preconditions(call, now);
        self.writes.push_back(now);
        while self.writes.front().is_some_and(|at| at.plus(Duration::from_secs(60)) < now) {
            self.writes.pop_front();
        }
        while self.upsets.front().is_some_and(|at| at.plus(Duration::from_secs(60)) < now) {
            self.upsets.pop_front();
        }
        let most = WRITES_PER_MINUTE_MAX + WRITES_PER_UPSET_MAX * self.upsets.len();
        if self.writes.len() > most {
            self.fail("V2", now, format!("{} writes within a minute", self.writes.len()));
        }
    }

    /// The cluster has changed.
    pub(super) fn saw(
        &mut self,
        actor: &Actor,
        kind: Kind,
        before: Option<&Value>,
        after: Option<&Value>,
        now: Time,
    ) {
        self.secrets_stay_hidden(after, now);
        if let Actor::Controller(name) = actor {
            self.fast = self.clocks.of(name, now);
            self.owned(kind, before, after, now);
            if self.taken_over && matches!(kind, Kind::Set | Kind::Service) {
                self.fail("S11", now, format!("a takeover at rest writes to a {kind:?}"));
            }
            match kind {
                Kind::Set => self.set_written(before, after, now),
                Kind::Service => self.service_written(before, after, now),
                Kind::Rollout => self.rollout_written(before, after, now),
                Kind::Pod => self.pod_written(before, after, now),
                Kind::Run | Kind::Job => {}
            }
        }
        if kind == Kind::Run {
            self.run_changed(before, after, now);
        }
        if kind == Kind::Pod && *actor == Actor::World && world::lost_service(before, after) {
            self.lost_pods(now);
        }
        if kind == Kind::Rollout {
            self.sizes_changed(before, now);
            self.rare_states(before, after);
        }
        self.world.take(kind, before, after);
        self.doors_changed(kind, before, after, now);
        if kind == Kind::Set {
            self.one_set_per_hash(now);
        }
    }

    fn sizes_changed(&mut self, before: Option<&Value>, now: Time) {
        let Some(before) = before else { return };
        self.replicas.push_back((now, super::look::Look(before).replicas()));
        if self.replicas.len() > 64 {
            self.replicas.pop_front();
        }
    }

    /// States that a simulator which is not blind must meet.
    fn rare_states(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let (Some(old), Some(new)) = (before.map(super::look::Look), after.map(super::look::Look)) else {
            return;
        };
        if new.is_aborted() && !old.is_aborted() {
            self.reach("an update was aborted");
        }
        if old.current() != new.current() && !old.current().is_empty() && old.current() != old.stable() {
            self.reach("a version was overtaken in flight");
        }
        if old.stable() != new.stable() && !old.stable().is_empty() {
            self.reach("a version became the stable one");
        }
        if new.number("/status/collisionCount").is_some() {
            self.reach("a name was taken by a foreign ReplicaSet");
        }
    }
}
