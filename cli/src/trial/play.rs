//! One play: the old version is brought up, users come, the new version is released, and the player looks on.

use super::look::{self, Look};
use super::manifests::{Manifests, text};
use super::stage::{REST, Stage, StageError};
use super::{End, Line, Release, Story};
use crate::args::Promote;
use crate::cluster::Cluster;
use crate::terminal::Terminal;
use crate::verbs::promote;
use crds::Rollout;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long users call the old version before the release: rates need some minutes.
const BEFORE: Duration = Duration::from_secs(300);
/// How long the old version may take to come up.
const START_MAX: Duration = Duration::from_secs(3600);
/// How long a play may take.
const PLAY_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a person takes at a pause without end. Long enough for analyses in the background to have their say.
const PERSON: Duration = Duration::from_secs(600);
/// How long a stopped release may take to give the old version its pods back.
const BACK_MAX: Duration = Duration::from_secs(600);
/// Outcomes of a metric that are told one by one; further ones of the same kind are counted.
const TOLD_MAX: u32 = 2;

/// The player and what he has seen.
struct Player {
    stage: Stage,
    release: Release,
    old: String,
    began: Duration,
    lines: Vec<Line>,
    last: Look,
    /// Measurements told of each run and metric.
    measured: BTreeMap<(String, String), usize>,
    outcomes: BTreeMap<(String, String, String), u32>,
    jobs: BTreeSet<String>,
    ended_runs: BTreeSet<String>,
    questions: BTreeSet<String>,
    promotions: u32,
    waits_since: Option<Duration>,
    stopped_since: Option<Duration>,
}

/// Plays one release of one Rollout.
pub(super) async fn play(
    manifests: &Manifests,
    rollout: &Value,
    namespace: Option<&str>,
    release: Release,
) -> Result<Story, StageError> {
    let own = Some(text(rollout, "/metadata/namespace")).filter(|own| !own.is_empty());
    let namespace = namespace.or(own).unwrap_or("default");
    let name = format!("{namespace}/{}", text(rollout, "/metadata/name"));
    let invalid = |why: String| Story {
        rollout: name.clone(),
        release,
        lines: Vec::new(),
        seconds: 0.0,
        end: End::Invalid(why),
        gates: Vec::new(),
        promotions: 0,
        services: Vec::new(),
    };
    let stage = match Stage::open(manifests, rollout, namespace, release) {
        Ok(stage) => stage,
        Err(StageError::Refused(why)) => return Ok(invalid(why)),
        Err(error) => return Err(error),
    };
    let mut player = Player {
        stage,
        release,
        old: String::new(),
        began: Duration::ZERO,
        lines: Vec::new(),
        last: Look::default(),
        measured: BTreeMap::new(),
        outcomes: BTreeMap::new(),
        jobs: BTreeSet::new(),
        ended_runs: BTreeSet::new(),
        questions: BTreeSet::new(),
        promotions: 0,
        waits_since: None,
        stopped_since: None,
    };
    let end = match player.bring_up().await {
        Some(end) => end,
        None => player.go().await?,
    };
    player.count_rest();
    let seconds = player.seconds();
    let gates = player.gates();
    let Player { lines, promotions, stage, .. } = player;
    let services = stage.users.into_iter().map(|(name, _)| name).collect();
    Ok(Story { rollout: name, release, lines, seconds, end, gates, promotions, services })
}

impl Player {
    fn now(&self) -> Duration {
        self.stage.cluster.clock().elapsed()
    }

    /// Since the release, in whole tenths: what happens within one look is at one time.
    fn seconds(&self) -> f64 {
        (self.now().saturating_sub(self.began).as_secs_f64() * 10.0).round() / 10.0
    }

    fn tell(&mut self, what: &'static str, text: impl Into<String>, more: Vec<String>) {
        let at = self.seconds();
        self.lines.push(Line { at, what, text: text.into(), more });
    }

    /// The first version, which has neither steps nor analyses. Gives an end when it does not come up.
    async fn bring_up(&mut self) -> Option<End> {
        while self.now() < START_MAX {
            self.change(START_MAX).await;
            let Some(rollout) = self.stage.rollout() else { continue };
            let status = rollout.status.clone().unwrap_or_default();
            let (phase, message) = crate::phase::phase(&rollout);
            if message.starts_with("InvalidSpec") {
                return Some(End::Invalid(message));
            }
            if phase == "Healthy" {
                self.old = status.current_pod_hash;
                self.stage.send_users();
                tokio::time::sleep(BEFORE).await;
                return None;
            }
        }
        let message =
            self.stage.rollout().map_or_else(String::new, |rollout| crate::phase::phase(&rollout).1);
        Some(End::Stuck(format!("the old version does not come up: {message}")))
    }

    /// Waits for the next change of the cluster, or until a time.
    async fn change(&self, until: Duration) {
        let left = until.saturating_sub(self.now());
        tokio::select! {
            biased;
            () = self.stage.changed.notified() => {}
            () = tokio::time::sleep(left) => {}
        }
        tokio::time::sleep(REST).await;
    }

