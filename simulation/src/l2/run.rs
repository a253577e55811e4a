//! One run: a scenario under faults, checked all the way.

use super::checker::{Actor, Checker, Kind, Verb, Violation};
use super::deeds;
use super::house::{House, Settings};
use super::look::Look;
use super::scenario::{Deed, End, Scenario, When};
use super::weather::{CallFault, Fault, Faults, NewsFault, STALL};
use crds::Time;
use fastrand::Rng;
use sandbox::api::registry::ResourceId;
use sandbox::api::store::Change;
use sandbox::{ApiServer, Call, Delivery, Fate, News, Weather, Witness};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How often people look whether it is time to act.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// So long nothing may change before a scenario counts as ended.
const QUIET: Duration = Duration::from_secs(45);
/// So long a controller that died is away.
const AWAY: Duration = Duration::from_secs(4);
/// With faults a run may take so much longer: two leases, a resync, waits for what is slow or silent.
const PATIENCE: Duration = Duration::from_secs(1_500);
/// Most lines of a trace.
const TRACE_MAX_LINES: usize = 20_000;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Run<'s> {
    /// The scenario.
    pub scenario: &'s Scenario,
    /// Everything random comes from it.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// Whether the controller knows of its own writes at once.
    pub overlay: bool,
    /// Whether a readable trace is kept.
    pub trace: bool,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Requests of the controllers.
    pub calls: u32,
    /// Writes of the controllers, leases not counted.
    pub writes: u32,
    /// Lines of watches to the controllers.
    pub news: u32,
    /// Which of the writes are Events for people.
    pub events: Vec<u32>,
    /// Virtual time that it took.
    pub time: Duration,
    /// Two runs with the same hash are the same.
    pub hash: u64,
    /// The end, without what differs from run to run.
    pub end: BTreeMap<String, String>,
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// Rare states that were met.
    pub reached: BTreeMap<&'static str, u32>,
    /// The faults that were met, each at its exact place: set so, they give the same run without chance.
    pub hits: Vec<Fault>,
    /// What happened, for people.
    pub trace: Vec<String>,
}

/// What weather and witness share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) checker: Checker,
    faults: Faults,
    random: Rng,
    begin: Time,
    calls: u32,
    writes: u32,
    news: u32,
    events: Vec<u32>,
    hash: u64,
    /// The controller whose request made changes up to this revision.
    author: Option<(Arc<str>, u64)>,
    /// Faults that were met, each at its exact place.
    hits: Vec<Fault>,
    /// Controllers that die now.
    dying: mpsc::UnboundedSender<String>,
    /// Until then a controller may not hear of everything: news are late, or a stream has died silently.
    blind_until: Time,
    /// When something other than leases and events was last changed.
    changed: Time,
    trace: Option<Vec<String>>,
    kinds: BTreeMap<ResourceId, Option<Kind>>,
}

pub(super) type Shared = Arc<Mutex<Core>>;

