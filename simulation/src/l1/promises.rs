//! Rules on what people were promised: shares, delays, aborts, and that nobody else's things are touched (S1, S3, S4,
//! S6, S9, S10, V3, V5). Checked at each accepted write, on the true state.

use super::cluster::{Cluster, Pod, Set};
use super::controller::revision;
use super::invariants::{Basis, Fault, fault};
use crds::analysis::AnalysisPhase;
use crds::rollout::RolloutStatus;
use crds::{Rollout, Time, defaults, meta};
use planner::{Owner, Write};
use std::collections::BTreeMap;

/// Reason of the condition of an update that has missed its deadline.
const LATE: &str = "ProgressDeadlineExceeded";
/// The whole weight, in percent.
const WHOLE: i32 = 100;

/// Share of the new version that holds, in percent: that of the last `setWeight` that was come to; nothing after an
/// abort, everything where nothing is gradual.
pub(super) fn weight(rollout: &Rollout, status: &RolloutStatus) -> i32 {
    let strategy = rollout.spec.strategy.as_ref();
    let steps = strategy.and_then(|strategy| strategy.canary.as_ref()?.steps.as_deref()).unwrap_or_default();
    let at_once = status.promote_full && !(status.abort && status.aborted_at.is_none());
    if at_once || status.stable_rs.is_empty() || status.stable_rs == status.current_pod_hash {
        return WHOLE;
    }
    if status.abort {
        return 0;
    }
    let index = usize::try_from(status.current_step_index.unwrap_or(0)).unwrap_or(0);
    if index >= steps.len() {
        return WHOLE;
    }
    steps.iter().take(index.saturating_add(1)).rev().find_map(|step| step.set_weight).unwrap_or(0)
}

/// What an accepted write breaks of it.
pub(super) fn write(cluster: &Cluster, basis: &Basis, excused: bool, write: &Write) -> Option<Fault> {
    foreign(cluster, write).or_else(|| match write {
        Write::ScaleReplicaSet { target, to, .. } => {
            let set = cluster.set(&target.name)?;
            grows(basis, set, *to)
                .or_else(|| too_soon(cluster, basis, set, *to))
                .or_else(|| aborted_too_soon(cluster, basis, set, *to))
        }
        Write::SelectService { target, hash: Some(hash), .. } => leaves(cluster, basis, &target.name, hash),
        Write::EvictPod { target } => evicted(cluster, basis, &target.uid).filter(|_| !excused),
        Write::CreateReplicaSet { name, labels, replicas, .. }
            if *replicas > most_at_first(basis, labels) =>
        {
            fault("S4", format!("{name} begins with {replicas} pods, before any step has asked for them"))
        }
        Write::CreateAnalysisRun { name, labels, .. } => too_early(basis, name, labels),
        Write::CreateReplicaSet { name, annotations, .. } => {
            let number = revision(Some(annotations));
            let known = revision(basis.seen.metadata.annotations.as_ref());
            // A number whose ReplicaSet was not made is given again. So is that of one that is not seen; the newer one is
            // raised when it is: see `ends.rs`.
            if number > known || (number == known && !basis.has_number(number)) {
                return None;
            }
            fault("S10", format!("{name} gets revision {number}, though {known} was given before"))
        }
        Write::DeleteAnalysisRun { target } => {
            let run = cluster.runs.iter().find(|run| run.view.uid == target.uid)?;
            let live = !run.phase().is_completed();
            if live { fault("S6", format!("{} is deleted while it runs", target.name)) } else { None }
        }
        _ => None,
    })
}

/// S9: what somebody else controls is not written to.
fn foreign(cluster: &Cluster, write: &Write) -> Option<Fault> {
    let target = match write {
        Write::AdoptReplicaSet { target }
        | Write::ReleaseReplicaSet { target }
        | Write::ScaleReplicaSet { target, .. }
        | Write::AnnotateReplicaSet { target, .. }
        | Write::DeleteReplicaSet { target } => target,
        _ => return None,
    };
    let set = cluster.set(&target.name)?;
    let adopted = matches!(write, Write::AdoptReplicaSet { .. });
    match set.view.owner {
        Owner::Other => fault("S9", format!("{} is somebody else's", target.name)),
        Owner::Nobody if !adopted => fault("S9", format!("{} is nobody's, and not adopted", target.name)),
        _ => None,
    }
}

