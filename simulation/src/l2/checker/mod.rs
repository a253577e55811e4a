//! The invariants of a simulation, looked at with each change of the cluster (S1 to S14, V2, V3 of
//! `docs/invariants.md`).

mod availability;
mod clocks;
mod gates;
mod promptness;
mod records;
mod requests;
mod routes;
#[cfg(test)]
mod tests;
mod told;
mod weights;
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

/// The window in which writes are counted (V2).
const MINUTE: Duration = Duration::from_secs(60);
/// Most writes that are carried out in a minute in which nobody does anything (V2).
const WRITES_PER_MINUTE_MAX: usize = 30;
/// So many more for each act of a person in that minute: pods are ready in half a second here, so that a release that
/// takes minutes elsewhere is over in one.
const WRITES_PER_ACT: usize = 10;
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
    /// What has happened, for what is told of it.
    past: told::Past,
    /// Identity that the lease names.
    pub(super) leader: String,
    /// What people or their Rollout wait for (V4, V7).
    waiting: Option<promptness::Waiting>,
    /// Kinds of writes that are refused: since when, and when last (V8).
    refused: BTreeMap<&'static str, (Time, Time)>,
    /// Most writes within a minute, without those that acts of people account for.
    pub(super) busiest: usize,
    /// When the Rollout appeared.
    born: Option<Time>,
    /// When others than the people of the scenario wrote, and when the world took pods: answers to that are no loop.
    upsets: VecDeque<Time>,
    requests: requests::Requests,
    routes: routes::Routes,
    /// Nobody has done anything yet about what another controller has left: there is nothing to change.
    pub(super) taken_over: bool,
    /// Whose clock shows what.
    pub(super) clocks: clocks::Clocks,
    /// By how many seconds the clock of the controller that writes now is fast.
    fast: i64,
    /// Whether the controller knows of its own writes at once.
    overlay: bool,
    /// When an analysis ended badly last.
    last_verdict: Option<Time>,
}

impl Checker {
    pub(super) fn new(lag: Duration, overlay: bool) -> Self {
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
            past: told::Past::default(),
            leader: String::new(),
            waiting: None,
            refused: BTreeMap::new(),
            busiest: 0,
            born: None,
            upsets: VecDeque::new(),
            requests: requests::Requests::default(),
            routes: routes::Routes::default(),
            taken_over: false,
            clocks: clocks::Clocks::default(),
            fast: 0,
            overlay,
            last_verdict: None,
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
        self.taken_over = false;
    }

    /// What the clock of the controller shows that writes now.
    fn its_time(&self, now: Time) -> Time {
        now.plus_seconds(self.fast)
    }

    /// An analysis ends badly just now, and the controller does not know of its own writes before the watch tells it.
    fn crosses_verdict(&self, now: Time) -> bool {
        !self.overlay && self.last_verdict == Some(now)
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
                self.told(call, now);
            }
            return;
        }
        self.last_write = Some(now);
        self.write_went(call, code, now);
        if code >= 300 {
            return;
        }
        self.preconditions(call, now);
        if only_confirms(call) || self.changed_nothing(call) {
            // It changes nothing: the write that it goes before counts. At rest it counts as any other (S11).
            return;
        }
        self.writes.push_back(now);
        while self.writes.front().is_some_and(|at| at.plus(MINUTE) < now) {
            self.writes.pop_front();
        }
        while self.upsets.front().is_some_and(|at| at.plus(MINUTE) < now) {
            self.upsets.pop_front();
        }
        // What an act brings about comes as late as the controller hears of it.
        let recent = |at: Time| at.plus(MINUTE + CROSSING + self.lag) >= now;
        let born = self.born.into_iter().filter(|at| recent(*at)).count();
        let acts = born + self.verbs.iter().filter(|(at, _)| recent(*at)).count();
        let upsets = self.upsets.len() * WRITES_PER_UPSET_MAX;
        let most = WRITES_PER_MINUTE_MAX + acts * WRITES_PER_ACT + upsets;
        self.busiest = self.busiest.max(self.writes.len().saturating_sub(acts * WRITES_PER_ACT));
        if self.writes.len() > most {
            let what =
                format!("{} writes within a minute, in which people acted {acts} times", self.writes.len());
            self.fail("V2", now, what);
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
        // Other Rollouts are there to be in the way.
        let name = after.or(before).map(|object| world::text(object, "/metadata/name"));
        if kind == Kind::Rollout && name != Some(crate::l2::scenarios::ROLLOUT) {
            return;
        }
        self.past.take(kind, after);
        let weights = self.weights_now(kind);
        if let Actor::Controller(name) = actor {
            self.fast = self.clocks.of(name, now);
            self.owned(kind, before, after, now);
            if self.taken_over && matches!(kind, Kind::Set | Kind::Service) {
                self.fail("S11", now, format!("a takeover at rest writes to a {kind:?}"));
            }
            match kind {
                Kind::Set => self.set_written(before, after, now),
                Kind::Service => self.service_written(before, after, now),
                Kind::Rollout => {
                    self.current_exists(after, now);
                    self.rollout_written(before, after, now);
                }
                Kind::Pod => self.pod_written(before, after, now),
                Kind::Run | Kind::Job | Kind::Template | Kind::Route => {}
            }
        }
        if kind == Kind::Run {
            self.run_changed(before, after, now);
        }
        if kind == Kind::Pod && *actor == Actor::World && world::lost_service(before, after) {
            self.lost_pods(now);
        }
        if kind == Kind::Set && *actor == Actor::World && after.is_none() {
            // Somebody has deleted it, with its pods.
            self.last_loss = Some(now);
        }
        if kind == Kind::Rollout {
            if before.is_none() {
                self.born = Some(now);
            }
            self.sizes_changed(before, now);
            self.rare_states(before, after);
        }
        self.world.take(kind, before, after);
        self.doors_changed(kind, before, after, now);
        self.routes_changed((actor, kind), (before, after), &weights, now);
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

/// Whether a patch of a ReplicaSet changes nothing, and only fails when the ReplicaSet is not as it was seen.
fn only_confirms(call: &Call) -> bool {
    if call.verb != "patch" || call.resource != "replicasets" {
        return false;
    }
    let patch: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let annotations = patch.pointer("/metadata/annotations").and_then(Value::as_object);
    patch.get("spec").is_none() && annotations.is_some_and(serde_json::Map::is_empty)
}