pub(super) fn lock(core: &Shared) -> MutexGuard<'_, Core> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    fn note(&mut self, now: Time, line: impl FnOnce() -> String) {
        let begin = self.begin;
        if let Some(trace) = self.trace.as_mut().filter(|trace| trace.len() < TRACE_MAX_LINES) {
            trace.push(format!("{:9.3} s  {}", begin.until(now).as_secs_f64(), line()));
        }
    }

    /// Whether the faults are over and nothing has changed for a while.
    fn is_quiet(&self, now: Time) -> bool {
        let calm = self.faults.swarm.as_ref().and_then(|swarm| swarm.until).unwrap_or(self.begin);
        self.changed.max(calm).max(self.blind_until).plus(QUIET) <= now
    }

    fn mix(&mut self, parts: &[&str]) {
        // FNV-1a: cheap, and the same everywhere.
        for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

struct Sky(Shared);

impl Weather for Sky {
    fn call(&mut self, call: &Call, now: Time) -> Fate {
        let mut core = lock(&self.0);
        let (number, write) = (core.calls, core.writes);
        core.calls += 1;
        if call.is_write() && call.resource != "leases" {
            core.writes += 1;
            if call.resource == "events" {
                core.events.push(write);
            }
        }
        core.checker.sent(call, now);
        let Core { faults, random, .. } = &mut *core;
        let Some(fault) = faults.of_call(call, number, write, now, random) else { return Fate::Answered };
        core.hits.push(Fault::Call(number, fault));
        // A controller that was disturbed may have something to do although nothing has changed.
        core.blind_until = core.blind_until.max(now);
        core.note(now, || {
            format!("FAULT {fault:?}: {} {}/{} of {}", call.verb, call.resource, call.name, call.client)
        });
        core.checker.reach(match fault {
            CallFault::CrashBefore => "a controller died before a write",
            CallFault::CrashAfter => "a controller died after a write",
            CallFault::LostAnswer
            | CallFault::SilentAnswer
            | CallFault::BrokenAnswer
            | CallFault::GatewayTimeout => "a write was carried out and its answer lost",
            CallFault::Conflict => "a conflict that was none",
            CallFault::Forbidden | CallFault::Invalid => "a write was refused for now",
            CallFault::TooMany | CallFault::Broken | CallFault::Lost | CallFault::Silent => {
                "a request got no good answer"
            }
            CallFault::Slow => "a request was carried out long after it was sent",
        });
        if fault.is_crash() {
            let _ = core.dying.send(call.client.clone());
        }
        fault.fate()
    }

    fn news(&mut self, news: &News<'_>, now: Time) -> Delivery {
        let mut core = lock(&self.0);
        let number = core.news;
        core.news += 1;
        let Core { faults, random, .. } = &mut *core;
        let delivery = faults.of_news(news, number, now, random);
        core.hits.extend(hit(&delivery, number, now));
        match &delivery {
            Delivery::Stalled => {
                core.blind_until = core.blind_until.max(now.plus(STALL));
                core.checker.reach("a stream died silently");
            }
            Delivery::Until(time) => {
                core.blind_until = core.blind_until.max(*time);
                core.checker.reach("news came late");
            }
            Delivery::Gone | Delivery::Failed => core.checker.reach("a watch began anew from a list"),
            _ => {}
        }
        if delivery != Delivery::Delivered {
            core.note(now, || {
                format!(
                    "FAULT {delivery:?}: {} {} @{} to {}",
                    news.event, news.resource, news.revision, news.client
                )
            });
        }
        delivery
    }

    fn done(&mut self, call: &Call, code: u16, revision: u64, now: Time) {
        let mut core = lock(&self.0);
        let code_text = code.to_string();
        core.mix(&[&call.client, call.verb, &call.resource, &call.name, &call.subresource, &code_text]);
        if call.is_write() {
            core.author = Some((call.client.as_str().into(), revision));
            if code == 409 && call.verb == "patch" {
                core.checker.reach("a write that came too late was refused");
            }
            if call.resource != "leases" {
                core.note(now, || {
                    let body: String = String::from_utf8_lossy(&call.body).chars().take(300).collect();
                    let sub = if call.subresource.is_empty() {
                        String::new()
                    } else {
                        format!("/{}", call.subresource)
                    };
                    format!(
                        "{} {} {}/{}{sub} -> {code} @{revision} {body}",
                        call.client, call.verb, call.resource, call.name
                    )
                });
            }
        }
        core.checker.called(call, code, now);
    }
}

/// The fault that gives this delivery again.
fn hit(delivery: &Delivery, number: u32, now: Time) -> Option<Fault> {
    let fault = match delivery {
        Delivery::Delivered => return None,
        Delivery::Until(time) => {
            let late = u64::try_from(now.until(*time).as_millis()).unwrap_or(u64::MAX);
            return Some(Fault::Late(number, late));
        }
        Delivery::Twice => NewsFault::Twice,
        Delivery::Closed => NewsFault::Closed,
        Delivery::Broken => NewsFault::Broken,
        Delivery::Gone => NewsFault::Gone,
        Delivery::Failed => NewsFault::Failed,
        Delivery::Stalled => NewsFault::Stalled,
    };
    Some(Fault::News(number, fault))
}

struct Eye(Shared);

impl Witness for Eye {
    fn saw(&mut self, api: &ApiServer, resource: ResourceId, change: &Change, now: Time) {
        let mut core = lock(&self.0);
        let kind = *core
            .kinds
            .entry(resource)
            .or_insert_with(|| api.resource(resource).ok().and_then(|kind| Kind::of(&kind.kind)));
        let Some(kind) = kind else { return };
        let actor = match &core.author {
            Some((client, revision)) if change.revision <= *revision => Actor::Controller(client.clone()),
            _ => Actor::World,
        };
        let before = change.before.as_ref().map(|before| &before.value);
        let after = (!change.deleted).then_some(&change.object.value);
        core.checker.world.revision = change.revision;
        core.changed = now;
        let name = change.object.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let revision = change.revision.to_string();
        core.mix(&[name, &revision]);
        if actor == Actor::World {
            core.note(now, || {
                let what = match (before, after) {
                    (None, _) => "appears",
                    (_, None) => "goes",
                    _ => "changes",
                };
                let status = change.object.value.get("status").map(Value::to_string).unwrap_or_default();
                let status: String = if kind == Kind::Pod || kind == Kind::Rollout {
                    String::new()
                } else {
                    status.chars().take(160).collect()
                };
                format!("  {kind:?} {name} {what} @{revision} {status}")
            });
        }
        core.checker.saw(&actor, kind, before, after, now);
    }
}

/// Plays a run on a runtime of its own.
#[must_use]
pub fn play(run: &Run<'_>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        Ok(runtime) => runtime.block_on(play_here(run)),
        Err(error) => unreachable!("a runtime without IO needs nothing of the machine: {error}"),
    }
}