/// What a new version may begin with: the pods that the first step asks for, or the current one where its ReplicaSet is
/// made again.
fn most_at_first(basis: &Basis, labels: &BTreeMap<String, String>) -> i32 {
    let strategy = basis.seen.spec.strategy.as_ref();
    let preview = strategy.and_then(|strategy| strategy.blue_green.as_ref()?.preview_replica_count);
    let canary = strategy.and_then(|strategy| strategy.canary.as_ref());
    let steps = canary.and_then(|canary| canary.steps.as_deref()).unwrap_or_default();
    let status = basis.seen.status.as_ref().filter(|status| !status.stable_rs.is_empty());
    let again = labels.get(meta::POD_TEMPLATE_HASH_LABEL);
    let again = status.filter(|status| again == Some(&status.current_pod_hash));
    if status.is_none() || !basis.has_stable || steps.is_empty() {
        return basis.replicas.max(preview.unwrap_or(0));
    }
    let first = steps.first().and_then(|step| step.set_weight).unwrap_or(0);
    share(basis, again.map_or(first, |status| weight(&basis.seen, status).max(first)))
}

/// The most pods that a weight gives: a part of one is one, and one may be above the number that is wanted.
fn share(basis: &Basis, weight: i32) -> i32 {
    let total = basis.replicas + i32::from(defaults::max_surge(&basis.seen) > 0);
    (total.saturating_mul(weight) + WHOLE - 1) / WHOLE
}

/// S4, V3: a version grows to its share and no further; after an abort it does not grow at all.
fn grows(basis: &Basis, set: &Set, to: i32) -> Option<Fault> {
    let status = basis.seen.status.as_ref()?;
    let canary = basis.active.is_none();
    let current = set.view.hash() == status.current_pod_hash;
    if !canary || !current || to <= set.view.replicas {
        return None;
    }
    // Nothing is left beside it: somebody has deleted the stable version.
    if !basis.has_stable {
        return None;
    }
    let weight = weight(&basis.seen, status);
    let most = share(basis, weight);
    if to <= most {
        return None;
    }
    let rule = if status.abort { "V3" } else { "S4" };
    fault(rule, format!("{} grows to {to} pods at weight {weight}, which is {most}", set.view.name))
}

/// S3: a version that was active keeps its pods for the delay.
fn too_soon(cluster: &Cluster, basis: &Basis, set: &Set, to: i32) -> Option<Fault> {
    let status = basis.seen.status.as_ref()?;
    let hash = set.view.hash();
    let least = set.view.replicas.min(basis.replicas);
    let active = cluster.selected(basis.active.as_ref()?);
    let (left, seconds) = *cluster.left.get(hash)?;
    if to >= least || hash == active || hash == status.current_pod_hash {
        return None;
    }
    let strategy = basis.seen.spec.strategy.as_ref()?.blue_green.as_ref()?;
    // More versions wait than people allow: the oldest go.
    let waiting = cluster.sets.iter().filter(|other| other.view.replicas > 0 && other.view.hash() != active);
    let waiting = i32::try_from(waiting.count()).unwrap_or(i32::MAX);
    if strategy.scale_down_delay_revision_limit.is_some_and(|limit| waiting > limit) {
        return None;
    }
    let delay = i64::from(defaults::blue_green_scale_down_delay_seconds(&basis.seen).min(seconds));
    // Deadlines are written in whole seconds.
    let until = left.whole_seconds().plus_seconds(delay);
    if cluster.now >= until {
        return None;
    }
    fault("S3", format!("{} was active until {left}, and is scaled to {to} before {until}", set.view.name))
}

