//! The pod template, as the API server checks that of a ReplicaSet. `[validation.template]`
//!
//! What is not checked here is still refused by the API server when the ReplicaSet is created; checked is what can
//! be told earlier and with the field's path.

mod container;
mod environment;
mod handler;
mod node;
mod pod;
mod resources;
mod volume;

use super::{Invalid, labels};
use crate::{LabelSelector, PodTemplate};
use node::Node;
use std::collections::BTreeMap;

/// The selector finds no pods of the template.
pub(super) fn unmatched(labels: &BTreeMap<String, String>) -> Invalid {
    let shown = (!labels.is_empty()).then_some(labels);
    let why = "`selector` does not match template `labels`";
    Invalid::value("spec.template.metadata.labels", &shown, why)
}

/// The template and whether the selector finds its pods.
pub(super) fn pod_template(
    template: Option<&PodTemplate>,
    selector: Option<&LabelSelector>,
) -> Result<(), Invalid> {
    let nothing = PodTemplate::default();
    let template = template.unwrap_or(&nothing);
    let labels = template.labels();
    if !selector.is_none_or(|selector| selector.matches(&labels)) {
        return Err(unmatched(&labels));
    }
    // PARITY: the paths of labels and annotations leave out `metadata`.
    for (key, value) in &labels {
        let path = "spec.template.labels";
        labels::qualified_name(key).map_err(|why| Invalid::value(path, key, &why))?;
        labels::label_value(value).map_err(|why| Invalid::value(path, value, &why))?;
    }
    for key in template.annotations().keys() {
        labels::qualified_name(&key.to_ascii_lowercase())
            .map_err(|why| Invalid::value("spec.template.annotations", key, &why))?;
    }
    pod::spec(&Node::new("spec.template.spec", template.0.get("spec")))
}
