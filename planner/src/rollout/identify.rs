//! Which ReplicaSet is the new one, which is the stable one, and the making of a new one. `[identify]`

use super::conditions::{self, condition};
use super::injected::{self, Injected};
use super::pass::{Pass, target};
use super::{record, stand_in, status};
use crate::defect;
use crate::{Anchor, EventType, Owner, RefusalCode, ReplicaSet, Write};
use crds::rollout::RolloutStatus;
use crds::validate::{Invalid, InvalidKind};
use crds::{PodTemplate, hash, meta, template_eq};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Annotations of a Rollout that are not copied to its ReplicaSets.
const NOT_COPIED: [&str; 7] = [
    meta::LAST_APPLIED_ANNOTATION,
    meta::REVISION_ANNOTATION,
    meta::REVISION_HISTORY_ANNOTATION,
    meta::DESIRED_REPLICAS_ANNOTATION,
    meta::NOTIFIED_ANNOTATION,
    meta::WORKLOAD_GENERATION_ANNOTATION,
    meta::ADOPTED_ANNOTATION,
];

/// Fills `all`, `new` and `stable`.
pub(super) fn sort_out(pass: &mut Pass<'_>) {
    let selector = pass.world.rollout.spec.selector.clone().unwrap_or_default();
    let mine = |set: &&ReplicaSet| match set.owner {
        Owner::Ours => !set.deleting && keeps(pass, &selector, set),
        Owner::Nobody => !set.deleting && matches(&selector, set),
        Owner::Other => defect!(TakesForeign) && matches(&selector, set),
    };
    pass.all = pass.world.replica_sets.iter().filter(mine).collect();
    match find_new(pass) {
        Ok(new) => pass.new = new,
        Err(message) => {
            let (path, kind) = (String::new(), InvalidKind::Reference);
            pass.ambiguous = Some(Invalid { path, message, kind, missing: None });
        }
    }
    let stable = pass.old.stable_rs.as_str();
    let recorded = pass.all.iter().copied().find(|set| !stable.is_empty() && set.hash() == stable);
    pass.stable = recorded.or_else(|| stand_in::predecessor(pass));
}

fn matches(selector: &crds::LabelSelector, set: &ReplicaSet) -> bool {
    !selector.is_empty() && selector.matches(&set.labels)
}

/// Ours is what matches the selector. With a `workloadRef` ours stays ours: the selector may be that of the workload,
/// and another workload has another one.
///
/// DIFFERS: there the ReplicaSets of the old selector are let go of and run for ever (argoproj/argo-rollouts#3185).
/// `[workload-ref.selector]`
fn keeps(pass: &Pass<'_>, selector: &crds::LabelSelector, set: &ReplicaSet) -> bool {
    pass.world.workload.is_some() || matches(selector, set)
}

/// The ReplicaSet of the current template: the one that the status names, while it belongs to this template; or by hash;
/// or by what is recorded of it; or else by an equal template (a version of Argo Rollouts with other Kubernetes types
/// has made it, and its hash is another one). `[identify.record]`
///
/// # Errors
/// A sentence for the user when several could be it.
fn find_new<'w>(pass: &Pass<'w>) -> Result<Option<&'w ReplicaSet>, String> {
    let Some(template) = pass.world.rollout.spec.template.as_ref() else { return Ok(None) };
    if defect!(NewOneNotFound) {
        return Ok(None);
    }
    let by_hash = || {
        let wanted = hash::pod_template_hash(template, pass.old.collision_count);
        pass.all.iter().copied().find(|set| set.hash() == wanted)
    };
    if defect!(OnlyHashesCount) {
        return Ok(by_hash());
    }
    if let Some(known) = record::of_status(pass).or_else(by_hash) {
        return Ok(Some(known));
    }
    let fingerprint = template_eq::fingerprint(template);
    let stands = |set: &&ReplicaSet| record::stands_for(pass, set, template, &fingerprint);
    let equal: Vec<&ReplicaSet> = pass.all.iter().copied().filter(stands).collect();
    record::choose(pass, &equal)
}

/// Becomes the controller of matching ReplicaSets that nobody controls; lets go of those that match no more.
pub(super) fn claim(pass: &mut Pass<'_>) {
    let selector = pass.world.rollout.spec.selector.clone().unwrap_or_default();
    for set in &pass.world.replica_sets {
        if set.deleting {
            continue;
        }
        match set.owner {
            Owner::Nobody if matches(&selector, set) => {
                let write = Write::AdoptReplicaSet { target: target(set) };
                pass.write(
                    write,
                    format!("ReplicaSet {} matches the selector and nobody controls it", set.name),
                );
            }
            Owner::Ours if !keeps(pass, &selector, set) => {
                let write = Write::ReleaseReplicaSet { target: target(set) };
                pass.write(write, format!("ReplicaSet {} does not match the selector any more", set.name));
            }
            Owner::Nobody | Owner::Ours | Owner::Other => {}
        }
    }
}

