//! One plan is several passes folded into one: decide, apply what we write ourselves to a copy of the world, decide
//! again, until nothing is left to decide or the next decision needs something that only others can bring about.

use super::{analysis, pass};
use crate::defect;
use crate::{Anchor, Notice, Owner, Plan, Planned, ReplicaSet, Target, Targets, World, Write};
use crds::Time;
use crds::rollout::RolloutStatus;
use std::collections::BTreeMap;

/// Most passes in one plan. A first deploy needs four; the rest is slack, and what is left is done by the next plan.
const PASSES_MAX: usize = 16;

/// What is to be done for the Rollout of `world` at `now`. Total and deterministic.
///
/// Writes never follow a change of the recorded decisions (step, pause, promotion, abort ...) in the same plan: were
/// the status lost in a crash, such writes would have run ahead of it and be taken back. But for two that every update
/// has: the pods that a promotion gives up go once it is recorded ([`following`]), and a new ReplicaSet is made with its
/// first pods ([`make_with_pods`]). `[plan.fold]`
#[must_use]
pub fn plan(world: &World, now: Time) -> Plan {
    // Copied only where there is something to do: most plans of a Rollout at rest are one quiet pass.
    let (mut copy, unresolved) = super::workload::resolve(world);
    let mut plan = Plan::default();
    let mut decided = false;
    let recorded = copy.rollout.status.as_ref().and_then(|status| status.current_step_index);
    // No write of ours makes a valid world invalid or an invalid one valid: it is asked once for all passes.
    let invalid = unresolved.or_else(|| super::verdict::verdict(&copy));
    for _ in 0..PASSES_MAX {
        let next = pass::run(&copy, now, invalid.as_ref());
        let Some(status) = next.status.clone() else { break };
        let is_asked =
            |planned: &Planned| plan.writes.iter().any(|earlier| planned.write.is_asked_by(&earlier.write));
        let nothing = RolloutStatus::default();
        let before = copy.rollout.status.as_ref().unwrap_or(&nothing);
        // Each step's end is recorded by itself: people and tests watch them. And a verdict that comes while the end of
        // the last one is recorded is looked at before the promotion.
        let moves_on = !before.stable_rs.is_empty()
            && before.current_step_index != recorded
            && status.current_step_index != before.current_step_index;
        if decided && (moves_on || promotes(before, &status) && is_analysed(&copy)) {
            break;
        }
        if decided && !next.writes.iter().all(is_asked) && !defect!(WritesAfterDecision) {
            let Some(following) = following(&copy, &plan, &next, before, &status) else {
                if only_begins(world, before) {
                    make_with_pods(world, &mut plan, &next);
                }
                break;
            };
            plan.following = following;
        }
        let same = *before == status;
        decided |= !same && decisions(before) != decisions(&status);
        let quiet = same && next.writes.is_empty();
        if !quiet {
            let copy = copy.to_mut();
            next.writes.iter().for_each(|planned| apply(copy, &planned.write));
            let told = copy.services.iter_mut().filter(|(name, _)| next.asks.contains(*name));
            told.for_each(|(_, service)| service.targets_are_news = false);
            copy.rollout.status = Some(status);
        }
        absorb(&mut plan, next);
        if quiet {
            break;
        }
    }
    keep_transitions(world, &mut plan);
    plan
}

fn promotes(before: &RolloutStatus, after: &RolloutStatus) -> bool {
    !before.stable_rs.is_empty() && before.stable_rs != after.stable_rs
}

/// An analysis has no verdict yet.
fn is_analysed(world: &World) -> bool {
    world.analysis_runs.iter().any(|run| !analysis::phase(run).is_completed())
}

