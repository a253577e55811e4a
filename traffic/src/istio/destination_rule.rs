//! The `DestinationRule`, whose subsets select the versions by the hash of their pod template.

use crate::{Problem, Reference};
use crds::meta::{MANAGED_BY_ANNOTATION, POD_TEMPLATE_HASH_LABEL};
use crds::rollout::traffic::IstioDestinationRule;
use planner::traffic::Intent;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A DestinationRule.
#[derive(Debug)]
pub(super) struct Rule<'a> {
    /// Which.
    pub(super) reference: &'a Reference,
    /// What the Rollout says about it.
    pub(super) setting: &'a IstioDestinationRule,
    /// As it is.
    pub(super) value: &'a Value,
}

impl Rule<'_> {
    /// The versions that the canary's and the stable subset select; empty for none.
    pub(super) fn hashes(&self) -> Result<(String, String), Problem> {
        Ok((self.hash(&self.setting.canary_subset_name)?, self.hash(&self.setting.stable_subset_name)?))
    }

    fn hash(&self, name: &str) -> Result<String, Problem> {
        let subsets = self.value.pointer("/spec/subsets").and_then(Value::as_array);
        let subset = subsets.into_iter().flatten().find(|subset| subset_name(subset) == Some(name));
        let subset = subset.ok_or_else(|| {
            self.reference.unfit(format!(
                "subset '{name}' not found in spec.subsets: add it, or name another in the Rollout"
            ))
        })?;
        Ok(label(subset).unwrap_or_default().to_owned())
    }

    /// As it is to be: marked as the Rollout's, with the hash in the subsets of both versions, and a subset for each
    /// experiment.
    ///
    /// PARITY: the mark is taken over from another Rollout.
    pub(super) fn edit(&self, rollout: &str, intent: &Intent) -> Result<Value, Problem> {
        self.hashes()?;
        let mut after = self.value.clone();
        let annotations =
            after.as_object_mut().and_then(|fields| object(object(fields, "metadata")?, "annotations"));
        let annotations =
            annotations.ok_or_else(|| self.reference.unfit("metadata.annotations must be an object"))?;
        annotations.insert(MANAGED_BY_ANNOTATION.to_owned(), rollout.into());
        if let Some(subsets) = after.pointer_mut("/spec/subsets").and_then(Value::as_array_mut) {
            self.relabel(subsets, intent)?;
        }
        Ok(after)
    }

    fn relabel(&self, subsets: &mut Vec<Value>, intent: &Intent) -> Result<(), Problem> {
        let experiments = intent.additional.iter().filter(|share| !share.hash.is_empty());
        let mut due: BTreeMap<&str, &str> =
            experiments.map(|share| (share.service.as_str(), share.hash.as_str())).collect();
        due.insert(&self.setting.stable_subset_name, &intent.stable.hash);
        due.insert(&self.setting.canary_subset_name, &intent.canary.hash);
        subsets.retain(|subset| {
            subset_name(subset).is_some_and(|name| due.contains_key(name)) || !self.has_ended(subset)
        });
        for (index, subset) in subsets.iter_mut().enumerate() {
            let Some(hash) = subset_name(subset).and_then(|name| due.get(name).copied()) else { continue };
            set_label(subset, hash).ok_or_else(|| {
                self.reference.unfit(format!("spec.subsets[{index}].labels must be an object"))
            })?;
        }
        due.retain(|name, _| !subsets.iter().any(|subset| subset_name(subset) == Some(*name)));
        subsets.extend(
            due.iter().map(|(name, hash)| json!({"name": name, "labels": {POD_TEMPLATE_HASH_LABEL: hash}})),
        );
        Ok(())
    }

    /// Whether a subset is that of an experiment that has ended: it has no more than a name and the hash.
    ///
    /// DIFFERS: Argo Rollouts takes out every subset that it does not know (argoproj/argo-rollouts#4332).
    fn has_ended(&self, subset: &Value) -> bool {
        let is_kept =
            |name: &str| self.setting.additional_subset_names.iter().flatten().any(|kept| kept == name);
        let labels = subset.get("labels").and_then(Value::as_object);
        if planner::defect!(ForeignSubsetsGo) {
            return true;
        }
        subset_name(subset).is_some_and(|name| !is_kept(name))
            && subset.as_object().is_some_and(|fields| fields.len() == 2)
            && labels.is_some_and(|labels| labels.len() == 1)
            && label(subset).is_some()
    }
}

/// The Rollout that has written to the rule.
pub(crate) fn writer(rule: &Value) -> Option<&str> {
    rule.pointer("/metadata/annotations")?.get(MANAGED_BY_ANNOTATION)?.as_str()
}

/// The rule without the mark and the hashes of a Rollout that is not in `referring`: each subset selects what its other
/// labels say. None where there is no such mark.
pub(crate) fn release(rule: &Value, referring: &BTreeSet<String>) -> Option<Value> {
    writer(rule).filter(|writer| !referring.contains(*writer))?;
    let mut after = rule.clone();
    if let Some(annotations) = after.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(MANAGED_BY_ANNOTATION);
    }
    let subsets = after.pointer_mut("/spec/subsets").and_then(Value::as_array_mut);
    for labels in subsets.into_iter().flatten().filter_map(|subset| subset.get_mut("labels")?.as_object_mut())
    {
        labels.remove(POD_TEMPLATE_HASH_LABEL);
    }
    Some(after)
}

fn subset_name(subset: &Value) -> Option<&str> {
    subset.get("name").and_then(Value::as_str)
}

fn label(subset: &Value) -> Option<&str> {
    subset.get("labels").and_then(|labels| labels.get(POD_TEMPLATE_HASH_LABEL)).and_then(Value::as_str)
}

/// Sets the hash, or takes it out where there is none; nothing if `labels` is no object.
fn set_label(subset: &mut Value, hash: &str) -> Option<()> {
    let fields = subset.as_object_mut()?;
    if hash.is_empty() {
        if let Some(labels) = fields.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove(POD_TEMPLATE_HASH_LABEL);
        }
        return Some(());
    }
    object(fields, "labels")?.insert(POD_TEMPLATE_HASH_LABEL.to_owned(), hash.into());
    Some(())
}

/// The object in a field, made where the field is missing; nothing where it is something else.
fn object<'a>(fields: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    let slot = fields.entry(name).or_insert(Value::Null);
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut()
}
