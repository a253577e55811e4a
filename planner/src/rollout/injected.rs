//! What a strategy puts into the pod template of a version without making it another version: metadata that follows
//! its role, and the anti-affinity to the stable one. `[metadata]` `[anti-affinity]`

use super::pass::Pass;
use crate::ReplicaSet;
use crds::rollout::spec::AntiAffinity;
use crds::template_eq::{anti_affinity_hashes, without_anti_affinity, without_metadata};
use crds::{PodTemplate, PodTemplateMetadata, meta};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Pods of one node are told apart by this label of the node.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// A pod template as its strategy wants it, and what of its metadata is not its own.
pub(super) struct Injected {
    pub(super) template: PodTemplate,
    pub(super) metadata: PodTemplateMetadata,
}

/// What the role of a version puts on its pods: a canary or preview has its own, the stable (and the first) version the
/// other, older versions none.
pub(super) fn metadata_for(pass: &Pass<'_>, is_new: bool, is_stable: bool) -> PodTemplateMetadata {
    let (fresh, settled) = configured(pass);
    let is_first = is_new && pass.old.stable_rs.is_empty();
    let wanted = if is_stable || is_first { settled } else { fresh.filter(|_| is_new) };
    wanted.cloned().map(without_empty).unwrap_or_default()
}

/// Metadata for new and for stable versions.
pub(super) fn configured<'w>(
    pass: &Pass<'w>,
) -> (Option<&'w PodTemplateMetadata>, Option<&'w PodTemplateMetadata>) {
    match (pass.blue_green(), pass.canary()) {
        (Some(strategy), _) => (strategy.preview_metadata.as_ref(), strategy.active_metadata.as_ref()),
        (None, Some(canary)) => (canary.canary_metadata.as_ref(), canary.stable_metadata.as_ref()),
        (None, None) => (None, None),
    }
}

fn without_empty(mut metadata: PodTemplateMetadata) -> PodTemplateMetadata {
    metadata.labels = metadata.labels.filter(|entries| !entries.is_empty());
    metadata.annotations = metadata.annotations.filter(|entries| !entries.is_empty());
    metadata
}

/// What was put into the template of a ReplicaSet, as its annotation says.
pub(super) fn recorded(set: &ReplicaSet) -> PodTemplateMetadata {
    let text = set.annotations.get(meta::EPHEMERAL_METADATA_ANNOTATION);
    let metadata = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    without_empty(metadata)
}

/// The template of a ReplicaSet without what was put there.
pub(super) fn bare(set: &ReplicaSet) -> PodTemplate {
    without_metadata(&set.template, &recorded(set))
}

/// Puts metadata into a bare template.
///
/// DIFFERS: a key that the template has itself stays as it is; Argo Rollouts overwrites it, and takes it away when the
/// role changes.
pub(super) fn with_metadata(bare: PodTemplate, wanted: &PodTemplateMetadata) -> Injected {
    let own = (bare.labels(), bare.annotations());
    let mut value = bare.0;
    let mut add = |field: &str, own: &BTreeMap<String, String>, wanted: &Option<BTreeMap<String, String>>| {
        let mut added = wanted.clone().unwrap_or_default();
        added.retain(|key, _| !own.contains_key(key));
        for (key, text) in &added {
            with_entry(&mut value, &["metadata", field], &mut |map| {
                drop(map.insert(key.clone(), json!(text)))
            });
        }
        Some(added).filter(|added| !added.is_empty())
    };
    let labels = add("labels", &own.0, &wanted.labels);
    let annotations = add("annotations", &own.1, &wanted.annotations);
    Injected { template: PodTemplate(value), metadata: PodTemplateMetadata { labels, annotations } }
}

/// The annotation that remembers what was put into a template; `None` for nothing.
pub(super) fn record_of(metadata: &PodTemplateMetadata) -> Option<String> {
    if *metadata == PodTemplateMetadata::default() {
        return None;
    }
    serde_json::to_string(metadata).ok()
}

/// The template with the anti-affinity to the stable version, while there is another one and it is asked for. What was
/// injected before and is not asked for any more stays: taking it out would only bring a write.
pub(super) fn with_anti_affinity(pass: &Pass<'_>, template: &PodTemplate) -> PodTemplate {
    let stable = pass.old.stable_rs.as_str();
    let hash = template.labels().remove(meta::POD_TEMPLATE_HASH_LABEL).unwrap_or_default();
    let rule = match (pass.blue_green(), pass.canary()) {
        (Some(strategy), _) => strategy.anti_affinity.as_ref(),
        (None, canary) => canary.and_then(|canary| canary.anti_affinity.as_ref()),
    };
    let is_asked = !stable.is_empty() && hash != stable && anti_affinity_hashes(template) != [stable];
    let Some(rule) = rule.filter(|_| is_asked) else { return template.clone() };
    let namespace = pass.world.rollout.metadata.namespace.as_deref().unwrap_or_default();
    let mut wanted = without_anti_affinity(template);
    add_term(&mut wanted.0, rule, &term(stable, namespace));
    wanted
}

/// Not on a node with a pod of that version.
fn term(hash: &str, namespace: &str) -> Value {
    let version = json!({"key": meta::POD_TEMPLATE_HASH_LABEL, "operator": "In", "values": [hash]});
    json!({
        "labelSelector": {"matchExpressions": [version]},
        "namespaces": [namespace],
        "topologyKey": HOSTNAME,
    })
}

fn add_term(template: &mut Value, rule: &AntiAffinity, term: &Value) {
    let preferred = rule.preferred_during_scheduling_ignored_during_execution.as_ref();
    let (list, term) = match preferred {
        Some(preferred) => {
            let term = json!({"podAffinityTerm": term, "weight": preferred.weight.unwrap_or(0)});
            ("preferredDuringSchedulingIgnoredDuringExecution", term)
        }
        None => ("requiredDuringSchedulingIgnoredDuringExecution", term.clone()),
    };
    with_entry(template, &["spec", "affinity", "podAntiAffinity"], &mut |anti| match anti
        .get_mut(list)
        .and_then(Value::as_array_mut)
    {
        Some(terms) => terms.push(term.clone()),
        None => drop(anti.insert(list.to_owned(), json!([term]))),
    });
}

/// Changes the object at a path, which is made where it is missing.
fn with_entry(value: &mut Value, path: &[&str], change: &mut dyn FnMut(&mut Map<String, Value>)) {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Some(map) = value.as_object_mut() else { return };
    match path {
        [] => change(map),
        [first, rest @ ..] => with_entry(map.entry((*first).to_owned()).or_insert(Value::Null), rest, change),
    }
}
