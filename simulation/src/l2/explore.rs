//! Many runs: every single fault of every scenario, and swarms of faults by seed, on all cores.

use super::run::{Outcome, Run, play};
use super::scenario::{Deed, Scenario};
use super::weather::{CALL_FAULTS, CallFault, Fault, Faults, NEWS_FAULTS, Swarm};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Faults at the Events that tell people: nothing waits for them, so that one of each sort shows as much as all.
const EVENT_FAULTS: [CallFault; 3] = [CallFault::CrashAfter, CallFault::Silent, CallFault::Forbidden];
/// Of the lines of a watch, one in so many meets the faults; the rest are counted.
const NEWS_SAMPLED: u32 = 8;

/// A run that broke an invariant.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The scenario.
    pub scenario: Scenario,
    /// The seed.
    pub seed: u64,
    /// The faults.
    pub faults: Faults,
    /// Whether the overlay was on.
    pub overlay: bool,
    /// What came of it.
    pub outcome: Outcome,
}

/// What many runs came to.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Runs.
    pub runs: usize,
    /// Requests of the controllers.
    pub calls: u64,
    /// Virtual time.
    pub time: Duration,
    /// Places of faults that were left out.
    pub left_out: usize,
    /// Most writes that a run has made within a minute, without those that acts of people account for, and its scenario.
    pub busiest: (usize, &'static str),
    /// Rare states, and in how many runs they were met.
    pub reached: BTreeMap<&'static str, u64>,
    /// Runs that broke an invariant.
    pub failed: Vec<Failed>,
}

/// One seed in so many is played twice.
const TWICE_EVERY: u64 = 16;

/// A run that is to be played; with a twin its end is compared.
pub(super) struct Job<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) seed: u64,
    pub(super) faults: Faults,
    pub(super) overlay: bool,
    pub(super) twin: Option<&'s BTreeMap<String, String>>,
}

impl Explored {
    fn take(&mut self, job: &Job<'_>, mut outcome: Outcome) {
        self.runs += 1;
        self.calls += u64::from(outcome.calls);
        self.time += outcome.time;
        self.busiest = self.busiest.max((outcome.busiest, job.scenario.name));
        for name in outcome.reached.keys() {
            *self.reached.entry(name).or_default() += 1;
        }
        // Where a syncer or a gate that errs has led elsewhere, people would have acted otherwise, too.
        if outcome.violation.is_none()
            && !outcome.otherwise
            && let Some(twin) = job.twin
            && let Some(what) = difference(twin, &outcome.end)
        {
            outcome.violation =
                Some(super::Violation { invariant: "O1", at: crds::Time::default(), revision: 0, what });
        }
        if outcome.violation.is_some() {
            self.failed.push(Failed {
                scenario: job.scenario.clone(),
                seed: job.seed,
                faults: job.faults.clone(),
                overlay: job.overlay,
                outcome,
            });
        }
    }

    fn join(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.calls += other.calls;
        self.time += other.time;
        self.left_out += other.left_out;
        self.busiest = self.busiest.max(other.busiest);
        self.failed.extend(other.failed);
        for (name, count) in other.reached {
            *self.reached.entry(name).or_default() += count;
        }
        self
    }
}

/// Where the end of a run differs from that of its twin without faults (O1).
pub(crate) fn difference(twin: &BTreeMap<String, String>, end: &BTreeMap<String, String>) -> Option<String> {
    let keys: std::collections::BTreeSet<&String> = twin.keys().chain(end.keys()).collect();
    keys.into_iter().find(|key| twin.get(*key) != end.get(*key)).map(|key| {
        let none = "nothing".to_owned();
        let (wanted, got) = (twin.get(key).unwrap_or(&none), end.get(key).unwrap_or(&none));
        format!("the end differs from a run without faults: {key} is {got}, not {wanted}")
    })
}

/// What the end of a scenario is compared by when it is reached on another way: not its history.
fn without_history(end: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let kept = end.iter().filter(|(key, _)| !key.starts_with("run ") && *key != "status generation");
    // Who retries writes that nothing is aborted; who never aborted has not written it.
    let said = |key: &str, value: &String| {
        if key == "status abort" && value == "false" { "null".to_owned() } else { value.clone() }
    };
    kept.map(|(key, value)| (key.clone(), said(key, value))).collect()
}

/// O2: a Rollout that is created with the last spec of a scenario ends as the scenario did. Only for those that end
/// Healthy: what was aborted or stands at a pause depends on what was before.
fn path_independence(scenario: &Scenario, end: &BTreeMap<String, String>, whole: bool) -> Option<Outcome> {
    let left = |object: &serde_json::Value| {
        object.get("kind").and_then(serde_json::Value::as_str) == Some("ReplicaSet")
    };
    // Which of two Services that take turns is the stable one depends on how many releases there were.
    let takes_turns = end.get("spec").is_some_and(|spec| spec.contains("pingPong"));
    if takes_turns || scenario.objects.iter().any(left) {
        return None;
    }
    let healthy = end.get("status phase").is_some_and(|phase| phase == "\"Healthy\"");
    let spec: serde_json::Value = serde_json::from_str(end.get("spec").filter(|_| healthy && whole)?).ok()?;
    let mut objects: Vec<serde_json::Value> = scenario.objects.clone();
    for act in &scenario.acts {
        if let Deed::Apply(object) = &act.deed
            && object.get("kind").and_then(serde_json::Value::as_str) != Some("Rollout")
        {
            objects.push(object.clone());
        }
    }
    let web = objects.iter_mut().find(|object| {
        object.get("kind").and_then(serde_json::Value::as_str) == Some("Rollout")
            && object.pointer("/metadata/name").and_then(serde_json::Value::as_str)
                == Some(super::scenarios::ROLLOUT)
    })?;
    web.as_object_mut()?.insert("spec".to_owned(), spec);
    let fresh = Scenario { objects, acts: Vec::new(), aimed: Vec::new(), controllers: 1, ..scenario.clone() };
    let calm = Run { scenario: &fresh, seed: 1, faults: Faults::default(), overlay: true, trace: false };
    let mut outcome = play(&calm);
    if outcome.violation.is_none()
        && let Some(what) = difference(&without_history(&outcome.end), &without_history(end))
    {
        let what = format!("created as it ended, it ends otherwise: {what}");
        outcome.violation =
            Some(super::Violation { invariant: "O2", at: crds::Time::default(), revision: 0, what });
    }
    Some(outcome)
}

