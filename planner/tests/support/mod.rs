//! A small cluster in virtual time: it carries plans out write by write, and pods become ready after a while.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "shared by several test programs, none of which uses all of it"
)]

mod actions;
pub mod balancers;
pub mod demo;
pub mod routers;
mod writes;

use crds::analysis::{AnalysisPhase, AnalysisRunStatus};
use crds::{Rollout, Time};
use planner::traffic::{Abilities, Authors, ObservedTraffic, RouterView};
use planner::{Owner, Plan, Pod, PodMetadata, ReplicaSet, Service, World, plan};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a pod takes to become ready.
const READY_MILLISECONDS: u64 = 1500;
/// Plans that may follow each other at one moment; more mean that planning does not come to an end.
const PLANS_MAX: usize = 60;

/// What becomes of an AnalysisRun: milliseconds after its first pass, phase and message.
pub type Script = Vec<(u64, AnalysisPhase, String)>;

/// A pod of the model.
#[derive(Clone, Debug)]
pub struct ModelPod {
    pub name: String,
    pub set: String,
    pub created: Time,
    pub ready: Option<Time>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

/// The cluster.
#[derive(Clone, Debug)]
pub struct Model {
    pub world: World,
    pub now: Time,
    pub pods: Vec<ModelPod>,
    /// Reason and message of each event, in order.
    pub events: Vec<(String, String)>,
    /// The router does not show what it is asked for: somebody puts it back.
    pub router_is_stuck: bool,
    /// Objects of real routers; without them the router does at once what it is asked for.
    pub objects: Option<traffic::Objects>,
    /// Edits of those objects.
    pub edits: usize,
    /// A load balancer that keeps lists of pods.
    pub balancer: Option<balancers::Balancer>,
    /// What data planes were told, one after the other.
    pub told: Vec<routers::Told>,
    /// What a router has just said of its edits.
    pub told_by_routers: Vec<(String, String)>,
    /// Phase, message and step of each status that differs from the one before.
    pub phases: Vec<(String, String, Option<i32>)>,
    /// Phase with the reason of `Progressing`, and what else the status says that can be the cause of another one.
    pub states: Vec<(String, String)>,
    /// What `status.duration` said, one after the other: which fields are set, and how the update ended.
    pub durations: Vec<String>,
    /// Outcomes of AnalysisRuns, by name with hashes replaced.
    pub scripts: BTreeMap<String, Script>,
    pub runs_began: BTreeMap<String, Time>,
    pub changed: Time,
    pub wake: Option<Time>,
    /// Runs after every plan.
    pub inspect: fn(&World, &Plan, Time),
    pub counter: u64,
    /// Writes that were carried out; the status is none of them.
    pub writes: usize,
    /// Those of them that went to ReplicaSets.
    pub replica_set_writes: usize,
    /// Sizes that were written to the referenced Deployment.
    pub workload_sizes: Vec<i32>,
    /// Hashes in order of appearance.
    pub hashes: Vec<String>,
}

pub fn at(milliseconds: u64) -> Time {
    Time::from_unix_seconds(1_900_000_000).unwrap().plus(Duration::from_millis(milliseconds))
}

/// Which fields of `status.duration` are set, and how the update ended.
pub fn duration_text(field: impl Fn(&str) -> Value) -> String {
    let times = ["rolloutStartedAt", "manualPauseStartedAt", "totalManualPauseDurationSeconds", "finishedAt"];
    let mut set: Vec<&str> = times.into_iter().filter(|key| !field(key).is_null()).collect();
    let outcome = field("completionStatus");
    set.extend(outcome.as_str());
    set.join(" ")
}

/// Phase and reason of `Progressing`, as `docs/reference/phases.md` names them, and the rest of the status.
pub fn state_of(status: &crds::rollout::RolloutStatus) -> (String, String) {
    let conditions = status.conditions.iter().flatten();
    let reason = conditions.filter(|one| one.kind == "Progressing").map(|one| one.reason.as_str()).next();
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let state = format!("{}/{}", dash(&status.phase), dash(reason.unwrap_or_default()));
    let mut rest = status.clone();
    (rest.conditions, rest.duration) = (None, None);
    (rest.phase, rest.message) = (String::new(), String::new());
    (state, serde_json::to_string(&rest).unwrap())
}

/// A router that shows nothing yet, and does at once what it is asked for.
fn router() -> RouterView {
    let (abilities, observed) = (Abilities::default(), Ok(ObservedTraffic::default()));
    RouterView {
        name: "nginx",
        abilities,
        observed,
        changed: None,
        authors: Authors::default(),
        served: None,
        asked: None,
    }
}

impl Model {
    pub fn new() -> Self {
        Self {
            world: World::default(),
            now: at(0),
            pods: Vec::new(),
            events: Vec::new(),
            router_is_stuck: false,
            objects: None,
            edits: 0,
            balancer: None,
            told: Vec::new(),
            told_by_routers: Vec::new(),
            phases: Vec::new(),
            states: Vec::new(),
            durations: Vec::new(),
            scripts: BTreeMap::new(),
            runs_began: BTreeMap::new(),
            changed: at(0),
            wake: None,
            inspect: |world, plan, now| {
                let faults = planner::check::check(world, plan, now);
                assert!(faults.is_empty(), "a plan breaks rules: {faults:?}\n{plan:#?}");
            },
            counter: 0,
            writes: 0,
            replica_set_writes: 0,
            workload_sizes: Vec::new(),
            hashes: Vec::new(),
        }
    }

