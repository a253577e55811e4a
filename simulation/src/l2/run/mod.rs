//! One run: a scenario under faults, checked all the way.

mod end;

use super::actors::Fortune;
use super::aimed::Quiver;
use super::checker::{Checker, Verb, Violation};
use super::deeds;
use super::house::{House, Settings};
use super::look::Look;
use super::observed::{Core, Eye, Shared, Sky, lock};
use super::scenario::{Deed, End, Scenario, When};
use super::weather::{Fault, Faults};
use crds::Time;
use fastrand::Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// How often people look whether it is time to act.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// So long nothing may change before a scenario counts as ended.
pub(super) const QUIET: Duration = Duration::from_secs(45);
/// So long a controller that died is away.
const AWAY: Duration = Duration::from_secs(4);
/// So long the cluster has for what another controller has left.
const SETTLE: Duration = Duration::from_secs(5);
/// A clock that is wrong by more seconds is a bad one.
const BADLY_WRONG_SECONDS: u64 = 600;
/// With faults a run may take so much longer: two leases, a resync, waits for what is slow or silent.
const PATIENCE: Duration = Duration::from_secs(1_500);

/// Settle times that a scenario waits for, one after the other, at most: two releases with three each.
const SETTLES_MAX: u32 = 6;

/// With faults for ever a run takes so long.
const FOR_EVER: Duration = Duration::from_secs(900);
/// With faults for ever people wait so long for what they want to see before they act, and then act all the same.
const GIVES_UP: Duration = Duration::from_secs(90);

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
    /// Patches that were refused with a conflict.
    pub conflicts: u32,
    /// Most writes within a minute, without those that acts of people account for.
    pub busiest: usize,
    /// Lines of watches to the controllers.
    pub news: u32,
    /// Which of the writes are Events for people.
    pub events: Vec<u32>,
    /// Virtual time that it took.
    pub time: Duration,
    /// Two runs with the same hash are the same.
    pub hash: u64,
    /// Whether it came to rest elsewhere than the people of the scenario foresaw.
    pub otherwise: bool,
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
    let house = House::open(settings);
    let (dying, deaths) = mpsc::unbounded_channel();
    let begin = house.now();
    let core: Shared = Arc::new(Mutex::new(core(run, begin, dying)));
    house.cluster.set_weather(Sky(core.clone()));
    house.cluster.add_witness(Eye(core.clone()));
    let mut driver = Driver {
        house,
        core: core.clone(),
        deaths,
        scenario: run.scenario,
        away: BTreeMap::new(),
        fate: Fortune::new(run),
        endless: run.faults.is_endless(),
        otherwise: false,
    };
    for object in &run.scenario.objects {
        deeds::apply(&driver.house.cluster, object);
    }
    driver.befall();
    driver.settle().await;
    for number in 1..=run.scenario.controllers.max(driver.fate.beside) {
        driver.start(&format!("controller-{number}"));
    }
    let limit = run.scenario.limit + if run.faults == Faults::default() { Duration::ZERO } else { PATIENCE };
    driver.drive(limit).await;
    let end = deeds::ending(&driver.house.cluster);
    let (time, otherwise) = (driver.house.elapsed(), driver.otherwise);
    drop(driver);
    let core = lock(&core);
    Outcome {
        calls: core.calls,
        writes: core.writes,
        conflicts: core.conflicts,
        busiest: core.checker.busiest,
        news: core.news,
        events: core.events.clone(),
        time,
        hash: core.hash,
        otherwise,
        end,
        violation: core.checker.violation.clone(),
        reached: core.checker.reached.clone(),
        hits: core.hits.clone(),
        trace: core.trace.clone().unwrap_or_default(),
    }
}

/// What the witnesses of a run know at its beginning.
fn core(run: &Run<'_>, begin: Time, dying: mpsc::UnboundedSender<String>) -> Core {
    let aimed = run.scenario.aimed.iter().map(super::aimed::Aimed::lag).max().unwrap_or_default();
    let lag = run.faults.lag().max(aimed);
    Core {
        checker: Checker::new(lag, run.overlay),
        faults: run.faults.clone(),
        quiver: Quiver::new(&run.scenario.aimed),
        random: Rng::with_seed(run.seed ^ 0x0077_6561_7468_6572),
        begin,
        calls: 0,
        writes: 0,
        conflicts: 0,
        news: 0,
        events: Vec::new(),
        hash: 0xcbf2_9ce4_8422_2325,
        author: None,
        hits: Vec::new(),
        dying,
        blind_until: begin,
        changed: begin,
        troubled: false,
        lease_lost: Vec::new(),
        frozen: BTreeMap::new(),
        trace: run.trace.then(Vec::new),
        kinds: BTreeMap::new(),
    }
}

