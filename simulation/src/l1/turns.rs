//! The actors and whose turn it is.

use super::cluster::{Cluster, Pod, Set, forever, is_endless};
use super::controller::Controller;
use super::invariants::Fault;
use super::setup::{self, Knobs, Mood, Setup};
use super::view::{self, KINDS, Kind};
use super::{Options, Summary, Violation, people, rest};
use crds::analysis::{AnalysisPhase, AnalysisRunStatus};
use crds::{PodTemplate, Time, meta};
use fastrand::Rng;
use planner::{ReplicaSetCounts, World, Write};
use sandbox::models::kubelet::{self, PodLife};
use sandbox::models::replica_set;
use std::sync::Arc;
use std::time::Duration;

/// When all runs begin: some day in 2030.
const BEGIN_SECONDS: i64 = 1_900_000_000;
/// Start value and multiplier of 64-bit FNV-1a.
const FNV: (u64, u64) = (0xcbf2_9ce4_8422_2325, 0x0000_0100_0000_01b3);

/// Who has a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    Watch(Kind),
    Controller,
    ReplicaSets(usize),
    Kubelet(usize),
    Analysis(usize),
    People,
    Trouble,
    Time,
}

/// One run.
pub(super) struct Simulation {
    pub(super) seed: u64,
    pub(super) options: Options,
    pub(super) rng: Rng,
    pub(super) knobs: Knobs,
    pub(super) templates: Vec<PodTemplate>,
    pub(super) cluster: Cluster,
    pub(super) controller: Controller,
    pub(super) summary: Summary,
    /// Pods lost by no act of ours so far.
    pub(super) losses: u64,
    begin: Time,
    trace: Vec<String>,
}

pub(super) type Step = Result<(), Box<Violation>>;

impl Simulation {
    pub(super) fn new(seed: u64, options: &Options) -> Self {
        let mut rng = Rng::with_seed(seed);
        let Setup { knobs, rollout, templates, services, analysis_templates, sets, strangers } =
            setup::setup(&mut rng, options.faults);
        let begin = Time::from_unix_seconds(BEGIN_SECONDS).unwrap_or_default();
        let image = |template: &PodTemplate| {
            let image = template.0.pointer("/spec/containers/0/image").and_then(serde_json::Value::as_str);
            image.unwrap_or_default().to_owned()
        };
        let cluster = Cluster {
            now: begin,
            revision: 1,
            rollout: Arc::new(rollout),
            sets: sets.into_iter().map(|(view, version)| Set::new(view, version)).collect(),
            services,
            runs: Vec::new(),
            watches: view::Watches::default(),
            strangers,
            taken: Vec::new(),
            left: std::collections::BTreeMap::new(),
            decided: begin,
            begun: begin,
            retried: 0,
            skew_seconds: setup::skew_seconds(seed, options.faults),
            behaviours: knobs.behaviours.to_vec(),
            images: templates.iter().map(image).collect(),
        };
        let controller = Controller::new(&cluster, World { analysis_templates, ..World::default() });
        let summary = Summary { hash: FNV.0, ..Summary::default() };
        let trace = Vec::new();
        let options = options.clone();
        let mut simulation = Self {
            seed,
            options,
            rng,
            knobs,
            templates,
            cluster,
            controller,
            summary,
            losses: 0,
            begin,
            trace,
        };
        simulation.tell(|run| {
            let spec = serde_json::to_string(&run.cluster.rollout.spec).unwrap_or_default();
            format!("begin  {:?}\n        {spec}", run.knobs)
        });
        simulation
    }

    pub(super) fn run(mut self) -> Result<Summary, Box<Violation>> {
        for _ in 0..self.options.turns {
            let actor = self.choose();
            self.turn(actor)?;
        }
        rest::come_to_rest(&mut self)?;
        self.summary.time = self.begin.until(self.cluster.now);
        Ok(self.summary)
    }

    /// A line of the story; costs nothing while nobody listens.
    pub(super) fn tell(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.options.trace {
            let line = line(self);
            let at = self.begin.until(self.cluster.now).as_secs_f64();
            self.trace
                .push(format!("{:5} {at:9.3} r{:<5} {line}", self.summary.turns, self.cluster.revision));
        }
    }