    async fn go(&mut self) -> Result<End, StageError> {
        self.began = self.now();
        let api: Api<Rollout> = Api::namespaced(self.stage.client.clone(), &self.stage.namespace);
        let patch = Patch::Merge(Stage::release(self.release));
        let released = api.patch(&self.stage.name, &PatchParams::default(), &patch).await;
        released.map_err(|error| StageError::Refused(error.to_string()))?;
        let Some(rollout) = self.stage.rollout() else { return Ok(End::Stuck("it is gone".to_owned())) };
        self.last = Look::at(&self.stage, &rollout, &self.old);
        let pods = self.last.pods();
        self.tell("release", format!("the new version is applied; pods: {pods}"), Vec::new());
        let limit = self.began + PLAY_MAX;
        while self.now() < limit {
            let until = self.waits_since.map_or(limit, |since| since + PERSON);
            self.change(until.min(limit)).await;
            let Some(rollout) = self.stage.rollout() else { break };
            let look = Look::at(&self.stage, &rollout, &self.old);
            // Causes before what they cause.
            self.tell_questions();
            self.tell_runs();
            self.tell_rollout(&rollout, &look);
            self.last = look.clone();
            if let Some(end) = self.end(&rollout, &look) {
                return Ok(end);
            }
            self.be_a_person(&rollout, &look).await;
        }
        Ok(End::Stuck(format!("{}: {}", self.last.phase, self.last.message)))
    }

    fn end(&mut self, rollout: &Rollout, look: &Look) -> Option<End> {
        let desired = usize::try_from(crds::defaults::replicas(rollout)).unwrap_or(0);
        if look.aborted {
            let now = self.now();
            let since = *self.stopped_since.get_or_insert(now);
            let is_back = look.old >= desired || now.saturating_sub(since) > BACK_MAX;
            return is_back.then(|| End::Stopped(reason(&look.message)));
        }
        if look.is_promoted && look.phase == "Healthy" {
            return Some(End::Completed);
        }
        if look.pause.as_deref() == Some("InconclusiveAnalysisRun") {
            return Some(End::Held("an analysis is inconclusive".to_owned()));
        }
        if look.message.starts_with("InvalidSpec") {
            return Some(End::Invalid(look.message.clone()));
        }
        if look.phase == "Degraded" {
            return Some(End::Stuck(look.message.clone()));
        }
        None
    }

    fn tell_rollout(&mut self, rollout: &Rollout, look: &Look) {
        let last = std::mem::take(&mut self.last);
        if let Some((index, all)) = look.step.filter(|_| !look.aborted)
            && last.step != look.step
        {
            // Those that were passed in a moment, too.
            let from = last.step.map_or(0, |(before, _)| before + 1).min(index);
            let steps: Vec<String> =
                look::steps(rollout).into_iter().flatten().map(|step| look::told(step).0).collect();
            for (at, step) in steps.iter().enumerate().take(index + 1).skip(from) {
                self.tell("step", format!("{}/{all}: {step}", at + 1), Vec::new());
            }
            if index >= all {
                self.tell("step", format!("all {all} are done"), Vec::new());
            }
        }
        if look.aborted && !last.aborted {
            self.tell("stopped", reason(&look.message), Vec::new());
        }
        for (name, version) in &look.services {
            if !last.services.iter().any(|(known, before)| known == name && before == version) {
                self.tell("service", format!("{name} selects {version}"), Vec::new());
            }
        }
        if let Some(routed) = look.routed.as_ref().filter(|_| last.routed != look.routed) {
            self.tell("weight", routed.clone(), Vec::new());
        }
        if (last.old, last.new) != (look.old, look.new) {
            let weight = look.weight.map_or_else(String::new, |weight| format!("; weight {weight}"));
            self.tell("pods", format!("{}{weight}", look.pods()), Vec::new());
        }
        if look.is_promoted && !last.is_promoted {
            self.tell("promoted", "the new version is the stable one now", Vec::new());
        }
    }

    fn tell_questions(&mut self) {
        for asked in self.stage.network.take() {
            let source = match &asked.assumed {
                None => "from the simulated traffic".to_owned(),
                Some(why) => format!("ASSUMED: {why}"),
            };
            let key = format!("{} {} {} {source}", asked.metric, asked.address, asked.question);
            if !self.questions.insert(key) {
                continue;
            }
            let mut more: Vec<String> =
                asked.question.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
            more.push(format!("answer {} ({source})", asked.answer));
            self.tell("query", format!("{}: {}", asked.metric, asked.address), more);
        }
    }

