//! What must be true of a Rollout at rest, said of the whole cluster: not how it got there, but that everything that is
//! recorded or left behind fits what people want.

mod analyses;

use super::cluster::{Cluster, Pod, Set};
use super::controller::revision;
use super::invariants::Fault;
use super::promises::weight;
use super::setup::NAME;
use crds::analysis::AnalysisPhase;
use crds::rollout::RolloutStatus;
use crds::{Rollout, defaults, meta};
use planner::Owner;

/// Annotations of a Rollout that its ReplicaSets do not get.
const OWN_ANNOTATIONS: [&str; 3] =
    [meta::REVISION_ANNOTATION, meta::LAST_APPLIED_ANNOTATION, meta::DESIRED_REPLICAS_ANNOTATION];
/// The whole weight, in percent.
const WHOLE: i32 = 100;

/// The cluster at rest, as the rules ask for it.
struct Rest<'c> {
    cluster: &'c Cluster,
    rollout: &'c Rollout,
    status: RolloutStatus,
    /// ReplicaSets that the Rollout controls.
    sets: Vec<&'c Set>,
    new: &'c Set,
    stable: Option<&'c Set>,
    replicas: i32,
}

type Verdict = Result<(), String>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

/// The first rule that the cluster at rest breaks.
pub(super) fn at_rest(cluster: &Cluster) -> Option<Fault> {
    let what = judge(cluster).err()?;
    Some(Fault { invariant: "V1", what: format!("at rest {what}") })
}

fn judge(cluster: &Cluster) -> Verdict {
    let rollout = cluster.rollout.as_ref();
    let status = rollout.status.clone().unwrap_or_default();
    let invalid = condition(&status, "InvalidSpec").is_some();
    ensure(!invalid, || format!("a valid Rollout is called invalid: {}", status.message))?;
    let sets: Vec<&Set> = cluster.sets.iter().filter(|set| set.view.owner == Owner::Ours).collect();
    let new = sets.iter().copied().find(|set| set.view.hash() == status.current_pod_hash);
    let new = new.ok_or_else(|| "the current version has no ReplicaSet".to_owned())?;
    ensure(image(&new.view.template) == rollout_image(rollout), || {
        format!("the current version is {}, not that of the newest template", status.current_pod_hash)
    })?;
    let stable = sets.iter().copied().find(|set| set.view.hash() == status.stable_rs);
    let replicas = defaults::replicas(rollout);
    let rest = Rest { cluster, rollout, status, sets, new, stable, replicas };
    rest.counts()?;
    rest.records()?;
    rest.claims()?;
    rest.deadlines()?;
    rest.history()?;
    rest.analyses()?;
    match rest.status.phase.as_str() {
        "Healthy" => rest.healthy(),
        "Paused" => rest.paused(),
        _ => rest.degraded(),
    }
}

fn image(template: &crds::PodTemplate) -> Option<&str> {
    template.0.pointer("/spec/containers/0/image")?.as_str()
}

fn rollout_image(rollout: &Rollout) -> Option<&str> {
    image(rollout.spec.template.as_ref()?)
}

/// Status and reason of a condition.
fn condition<'s>(status: &'s RolloutStatus, kind: &str) -> Option<(&'s str, &'s str)> {
    let found = status.conditions.iter().flatten().find(|condition| condition.kind == kind)?;
    Some((found.status.as_str(), found.reason.as_str()))
}

