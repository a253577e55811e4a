//! The workload of `workloadRef`: its template is the Rollout's, and its pods go when the Rollout's are there.
//! `[workload-ref]`

use super::pass::Pass;
use super::phase::Phase;
use super::{conditions, status};
use crate::{EventType, Planned, ReplicaSet, Target, Workload, World, Write};
use crds::meta::WORKLOAD_GENERATION_ANNOTATION;
use crds::rollout::RolloutStatus;
use crds::rollout::workload::ScaleDown;
use crds::validate::{self, Invalid, WorkloadFacts};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Seconds that the Rollout has been Healthy before another scale-down is told: then somebody else has brought the
/// Deployment up again.
const SETTLED_SECONDS: i64 = 60;

/// The world with the workload's template in place of the reference, and what is wrong with the reference.
pub(super) fn resolve(world: &World) -> (Cow<'_, World>, Option<Invalid>) {
    let rollout = &world.rollout;
    let found = validate::resolved(rollout, |_, _| {
        let workload = world.workload.as_ref()?;
        Some(WorkloadFacts { template: &workload.template, selector: workload.selector.as_ref() })
    });
    match found {
        Ok(None) => (Cow::Borrowed(world), None),
        Ok(Some(resolved)) => {
            let mut world = world.clone();
            if let (Some(workload), Some(given)) = (&mut world.workload, &rollout.spec.workload_ref) {
                workload.scale_down = given.scale_down();
            }
            world.rollout = resolved;
            (Cow::Owned(world), None)
        }
        Err(invalid) => (Cow::Borrowed(world), Some(invalid)),
    }
}

/// Generation of the workload as the status has it; empty without one.
pub(super) fn generation(pass: &Pass<'_>) -> String {
    pass.world.workload.as_ref().map_or_else(String::new, |workload| workload.generation.to_string())
}

/// Records the workload's generation at the Rollout, before anything that follows from it: until the status has it,
/// too, nobody takes the Rollout for Healthy. `[workload-ref.generation]`
pub(super) fn follow(pass: &mut Pass<'_>) {
    let Some(workload) = &pass.world.workload else { return };
    let generation = generation(pass);
    let annotations = pass.world.rollout.metadata.annotations.as_ref();
    if annotations.and_then(|map| map.get(WORKLOAD_GENERATION_ANNOTATION)) == Some(&generation) {
        return;
    }
    let reason = format!("{} is of generation {generation}", workload.name);
    let annotations = BTreeMap::from([(WORKLOAD_GENERATION_ANNOTATION.to_owned(), generation)]);
    pass.write(Write::AnnotateRollout { annotations }, reason);
}

/// A Rollout without a size takes that of the Deployment whose place it is to take. A status ends the pass.
///
/// DIFFERS: there it becomes 1, and the Deployment's pods go once that one is Healthy (argoproj/argo-rollouts#4110).
/// `[workload-ref.replicas]`
pub(super) fn take_over_size(pass: &mut Pass<'_>) -> Option<RolloutStatus> {
    let workload = pass.world.workload.as_ref()?;
    let replicas = workload.replicas.filter(|replicas| *replicas > 1)?;
    if pass.world.rollout.spec.replicas.is_some() || workload.scale_down == ScaleDown::Never {
        return None;
    }
    let reason = format!("as many pods as Deployment {} has, whose place this Rollout takes", workload.name);
    pass.write(Write::SetRolloutReplicas { replicas }, reason);
    let mut status = status::carry_over(pass);
    status::stamp(pass, &mut status);
    Some(status)
}

/// Scales the Deployment as the Rollout's pods come and, when its first version fails, go. `[workload-ref.scale-down]`
pub(super) fn scale(pass: &mut Pass<'_>, status: &RolloutStatus) {
    let Some(workload) = &pass.world.workload else { return };
    let Some(from) = workload.replicas else { return };
    let to = size(pass, workload, status, from);
    if to == from {
        return;
    }
    let target = Target {
        name: workload.name.clone(),
        uid: workload.uid.clone(),
        resource_version: workload.resource_version.clone(),
    };
    let name = workload.name.clone();
    let refused = format!("Deployment/{name}");
    if let Some(refusal) = pass.world.refusals.iter().find(|refusal| refusal.target == refused) {
        // The effect layer forgets it after a while, and then it is tried again.
        pass.plan.trail.push(format!("Deployment {name} keeps its size: {}", refusal.message));
        return;
    }
    let reason = format!("Deployment {name} has the pods that the Rollout lacks");
    let anchor = pass.write(Write::ScaleWorkload { target, from, to }, reason);
    let healthy = conditions::get(&pass.old, conditions::HEALTHY).filter(|healthy| healthy.status == "True");
    let settled =
        healthy.is_some_and(|since| since.last_transition_time.plus_seconds(SETTLED_SECONDS) < pass.now);
    let updating = pass.stable.is_some_and(|stable| !pass.is_new(stable));
    if settled || updating {
        let message = format!(
            "Scaled down Deployment {name} from {from} to {to}: this Rollout has its pods. If something brings it up \
            again, leave spec.replicas out of what that applies"
        );
        pass.notice(anchor, EventType::Normal, "WorkloadScaledDown", message);
    }
}

/// Available pods of a version that this pass leaves it.
fn available(pass: &Pass<'_>, set: &ReplicaSet) -> i32 {
    let sizes = pass.plan.writes.iter().filter_map(|planned| match &planned.write {
        Write::ScaleReplicaSet { target, to, .. } if target.name == set.name => Some(*to),
        _ => None,
    });
    let size = sizes.fold(set.replicas, i32::min);
    pass.world.available(set).min(size).max(0)
}

/// Available pods of the Rollout that users may have during an update.
fn serving(pass: &Pass<'_>, stable: &ReplicaSet) -> i32 {
    match pass.blue_green() {
        Some(_) => available(pass, stable),
        None => status::sum(&pass.all, |set| available(pass, set)),
    }
}

/// The size that the Deployment is to have.
///
/// DIFFERS: it follows from the state at any revision; Argo Rollouts looks at the first one only, and two full sets
/// stay when something brings the Deployment up again (argoproj/argo-rollouts#4935). And a Deployment at 0 is never
/// brought up: 0 is what its owner wants, or the end of the move.
fn size(pass: &Pass<'_>, workload: &Workload, status: &RolloutStatus, from: i32) -> i32 {
    let Some(new) = pass.new else { return from };
    if from <= 0
        || pass.replicas <= 0
        || workload.deleting
        || pass.is_halted()
        || workload.scale_down == ScaleDown::Never
    {
        return from;
    }
    let evicts = |planned: &Planned| matches!(planned.write, Write::EvictPod { .. });
    if pass.plan.writes.iter().any(evicts) {
        // What is evicted counts as available until the next look.
        return from;
    }
    let missing = pass.replicas.saturating_sub(available(pass, new)).max(0);
    if status.phase == Phase::Healthy.as_str() && missing == 0 {
        return 0;
    }
    if let Some(stable) = pass.stable.filter(|stable| !pass.is_new(stable)) {
        // The Deployment has the new template, too: its pods would get users past all gates.
        return if serving(pass, stable) >= pass.replicas { 0 } else { from };
    }
    if workload.scale_down != ScaleDown::Progressively || !pass.is_stable(new) {
        return from;
    }
    if status.phase == Phase::Degraded.as_str() {
        return from.max(missing);
    }
    // A Deployment that is larger than the Rollout stays until the end: its owner may know why. And one pod stays until
    // the Rollout is Healthy, so that it can be told from a Deployment that never had any.
    if from > pass.replicas { from } else { from.min(missing.max(1)) }
}