    pub(super) fn reach(&mut self, what: &'static str) {
        let count = self.summary.reached.entry(what).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn violation(&mut self, fault: Fault) -> Box<Violation> {
        Box::new(Violation {
            seed: self.seed,
            turn: self.summary.turns,
            at: self.cluster.now,
            invariant: fault.invariant,
            what: fault.what,
            trace: std::mem::take(&mut self.trace),
        })
    }

    pub(super) fn check(&mut self, fault: Option<Fault>) -> Step {
        fault.map_or(Ok(()), |fault| Err(self.violation(fault)))
    }

    pub(super) fn chance(&mut self, of_256: u8) -> bool {
        of_256 > 0 && self.rng.u8(..) < of_256
    }

    /// Whose turn it is: people and trouble by chance, otherwise one of those who have something to do.
    fn choose(&mut self) -> Actor {
        if self.chance(self.knobs.people) {
            return Actor::People;
        }
        if self.chance(self.knobs.pod_loss) {
            return Actor::Trouble;
        }
        if self.chance(self.knobs.haste) {
            return Actor::Time;
        }
        let lag = self.knobs.lag;
        self.someone(lag).unwrap_or(Actor::Time)
    }

    /// One of the actors that have something to do; a watch misses its chance at the rate of `lag`.
    pub(super) fn someone(&mut self, lag: u8) -> Option<Actor> {
        let now = self.cluster.now;
        let mut chosen = None;
        let mut count = 0_u32;
        let mut offer = |rng: &mut Rng, actor: Actor| {
            count = count.saturating_add(1);
            if rng.u32(0..count) == 0 {
                chosen = Some(actor);
            }
        };
        for kind in KINDS {
            if self.cluster.watches.waiting(kind) > 0 && (lag == 0 || self.rng.u8(..) >= lag) {
                offer(&mut self.rng, Actor::Watch(kind));
            }
        }
        if self.controller.is_due(now) {
            offer(&mut self.rng, Actor::Controller);
        }
        for (index, set) in self.cluster.sets.iter().enumerate() {
            if set.dirty || set.wake.is_some_and(|wake| wake <= now) {
                offer(&mut self.rng, Actor::ReplicaSets(index));
            }
            if set.pods.iter().any(|pod| pod.wake.is_some_and(|wake| wake <= now)) {
                offer(&mut self.rng, Actor::Kubelet(index));
            }
        }
        for (index, run) in self.cluster.runs.iter().enumerate() {
            let over = run.phase().is_completed();
            let ended = run.view.spec.terminate == Some(true);
            let due = run.phase() == AnalysisPhase::New || run.end.0 <= now || ended;
            // As the controller of AnalysisRuns does: what no status names is not begun.
            let begins = run.phase() != AnalysisPhase::New || self.names_run(&run.view.name);
            if !over && due && (begins || ended) {
                offer(&mut self.rng, Actor::Analysis(index));
            }
        }
        chosen
    }

    pub(super) fn turn(&mut self, actor: Actor) -> Step {
        self.summary.turns = self.summary.turns.saturating_add(1);
        match actor {
            Actor::Watch(kind) => self.deliver(kind),
            Actor::Controller => self.control()?,
            Actor::ReplicaSets(index) => self.replica_set(index),
            Actor::Kubelet(index) => self.kubelet(index),
            Actor::Analysis(index) => self.analyse(index),
            Actor::People => people::act(self),
            Actor::Trouble => self.trouble(),
            Actor::Time => self.pass_time(),
        }
        let elapsed = u64::try_from(self.begin.until(self.cluster.now).as_millis()).unwrap_or(u64::MAX);
        for word in [self.cluster.revision, elapsed, self.rng.clone().u64(..)] {
            self.summary.hash = (self.summary.hash ^ word).wrapping_mul(FNV.1);
        }
        Ok(())
    }

    fn names_run(&self, name: &str) -> bool {
        self.cluster.rollout.status.as_ref().is_some_and(|status| status.names_run(name))
    }

    /// When a run that begins now ends, and how.
    pub(super) fn verdict(&mut self, write: &Write) -> (Time, AnalysisPhase) {
        if let Write::CreateAnalysisRun { labels, .. } = write
            && labels.get(meta::ROLLOUT_TYPE_LABEL).is_some_and(|kind| kind == "Background")
            && self.rng.bool()
        {
            return (forever(), AnalysisPhase::Running);
        }
        // A run of one mood shows what several like it in a row do.
        let phase = match (self.rng.u8(..8), self.knobs.verdicts) {
            (0, _) | (1..=3, Mood::Bad) => AnalysisPhase::Failed,
            (1, _) => AnalysisPhase::Error,
            (2, _) | (3..=6, Mood::Undecided) => AnalysisPhase::Inconclusive,
            _ => AnalysisPhase::Successful,
        };
        (self.cluster.now.plus(Duration::from_millis(self.rng.u64(0..40_000))), phase)
    }

    fn analyse(&mut self, index: usize) {
        let now = self.cluster.now;
        let Some(run) = self.cluster.runs.get(index) else { return };
        let phase = if run.view.spec.terminate == Some(true) {
            AnalysisPhase::Successful
        } else if run.end.0 <= now {
            run.end.1
        } else {
            AnalysisPhase::Running
        };
        let name = run.view.name.clone();
        let begun = run.view.status.as_ref().and_then(|status| status.started_at);
        let started_at = Some(begun.unwrap_or(now.whole_seconds()));
        let status = AnalysisRunStatus { phase, started_at, ..AnalysisRunStatus::default() };
        self.cluster.change_run(&name, |run| run.view.status = Some(Arc::new(status)));
        self.cluster.note_verdict(&name);
        self.tell(|_| format!("run    {name} is {phase}"));
    }

    /// One turn of the ReplicaSet controller for one ReplicaSet.
    fn replica_set(&mut self, index: usize) {
        let now = self.cluster.now;
        let revision = self.cluster.revision;
        let Some(set) = self.cluster.sets.get_mut(index) else { return };
        let view = replica_set::SetView {
            replicas: set.view.replicas,
            min_ready_seconds: set.view.min_ready_seconds,
            ..replica_set::SetView::default()
        };
        let pods: Vec<_> = set.pods.iter().map(Pod::view).collect();
        let step = replica_set::step(&view, &pods, now);
        let gone: Vec<String> =
            step.delete.iter().filter_map(|index| set.pods.get(*index)).map(|pod| pod.uid.clone()).collect();
        let behaviour = self.cluster.behaviours.get(set.version).copied().unwrap_or_default();
        for number in 0..step.create {
            let uid = format!("pod-{revision}-{number}");
            set.pods.push(Pod { uid, life: PodLife::new(now), behaviour, wake: Some(now) });
        }
        (set.dirty, set.wake) = (step.create > 0 || !gone.is_empty(), step.wake);
        let name = set.view.name.clone();
        let counts = ReplicaSetCounts {
            replicas: step.status.replicas,
            ready: step.status.ready,
            available: step.status.available,
            generation_observed: true,
            resized_here: false,
        };
        let (changed, lost) = (set.view.counts != counts, std::mem::take(&mut set.lost));
        gone.iter().for_each(|uid| self.cluster.delete_pod(uid));
        // Pods that were made need a version of their own, so that their names differ.
        self.cluster.next();
        if changed {
            self.cluster.change_set(&name, |set| set.view.counts = counts);
        }
        let shown = self.cluster.revision;
        if let Some(set) = self.cluster.sets.get_mut(index).filter(|_| lost && changed) {
            set.loss_shown = shown;
        }
        self.tell(|_| format!("sets   {name}: {counts:?}, +{} -{}", step.create, gone.len()));
    }

    /// The kubelet looks after the pods of one ReplicaSet.
    fn kubelet(&mut self, index: usize) {
        let now = self.cluster.now;
        let Some(set) = self.cluster.sets.get_mut(index) else { return };
        let mut lost = 0_u64;
        for pod in set.pods.iter_mut().filter(|pod| pod.wake.is_some_and(|wake| wake <= now)) {
            let was = pod.life.ready_since();
            (pod.life, pod.wake) = kubelet::step(&pod.life, &pod.behaviour, now);
            if pod.life.ready_since() != was {
                set.dirty = true;
                if was.is_some() && pod.life.deletion.is_none() {
                    lost = lost.saturating_add(1);
                }
            }
        }
        set.pods.retain(|pod| !pod.life.is_gone());
        set.lost |= lost > 0;
        self.losses = self.losses.saturating_add(lost);
        let name = set.view.name.clone();
        self.tell(|_| format!("pods   of {name} move on, {lost} lost"));
    }

    /// A node is drained: one pod goes, or all of a ReplicaSet.
    fn trouble(&mut self) {
        let count = self.cluster.sets.len();
        if count == 0 {
            return;
        }
        let (index, all) = (self.rng.usize(0..count), self.rng.u8(..4) == 0);
        let Some(set) = self.cluster.sets.get_mut(index) else { return };
        let live = set.pods.iter().filter(|pod| pod.life.deletion.is_none()).map(|pod| pod.uid.clone());
        let uids: Vec<String> = live.take(if all { usize::MAX } else { 1 }).collect();
        if uids.is_empty() {
            return;
        }
        set.lost = true;
        self.losses = self.losses.saturating_add(1);
        uids.iter().for_each(|uid| self.cluster.delete_pod(uid));
        self.reach("a node is drained");
        self.tell(|_| format!("drain  {uids:?}"));
    }

    /// When time alone brings something next.
    pub(super) fn next_moment(&self) -> Option<Time> {
        let now = self.cluster.now;
        let sets = self.cluster.sets.iter();
        let pods = sets.flat_map(|set| set.pods.iter().map(|pod| pod.wake).chain([set.wake]));
        let runs = self.cluster.runs.iter().filter(|run| !run.phase().is_completed() && !is_endless(run));
        let runs = runs.map(|run| Some(run.end.0));
        pods.chain(runs).chain([self.controller.wake]).flatten().filter(|at| *at > now).min()
    }

    fn pass_time(&mut self) {
        let late = Duration::from_millis(if self.rng.u8(..8) == 0 { self.rng.u64(0..15_000) } else { 0 });
        let idle = Duration::from_millis(self.rng.u64(1..3_000));
        let now = self.cluster.now;
        self.cluster.now = match self.next_moment() {
            Some(next) if self.rng.bool() => next.plus(late),
            Some(next) => next.min(now.plus(idle)),
            None => now.plus(idle),
        };
    }
}