/// How many of the writes of a pass are to follow its status: the pass makes a version stable, and gives up pods of
/// others. `None` when it is no such pass.
fn following(
    world: &World,
    plan: &Plan,
    next: &Plan,
    before: &RolloutStatus,
    after: &RolloutStatus,
) -> Option<usize> {
    if !promotes(before, after) || plan.following > 0 {
        return None;
    }
    let is_stable =
        |name: &str| world.replica_sets.iter().any(|set| set.name == name && set.hash() == after.stable_rs);
    let mut count = 0;
    for (index, Planned { write, .. }) in next.writes.iter().enumerate() {
        let earlier = plan.writes.iter().chain(next.writes.iter().take(index));
        match write {
            _ if earlier.into_iter().any(|earlier| write.is_asked_by(&earlier.write)) => {}
            _ if write.only_asks() && count == 0 => {}
            Write::ScaleReplicaSet { target, from, to, .. } if to < from && !is_stable(&target.name) => {
                count += 1;
            }
            _ => return None,
        }
    }
    Some(count)
}

/// Whether no more is decided than that an update begins: `status` is at its first step. Were that lost with the status,
/// it would be decided in the same way again, whereas a step that ends may be held by then. The version before is still
/// there: were the creation refused, the number that is written now would not be seen to be free otherwise.
fn only_begins(world: &World, status: &RolloutStatus) -> bool {
    let recorded = world.rollout.status.as_ref().map_or("", |recorded| recorded.current_pod_hash.as_str());
    let first = status.stable_rs.is_empty() || status.current_step_index.unwrap_or(0) == 0;
    let is_there = |set: &ReplicaSet| set.hash() == recorded && !set.deleting;
    let known = recorded.is_empty() || world.replica_sets.iter().any(is_there);
    first && known && recorded != status.current_pod_hash
}

/// Gives a ReplicaSet that the plan makes the pods that the next pass asks for first, and writes the revision to the
/// Rollout before. A creation has no precondition: where the template is not the newest any more, or another process leads,
/// an empty ReplicaSet does no harm, but pods would serve users. The write to the Rollout fails then. It says nothing of a
/// template that stands in a workload.
fn make_with_pods(world: &World, plan: &mut Plan, next: &Plan) {
    let first = next.writes.first().map(|planned| &planned.write);
    // What the pass would do or tell before it is to come before it.
    let is_first_told = next.notices.first().is_some_and(|notice| notice.anchor == Anchor::Write(0));
    let (Some(Write::ScaleReplicaSet { target, from: 0, to, annotations: changes }), true, None) =
        (first, is_first_told, &world.workload)
    else {
        return;
    };
    let made = |planned: &Planned| matches!(&planned.write, Write::CreateReplicaSet { name, .. } if *name == target.name);
    let Some(index) = plan.writes.iter().position(made) else { return };
    let fence = index.saturating_add(1);
    let is_fence = |planned: &Planned| matches!(planned.write, Write::AnnotateRollout { .. });
    if !plan.writes.get(fence).is_some_and(is_fence) {
        return;
    }
    plan.writes.swap(index, fence);
    if let Some(Write::CreateReplicaSet { replicas, annotations, .. }) =
        plan.writes.get_mut(fence).map(|planned| &mut planned.write)
    {
        *replicas = *to;
        merge(annotations, changes);
    }
    let both = plan.notices.iter_mut().filter(|notice| notice.anchor == Anchor::Write(index));
    both.for_each(|notice| notice.anchor = Anchor::Write(fence));
    let told = next.notices.iter().filter(|notice| notice.anchor == Anchor::Write(0));
    plan.notices.extend(told.cloned().map(|notice| Notice { anchor: Anchor::Write(fence), ..notice }));
}

/// Conditions that went to and fro between the passes of one plan have not changed.
fn keep_transitions(world: &World, plan: &mut Plan) {
    let known = world.rollout.status.as_ref().and_then(|status| status.conditions.as_ref());
    let conditions = plan.status.as_mut().and_then(|status| status.conditions.as_mut());
    for condition in conditions.into_iter().flatten() {
        let before = known.into_iter().flatten().find(|before| before.kind == condition.kind);
        if let Some(before) =
            before.filter(|before| before.status == condition.status && !defect!(TransitionMoves))
        {
            condition.last_transition_time = before.last_transition_time;
        }
    }
}