/// Makes the new ReplicaSet when it is missing, and keeps its revision, annotations and `minReadySeconds` in step.
/// A status ends the pass.
pub(super) fn ensure_new(pass: &mut Pass<'_>) -> Option<RolloutStatus> {
    let highest =
        pass.all.iter().filter(|set| !pass.is_new(set)).map(|set| set.revision()).max().unwrap_or(0);
    // The Rollout's own number counts, too: the ReplicaSet that has it may be deleted, or not seen in its newest state.
    let recorded: i64 = status::revision(pass).parse().unwrap_or(0);
    let is_behind = !defect!(RevisionForgotten) && pass.new.is_none_or(|new| new.revision() < recorded);
    let revision = match highest.saturating_add(1) {
        next if is_behind && !is_announced(pass) => next.max(recorded.saturating_add(1)),
        next if is_behind => next.max(recorded),
        next => next,
    };
    pass.revision = revision;
    let Some(new) = pass.new else { return Some(create(pass, revision)) };
    let mut annotations = BTreeMap::new();
    for (key, value) in copied_annotations(pass) {
        if new.annotations.get(&key) != Some(&value) && !defect!(AnnotationsNotCopied) {
            annotations.insert(key, Some(value));
        }
    }
    let old_revision = new.revision();
    if old_revision < revision && !defect!(RevisionNotRaised) {
        annotations.insert(meta::REVISION_ANNOTATION.to_owned(), Some(revision.to_string()));
        if old_revision > 0 {
            let history =
                new.annotations.get(meta::REVISION_HISTORY_ANNOTATION).filter(|text| !text.is_empty());
            let history =
                history.map_or_else(|| old_revision.to_string(), |text| format!("{text},{old_revision}"));
            annotations.insert(meta::REVISION_HISTORY_ANNOTATION.to_owned(), Some(history));
        }
    }
    let min_ready = pass.world.rollout.spec.min_ready_seconds.unwrap_or(0);
    let min_ready_seconds =
        (min_ready != new.min_ready_seconds && !defect!(MinReadyIgnored)).then_some(min_ready);
    record::keep(pass, new, &mut annotations);
    if !annotations.is_empty() || min_ready_seconds.is_some() {
        let write = Write::AnnotateReplicaSet { target: target(new), annotations, min_ready_seconds };
        pass.write(write, format!("ReplicaSet {} follows the Rollout's metadata", new.name));
    }
    pass.revision = revision.max(old_revision);
    record_revision(pass, pass.revision);
    // What its status says of available pods is not true any more: the next pass knows that.
    min_ready_seconds.filter(|seconds| *seconds > new.min_ready_seconds).map(|_| {
        let mut status = status::carry_over(pass);
        status::stamp(pass, &mut status);
        status
    })
}

/// The Rollout's number was written for a ReplicaSet that was not made then, or is not seen: the version that the status
/// names is there, and has another number. Were it counted on, each try would take a number.
fn is_announced(pass: &Pass<'_>) -> bool {
    let current = pass.old.current_pod_hash.as_str();
    pass.new.is_none() && (current.is_empty() || pass.all.iter().any(|set| set.hash() == current))
}

/// Writes the revision into the Rollout's annotation when it differs; true when it does.
fn record_revision(pass: &mut Pass<'_>, revision: i64) -> bool {
    let text = revision.to_string();
    let annotations = pass.world.rollout.metadata.annotations.as_ref();
    if annotations.and_then(|map| map.get(meta::REVISION_ANNOTATION)) == Some(&text) {
        return false;
    }
    let annotations = BTreeMap::from([(meta::REVISION_ANNOTATION.to_owned(), text)]);
    let anchor = pass.write(Write::AnnotateRollout { annotations }, format!("this is revision {revision}"));
    tell_revision(pass, anchor, revision);
    true
}

fn tell_revision(pass: &mut Pass<'_>, anchor: Anchor, revision: i64) {
    let message = format!("Rollout updated to revision {revision}");
    pass.notice(anchor, EventType::Normal, "RolloutUpdated", message);
}

fn copied_annotations(pass: &Pass<'_>) -> BTreeMap<String, String> {
    let mut annotations = pass.world.rollout.metadata.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| !NOT_COPIED.contains(&key.as_str()));
    annotations
}