    pub fn next_number(&mut self) -> String {
        self.counter += 1;
        self.counter.to_string()
    }

    /// Creates an object from its manifest.
    pub fn create(&mut self, manifest: &Value) {
        let name = manifest["metadata"]["name"].as_str().unwrap_or("demo").to_owned();
        let number = self.next_number();
        match manifest["kind"].as_str().unwrap() {
            "Rollout" => {
                let mut rollout: Rollout = serde_json::from_value(manifest.clone()).unwrap();
                rollout.metadata.namespace = Some("ns".to_owned());
                rollout.metadata.uid = Some("uid-of-demo".to_owned());
                rollout.metadata.generation = Some(1);
                self.world.rollout = rollout;
                if !manifest["spec"]["strategy"]["canary"]["trafficRouting"].is_null() {
                    self.world.routers = vec![router()];
                }
            }
            "Deployment" => {
                let spec = &manifest["spec"];
                self.world.workload = Some(planner::Workload {
                    name,
                    uid: number.clone(),
                    resource_version: number,
                    generation: 1,
                    template: Arc::new(crds::PodTemplate(spec["template"].clone())),
                    selector: serde_json::from_value(spec["selector"].clone()).unwrap(),
                    replicas: Some(spec["replicas"].as_i64().map_or(1, |size| i32::try_from(size).unwrap())),
                    ..planner::Workload::default()
                });
            }
            "Service" => {
                let selector =
                    serde_json::from_value(manifest["spec"]["selector"].clone()).unwrap_or_default();
                let service = Service {
                    name: name.clone(),
                    uid: number.clone(),
                    resource_version: number,
                    selector,
                    ..Service::default()
                };
                self.world.services.insert(name, service);
            }
            "AnalysisTemplate" => {
                let spec = serde_json::from_value(manifest["spec"].clone()).unwrap();
                self.world.analysis_templates.insert(name, spec);
            }
            "ClusterAnalysisTemplate" => {
                let spec = serde_json::from_value(manifest["spec"].clone()).unwrap();
                self.world.cluster_analysis_templates.insert(name, spec);
            }
            // What the router makes of it is another room's business.
            "Ingress" => {}
            other => panic!("the model has no {other}"),
        }
        self.changed = self.now;
    }

    /// Text with hashes replaced by h1, h2, ... in order of appearance.
    pub fn plain(&self, text: &str) -> String {
        self.hashes
            .iter()
            .enumerate()
            .fold(text.to_owned(), |text, (index, hash)| text.replace(hash, &format!("h{}", index + 1)))
    }

