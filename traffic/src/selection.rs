//! Objects that a router finds without their names. `[traffic.gateway-selector]`

use crate::{Kind, Objects, gateway};
use crds::LabelSelector;
use serde_json::Value;
use std::collections::BTreeMap;

/// The objects of one kind and namespace that a router finds by what they say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Their kind.
    pub kind: Kind,
    /// Their namespace.
    pub namespace: String,
    /// The labels that they have.
    pub selector: LabelSelector,
    /// The Rollout, as objects that it is at work on name it.
    pub(crate) rollout: String,
    /// The annotation that lists the Rollouts at work on an object; none where none is written.
    pub(crate) active: Option<String>,
}

/// Looks up what a selection finds: the names of the objects, in any order.
pub type Find<'a> = &'a dyn Fn(&Selection) -> Vec<String>;

impl Selection {
    /// Whether an object of this kind and namespace is found. One that has lost its labels is found as long as it says
    /// that the Rollout is at work on it: what the Rollout has put in there is not left behind.
    #[must_use]
    pub fn takes(&self, object: &Value) -> bool {
        has_labels(object, &self.selector) || gateway::is_held(object, &self.rollout, self.active.as_deref())
    }
}

/// Whether an object has the labels that are asked for.
pub(crate) fn has_labels(object: &Value, selector: &LabelSelector) -> bool {
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let labels: BTreeMap<String, String> =
        labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    selector.matches(&labels)
}

impl Objects {
    /// What a selection finds among these objects.
    #[must_use]
    pub fn select(&self, selection: &Selection) -> Vec<String> {
        let found = self.0.iter().filter(|(reference, object)| {
            reference.kind == selection.kind
                && reference.namespace == selection.namespace
                && selection.takes(object)
        });
        found.map(|(reference, _)| reference.name.clone()).collect()
    }
}