/// Plays a run; some are played twice, and must be the same (O3).
fn played(run: &Run<'_>) -> Outcome {
    let mut outcome = play(run);
    if run.seed.is_multiple_of(TWICE_EVERY) && run.faults.swarm.is_some() && play(run).hash != outcome.hash {
        outcome.violation = Some(super::Violation {
            invariant: "O3",
            at: crds::Time::default(),
            revision: 0,
            what: "the same seed gave another run".to_owned(),
        });
    }
    outcome
}

/// Plays all of them.
pub(super) fn carry_out(jobs: &[Job<'_>], threads: usize) -> Explored {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Explored::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Explored::default();
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let run = Run {
                        scenario: job.scenario,
                        seed: job.seed,
                        faults: job.faults.clone(),
                        overlay: job.overlay,
                        trace: false,
                    };
                    own.take(job, played(&run));
                }
                let mut all = results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *all = std::mem::take(&mut *all).join(own);
            });
        }
    });
    let mut explored = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    explored.failed.sort_by(|a, b| {
        (a.scenario.name, a.seed, &a.faults.set).cmp(&(b.scenario.name, b.seed, &b.faults.set))
    });
    explored
}

/// Every single fault at every write of each scenario, and at a sample of the lines of its watches; at a sample of the
/// writes, too, where the scenario says so.
#[must_use]
pub fn singles(scenarios: &[Scenario], threads: usize) -> Explored {
    let mut all = Explored::default();
    for scenario in scenarios {
        let calm = Run { scenario, seed: 1, faults: Faults::default(), overlay: true, trace: false };
        let twin = play(&calm);
        let (writes, news, end) = (twin.writes, twin.news, twin.end.clone());
        let events = twin.events.clone();
        let fresh = path_independence(scenario, &end, twin.violation.is_none());
        let calm_job = Job { scenario, seed: 1, faults: Faults::default(), overlay: true, twin: None };
        all.take(&calm_job, twin);
        if let Some(fresh) = fresh {
            all.take(&calm_job, fresh);
        }
        let job = |fault, overlay| Job {
            scenario,
            seed: 1,
            faults: Faults { set: vec![fault], swarm: None },
            overlay,
            twin: Some(&end),
        };
        let mut jobs = Vec::new();
        let stride = scenario.stride;
        for write in 0..writes {
            let sampled = write.is_multiple_of(stride);
            let faults: &[CallFault] = match events.contains(&write) {
                _ if !sampled => &[],
                true => &EVENT_FAULTS,
                false => &CALL_FAULTS,
            };
            jobs.extend(faults.iter().map(|fault| job(Fault::Write(write, *fault), true)));
            all.left_out += CALL_FAULTS.len() - faults.len();
        }
        let is_sampled = |line: &u32| line.is_multiple_of(NEWS_SAMPLED * stride);
        for line in (0..news).filter(is_sampled) {
            jobs.extend(NEWS_FAULTS.map(|fault| job(Fault::News(line, fault), true)));
        }
        all.left_out += (0..news).filter(|line| !is_sampled(line)).count() * NEWS_FAULTS.len();
        jobs.push(Job { faults: Faults::default(), ..job(Fault::Write(0, CALL_FAULTS[0]), false) });
        all = all.join(carry_out(&jobs, threads));
    }
    all
}

/// Swarms of faults: seeds from `from`, each on a scenario of its own choice, with the overlay on or off.
#[must_use]
pub fn swarm(scenarios: &[Scenario], from: u64, count: u64, threads: usize) -> Explored {
    let jobs: Vec<Job<'_>> = (from..from.saturating_add(count))
        .filter_map(|seed| {
            let (scenario, faults, overlay) = of_seed(scenarios, seed)?;
            Some(Job { scenario, seed, faults, overlay, twin: None })
        })
        .collect();
    carry_out(&jobs, threads)
}

/// The scenario, faults and overlay of a swarm seed.
#[must_use]
pub fn of_seed(scenarios: &[Scenario], seed: u64) -> Option<(&Scenario, Faults, bool)> {
    let mut random = Rng::with_seed(seed);
    let scenario = random.choice(scenarios)?;
    let swarm = Swarm::random(&mut random, sandbox::Options::default().begin);
    Some((scenario, Faults { set: Vec::new(), swarm: Some(swarm) }, random.bool()))
}