    /// Plans and carries out until nothing changes any more at this moment.
    pub fn reconcile(&mut self) {
        for _ in 0..PLANS_MAX {
            self.surroundings();
            if self.world.rollout.metadata.name.is_none() {
                return;
            }
            let plan = plan(&self.world, self.now);
            self.ask_balancer(&plan);
            (self.inspect)(&self.world, &plan, self.now);
            self.wake = plan.wake.as_ref().map(|wake| wake.at);
            let same = plan.status.is_none() || plan.status == self.world.rollout.status;
            if plan.writes.is_empty() && same && !self.hears_of_targets(&plan) {
                assert!(plan.notices.is_empty(), "a quiet plan has notices: {:?}", plan.notices);
                return;
            }
            self.hears_of_targets(&plan);
            self.carry_out(&plan);
        }
        let last = plan(&self.world, self.now);
        panic!("planning does not end: {:#?}\nwas {:#?}", last, self.world.rollout.status);
    }

    /// What target groups have said is told with the plan that rests on it. Whether something was new.
    fn hears_of_targets(&mut self, plan: &Plan) -> bool {
        let asked = self.world.services.iter_mut().filter(|(name, _)| plan.asks.contains(*name));
        asked
            .map(|(_, service)| std::mem::take(&mut service.targets_are_news))
            .fold(false, |any, new| any | new)
    }

    /// ReplicaSet controller, kubelet and analysis controller.
    pub fn surroundings(&mut self) {
        let now = self.now;
        self.look_at_routers();
        for index in 0..self.world.replica_sets.len() {
            self.follow_size(index);
        }
        for set in &mut self.world.replica_sets {
            let mine = || self.pods.iter().filter(|pod| pod.set == set.name);
            let min = i64::from(set.min_ready_seconds);
            let count = |n: usize| i32::try_from(n).unwrap();
            let counts = planner::ReplicaSetCounts {
                replicas: count(mine().count()),
                ready: count(mine().filter(|pod| pod.ready.is_some_and(|at| at <= now)).count()),
                available: count(
                    mine().filter(|pod| pod.ready.is_some_and(|at| at.plus_seconds(min) <= now)).count(),
                ),
                generation_observed: true,
                resized_here: false,
            };
            if set.counts != counts {
                set.counts = counts;
                self.changed = now;
                self.counter += 1;
                set.resource_version = self.counter.to_string();
            }
        }
        self.look_at_lists();
        self.world.pods = self
            .pods
            .iter()
            .filter_map(|pod| {
                let set = self.world.replica_sets.iter().find(|set| set.name == pod.set)?;
                let min = i64::from(set.min_ready_seconds);
                Some(Pod {
                    name: pod.name.clone(),
                    uid: pod.name.clone(),
                    replica_set_uid: set.uid.clone(),
                    created: pod.created.whole_seconds(),
                    deleting: false,
                    available: pod.ready.is_some_and(|at| at.plus_seconds(min) <= now),
                    eviction: None,
                })
            })
            .collect();
        let metadata = |pod: &ModelPod| {
            let set = self.world.replica_sets.iter().find(|set| set.name == pod.set)?;
            Some(PodMetadata {
                name: pod.name.clone(),
                uid: pod.name.clone(),
                replica_set_uid: set.uid.clone(),
                labels: pod.labels.clone(),
                annotations: pod.annotations.clone(),
                ..PodMetadata::default()
            })
        };
        let pods = self.world.needs_pod_metadata().then(|| self.pods.iter().filter_map(metadata).collect());
        self.world.pod_metadata = pods.unwrap_or_default();
        self.analyse();
    }

    fn follow_size(&mut self, index: usize) {
        let set = &self.world.replica_sets[index];
        let (name, image) = (set.name.clone(), image(set));
        let (labels, annotations) = (set.template.labels(), set.template.annotations());
        // A quota refuses the pods of some images.
        let want = if image.contains("quota") { 0 } else { usize::try_from(set.replicas).unwrap_or(0) };
        let have = self.pods.iter().filter(|pod| pod.set == name).count();
        for extra in 0..want.saturating_sub(have) {
            self.counter += 1;
            let wait = READY_MILLISECONDS + u64::try_from(extra).unwrap();
            self.pods.push(ModelPod {
                name: format!("{name}-{}", self.counter),
                set: name.clone(),
                created: self.now,
                ready: (!never_starts(&image)).then(|| self.now.plus(Duration::from_millis(wait))),
                labels: labels.clone(),
                annotations: annotations.clone(),
            });
        }
        for _ in 0..have.saturating_sub(want) {
            // Pods that are not ready go first, then the youngest.
            let now = self.now;
            let key =
                |pod: &ModelPod| (pod.ready.is_some_and(|at| at <= now), std::cmp::Reverse(pod.created));
            let goes = self.pods.iter().filter(|pod| pod.set == name).min_by_key(|pod| key(pod)).unwrap();
            let goes = goes.name.clone();
            self.pods.retain(|pod| pod.name != goes);
        }
    }

