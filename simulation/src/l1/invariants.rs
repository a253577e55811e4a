//! Rules on the true state, checked at each accepted write: what `docs/invariants.md` says, S1 to S10.

use super::cluster::{Cluster, Set};
use super::controller::revision;
use super::promises;
use super::view::number;
use crds::analysis::AnalysisPhase;
use crds::rollout::RolloutStatus;
use crds::{Rollout, Time, defaults, meta};
use planner::{Owner, World, Write};
use std::sync::Arc;

/// A rule that does not hold.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) invariant: &'static str,
    pub(super) what: String,
}

pub(super) fn fault(invariant: &'static str, what: impl Into<String>) -> Option<Fault> {
    Some(Fault { invariant, what: what.into() })
}

/// What a plan was made on, as far as the rules ask for it: a decision is judged by the wishes that it knew.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    pub(super) rollout_version: String,
    /// When it was made.
    pub(super) at: Time,
    /// The Rollout as it was seen.
    pub(super) seen: Arc<Rollout>,
    pub(super) replicas: i32,
    pub(super) unavailable: i32,
    /// Name of the active Service.
    pub(super) active: Option<String>,
    /// Name of the Service that shows a version before users get it: preview or canary.
    preview: Option<String>,
    /// The ReplicaSet of the stable version was seen.
    pub(super) has_stable: bool,
    /// The ReplicaSets that were seen: revision, uid and resource version.
    known: Vec<(i64, String, String)>,
    /// Pods had been lost by no act of ours, and the controller could not know.
    blind: bool,
    losses: u64,
}

impl Basis {
    /// Whether a seen ReplicaSet has that revision.
    pub(super) fn has_number(&self, number: i64) -> bool {
        self.known.iter().any(|(known, ..)| *known == number)
    }

    /// Whether the ReplicaSet is as it was seen.
    fn is_as_seen(&self, set: &Set) -> bool {
        self.known
            .iter()
            .any(|(_, uid, version)| *uid == set.view.uid && *version == set.view.resource_version)
    }

    pub(super) fn new(seen: &World, cluster: &Cluster, losses: u64) -> Self {
        let rollout = &seen.rollout;
        let strategy = rollout.spec.strategy.as_ref();
        let canary = strategy.and_then(|strategy| strategy.canary.as_ref());
        let blue_green = strategy.and_then(|strategy| strategy.blue_green.as_ref());
        let known = |set: &Set| {
            let known = seen.replica_sets.iter().find(|known| known.uid == set.view.uid);
            known.map_or(0, |known| number(&known.resource_version))
        };
        let blind = |set: &Set| set.lost || known(set) < set.loss_shown;
        Self {
            rollout_version: rollout.metadata.resource_version.clone().unwrap_or_default(),
            at: cluster.now,
            seen: Arc::new(rollout.clone()),
            replicas: defaults::replicas(rollout),
            unavailable: defaults::max_unavailable(rollout),
            active: blue_green.map(|strategy| strategy.active_service.clone()),
            preview: blue_green
                .and_then(|strategy| strategy.preview_service.clone())
                .or_else(|| canary.and_then(|strategy| strategy.canary_service.clone())),
            known: seen
                .replica_sets
                .iter()
                .map(|set| (set.revision(), set.uid.clone(), set.resource_version.clone()))
                .collect(),
            has_stable: rollout.status.as_ref().is_some_and(|status| {
                seen.replica_sets
                    .iter()
                    .any(|set| set.owner != Owner::Other && set.hash() == status.stable_rs)
            }),
            blind: cluster.sets.iter().any(blind)
                || seen.replica_sets.iter().any(|set| cluster.taken.contains(&set.uid)),
            losses,
        }
    }

    /// Production comes through this Service: it is the active one, or the stable one.
    fn serves(&self, service: &str) -> bool {
        let strategy = self.seen.spec.strategy.as_ref();
        let stable = strategy.and_then(|strategy| strategy.canary.as_ref()?.stable_service.as_deref());
        self.active.as_deref().or(stable) == Some(service)
    }