async fn play_here(run: &Run<'_>) -> Outcome {
    let settings =
        Settings { seed: run.seed, overlay: run.overlay, resync_seconds: 300, ..Settings::default() };
    let mut house = House::open(settings);
    let (dying, deaths) = mpsc::unbounded_channel();
    let begin = house.now();
    let lag = run.faults.lag();
    let core: Shared = Arc::new(Mutex::new(Core {
        checker: Checker::new(lag),
        faults: run.faults.clone(),
        random: Rng::with_seed(run.seed ^ 0x0077_6561_7468_6572),
        begin,
        calls: 0,
        writes: 0,
        news: 0,
        events: Vec::new(),
        hash: 0xcbf2_9ce4_8422_2325,
        author: None,
        hits: Vec::new(),
        dying,
        blind_until: begin,
        changed: begin,
        trace: run.trace.then(Vec::new),
        kinds: BTreeMap::new(),
    }));
    house.cluster.set_weather(Sky(core.clone()));
    house.cluster.add_witness(Eye(core.clone()));
    for object in &run.scenario.objects {
        deeds::apply(&house.cluster, object);
    }
    for number in 1..=run.scenario.controllers {
        house.start_controller(&format!("controller-{number}"), 0);
    }
    let mut driver =
        Driver { house, core: core.clone(), deaths, scenario: run.scenario, away: BTreeMap::new() };
    let limit = run.scenario.limit + if run.faults == Faults::default() { Duration::ZERO } else { PATIENCE };
    driver.drive(limit).await;
    let end = deeds::ending(&driver.house.cluster);
    let time = driver.house.elapsed();
    drop(driver);
    let core = lock(&core);
    Outcome {
        calls: core.calls,
        writes: core.writes,
        news: core.news,
        events: core.events.clone(),
        time,
        hash: core.hash,
        end,
        violation: core.checker.violation.clone(),
        reached: core.checker.reached.clone(),
        hits: core.hits.clone(),
        trace: core.trace.clone().unwrap_or_default(),
    }
}

struct Driver<'s> {
    house: House,
    core: Shared,
    deaths: mpsc::UnboundedReceiver<String>,
    scenario: &'s Scenario,
    /// Controllers that died, and when they come back.
    away: BTreeMap<String, Duration>,
}