impl Rest<'_> {
    /// Nothing is scaled or switched: a person has frozen it, or an analysis waits for a person.
    fn is_halted(&self) -> bool {
        self.rollout.spec.paused == Some(true) || self.waits_for("InconclusiveAnalysisRun")
    }

    fn waits_for(&self, reason: &str) -> bool {
        self.status.pause_conditions.iter().flatten().any(|pause| pause.reason == reason)
    }

    fn blue_green(&self) -> Option<&crds::rollout::blue_green::BlueGreenStrategy> {
        self.rollout.spec.strategy.as_ref()?.blue_green.as_ref()
    }

    fn canary(&self) -> Option<&crds::rollout::canary::CanaryStrategy> {
        self.rollout.spec.strategy.as_ref()?.canary.as_ref()
    }

    fn is_new(&self, set: &Set) -> bool {
        set.view.uid == self.new.view.uid
    }

    /// All pods that a version asks for are there.
    fn is_there(&self, set: &Set) -> bool {
        set.view.counts.available == set.view.replicas
    }

    fn others(&self) -> impl Iterator<Item = &Set> {
        let stable = self.stable.map(|stable| stable.view.uid.as_str());
        self.sets
            .iter()
            .copied()
            .filter(move |set| set.view.uid != self.new.view.uid && Some(set.view.uid.as_str()) != stable)
    }

    /// The numbers in the status are those of the ReplicaSets.
    fn counts(&self) -> Verdict {
        let sum = |of: fn(&Set) -> i32| self.sets.iter().map(|set| of(set)).sum::<i32>();
        let status = &self.status;
        let same = |what: &str, is: i32, should: i32| {
            ensure(is == should, || format!("status.{what} is {is}, but there are {should}"))
        };
        same("replicas", status.replicas, sum(|set| set.view.counts.replicas))?;
        same("updatedReplicas", status.updated_replicas, self.new.view.counts.replicas)?;
        let (ready, available, counted) = match self.blue_green() {
            Some(strategy) => {
                let hash = self.cluster.selected(&strategy.active_service);
                let active = self.sets.iter().find(|set| !hash.is_empty() && set.view.hash() == hash);
                let all = (sum(|set| set.view.counts.ready), 0, sum(|set| set.view.counts.replicas));
                active.map_or(all, |set| {
                    (set.view.counts.ready, set.view.counts.available, set.view.counts.replicas)
                })
            }
            None => (
                sum(|set| set.view.counts.ready),
                sum(|set| set.view.counts.available),
                sum(|set| set.view.counts.replicas),
            ),
        };
        same("readyReplicas", status.ready_replicas, ready)?;
        same("availableReplicas", status.available_replicas, available)?;
        same("HPAReplicas", status.hpa_replicas, counted)
    }

    /// Conditions say what is.
    fn claims(&self) -> Verdict {
        let status = &self.status;
        let done = status.stable_rs == status.current_pod_hash;
        for kind in ["Healthy", "Completed"] {
            let says = condition(status, kind).is_some_and(|(value, _)| value == "True");
            ensure(done || !says, || format!("{kind} is True, but nothing is promoted"))?;
        }
        if self.rollout.spec.paused == Some(true) {
            return Ok(());
        }
        let there = match self.blue_green() {
            Some(_) => status.available_replicas == self.replicas,
            None => status.available_replicas >= self.replicas,
        };
        let says = condition(status, "Available").is_some_and(|(value, _)| value == "True");
        // What is active may have another size for a while: it is not scaled while it waits.
        ensure(there || !says, || format!("Available is True of {} pods", status.available_replicas))
    }

    /// What is recorded here and there agrees.
    fn records(&self) -> Verdict {
        let generation = self.rollout.metadata.generation.unwrap_or(0).to_string();
        let seen = &self.status.observed_generation;
        ensure(*seen == generation, || format!("generation {generation} is not observed, {seen} is"))?;
        let number = revision(self.rollout.metadata.annotations.as_ref());
        let of = |set: &Set| revision(Some(&set.view.annotations));
        ensure(number == of(self.new), || {
            format!("the Rollout is at revision {number}, its ReplicaSet at {}", of(self.new))
        })?;
        for set in self.sets.iter().filter(|set| !self.is_new(set)) {
            ensure(of(set) < number, || format!("{} has revision {} of {number}", set.view.name, of(set)))?;
        }
        let wanted = self.rollout.spec.min_ready_seconds.unwrap_or(0);
        ensure(self.new.view.min_ready_seconds == wanted, || {
            format!("{} does not wait for minReadySeconds {wanted}", self.new.view.name)
        })?;
        for (key, value) in self.rollout.metadata.annotations.iter().flatten() {
            let copied =
                OWN_ANNOTATIONS.contains(&key.as_str()) || self.new.view.annotations.get(key) == Some(value);
            ensure(copied, || format!("{} does not have the annotation {key}", self.new.view.name))?;
        }
        for set in [Some(self.new), self.stable].into_iter().flatten().filter(|_| !self.is_halted()) {
            let recorded = set.view.desired_annotation();
            let fits = set.view.replicas == 0 || recorded == Some(self.replicas);
            ensure(fits, || {
                format!("{} records {recorded:?} desired pods of {}", set.view.name, self.replicas)
            })?;
        }
        let restarted = self.status.restarted_at;
        let asked = self.rollout.spec.restart_at.filter(|at| *at <= self.cluster.now);
        let done = asked.is_none() || asked == restarted || self.status.phase != "Healthy";
        ensure(done, || format!("the restart at {asked:?} is not done, but {restarted:?}"))?;
        let old = |pod: &&Pod| asked.is_some_and(|at| pod.life.created.whole_seconds() < at);
        // A version that was scaled up after the restart was asked for has young pods all the same.
        let is_old = self.status.phase == "Healthy" && self.new.pods.iter().any(|pod| old(&pod));
        ensure(!is_old || self.status.restarted_at != asked || self.is_forgiven(), || {
            "pods are older than the restart that is done".to_owned()
        })
    }

    /// Another template counts as the restart of all: what comes back later may be older.
    fn is_forgiven(&self) -> bool {
        self.sets.len() > 1 || self.new.view.created < self.rollout.spec.restart_at.unwrap_or_default()
    }

    /// No delay counts for what is live, for what has no pods, or when it is over.
    fn deadlines(&self) -> Verdict {
        for set in self.sets.iter().filter(|set| set.view.is_marked_for_scale_down()) {
            let name = &set.view.name;
            ensure(set.view.replicas > 0, || format!("{name} has no pods and still a deadline"))?;
            if self.is_halted() {
                continue;
            }
            let active = self.blue_green().map(|strategy| self.cluster.selected(&strategy.active_service));
            let live = active.is_some_and(|hash| hash == set.view.hash());
            ensure(!live, || format!("{name} is active, and still has a deadline"))?;
            let over = set.view.scale_down_deadline().is_none_or(|end| end <= self.cluster.now);
            ensure(!over, || format!("the deadline of {name} is over, and it still has pods"))?;
        }
        Ok(())
    }

    /// No more versions without pods are kept than people want.
    fn history(&self) -> Verdict {
        if self.is_halted() {
            return Ok(());
        }
        let selected =
            |set: &&Set| self.cluster.services.values().any(|service| service.hash() == set.view.hash());
        let idle = self.others().filter(|set| set.view.replicas == 0 && !selected(set)).count();
        let limit = usize::try_from(defaults::revision_history_limit(self.rollout)).unwrap_or(0);
        ensure(idle <= limit, || format!("{idle} old versions are kept of {limit}"))
    }

    fn healthy(&self) -> Verdict {
        let status = &self.status;
        ensure(status.stable_rs == status.current_pod_hash, || "Healthy, but not promoted".to_owned())?;
        ensure(!status.abort && status.aborted_at.is_none(), || "Healthy, and still aborted".to_owned())?;
        let waits = status.controller_pause || status.pause_conditions.is_some() || status.promote_full;
        ensure(!waits, || "Healthy, and still waits for somebody".to_owned())?;
        let steps = self.canary().and_then(|canary| canary.steps.as_ref()).map_or(0, Vec::len);
        let end = (steps > 0).then(|| i32::try_from(steps).unwrap_or(i32::MAX));
        let step = status.current_step_index;
        ensure(step == end, || format!("Healthy at step {step:?} of {end:?}"))?;
        self.whole(self.new)?;
        for (kind, wanted) in
            [("Healthy", "True"), ("Available", "True"), ("Completed", "True"), ("Progressing", "True")]
        {
            let is = condition(status, kind).map(|(value, _)| value);
            ensure(is == Some(wanted), || format!("Healthy, but condition {kind} is {is:?}"))?;
        }
        let paused = condition(status, "Paused").map(|(value, _)| value);
        ensure(paused != Some("True"), || "Healthy, but condition Paused is True".to_owned())
    }

    /// One version has everything: pods and Services; the others nothing.
    fn whole(&self, set: &Set) -> Verdict {
        let (name, size) = (&set.view.name, set.view.replicas);
        ensure(size == self.replicas, || format!("{name} has {size} pods of {}", self.replicas))?;
        for other in self.sets.iter().filter(|other| other.view.uid != set.view.uid) {
            let kept = self.blue_green().is_some() && self.is_new(other);
            ensure(kept || other.view.replicas == 0, || format!("{} still has pods", other.view.name))?;
        }
        for service in self.named() {
            let preview =
                self.blue_green().is_some_and(|strategy| strategy.preview_service.as_ref() == Some(service));
            let wanted = if preview { self.new.view.hash() } else { set.view.hash() };
            let is = self.cluster.selected(service);
            let open = self.replicas == 0 || !self.is_there(set) || is == wanted;
            ensure(open, || format!("Service {service} selects {is:?}, not {wanted}"))?;
            let manager = self.cluster.services.get(service).and_then(|service| service.managed_by());
            ensure(is.is_empty() || manager == Some(NAME), || {
                format!("Service {service} is managed by {manager:?}")
            })?;
        }
        Ok(())
    }

    /// Services that the Rollout names.
    fn named(&self) -> impl Iterator<Item = &String> {
        let canary = self.canary();
        let blue_green = self.blue_green();
        [
            canary.and_then(|canary| canary.stable_service.as_ref()),
            canary.and_then(|canary| canary.canary_service.as_ref()),
            blue_green.map(|strategy| &strategy.active_service),
            blue_green.and_then(|strategy| strategy.preview_service.as_ref()),
        ]
        .into_iter()
        .flatten()
    }

    fn paused(&self) -> Verdict {
        let frozen = self.rollout.spec.paused == Some(true);
        let status = &self.status;
        if frozen {
            return Ok(());
        }
        ensure(!status.abort, || "Paused, though it is aborted".to_owned())?;
        let timed = self.step_pause().is_some_and(|seconds| seconds.is_some());
        ensure(!self.waits_for("CanaryPauseStep") || !timed, || "a timed pause has no end".to_owned())?;
        let by_hand = self.blue_green().is_none_or(|strategy| strategy.auto_promotion_enabled == Some(false));
        ensure(!self.waits_for("BlueGreenPause") || by_hand, || "a timed promotion never comes".to_owned())?;
        if self.waits_for("InconclusiveAnalysisRun") {
            let undecided = self.recorded().iter().any(|(_, phase)| *phase == AnalysisPhase::Inconclusive);
            return ensure(undecided, || "it waits for an analysis that is not undecided".to_owned());
        }
        let Some(stable) = self.stable else { return Ok(()) };
        if !self.is_there(stable) || !self.is_there(self.new) || self.is_new(stable) || status.promote_full {
            return Ok(());
        }
        match self.blue_green() {
            Some(strategy) => self.previewed(strategy, stable),
            None => self.shared(stable),
        }
    }

    /// Length of the pause that is the current step; `None` when it is none.
    fn step_pause(&self) -> Option<Option<i64>> {
        let steps = self.canary()?.steps.as_ref()?;
        let step = steps.get(usize::try_from(self.status.current_step_index?).ok()?)?;
        Some(defaults::pause_duration_seconds(step.pause.as_ref()?).ok().flatten())
    }

    /// A canary that waits has the share of its step, and the Services follow.
    fn shared(&self, stable: &Set) -> Verdict {
        let weight = weight(self.rollout, &self.status);
        let (new, old) = (self.new.view.replicas, stable.view.replicas);
        let total = new + old;
        let surge = i32::from(defaults::max_surge(self.rollout) > 0);
        let most = self.replicas + surge;
        ensure((self.replicas..=most).contains(&total), || {
            format!("{total} pods are there, {} are wanted", self.replicas)
        })?;
        let near = (WHOLE * new - weight * total).abs() <= WHOLE;
        let whole = match weight {
            0 => new == 0,
            WHOLE => old == 0,
            // One pod cannot be shared.
            _ => (new > 0 && old > 0) || self.replicas <= 1,
        };
        ensure(near && whole, || format!("weight {weight} has {new} of {total} pods"))?;
        for other in self.others() {
            ensure(other.view.replicas == 0, || format!("{} still has pods", other.view.name))?;
        }
        let Some(canary) = self.canary().filter(|_| self.replicas > 0) else { return Ok(()) };
        let beside = canary
            .analysis
            .as_ref()
            .filter(|beside| beside.templates.as_ref().is_some_and(|t| !t.is_empty()));
        let begun = |first: i32| self.status.current_step_index.is_none_or(|index| index >= first);
        let named = self
            .status
            .canary
            .as_ref()
            .and_then(|canary| canary.current_background_analysis_run_status.as_ref());
        let missing =
            beside.is_some_and(|beside| begun(beside.starting_step.unwrap_or(0))) && named.is_none();
        ensure(!missing, || "there is no analysis beside the steps".to_owned())?;
        let names = [
            (&canary.stable_service, if old > 0 { stable } else { self.new }),
            (&canary.canary_service, self.new),
        ];
        for (service, set) in names {
            let Some(service) = service.as_ref().filter(|_| set.view.replicas > 0) else { continue };
            let is = self.cluster.selected(service);
            ensure(is == set.view.hash(), || {
                format!("Service {service} selects {is:?}, not {}", set.view.hash())
            })?;
        }
        Ok(())
    }

    /// A preview that waits has its size, and the Services follow.
    fn previewed(&self, strategy: &crds::rollout::blue_green::BlueGreenStrategy, stable: &Set) -> Verdict {
        let (new, old) = (self.new.view.replicas, stable.view.replicas);
        ensure(old == self.replicas, || format!("{} has {old} pods", stable.view.name))?;
        let fits = new == self.replicas || strategy.preview_replica_count == Some(new);
        ensure(fits, || format!("the preview has {new} pods"))?;
        // A version that was overtaken before it was stable may still serve.
        let active = self.cluster.selected(&strategy.active_service);
        ensure(self.replicas == 0 || active != self.new.view.hash(), || {
            format!("{} serves before its promotion", self.new.view.name)
        })?;
        let preview = strategy.preview_service.as_ref().map(|name| (name, self.new));
        if let Some((service, set)) = preview {
            let is = self.cluster.selected(service);
            let fits = self.replicas == 0 || is == set.view.hash();
            ensure(fits, || format!("Service {service} selects {is:?}, not {}", set.view.hash()))?;
        }
        Ok(())
    }

    fn degraded(&self) -> Verdict {
        let status = &self.status;
        let late = condition(status, "Progressing").is_some_and(|(_, why)| why == "ProgressDeadlineExceeded");
        ensure(status.pause_conditions.is_none(), || "Degraded, and paused besides".to_owned())?;
        ensure(status.abort || late, || format!("Degraded without a reason: {}", status.message))?;
        if !status.abort {
            let all = self.is_there(self.new) && self.stable.is_some_and(|stable| self.is_there(stable));
            let done =
                status.stable_rs == status.current_pod_hash && all && self.new.view.replicas == self.replicas;
            let waits = self.sets.iter().any(|set| !self.is_there(set));
            return ensure(!done && waits, || "all is there, and it is late all the same".to_owned());
        }
        ensure(status.stable_rs != status.current_pod_hash, || "nothing is left to abort".to_owned())?;
        ensure(status.aborted_at.is_some(), || "aborted, but nobody knows when".to_owned())?;
        let (Some(stable), false) = (self.stable, self.is_halted()) else { return Ok(()) };
        if status.stable_rs.is_empty() || !self.is_there(stable) {
            return Ok(());
        }
        let kept =
            self.blue_green().is_some() && defaults::abort_scale_down_delay_seconds(self.rollout).is_none();
        ensure(kept || self.new.view.replicas == 0, || {
            format!("{} is aborted and has {} pods", self.new.view.name, self.new.view.replicas)
        })?;
        self.whole(stable)
    }
}