/// Appends one pass. The wake of the last pass counts: it has seen all that the earlier ones decided.
fn absorb(plan: &mut Plan, pass: Plan) {
    let mut places = Vec::with_capacity(pass.writes.len());
    for planned in pass.writes {
        places.push(plan.writes.len());
        if !plan.writes.iter().any(|earlier| planned.write.is_asked_by(&earlier.write)) {
            plan.writes.push(planned);
        }
    }
    plan.notices.extend(pass.notices.into_iter().map(|mut notice| {
        if let Anchor::Write(index) = &mut notice.anchor
            && !defect!(AnchorsNotShifted)
        {
            *index = places.get(*index).copied().unwrap_or(*index);
        }
        notice
    }));
    plan.trail = pass.trail;
    plan.status = pass.status;
    plan.wake = pass.wake;
    plan.asks = pass.asks;
}

/// The part of a status that later decisions rest on.
fn decisions(status: &RolloutStatus) -> RolloutStatus {
    RolloutStatus {
        abort: status.abort,
        pause_conditions: status.pause_conditions.clone(),
        controller_pause: status.controller_pause,
        aborted_at: status.aborted_at,
        current_pod_hash: status.current_pod_hash.clone(),
        current_step_hash: status.current_step_hash.clone(),
        current_step_index: status.current_step_index,
        collision_count: status.collision_count,
        stable_rs: status.stable_rs.clone(),
        restarted_at: status.restarted_at,
        promote_full: status.promote_full,
        canary: status.canary.clone(),
        blue_green: status.blue_green.clone(),
        ..RolloutStatus::default()
    }
}

/// The world after a write, as far as we write it ourselves: no count grows, and nothing that others do first.
pub(crate) fn apply(world: &mut World, write: &Write) {
    match write {
        Write::CreateReplicaSet { .. } => world.replica_sets.extend(made(write)),
        Write::AdoptReplicaSet { target } => edit(world, target, |set| set.owner = Owner::Ours),
        Write::ReleaseReplicaSet { target } => edit(world, target, |set| set.owner = Owner::Nobody),
        Write::ScaleReplicaSet { target, to, annotations, .. } => edit(world, target, |set| {
            set.counts.resized_here |= set.counts.generation_observed;
            set.counts.generation_observed &= set.replicas == *to;
            // Pods above the size that it had are going; another size does not bring them back.
            set.counts.available = set.counts.available.min(set.replicas);
            set.replicas = *to;
            merge(&mut set.annotations, annotations);
        }),
        Write::AnnotateReplicaSet { target, annotations, min_ready_seconds } => edit(world, target, |set| {
            merge(&mut set.annotations, annotations);
            let seconds = min_ready_seconds.unwrap_or(set.min_ready_seconds);
            let as_long = seconds == set.min_ready_seconds;
            set.counts.generation_observed &= as_long;
            set.counts.resized_here &= as_long;
            set.min_ready_seconds = seconds;
        }),
        Write::EditTemplate { target, to, annotations, .. } => edit(world, target, |set| {
            set.counts.generation_observed = false;
            set.template = to.clone();
            merge(&mut set.annotations, annotations);
        }),
        Write::LabelPod { target, labels, annotations } => {
            for pod in world.pod_metadata.iter_mut().filter(|pod| pod.uid == target.uid) {
                merge(&mut pod.labels, labels);
                merge(&mut pod.annotations, annotations);
            }
        }
        Write::DeleteReplicaSet { target } => world.replica_sets.retain(|set| set.name != target.name),
        Write::SelectService { target, hash, managed_by } => select(world, &target.name, hash, managed_by),
        Write::RouteTraffic { router, intent } => {
            // What it shows is for the router to say.
            for view in world.routers.iter_mut().filter(|view| view.name == *router) {
                view.asked = Some(intent.clone());
            }
        }
        Write::GiveBackRoutes { router } => {
            for view in world.routers.iter_mut().filter(|view| view.name == *router) {
                view.authors.own = None;
            }
        }
        Write::AnnotateRollout { annotations } => {
            world.rollout.metadata.annotations.get_or_insert_default().extend(annotations.clone());
        }
        Write::SetRolloutReplicas { replicas } => world.rollout.spec.replicas = Some(*replicas),
        Write::ScaleWorkload { to, .. } => {
            if let Some(workload) = &mut world.workload {
                workload.replicas = Some(*to);
            }
        }
        Write::CreateAnalysisRun { .. }
        | Write::TerminateAnalysisRun { .. }
        | Write::DeleteAnalysisRun { .. } => apply_to_runs(world, write),
        Write::EvictPod { target } => {
            for pod in world.pods.iter_mut().filter(|pod| pod.name == target.name) {
                pod.deleting = true;
            }
        }
    }
}