    /// No pods are wanted, or all of them may be missing: whoever allows that gets it.
    fn needs_nobody(&self) -> bool {
        self.replicas == 0 || (self.active.is_none() && self.replicas <= self.unavailable)
    }

    /// Whether the world has taken pods away that the plan counted on.
    fn is_excused(&self, losses: u64) -> bool {
        self.blind || self.losses != losses
    }
}

/// What an accepted write breaks, looked at before it is carried out.
pub(super) fn write(cluster: &Cluster, basis: &Basis, losses: u64, write: &Write) -> Option<Fault> {
    known(cluster, basis, losses, write)
        .or_else(|| promises::write(cluster, basis, basis.is_excused(losses), write))
}

fn known(cluster: &Cluster, basis: &Basis, losses: u64, write: &Write) -> Option<Fault> {
    match write {
        Write::ScaleReplicaSet { target, to, .. } => {
            let set = cluster.set(&target.name)?;
            if *to >= set.view.replicas {
                return None;
            }
            let excused = basis.is_excused(losses);
            shrink(cluster, basis, set, *to)
                .or_else(|| alone(cluster, basis, set, *to))
                .filter(|_| !excused)
                .or_else(|| emptied(cluster, basis, set, *to))
        }
        Write::SelectService { target, hash: Some(hash), .. } => {
            let excused = basis.is_excused(losses);
            reroute(cluster, basis, &target.name, hash)
                .or_else(|| short(cluster, basis, &target.name, hash))
                .filter(|_| !excused)
        }
        Write::CreateReplicaSet { labels, name, .. } => {
            let hash = labels.get(meta::POD_TEMPLATE_HASH_LABEL).map_or("", String::as_str);
            let twin = cluster.set_of(hash)?;
            fault("S8", format!("{name} is a twin of {} for {hash}", twin.view.name))
        }
        Write::DeleteReplicaSet { target } => {
            let set = cluster.set(&target.name)?;
            let status = cluster.rollout.status.as_ref();
            let needed = status.is_some_and(|status| status.stable_rs == set.view.hash());
            let mut services = cluster.services.values().filter(|service| basis.serves(&service.name));
            let served = !basis.needs_nobody() && services.any(|service| service.hash() == set.view.hash());
            if needed || served {
                return fault("S7", format!("{} is deleted, but it is needed", target.name));
            }
            None
        }
        Write::CreateAnalysisRun { labels, annotations, name, spec } => {
            let keys = [meta::POD_TEMPLATE_HASH_LABEL, meta::ROLLOUT_TYPE_LABEL, meta::STEP_INDEX_LABEL];
            let twin = cluster.runs.iter().find(|run| {
                let live = !run.phase().is_completed() && run.view.spec.terminate != Some(true);
                let same = |key: &&str| run.view.labels.get(*key) == labels.get(*key);
                let of = |annotations| revision(Some(annotations));
                // Other steps may ask for something else.
                let asks = run.view.spec.metrics == spec.metrics;
                live && asks && keys.iter().all(same) && of(&run.view.annotations) == of(annotations)
            })?;
            fault("S6", format!("{name} is made while {} runs", twin.view.name))
        }
        Write::AnnotateRollout { annotations } => {
            let old = revision(cluster.rollout.metadata.annotations.as_ref());
            let new = revision(Some(annotations));
            if annotations.contains_key(meta::REVISION_ANNOTATION) && new < old {
                return fault("S10", format!("the revision goes from {old} back to {new}"));
            }
            None
        }
        _ => None,
    }
}