    fn tell_runs(&mut self) {
        for job in self.stage.cluster.objects("batch/v1", "Job", &self.stage.namespace) {
            let name = text(&job, "/metadata/name").to_owned();
            if self.jobs.insert(name.clone()) {
                let code = if self.release == Release::Good { "exits 0" } else { "exits 1" };
                self.tell("job", format!("{name} runs (ASSUMED: its container {code})"), Vec::new());
            }
        }
        for run in self.stage.cluster.objects("argoproj.io/v1alpha1", "AnalysisRun", &self.stage.namespace) {
            let name = text(&run, "/metadata/name").to_owned();
            let results = run.pointer("/status/metricResults").and_then(Value::as_array);
            for result in results.into_iter().flatten() {
                self.tell_measurements(&name, result);
            }
            let phase = text(&run, "/status/phase");
            let is_over = ["Successful", "Failed", "Error", "Inconclusive"].contains(&phase);
            if is_over && self.ended_runs.insert(name.clone()) {
                let message = text(&run, "/status/message");
                let why = if message.is_empty() { String::new() } else { format!(": {message}") };
                self.tell("analysis", format!("{name} {phase}{why}"), Vec::new());
            }
        }
    }

    fn tell_measurements(&mut self, run: &str, result: &Value) {
        let metric = text(result, "/name").to_owned();
        let measurements = result.pointer("/measurements").and_then(Value::as_array);
        let done: Vec<&Value> = measurements
            .into_iter()
            .flatten()
            .filter(|measurement| measurement.get("finishedAt").is_some())
            .collect();
        // Only the last ones are kept in the status; how many there were is counted there.
        let count = ["successful", "failed", "inconclusive", "error"]
            .into_iter()
            .filter_map(|kind| result.get(kind).and_then(Value::as_u64))
            .sum::<u64>();
        let count = usize::try_from(count).unwrap_or(done.len()).max(done.len());
        let seen = self.measured.insert((run.to_owned(), metric.clone()), count).unwrap_or(0);
        let fresh = count.saturating_sub(seen).min(done.len());
        for measurement in done.iter().skip(done.len() - fresh) {
            let phase = text(measurement, "/phase").to_owned();
            let told = self.outcomes.entry((run.to_owned(), metric.clone(), phase.clone())).or_default();
            *told += 1;
            if *told > TOLD_MAX {
                continue;
            }
            let (value, message) = (text(measurement, "/value"), text(measurement, "/message"));
            let value = if value.is_empty() { String::new() } else { format!(" {value}") };
            let message = if message.is_empty() { String::new() } else { format!(": {message}") };
            self.tell("measured", format!("{metric}{value}: {phase}{message}"), Vec::new());
        }
    }

    /// Tells how many measurements were not told one by one.
    fn count_rest(&mut self) {
        for ((run, metric, phase), count) in std::mem::take(&mut self.outcomes) {
            if count > TOLD_MAX {
                let rest = count - TOLD_MAX;
                self.tell("measured", format!("{metric} of {run}: {rest} more {phase}"), Vec::new());
            }
            self.outcomes.insert((run, metric, phase), count);
        }
    }

    /// Metrics with what came of them.
    fn gates(&self) -> Vec<String> {
        let mut by_metric: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for ((_, metric, phase), count) in &self.outcomes {
            *by_metric.entry((metric, phase)).or_default() += count;
        }
        by_metric.into_iter().map(|((metric, phase), count)| format!("{metric}: {count} {phase}")).collect()
    }

    /// Promotes what only a person promotes, after a while.
    async fn be_a_person(&mut self, rollout: &Rollout, look: &Look) {
        if !waits_for_a_person(rollout, look) {
            self.waits_since = None;
            return;
        }
        let now = self.now();
        let Some(since) = self.waits_since else {
            self.waits_since = Some(now);
            let minutes = PERSON.as_secs() / 60;
            self.tell(
                "paused",
                format!("until a person promotes it; the player does in {minutes} minutes"),
                Vec::new(),
            );
            return;
        };
        if now.saturating_sub(since) < PERSON {
            return;
        }
        self.waits_since = None;
        self.promotions += 1;
        self.tell("promote", "the player promotes it, as a person would", Vec::new());
        let (terminal, _) = Terminal::recorded(crds::Time::default);
        let cluster = Cluster::of(self.stage.client.clone(), self.stage.namespace.clone(), &terminal);
        let args = Promote {
            rollout: self.stage.name.clone(),
            full: false,
            skip_current_step: false,
            at_step: None,
        };
        if let Err(error) = promote::run(&cluster, &args).await {
            self.tell("promote", format!("refused: {error}"), Vec::new());
        }
    }
}

fn waits_for_a_person(rollout: &Rollout, look: &Look) -> bool {
    match look.pause.as_deref() {
        Some("CanaryPauseStep") => {
            let step = look.step.and_then(|(index, _)| look::steps(rollout)?.get(index));
            step.is_some_and(|step| look::told(step).1)
        }
        Some("BlueGreenPause") => {
            let strategy = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.blue_green.as_ref());
            strategy.and_then(|strategy| strategy.auto_promotion_seconds).unwrap_or(0) <= 0
        }
        _ => false,
    }
}

/// A message without the condition's name before it.
fn reason(message: &str) -> String {
    message.strip_prefix("RolloutAborted: ").unwrap_or(message).to_owned()
}
