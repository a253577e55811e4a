//! What is recorded of who is who, so that a ReplicaSet stays what it was made for, whatever becomes of its template:
//! an admission webhook, a newer API server and people change it. `[identify.record]`

use super::conditions;
use super::pass::Pass;
use super::status;
use crate::defect;
use crate::{Owner, ReplicaSet, Write};
use crds::{PodTemplate, meta, template_eq};
use std::collections::BTreeMap;

/// Versions that the Rollout's own annotation names at most: the current one, the stable one, and one between them.
const ADOPTED_MAX: usize = 3;

/// The ReplicaSet that the status names, when nothing that decides over the pod template has changed since the status
/// was written.
///
/// The generation alone does not say so: the status of an invalid Rollout, of one that waits for references, and of one
/// whose ReplicaSet was refused, have seen the new template and name the old version. The revision is written before the
/// status. And the generation of a workload says nothing: one that is deleted and made again begins at 1, and a
/// PodTemplate has none.
pub(super) fn of_status<'w>(pass: &Pass<'w>) -> Option<&'w ReplicaSet> {
    let old = &pass.old;
    let generation = pass.world.rollout.metadata.generation?.to_string();
    let is_of_now = pass.world.workload.is_none()
        && old.observed_generation == generation
        && conditions::get(old, conditions::INVALID_SPEC).is_none()
        && ![conditions::REASON_CREATE_ERROR, conditions::REASON_WAITING]
            .iter()
            .any(|reason| conditions::has_reason(old, conditions::PROGRESSING, reason));
    if !is_of_now || old.current_pod_hash.is_empty() {
        return None;
    }
    let revision = status::revision(pass);
    let template = pass.world.rollout.spec.template.as_ref()?;
    let is_other = |recorded: &str| recorded != template_eq::fingerprint(template);
    let named = |set: &&&ReplicaSet| {
        set.owner == Owner::Ours
            && set.hash() == old.current_pod_hash
            && !fingerprint_of(pass, set).is_some_and(is_other)
            && set.annotations.get(meta::REVISION_ANNOTATION).is_some_and(|own| *own == revision)
    };
    pass.all.iter().find(named).copied()
}

/// The fingerprint of the template that a ReplicaSet was made for, where one is recorded.
fn fingerprint_of<'p>(pass: &'p Pass<'_>, set: &'p ReplicaSet) -> Option<&'p str> {
    if let Some(own) = set.annotations.get(meta::TEMPLATE_ANNOTATION) {
        return Some(own).filter(|own| is_ours(own)).map(String::as_str);
    }
    adopted(pass).find(|(hash, _)| *hash == set.hash()).map(|(_, fingerprint)| fingerprint)
}

/// Another way of making fingerprints, of an older or newer version, says nothing.
fn is_ours(fingerprint: &str) -> bool {
    fingerprint.starts_with(template_eq::FINGERPRINT_PREFIX)
}

/// What the Rollout's annotation says: hashes and fingerprints.
fn adopted<'p>(pass: &'p Pass<'_>) -> impl Iterator<Item = (&'p str, &'p str)> {
    let annotations = pass.world.rollout.metadata.annotations.as_ref();
    let text = annotations.and_then(|map| map.get(meta::ADOPTED_ANNOTATION)).map_or("", String::as_str);
    text.split(',').filter_map(|entry| entry.split_once('=')).filter(|(_, fingerprint)| is_ours(fingerprint))
}

/// Whether a ReplicaSet stands for a template: by its record, or else by an equal template.
pub(super) fn stands_for(
    pass: &Pass<'_>,
    set: &ReplicaSet,
    template: &PodTemplate,
    fingerprint: &str,
) -> bool {
    match fingerprint_of(pass, set).filter(|_| !defect!(EqualIsEnough)) {
        Some(recorded) => recorded == fingerprint,
        None => template_eq::equal_ignoring_injected(&super::injected::bare(set), template),
    }
}

/// Which of several ReplicaSets of one template it is.
///
/// # Errors
/// A sentence for the user when nothing tells.
pub(super) fn choose<'w>(
    pass: &Pass<'_>,
    equal: &[&'w ReplicaSet],
) -> Result<Option<&'w ReplicaSet>, String> {
    let named = |hash: &str| equal.iter().copied().find(|set| !hash.is_empty() && set.hash() == hash);
    if let Some(set) = named(&pass.old.current_pod_hash).or_else(|| named(&pass.old.stable_rs)) {
        return Ok(Some(set));
    }
    let has_pods = |set: &&&ReplicaSet| set.replicas > 0 || set.counts.replicas > 0;
    match equal.iter().filter(has_pods).copied().collect::<Vec<_>>().as_slice() {
        [] => Ok(equal.first().copied()),
        [only] => Ok(Some(*only)),
        [first, second, ..] => Err(format!(
            "ReplicaSets {} and {} have its pod template and pods, and its status names neither; scale the one that is \
             not wanted to 0, or delete it",
            first.name, second.name
        )),
    }
}

/// Records what the new ReplicaSet stands for. On the ReplicaSet when it is written anyway; at the Rollout when it comes
/// from elsewhere and only equality, or the status, has told who it is: another generation of the Rollout would make
/// that a guess.
pub(super) fn keep(
    pass: &mut Pass<'_>,
    new: &ReplicaSet,
    annotations: &mut BTreeMap<String, Option<String>>,
) {
    if fingerprint_of(pass, new).is_some() {
        return;
    }
    let template = pass.world.rollout.spec.template.clone().unwrap_or_default();
    if !annotations.is_empty() {
        let fingerprint = template_eq::fingerprint(&template);
        annotations.insert(meta::TEMPLATE_ANNOTATION.to_owned(), Some(fingerprint));
        return;
    }
    if new.hash() == crds::hash::pod_template_hash(&template, pass.old.collision_count) {
        return;
    }
    let fingerprint = template_eq::fingerprint(&template);
    let mut entries: Vec<String> = adopted(pass)
        .filter(|(hash, _)| *hash != new.hash() && pass.all.iter().any(|set| set.hash() == *hash))
        .map(|(hash, fingerprint)| format!("{hash}={fingerprint}"))
        .collect();
    entries.push(format!("{}={fingerprint}", new.hash()));
    let skipped = entries.len().saturating_sub(ADOPTED_MAX);
    let text = entries.get(skipped..).unwrap_or_default().join(",");
    let annotations = BTreeMap::from([(meta::ADOPTED_ANNOTATION.to_owned(), text)]);
    let reason =
        format!("ReplicaSet {} was named by another version: what it stands for is recorded", new.name);
    pass.write(Write::AnnotateRollout { annotations }, reason);
}