/// S1: scaling down leaves the pods that must be available, or as many as there were.
fn shrink(cluster: &Cluster, basis: &Basis, target: &Set, to: i32) -> Option<Fault> {
    let active = basis.active.as_ref().map(|active| cluster.selected(active));
    let counts =
        |set: &&Set| set.view.owner == Owner::Ours && active.is_none_or(|hash| set.view.hash() == hash);
    let total = |cut: bool| {
        cluster.sets.iter().filter(counts).fold(0_i32, |sum, set| {
            let cut = cut && set.view.name == target.view.name;
            let size = if cut { to } else { set.view.replicas };
            // Pods that nobody has been told of do not count: not even the ReplicaSet's status shows them.
            let known = set.available(cluster.now).min(set.view.counts.available);
            sum.saturating_add(known.min(size))
        })
    };
    let missing = if active.is_some() { 0 } else { basis.unavailable };
    let (before, after) = (total(false), total(true));
    let bound = basis.replicas.saturating_sub(missing).min(before);
    if after >= bound {
        return None;
    }
    let name = &target.view.name;
    fault(
        "S1",
        format!("{name} shrinks to {to}: of {before} available pods {after} stay, {bound} are needed"),
    )
}

/// S2: what a Service selects is not emptied.
fn emptied(cluster: &Cluster, basis: &Basis, target: &Set, to: i32) -> Option<Fault> {
    if to > 0 || basis.needs_nobody() || target.available(cluster.now) == 0 {
        return None;
    }
    let routes = cluster.services.values().filter(|service| basis.serves(&service.name));
    let (name, hash) = (&target.view.name, target.view.hash());
    if let Some(service) = routes.into_iter().find(|service| service.hash() == hash) {
        return fault("S2", format!("{name} is emptied while Service {} selects it", service.name));
    }
    None
}

/// S7: the stable version is not emptied while nothing else serves.
fn alone(cluster: &Cluster, basis: &Basis, target: &Set, to: i32) -> Option<Fault> {
    let (name, hash) = (&target.view.name, target.view.hash());
    let stable = cluster.rollout.status.as_ref().is_some_and(|status| status.stable_rs == hash);
    if to > 0 || !stable || basis.needs_nobody() || target.available(cluster.now) == 0 {
        return None;
    }
    let mut others = cluster.sets.iter().filter(|set| set.view.name != *name);
    if others.any(|set| set.available(cluster.now) > 0) {
        return None;
    }
    fault("S7", format!("{name} is stable and the only one that serves, and is emptied"))
}

/// S2: no Service goes from a version with pods to one without; the preview may.
fn reroute(cluster: &Cluster, basis: &Basis, service: &str, to: &str) -> Option<Fault> {
    let preview = basis.preview.as_deref();
    let available = |hash: &str| cluster.set_of(hash).map_or(0, |set| set.available(cluster.now));
    let from = cluster.selected(service);
    if preview == Some(service)
        || basis.replicas == 0
        || available(to) > 0
        || (!from.is_empty() && available(from) == 0)
    {
        return None;
    }
    // A Service without a hash reaches all pods; where there are none, nothing is lost.
    let any = cluster.sets.iter().any(|set| set.available(cluster.now) > 0);
    if !any {
        return None;
    }
    fault("S2", format!("Service {service} goes from {from:?} to {to}, which has no available pod"))
}

/// S1: the active Service does not come to a version with fewer available pods than are wanted, or than it leaves. The
/// way back after an abort may; a restart that is going on takes pods away.
fn short(cluster: &Cluster, basis: &Basis, service: &str, to: &str) -> Option<Fault> {
    let status = basis.seen.status.as_ref()?;
    let from = cluster.selected(service);
    let restarts = basis.seen.spec.restart_at != status.restarted_at;
    if basis.active.as_deref() != Some(service) || from == to || status.abort || restarts {
        return None;
    }
    let available = |hash: &str| cluster.set_of(hash).map_or(0, |set| set.available(cluster.now));
    let (before, after) = (available(from), available(to));
    if after >= before.min(basis.replicas) {
        return None;
    }
    fault("S1", format!("Service {service} goes from {before} to {after} pods of {}", basis.replicas))
}

