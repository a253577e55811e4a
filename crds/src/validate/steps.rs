//! `spec.strategy.canary.steps`.

use super::{Invalid, labels, routes};
use crate::defaults::pause_duration_seconds;
use crate::rollout::analysis::{AnalysisRunArgument, RolloutExperimentTemplate};
use crate::rollout::canary::CanaryStep;
use crate::rollout::traffic::RolloutTrafficRouting;

/// Weights are percents unless the router says otherwise.
const MAX_WEIGHT_PERCENT: i32 = 100;
const STEP_NEEDED: &str =
    "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause";

/// One step; `path` is its place in the list.
pub(super) fn check(
    path: &str,
    step: &CanaryStep,
    routing: Option<&RolloutTrafficRouting>,
) -> Result<(), Invalid> {
    one_kind(path, step)?;
    if let Some(weight) = step.set_weight {
        let max = routing.and_then(|routing| routing.max_traffic_weight).unwrap_or(MAX_WEIGHT_PERCENT);
        if weight < 0 || weight > max {
            let why = format!("SetWeight needs to be between 0 and {max}");
            return Err(Invalid::value(format!("{path}.setWeight"), &weight, &why));
        }
    }
    if let Some(pause) = &step.pause {
        // Text that is no duration is told as -1.
        let seconds = pause_duration_seconds(pause).unwrap_or(Some(-1));
        if let Some(seconds @ ..=-1) = seconds {
            let why = "Duration needs to be greater than 0";
            return Err(Invalid::value(format!("{path}.pause.duration"), &seconds, why));
        }
    }
    if step.set_canary_scale.is_some() && routing.is_none() {
        let why = "SetCanaryScale requires TrafficRouting to be set";
        return Err(Invalid::required("spec.strategy.trafficRouting", why));
    }
    let experiment = step.experiment.as_ref();
    for (index, template) in experiment.iter().flat_map(|experiment| &experiment.templates).enumerate() {
        experiment_weight(&format!("{path}.experiment.templates[{index}].weight"), template, routing)?;
    }
    for analysis in experiment.iter().flat_map(|experiment| experiment.analyses.iter().flatten()) {
        arguments(path, analysis.args.as_deref())?;
    }
    if let Some(analysis) = &step.analysis {
        arguments(path, analysis.args.as_deref())?;
    }
    routes::check(path, step, routing)
}

/// PARITY: of the kinds only the four oldest exclude each other.
fn one_kind(path: &str, step: &CanaryStep) -> Result<(), Invalid> {
    let CanaryStep {
        set_weight,
        pause,
        experiment,
        analysis,
        set_canary_scale,
        set_header_route,
        set_mirror_route,
        plugin,
    } = step;
    let set = [experiment.is_some(), pause.is_some(), set_weight.is_some(), analysis.is_some()];
    let [has_experiment, has_pause, has_weight, has_analysis] = set;
    if set.into_iter().filter(|set| *set).count() > 1 {
        let value = format!(
            "step.Experiment: {has_experiment} step.Pause: {has_pause} step.SetWeight: {has_weight} step.Analysis: {has_analysis}"
        );
        return Err(Invalid::value(path, &value, STEP_NEEDED));
    }
    let newer = set_canary_scale.is_some() || set_header_route.is_some() || set_mirror_route.is_some();
    if set.contains(&true) || newer || plugin.is_some() {
        return Ok(());
    }
    // The text says of each kind whether it is missing.
    let value = "step.Experiment: true step.Pause: true step.SetWeight: true step.Analysis: true step.SetCanaryScale: true step.SetHeaderRoute: true step.SetMirrorRoute: true step.Plugin: true";
    Err(Invalid::value(path, &value, STEP_NEEDED))
}

fn experiment_weight(
    path: &str,
    template: &RolloutExperimentTemplate,
    routing: Option<&RolloutTrafficRouting>,
) -> Result<(), Invalid> {
    let Some(weight) = template.weight else { return Ok(()) };
    let Some(routing) = routing else {
        let why = "Experiment template weight cannot be set unless TrafficRouting is enabled";
        return Err(Invalid::value(path, &weight, why));
    };
    let able = routing.alb.is_some()
        || routing.smi.is_some()
        || routing.istio.is_some()
        || routing.plugins.is_some()
        || routing.gateway_api.is_some();
    if able {
        return Ok(());
    }
    let why = "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time";
    Err(Invalid::value(path, &weight, why))
}

fn arguments(path: &str, args: Option<&[AnalysisRunArgument]>) -> Result<(), Invalid> {
    let args = args.unwrap_or_default();
    let paths =
        args.iter().filter_map(|arg| Some(arg.value_from.as_ref()?.field_ref.as_ref()?.field_path.as_str()));
    let mut metadata = paths.filter(|path| path.starts_with("metadata"));
    if metadata.all(is_downward_api_path) {
        return Ok(());
    }
    let why = "Analyses arguments must refer to valid object metadata supported by downwardAPI";
    Err(Invalid::value(format!("{path}.analyses"), &args, why))
}

/// Whether a path such as `metadata.labels['app']` is one that the downward API can read of any object.
#[must_use]
pub fn is_downward_api_path(path: &str) -> bool {
    let whole =
        ["metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations"];
    let entry = |map: &str| {
        let key = path.strip_prefix(map)?.strip_prefix("['")?.strip_suffix("']")?;
        labels::qualified_name(key).ok()
    };
    whole.contains(&path) || entry("metadata.labels").is_some() || entry("metadata.annotations").is_some()
}