    fn analyse(&mut self) {
        for index in 0..self.world.analysis_runs.len() {
            let run = self.world.analysis_runs[index].clone();
            let named = self.world.rollout.status.as_ref().is_some_and(|status| status.names_run(&run.name));
            if run.status.is_none() && !named && run.spec.terminate != Some(true) {
                continue;
            }
            let began = *self.runs_began.entry(run.name.clone()).or_insert(self.now);
            let fallback = vec![(0, AnalysisPhase::Running, String::new())];
            let plain = self.plain(&run.name);
            let script = self.scripts.get(&plain).unwrap_or(&fallback).clone();
            let over = run.status.as_ref().is_some_and(|status| status.phase.is_completed());
            if over {
                continue;
            }
            let mut due = script
                .iter()
                .rfind(|(after, ..)| began.plus(Duration::from_millis(*after)) <= self.now)
                .cloned();
            if run.spec.terminate == Some(true) {
                let last = script.last().cloned().filter(|(_, phase, _)| phase.is_completed());
                due = Some(last.unwrap_or((0, AnalysisPhase::Successful, "Run Terminated".to_owned())));
            }
            let Some((_, phase, message)) = due else { continue };
            let started = run.status.as_ref().and_then(|status| status.started_at);
            let started_at = Some(started.unwrap_or(self.now.whole_seconds()));
            let status = AnalysisRunStatus { phase, message, started_at, ..AnalysisRunStatus::default() };
            if run.status.as_deref() != Some(&status) {
                self.world.analysis_runs[index].status = Some(Arc::new(status));
                self.changed = self.now;
            }
        }
    }

    /// The next moment at which something happens by itself.
    pub fn next_moment(&self) -> Option<Time> {
        let min = |pod: &ModelPod| {
            let set = self.world.replica_sets.iter().find(|set| set.name == pod.set);
            set.map_or(0, |set| i64::from(set.min_ready_seconds))
        };
        let pods = self
            .pods
            .iter()
            .flat_map(|pod| pod.ready.into_iter().flat_map(move |at| [at, at.plus_seconds(min(pod))]));
        let runs = self.world.analysis_runs.iter().flat_map(|run| {
            let began = self.runs_began.get(&run.name).copied().unwrap_or(self.now);
            let script = self.scripts.get(&self.plain(&run.name)).cloned().unwrap_or_default();
            script.into_iter().map(move |(after, ..)| began.plus(Duration::from_millis(after)))
        });
        pods.chain(runs).chain(self.wake).chain(self.next_look()).filter(|at| *at > self.now).min()
    }

    /// Lets time pass until `done` holds and nothing has changed for `settle`; false when it never does.
    pub fn run_until(&mut self, settle: Duration, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now.plus(limit);
        loop {
            self.reconcile();
            let calm = self.changed.plus(settle).max(self.now);
            let next = self.next_moment();
            if done(self) && next.is_none_or(|next| next > calm) {
                self.now = calm;
                return true;
            }
            match next {
                Some(next) if next <= end => self.now = next,
                _ => return false,
            }
        }
    }

    pub fn set_of_revision(&self, revision: i64) -> Option<&ReplicaSet> {
        self.world.replica_sets.iter().find(|set| set.revision() == revision && set.owner == Owner::Ours)
    }

    pub fn reasons(&self) -> Vec<&str> {
        self.events.iter().map(|(reason, _)| reason.as_str()).collect()
    }
}

fn image(set: &ReplicaSet) -> String {
    set.template.0.pointer("/spec/containers/0/image").and_then(Value::as_str).unwrap_or("").to_owned()
}

fn never_starts(image: &str) -> bool {
    ["argo-error", "does-not-exist", "nonexistent", "bad"].iter().any(|bad| image.contains(bad))
        || image.ends_with(":error")
}