/// S3: an aborted preview keeps its pods for its delay, so that a retry is quick.
fn aborted_too_soon(cluster: &Cluster, basis: &Basis, set: &Set, to: i32) -> Option<Fault> {
    let status = basis.seen.status.as_ref()?;
    let aborted = status.aborted_at.filter(|_| status.abort && basis.active.is_some())?;
    let delay = defaults::abort_scale_down_delay_seconds(&basis.seen);
    let over = |seconds: i32| cluster.now >= aborted.plus_seconds(i64::from(seconds));
    let current = set.view.hash() == status.current_pod_hash && set.view.replicas > 0;
    // Another delay may count that began before the abort.
    let marked = set.view.scale_down_deadline();
    let over = marked.map_or(delay.is_some_and(over), |end| cluster.now >= end);
    // A Rollout that is to have no pods, and its abort is over, or there is no stable version to go back to.
    let ended = status.promote_full || !basis.has_stable;
    if to > 0 || !current || over || (basis.replicas == 0 && ended) {
        return None;
    }
    fault("S3", format!("{} was aborted at {aborted}, and goes before {delay:?} s", set.view.name))
}

/// S4: the stable Service stays with the stable version until the new one is to have everything.
fn leaves(cluster: &Cluster, basis: &Basis, service: &str, to: &str) -> Option<Fault> {
    let status = basis.seen.status.as_ref()?;
    let canary = basis.seen.spec.strategy.as_ref()?.canary.as_ref()?;
    if canary.stable_service.as_deref() != Some(service) || status.stable_rs == to || basis.replicas <= 1 {
        return None;
    }
    let stable = cluster.set_of(&status.stable_rs)?;
    let weight = weight(&basis.seen, status);
    let serves = stable.view.replicas > 0 && stable.available(cluster.now) > 0;
    if !serves || weight >= WHOLE {
        return None;
    }
    fault("S4", format!("Service {service} goes to {to} at weight {weight}"))
}

/// S5: the analysis beside the steps begins at the step that people said.
fn too_early(basis: &Basis, name: &str, labels: &BTreeMap<String, String>) -> Option<Fault> {
    if labels.get(meta::ROLLOUT_TYPE_LABEL).is_none_or(|kind| kind != "Background") {
        return None;
    }
    let canary = basis.seen.spec.strategy.as_ref()?.canary.as_ref()?;
    let steps = canary.steps.as_ref().map_or(0, Vec::len);
    let first = canary.analysis.as_ref()?.starting_step?;
    let index = basis.seen.status.as_ref()?.current_step_index.unwrap_or(0);
    if steps == 0 || index >= first {
        return None;
    }
    fault("S5", format!("{name} begins at step {index}, not at {first}"))
}

/// S1: a restart takes no more pods than may be missing, and one in any case.
fn evicted(cluster: &Cluster, basis: &Basis, uid: &str) -> Option<Fault> {
    let now = cluster.now;
    let asked = basis.seen.spec.restart_at.unwrap_or_default();
    let pod = cluster.sets.iter().flat_map(|set| &set.pods).find(|pod| pod.uid == uid)?;
    if asked > now || pod.life.created.whole_seconds() >= asked {
        return fault(
            "V4",
            format!("pod {uid} is evicted at {now}, made at {}, for {asked}", pod.life.created),
        );
    }
    let ours = cluster.sets.iter().filter(|set| set.view.owner == Owner::Ours);
    let there = |set: &&Set, pod: &&Pod| {
        pod.view().is_active() && pod.view().is_available(set.view.min_ready_seconds, now)
    };
    let all: Vec<&str> = ours
        .flat_map(|set| set.pods.iter().filter(move |pod| there(&set, pod)).map(|pod| pod.uid.as_str()))
        .collect();
    if !all.contains(&uid) {
        return None;
    }
    let left = i32::try_from(all.len()).unwrap_or(i32::MAX).saturating_sub(1);
    let bound = basis.replicas.saturating_sub(basis.unavailable.max(1));
    if left >= bound {
        return None;
    }
    fault("S1", format!("pod {uid} is evicted: {left} available pods stay, {bound} are needed"))
}

