//! `spec`, in the order in which its parts are looked at.

use super::{Invalid, labels, strategy, template, workload};
use crate::{LabelSelector, LabelSelectorRequirement, Rollout, defaults};

/// Checks the Rollout's own fields; only the first error is told. `[validation.order]`
///
/// # Errors
/// The first field that is wrong, and why.
pub fn rollout_spec(rollout: &Rollout) -> Result<(), Invalid> {
    let spec = &rollout.spec;
    if let Some(reference) = &spec.workload_ref {
        workload::reference(rollout, reference)?;
    }
    at_least_zero("spec.replicas", spec.replicas)?;
    match &spec.selector {
        // The selector of the referenced workload takes its place.
        None if spec.workload_ref.is_some() => {}
        None => return Err(Invalid::required("spec.selector", "Rollout has missing field '.spec.selector'")),
        Some(given) => selector(given)?,
    }
    if spec.workload_ref.is_none() {
        template::pod_template(spec.template.as_ref(), spec.selector.as_ref())?;
    }
    at_least_zero("spec.minReadySeconds", spec.min_ready_seconds)?;
    at_least_zero("spec.revisionHistoryLimit", spec.revision_history_limit)?;
    at_least_zero("spec.progressDeadlineSeconds", spec.progress_deadline_seconds)?;
    let deadline = defaults::progress_deadline_seconds(rollout);
    if deadline <= spec.min_ready_seconds.unwrap_or(0) {
        let why = "must be greater than minReadySeconds";
        return Err(Invalid::value("spec.progressDeadlineSeconds", &deadline, why));
    }
    strategy::check(rollout)
}

fn at_least_zero(path: &str, number: Option<i32>) -> Result<(), Invalid> {
    match number {
        Some(number) if number < 0 => {
            Err(Invalid::value(path, &number, "must be greater than or equal to 0"))
        }
        _ => Ok(()),
    }
}

/// DIFFERS: a selector that cannot be read is told in the status; Argo Rollouts tries again for ever and says
/// nothing. `[validation.selector]`
fn selector(selector: &LabelSelector) -> Result<(), Invalid> {
    if selector.is_empty() {
        let why = "empty selector is invalid for deployment";
        return Err(Invalid::value("spec.selector", &serde_json::json!({}), why));
    }
    label_selector("spec.selector", selector)
}

/// Checks the label selector at `path`. One that asks for nothing is good.
///
/// # Errors
/// The first thing that is wrong with it, and its path.
pub fn label_selector(path: &str, selector: &LabelSelector) -> Result<(), Invalid> {
    for (key, value) in selector.match_labels.iter().flatten() {
        let path = format!("{path}.matchLabels");
        labels::qualified_name(key).map_err(|why| Invalid::value(&path, key, &why))?;
        labels::label_value(value).map_err(|why| Invalid::value(format!("{path}[{key}]"), value, &why))?;
    }
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        self::requirement(&format!("{path}.matchExpressions[{index}]"), requirement)?;
    }
    Ok(())
}

fn requirement(path: &str, requirement: &LabelSelectorRequirement) -> Result<(), Invalid> {
    let LabelSelectorRequirement { key, operator, values } = requirement;
    labels::qualified_name(key).map_err(|why| Invalid::value(format!("{path}.key"), key, &why))?;
    let values = values.as_deref().unwrap_or_default();
    match operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            let why = "must be specified when `operator` is 'In' or 'NotIn'";
            return Err(Invalid::required(format!("{path}.values"), why));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            return Err(Invalid::forbidden(format!("{path}.values"), why));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => {
            let supported = ["DoesNotExist", "Exists", "In", "NotIn"];
            return Err(Invalid::unsupported(format!("{path}.operator"), other, &supported));
        }
    }
    for (index, value) in values.iter().enumerate() {
        labels::label_value(value)
            .map_err(|why| Invalid::value(format!("{path}.values[{index}]"), value, &why))?;
    }
    Ok(())
}