fn create(pass: &mut Pass<'_>, revision: i64) -> RolloutStatus {
    let template = pass.world.rollout.spec.template.clone().unwrap_or_default();
    let hash = hash::pod_template_hash(&template, pass.old.collision_count);
    let name = format!("{}-{hash}", pass.name());
    if let Some(status) = refused(pass, &name) {
        return status;
    }
    pass.greet(Anchor::Write(pass.plan.writes.len()));
    let template = with_hash(&template, &hash);
    let mut selector = pass.world.rollout.spec.selector.clone().unwrap_or_default();
    selector.match_labels.get_or_insert_default().insert(meta::POD_TEMPLATE_HASH_LABEL.to_owned(), hash);
    let mut annotations = copied_annotations(pass);
    annotations.insert(meta::REVISION_ANNOTATION.to_owned(), revision.to_string());
    annotations.insert(meta::DESIRED_REPLICAS_ANNOTATION.to_owned(), pass.replicas.to_string());
    // Of the template as it was submitted: the ReplicaSet's own is changed by strategies, webhooks and people.
    let submitted = pass.world.rollout.spec.template.as_ref().map(template_eq::fingerprint);
    annotations.extend(submitted.map(|fingerprint| (meta::TEMPLATE_ANNOTATION.to_owned(), fingerprint)));
    let labels = template.labels();
    let wanted = injected::metadata_for(pass, true, false);
    let Injected { template, metadata } =
        injected::with_metadata(injected::with_anti_affinity(pass, &template), &wanted);
    if let Some(record) = injected::record_of(&metadata) {
        annotations.insert(meta::EPHEMERAL_METADATA_ANNOTATION.to_owned(), record);
    }
    let write = Write::CreateReplicaSet {
        name: name.clone(),
        labels,
        annotations,
        selector,
        template: Arc::new(template),
        replicas: if defect!(CreatedFull) { pass.replicas } else { 0 },
        min_ready_seconds: pass.world.rollout.spec.min_ready_seconds.unwrap_or(0),
    };
    let anchor = pass.write(write, "the pod template has no ReplicaSet yet");
    if !record_revision(pass, revision) {
        tell_revision(pass, anchor, revision);
    }
    // Told after the revision, though it is written before: clients know the events in this order.
    let anchor = pass.plan.writes.len().checked_sub(1).map_or(anchor, Anchor::Write);
    pass.notice(
        anchor,
        EventType::Normal,
        "NewReplicaSetCreated",
        format!("Created ReplicaSet {name} (revision {revision})"),
    );
    let mut status = status::carry_over(pass);
    let message = format!("Created new replica set {name:?}");
    let created = condition(conditions::PROGRESSING, "True", conditions::REASON_CREATED, &message, pass.now);
    conditions::set(&mut status, created);
    status::stamp(pass, &mut status);
    status
}

/// What the API server said to an earlier try: a foreign object in the way counts as a collision of hashes, anything
/// else is shown until the template changes.
fn refused(pass: &mut Pass<'_>, name: &str) -> Option<RolloutStatus> {
    let target = format!("ReplicaSet/{name}");
    let refusal = pass.world.refusals.iter().find(|refusal| refusal.target == target)?;
    let mut status = status::carry_over(pass);
    match refusal.code {
        RefusalCode::AlreadyExists => {
            if !defect!(CollisionIgnored) {
                status.collision_count = Some(pass.old.collision_count.unwrap_or(0).saturating_add(1));
            }
            pass.plan.trail.push(format!("{target} exists and is not ours: the hash is changed"));
        }
        RefusalCode::Invalid | RefusalCode::Forbidden => {
            pass.greet(Anchor::Status);
            let message = format!("Failed to create new replica set {name:?}: {}", refusal.message);
            pass.plan.trail.push(message.clone());
            let (kind, reason) = (conditions::PROGRESSING, conditions::REASON_CREATE_ERROR);
            if conditions::set(&mut status, condition(kind, "False", reason, &message, pass.now)) {
                pass.notice(Anchor::Status, EventType::Warning, "ReplicaSetCreateError", message);
            }
            status::set_unhealthy(&mut status, pass.now);
            // The effect layer forgets the refusal after its backoff, and then the write is tried again.
        }
    }
    status::stamp(pass, &mut status);
    if refusal.code == RefusalCode::AlreadyExists {
        // It still names the version before: who reads that this template is observed must not take it for that one.
        status.observed_generation.clone_from(&pass.old.observed_generation);
    }
    Some(status)
}

/// The template with the hash as a label.
fn with_hash(template: &PodTemplate, hash: &str) -> PodTemplate {
    let mut value = if template.0.is_object() { template.0.clone() } else { json!({}) };
    let label = |value: &mut Value| {
        let metadata = value.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}));
        let labels = metadata.as_object_mut()?.entry("labels").or_insert_with(|| json!({}));
        labels.as_object_mut()?.insert(meta::POD_TEMPLATE_HASH_LABEL.to_owned(), json!(hash));
        Some(())
    };
    label(&mut value);
    PodTemplate(value)
}