/// What a status that is accepted breaks, looked at before it is recorded.
pub(super) fn status(cluster: &Cluster, basis: &Basis, losses: u64, new: &RolloutStatus) -> Option<Fault> {
    let old = cluster.rollout.status.clone().unwrap_or_default();
    time(cluster, &old, new)
        .or_else(|| steps(cluster, basis, losses, &old, new))
        .or_else(|| promotion(cluster, basis, basis.is_excused(losses), &old, new))
        .or_else(|| promises::status(cluster, basis, basis.is_excused(losses), &old, new))
}

/// S10: generations and times only go forward.
fn time(cluster: &Cluster, old: &RolloutStatus, new: &RolloutStatus) -> Option<Fault> {
    let (before, after) = (number(&old.observed_generation), number(&new.observed_generation));
    let generation = cluster.rollout.metadata.generation.and_then(|number| u64::try_from(number).ok());
    if after < before || Some(after) > generation {
        return fault("S10", format!("observedGeneration {before} becomes {after} of {generation:?}"));
    }
    for condition in new.conditions.iter().flatten() {
        let known = old.conditions.iter().flatten().find(|known| known.kind == condition.kind);
        let since = known.map_or(Time::default(), |known| known.last_transition_time);
        let moved = known.is_some_and(|known| known.status == condition.status)
            && condition.last_transition_time != since;
        if moved || condition.last_transition_time < since || condition.last_transition_time > cluster.now {
            return fault("S10", format!("condition {} changed at an impossible time", condition.kind));
        }
    }
    None
}

/// S5: steps of one update end in order, a pause by its time or a person, an analysis by its success. A weight is come to
/// when its pods are there; where a pause comes next, when they were there as the ReplicaSet was seen.
fn steps(
    cluster: &Cluster,
    basis: &Basis,
    losses: u64,
    old: &RolloutStatus,
    new: &RolloutStatus,
) -> Option<Fault> {
    let same = old.current_pod_hash == new.current_pod_hash && old.current_step_hash == new.current_step_hash;
    let passes = old.promote_full || old.stable_rs.is_empty() || old.stable_rs == new.current_pod_hash;
    if !same || passes || old.abort || new.abort {
        return None;
    }
    let strategy = cluster.rollout.spec.strategy.as_ref();
    let steps = strategy.and_then(|strategy| strategy.canary.as_ref()?.steps.as_deref()).unwrap_or_default();
    let (from, to) = (old.current_step_index?, new.current_step_index?);
    if to > from && basis.seen.spec.paused == Some(true) {
        return fault("S5", format!("step {from} ends, though a person has frozen the Rollout"));
    }
    let count = i32::try_from(steps.len()).unwrap_or(i32::MAX);
    if to < from.min(count) {
        return fault("S10", format!("the step index goes from {from} back to {to}"));
    }
    for index in from..to {
        let Some(at) = usize::try_from(index).ok() else { continue };
        let Some(step) = steps.get(at) else { continue };
        let waits = steps.get(at.saturating_add(1)).is_some_and(|next| next.pause.is_some());
        let open = match (&step.pause, &step.analysis) {
            (Some(pause), _) => {
                let pauses = old.pause_conditions.iter().flatten();
                let begun = pauses.into_iter().find(|pause| pause.reason == "CanaryPauseStep");
                let seconds = defaults::pause_duration_seconds(pause).ok().flatten();
                let over =
                    |since: Time| seconds.is_some_and(|length| cluster.now >= since.plus_seconds(length));
                index == from && begun.map_or(old.controller_pause, |pause| over(pause.start_time))
            }
            (None, Some(analysis)) => {
                let empty = analysis.templates.as_ref().is_none_or(Vec::is_empty);
                empty || succeeded(cluster, &new.current_pod_hash, "Step", Some(index))
            }
            (None, None) => {
                let weight = step.set_weight.unwrap_or(0);
                let one = i32::from(weight > 0 && basis.replicas > 1);
                let least = (basis.replicas.saturating_mul(weight) / 100).max(one);
                let set = cluster.set_of(&new.current_pod_hash);
                // A restart that is going on has taken pods away.
                let restarts = cluster.rollout.spec.restart_at != new.restarted_at;
                restarts
                    || basis.is_excused(losses)
                    || !basis.has_stable
                    || set.is_none_or(|set| {
                        set.available(cluster.now) >= least || (waits && !basis.is_as_seen(set))
                    })
            }
        };
        if !open {
            return fault("S5", format!("step {index} is passed by, though nothing has opened it"));
        }
    }
    None
}