pub(super) struct Driver<'s> {
    pub(super) house: House,
    pub(super) core: Shared,
    deaths: mpsc::UnboundedReceiver<String>,
    pub(super) scenario: &'s Scenario,
    /// Controllers that died, and when they come back.
    away: BTreeMap<String, Duration>,
    /// Faults never end, so that no end of the scenario is asked for.
    endless: bool,
    /// Whether it came to rest elsewhere than foreseen.
    otherwise: bool,
    /// What else goes on.
    pub(super) fate: Fortune,
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
                if due || (self.endless && now >= last + GIVES_UP) {
                    break;
                }
                if self.went_otherwise() {
                    return;
                }
                if now > limit + self.spread() {
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
            if self.is_over() || (self.endless && self.house.elapsed() >= FOR_EVER) {
                return;
            }
            if self.endless {
                self.rest(LOOK_EVERY).await;
                continue;
            }
            let now = self.house.now();
            if self.is_quiet() && self.has_ended() {
                self.at_rest(now, true);
                return;
            }
            if self.went_otherwise() {
                return;
            }
            if self.house.elapsed() > limit + self.spread() {
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

    /// Starts a controller, with a clock as clocks are now.
    fn start(&mut self, name: &str) {
        let skew = if name.ends_with('2') { -self.fate.fast } else { self.fate.fast };
        let mut core = lock(&self.core);
        core.checker.clocks.set(name, self.house.now(), skew);
        if skew.unsigned_abs() > BADLY_WRONG_SECONDS {
            core.checker.reach("a controller began with a clock that was minutes wrong");
        } else if skew != 0 {
            core.checker.reach("a controller's clock was some seconds wrong");
        }
        drop(core);
        self.house.start_controller(name, skew);
    }

    /// A controller dies, and comes back.
    pub(super) fn dies(&mut self, name: String) {
        self.house.kill_controller(&name);
        self.away.insert(name, self.house.elapsed() + AWAY);
    }

    fn is_over(&self) -> bool {
        lock(&self.core).checker.violation.is_some()
    }

    /// Lets time pass, and lets controllers die and come back.
    async fn rest(&mut self, time: Duration) {
        let next = self.fate.next().map_or(time, |at| at.saturating_sub(self.house.elapsed()).min(time));
        let until = tokio::time::Instant::now() + next;
        loop {
            tokio::select! {
                biased;
                death = self.deaths.recv() => {
                    let Some(name) = death else { return };
                    self.dies(name);
                }
                () = tokio::time::sleep_until(until) => break,
            }
        }
        let now = self.house.now();
        {
            let mut core = lock(&self.core);
            let (troubled, last) = (core.troubled, core.blind_until);
            let calm = if self.away.is_empty() && !self.endless { last } else { now };
            core.checker.tick(now, calm, troubled || !self.away.is_empty());
        }
        let now = self.house.elapsed();
        let back: Vec<String> =
            self.away.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
        for name in back {
            self.away.remove(&name);
            self.start(&name);
        }
        self.befall();
        self.judge();
    }

    /// Lets the cluster make the pods of what another controller has left.
    async fn settle(&mut self) {
        let left = |object: &Value| object.get("kind").and_then(Value::as_str) == Some("ReplicaSet");
        if self.scenario.objects.iter().any(left) {
            tokio::time::sleep(SETTLE).await;
            let mut core = lock(&self.core);
            let checker = &mut core.checker;
            checker.taken_over = self.scenario.is_at_rest;
            checker.reach(if self.scenario.is_at_rest {
                "what Argo Rollouts had left at rest was taken over"
            } else {
                "an update that Argo Rollouts had begun was taken over"
            });
        }
    }

    fn look(&self, holds: fn(Look<'_>) -> bool) -> bool {
        let core = lock(&self.core);
        core.checker.world.rollout.as_ref().is_some_and(|web| holds(Look(web)))
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
            core.checker.taken_over = false;
            if !self.away.is_empty() {
                core.checker.reach("a person acted while a controller was away");
            }
            core.note(now, || format!("PERSON {deed:?}"));
        }
        lock(&self.core).quiver.acts += 1;
        self.fate.remember(deed);
        match deed {
            Deed::Befalls(mishap) => self.begin(*mishap),
            _ => deeds::carry_out(&self.house, deed),
        }
    }
}
