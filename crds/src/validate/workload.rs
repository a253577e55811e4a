//! What a Rollout says of the workload that it refers to, and whether that is there. `[workload-ref.validation]`

use super::{Invalid, InvalidKind, template};
use crate::rollout::spec::WorkloadRef;
use crate::rollout::workload::WorkloadKind;
use crate::{LabelSelector, PodTemplate, ResourceExt, Rollout};

/// What is known of a referenced workload.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadFacts<'a> {
    /// Its pod template.
    pub template: &'a PodTemplate,
    /// Its selector; a PodTemplate has none.
    pub selector: Option<&'a LabelSelector>,
}

/// What the reference itself may say; whether the workload exists is not asked here.
pub(super) fn reference(rollout: &Rollout, reference: &WorkloadRef) -> Result<WorkloadKind, Invalid> {
    if rollout.spec.template.as_ref().is_some_and(|template| !template.is_empty()) {
        return Err(Invalid::bare("template must be empty for workload reference rollout"));
    }
    reference.target().ok_or_else(|| {
        let (group, kind) = (reference.group(), reference.kind.as_deref().unwrap_or_default());
        Invalid::bare(format!("workload of type {group}/{kind} is not supported"))
    })
}

/// The Rollout with the template of the workload that `find` gives, to be checked and planned as one that has a template
/// of its own. `None` for a Rollout that refers to none.
///
/// # Errors
/// The reference is wrong, the workload is not there, or no selector finds its pods.
pub fn resolved<'a>(
    rollout: &Rollout,
    find: impl FnOnce(WorkloadKind, &str) -> Option<WorkloadFacts<'a>>,
) -> Result<Option<Rollout>, Invalid> {
    let Some(given) = &rollout.spec.workload_ref else { return Ok(None) };
    let kind = reference(rollout, given)?;
    let name = given.name();
    let Some(found) = find(kind, name) else {
        let namespace = rollout.namespace().unwrap_or_default();
        let missing = Invalid::bare(format!("{} \"{namespace}/{name}\" not found", kind.resource()));
        let missing = missing.until(kind.name(), name);
        return Err(missing.of_kind(InvalidKind::Reference));
    };
    if rollout.spec.selector.is_none() && found.selector.is_none() {
        // PARITY: it is not said that there is no selector at all.
        return Err(template::unmatched(&found.template.labels()));
    }
    Ok(Some(rollout.with_template_of(found.template.clone(), found.selector)))
}