/// What a status that is accepted breaks of it.
pub(super) fn status(
    cluster: &Cluster,
    basis: &Basis,
    excused: bool,
    old: &RolloutStatus,
    new: &RolloutStatus,
) -> Option<Fault> {
    begins(cluster, basis, excused, old, new)
        .or_else(|| aborts(cluster, basis, old, new))
        .or_else(|| forgets(old, new))
        .or_else(|| restarted(cluster, old, new))
        .or_else(|| claims(basis, new))
        .or_else(|| late(cluster, basis, old, new))
}

/// V5: another version begins anew, and is the one that people want.
fn begins(
    cluster: &Cluster,
    basis: &Basis,
    excused: bool,
    old: &RolloutStatus,
    new: &RolloutStatus,
) -> Option<Fault> {
    if old.current_pod_hash == new.current_pod_hash {
        return None;
    }
    let hash = &new.current_pod_hash;
    if !excused && cluster.set_of(hash).is_none_or(|set| set.view.owner != Owner::Ours) {
        return fault("V5", format!("{hash} is called current, but there is no ReplicaSet of ours"));
    }
    if old.current_pod_hash.is_empty() {
        return None;
    }
    let back = new.stable_rs == *hash;
    let steps =
        cluster.rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref()?.steps.as_ref());
    let passed = usize::try_from(new.current_step_index.unwrap_or(0)).unwrap_or(0);
    let gate = steps.into_iter().flatten().take(passed).position(|step| step.pause.is_some());
    if let Some(gate) = gate.filter(|_| !back) {
        return fault("V5", format!("{hash} begins at step {passed}, past the pause at {gate}"));
    }
    let failed = cluster.runs.iter().any(|run| is_of(run, hash) && is_bad(run.phase()));
    let pauses = |status: &RolloutStatus| -> Vec<Time> {
        status.pause_conditions.iter().flatten().map(|pause| pause.start_time).collect()
    };
    // One that begins with this decision may begin in the second of the one before.
    let older =
        pauses(new).iter().any(|since| pauses(old).contains(since) && *since < basis.at.whole_seconds());
    let resumed = new.controller_pause && new.pause_conditions.is_none();
    if (new.abort && !failed) || new.promote_full || older || resumed {
        return fault("V5", format!("{hash} begins with what was said of {}", old.current_pod_hash));
    }
    None
}

fn is_of(run: &super::cluster::Run, hash: &str) -> bool {
    run.view.labels.get(meta::POD_TEMPLATE_HASH_LABEL).is_some_and(|of| of == hash)
}

fn is_bad(phase: AnalysisPhase) -> bool {
    matches!(phase, AnalysisPhase::Failed | AnalysisPhase::Error)
}

/// S6, V3: an update is aborted for a reason, and stays so until somebody says otherwise.
fn aborts(cluster: &Cluster, basis: &Basis, old: &RolloutStatus, new: &RolloutStatus) -> Option<Fault> {
    let same = old.current_pod_hash == new.current_pod_hash && old.current_step_hash == new.current_step_hash;
    if !same {
        return None;
    }
    let hash = &new.current_pod_hash;
    if old.abort && old.aborted_at.is_some() && !new.abort {
        let over = old.promote_full || new.stable_rs == *hash;
        return if over { None } else { fault("V3", format!("the abort of {hash} is forgotten")) };
    }
    if old.abort || !new.abort {
        return None;
    }
    // What had failed before a retry has been heard.
    let since = |run: &super::cluster::Run| run.ended > cluster.retried;
    let failed = cluster.runs.iter().any(|run| is_of(run, hash) && is_bad(run.phase()) && since(run));
    let asked = basis.seen.spec.progress_deadline_abort == Some(true);
    let progress = old.conditions.iter().flatten().find(|condition| condition.kind == "Progressing");
    let seconds = i64::from(defaults::progress_deadline_seconds(&basis.seen));
    let late = progress
        .is_some_and(|seen| cluster.now > seen.last_update_time.max(cluster.begun).plus_seconds(seconds));
    // What was late by its own deadline stays so when people ask for an abort, or for another deadline, afterwards.
    let told = progress.is_some_and(|seen| seen.reason == LATE);
    if failed || (asked && (late || told)) {
        return None;
    }
    fault("S6", format!("{hash} is aborted without a failed analysis or a deadline that has passed"))
}