fn succeeded(cluster: &Cluster, hash: &str, kind: &str, step: Option<i32>) -> bool {
    let index = step.map(|index| index.to_string());
    cluster.runs.iter().any(|run| {
        let label = |key: &str| run.view.labels.get(key).map(String::as_str);
        run.phase() == AnalysisPhase::Successful
            && label(meta::POD_TEMPLATE_HASH_LABEL) == Some(hash)
            && label(meta::ROLLOUT_TYPE_LABEL) == Some(kind)
            && label(meta::STEP_INDEX_LABEL) == index.as_deref()
    })
}

/// S6, S7: a version becomes the stable one after all its steps, with all its pods, and analysed.
fn promotion(
    cluster: &Cluster,
    basis: &Basis,
    excused: bool,
    old: &RolloutStatus,
    new: &RolloutStatus,
) -> Option<Fault> {
    if old.stable_rs == new.stable_rs {
        return None;
    }
    let Some(set) = cluster.set_of(&new.stable_rs) else {
        if excused {
            return None;
        }
        return fault("S7", format!("{} becomes stable, but has no ReplicaSet", new.stable_rs));
    };
    if old.stable_rs.is_empty() {
        return None;
    }
    let back = basis.active.is_some()
        && set.view.created
            <= cluster.set_of(&old.stable_rs).map_or(set.view.created, |set| set.view.created);
    let same = old.current_step_hash == new.current_step_hash;
    if same
        && old.abort
        && old.aborted_at.is_some()
        && !old.promote_full
        && !back
        && old.current_pod_hash == new.stable_rs
    {
        return fault("V3", format!("{} becomes stable though it was aborted", new.stable_rs));
    }
    let available = set.available(cluster.now);
    // A restart that is going on has taken pods away, as many as may be missing.
    let restarts = cluster.rollout.spec.restart_at != new.restarted_at;
    let missing = if restarts { basis.unavailable.max(1) } else { 0 };
    // A blue-green version had all its pods when the active Service came to it, which is looked at there.
    let canary = basis.active.is_none();
    if canary && available < basis.replicas.saturating_sub(missing) && !excused {
        return fault("S7", format!("{} becomes stable with {available} available pods", new.stable_rs));
    }
    let strategy = cluster.rollout.spec.strategy.as_ref()?;
    if let Some(canary) = strategy.canary.as_ref().filter(|_| !old.promote_full) {
        let count = canary.steps.as_ref().map_or(0, Vec::len);
        let done =
            count == 0 || new.current_step_index.and_then(|index| usize::try_from(index).ok()) == Some(count);
        // That no step was passed by on the way is what `steps` has looked at.
        if !done {
            return fault("S7", format!("{} becomes stable before its last step", new.stable_rs));
        }
    }
    if let Some(blue_green) = &strategy.blue_green {
        let active = cluster.selected(&blue_green.active_service);
        // One without a hash reaches all: somebody has just taken it out.
        if active != new.stable_rs && !active.is_empty() {
            return fault("S7", format!("{} becomes stable, but {active} is active", new.stable_rs));
        }
        let older =
            cluster.set_of(&old.stable_rs).is_some_and(|stable| set.view.created < stable.view.created);
        let analysed = |analysis: &crds::rollout::analysis::RolloutAnalysis, kind: &str| {
            analysis.templates.as_ref().is_none_or(Vec::is_empty)
                || succeeded(cluster, &new.stable_rs, kind, None)
        };
        let post =
            blue_green.post_promotion_analysis.as_ref().is_none_or(|post| analysed(post, "PostPromotion"));
        if !post && !older && !old.promote_full {
            return fault("S6", format!("{} becomes stable without a successful analysis", new.stable_rs));
        }
    }
    None
}