fn apply_to_runs(world: &mut World, write: &Write) {
    match write {
        Write::CreateAnalysisRun { name, labels, annotations, spec } => {
            world.analysis_runs.push(crate::AnalysisRunView {
                name: name.clone(),
                labels: labels.clone(),
                annotations: annotations.clone(),
                spec: spec.clone(),
                created: Time(chrono::DateTime::<chrono::Utc>::MAX_UTC),
                ..crate::AnalysisRunView::default()
            });
        }
        Write::TerminateAnalysisRun { target } => {
            for run in world.analysis_runs.iter_mut().filter(|run| run.name == target.name) {
                std::sync::Arc::make_mut(&mut run.spec).terminate = Some(true);
            }
        }
        Write::DeleteAnalysisRun { target } => world.analysis_runs.retain(|run| run.name != target.name),
        _ => {}
    }
}

/// The ReplicaSet that a write makes.
fn made(write: &Write) -> Option<ReplicaSet> {
    let Write::CreateReplicaSet {
        name,
        labels,
        annotations,
        selector,
        template,
        replicas,
        min_ready_seconds,
    } = write
    else {
        return None;
    };
    Some(ReplicaSet {
        name: name.clone(),
        // The API server stamps it; until then it is younger than all that exist.
        created: Time(chrono::DateTime::<chrono::Utc>::MAX_UTC),
        owner: Owner::Ours,
        labels: labels.clone(),
        annotations: annotations.clone(),
        selector: selector.clone(),
        template: template.clone(),
        replicas: *replicas,
        min_ready_seconds: *min_ready_seconds,
        ..ReplicaSet::default()
    })
}

fn edit(world: &mut World, target: &Target, change: impl Fn(&mut ReplicaSet)) {
    world.replica_sets.iter_mut().filter(|set| set.name == target.name).for_each(change);
}

fn merge(into: &mut BTreeMap<String, String>, changes: &BTreeMap<String, Option<String>>) {
    for (key, value) in changes {
        match value {
            Some(value) => into.insert(key.clone(), value.clone()),
            None => into.remove(key),
        };
    }
}

fn select(world: &mut World, name: &str, hash: &Option<String>, managed_by: &Option<String>) {
    let Some(service) = world.services.get_mut(name) else { return };
    if service.hash() != hash.as_deref().unwrap_or_default() && !defect!(SwitchIsNoChange) {
        // The API server stamps it; until then nothing has changed later.
        service.changed = Some(Time(chrono::DateTime::<chrono::Utc>::MAX_UTC));
        // What was said was said of other pods.
        (service.targets, service.targets_are_news) = (Targets::Unknown, false);
    }
    let set = |map: &mut BTreeMap<String, String>, key: &str, value: &Option<String>| match value {
        Some(value) => map.insert(key.to_owned(), value.clone()),
        None => map.remove(key),
    };
    set(&mut service.selector, crds::meta::POD_TEMPLATE_HASH_LABEL, hash);
    set(&mut service.annotations, crds::meta::MANAGED_BY_ANNOTATION, managed_by);
}