/// S10: Healthy is said of what is promoted, whole, and waits for nothing.
fn claims(basis: &Basis, new: &RolloutStatus) -> Option<Fault> {
    if new.phase != "Healthy" {
        return None;
    }
    let done = new.stable_rs == new.current_pod_hash;
    let whole = new.updated_replicas >= basis.replicas && new.available_replicas >= basis.replicas;
    let waits =
        new.aborted_at.is_some() || new.pause_conditions.is_some() || basis.seen.spec.paused == Some(true);
    let restarts = basis.seen.spec.restart_at.is_some_and(|at| new.restarted_at != Some(at));
    if done && whole && !waits && !restarts {
        return None;
    }
    fault("S10", format!("Healthy is said of {} while {} is stable", new.current_pod_hash, new.stable_rs))
}

/// S10: the progress deadline is said to have passed when it has, and not in a pause.
fn late(cluster: &Cluster, basis: &Basis, old: &RolloutStatus, new: &RolloutStatus) -> Option<Fault> {
    fn progress(status: &RolloutStatus) -> Option<&crds::rollout::status::RolloutCondition> {
        status.conditions.iter().flatten().find(|condition| condition.kind == "Progressing")
    }
    let since = progress(old).filter(|known| known.reason != LATE)?;
    progress(new).filter(|now| now.reason == LATE)?;
    let seconds = i64::from(defaults::progress_deadline_seconds(&basis.seen));
    let over = cluster.now > since.last_update_time.plus_seconds(seconds);
    // Such a step may take any time.
    let steps =
        basis.seen.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref()?.steps.as_ref());
    let index = new.current_step_index.and_then(|index| usize::try_from(index).ok());
    let step = index.and_then(|index| steps?.get(index));
    let endless = step.is_some_and(|step| step.pause.is_some() || step.analysis.is_some());
    if over && !endless && old.pause_conditions.is_none() {
        return None;
    }
    fault(
        "S10",
        format!("it is late, though it progressed at {} and has {seconds} s", since.last_update_time),
    )
}

/// S10: what is counted and kept does not go back.
fn forgets(old: &RolloutStatus, new: &RolloutStatus) -> Option<Fault> {
    let count = |status: &RolloutStatus| status.collision_count.unwrap_or(0);
    if count(new) < count(old) {
        return fault("S10", format!("collisionCount goes from {} back to {}", count(old), count(new)));
    }
    if new.stable_rs != old.stable_rs && new.stable_rs != new.current_pod_hash {
        return fault(
            "S7",
            format!("{} becomes stable, but {} is current", new.stable_rs, new.current_pod_hash),
        );
    }
    let since = |status: &RolloutStatus, reason: &str| -> Option<Time> {
        let mut pauses = status.pause_conditions.iter().flatten();
        pauses.find(|pause| pause.reason == reason).map(|pause| pause.start_time)
    };
    let moved = new.pause_conditions.iter().flatten().find(|pause| {
        let same = old.current_pod_hash == new.current_pod_hash
            && old.current_step_hash == new.current_step_hash
            && old.current_step_index == new.current_step_index;
        same && since(old, &pause.reason).is_some_and(|before| before != pause.start_time)
    });
    let pause = moved?;
    fault("S5", format!("{} begins again at {}", pause.reason, pause.start_time))
}

/// S1: a restart is done when no old pod is left.
fn restarted(cluster: &Cluster, old: &RolloutStatus, new: &RolloutStatus) -> Option<Fault> {
    let same = old.current_pod_hash == new.current_pod_hash && old.current_step_hash == new.current_step_hash;
    let at = new.restarted_at.filter(|at| same && old.restarted_at != Some(*at))?;
    if at > cluster.now {
        return fault("V4", format!("a restart at {at} is done before its time"));
    }
    let mut ours = cluster.sets.iter().filter(|set| set.view.owner == Owner::Ours);
    let pods = |set: &&Set| set.pods.iter().any(|pod| pod.life.created.whole_seconds() < at);
    let set = ours.find(pods)?;
    fault("V4", format!("the restart at {at} is done, but {} has older pods", set.view.name))
}