impl Driver<'_> {
    async fn drive(&mut self, limit: Duration) {
        let mut last = Duration::ZERO;
        for act in &self.scenario.acts {
            loop {
                if self.is_over() {
                    return;
                }
                let now = self.house.elapsed();
                let due = match act.when {
                    When::After(wait) => now >= last + wait,
                    When::Is(_, holds) => self.look(holds),
                };
                if due {
                    break;
                }
                if now > limit {
                    self.fail_waiting(match act.when {
                        When::Is(name, _) => name,
                        When::After(_) => "time",
                    });
                    return;
                }
                self.rest(LOOK_EVERY).await;
            }
            self.act(&act.deed);
            last = self.house.elapsed();
        }
        loop {
            if self.is_over() {
                return;
            }
            let now = self.house.now();
            let quiet = self.away.is_empty() && lock(&self.core).is_quiet(now);
            if quiet && self.has_ended() {
                self.at_rest(now);
                return;
            }
            if self.house.elapsed() > limit {
                let name = match self.scenario.end {
                    End::Is(name, _) => name,
                    End::Gone => "gone",
                };
                self.fail_waiting(name);
                return;
            }
            self.rest(LOOK_EVERY).await;
        }
    }

    fn is_over(&self) -> bool {
        lock(&self.core).checker.violation.is_some()
    }

    /// Lets time pass, and lets controllers die and come back.
    async fn rest(&mut self, time: Duration) {
        let until = tokio::time::Instant::now() + time;
        loop {
            tokio::select! {
                biased;
                death = self.deaths.recv() => {
                    let Some(name) = death else { return };
                    self.house.kill_controller(&name);
                    self.away.insert(name, self.house.elapsed() + AWAY);
                }
                () = tokio::time::sleep_until(until) => break,
            }
        }
        let now = self.house.elapsed();
        let back: Vec<String> =
            self.away.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
        for name in back {
            self.away.remove(&name);
            self.house.start_controller(&name, 0);
        }
    }

    fn look(&self, holds: fn(Look<'_>) -> bool) -> bool {
        let core = lock(&self.core);
        core.checker.world.rollout.as_ref().is_some_and(|web| holds(Look(web)))
    }

    fn has_ended(&self) -> bool {
        match self.scenario.end {
            End::Is(_, holds) => self.look(holds),
            End::Gone => lock(&self.core).checker.world.rollout.is_none(),
        }
    }

    fn act(&mut self, deed: &Deed) {
        let verb = match deed {
            Deed::Image(_) => Verb::Template,
            Deed::PromoteFull => Verb::PromoteFull,
            Deed::Abort => Verb::Abort,
            Deed::Retry => Verb::Retry,
            _ => Verb::Other,
        };
        let now = self.house.now();
        {
            let mut core = lock(&self.core);
            core.checker.verbs.push((now, verb));
            if !self.away.is_empty() {
                core.checker.reach("a person acted while a controller was away");
            }
            core.note(now, || format!("PERSON {deed:?}"));
        }
        deeds::carry_out(&self.house, deed);
    }

    fn fail_waiting(&self, what: &str) {
        let now = self.house.now();
        let mut core = lock(&self.core);
        let last =
            core.checker.world.rollout.as_ref().and_then(|web| web.get("status")).map(Value::to_string);
        core.checker.fail(
            "V1",
            now,
            format!("waited in vain for: {what}; last: {}", last.unwrap_or_default()),
        );
    }

    /// What must hold when nothing happens any more.
    fn at_rest(&self, now: Time) {
        let mut core = lock(&self.core);
        let checker = &mut core.checker;
        checker.has_rested(QUIET, now);
        if matches!(self.scenario.end, End::Gone) {
            let left = checker.world.sets.len() + checker.world.pods.len() + checker.world.runs.len();
            if left > 0 {
                checker.fail("V6", now, format!("{left} owned objects are left"));
            }
            return;
        }
        let (wanted, have) = (checker.world.look().replicas(), checker.world.all_available());
        let hash = checker.world.look().stable().to_owned();
        let own = checker.world.available(&hash);
        if own < wanted {
            checker.fail(
                "V1",
                now,
                format!("{own} of {wanted} pods of the stable version {hash} are available ({have} in all)"),
            );
        }
        if !self.scenario.serves.is_empty()
            && deeds::image_of(&self.house.cluster, &hash) != self.scenario.serves
        {
            checker.fail("V5", now, format!("the stable version {hash} is not {}", self.scenario.serves));
        }
    }
}
