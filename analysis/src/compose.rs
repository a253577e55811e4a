//! Composition: from references to templates to the spec of an AnalysisRun.

#[cfg(test)]
mod tests;

use crate::arguments::{ArgumentError, resolve_metric};
use crate::validate::effective_count;
use crds::IntOrString;
use crds::analysis::{AnalysisRunSpec, AnalysisTemplateSpec, Argument, DryRun, MeasurementRetention, Metric};
use crds::rollout::analysis::AnalysisTemplateRef;
use std::collections::{BTreeMap, BTreeSet};

/// What stands for an argument without a value while a template is checked before its arguments are known.
const PLACEHOLDER_VALUE: &str = "dummy-value";

/// Templates cannot be composed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// A template does not exist (yet). `nested` tells whether another template refers to it.
    #[error("{} '{name}' not found", kind(*.cluster))]
    NotFound {
        /// Name of the template.
        name: String,
        /// Whether it is a ClusterAnalysisTemplate.
        cluster: bool,
        /// Whether it is reached through another template only.
        nested: bool,
    },
    /// Templates refer to each other in a circle `[analysis.cycle]`.
    #[error("templates refer to each other in a circle: {}; take one of the references out", .path.join(" -> "))]
    Cycle {
        /// Names from the first template to itself.
        path: Vec<String>,
    },
    /// Two templates have metrics of one name.
    #[error("two metrics have the same name '{name}'")]
    DuplicateMetric {
        /// Name of the metric.
        name: String,
    },
    /// Two templates give an argument different values.
    #[error("Argument `{name}` specified multiple times with different values: '{first}', '{second}'")]
    ArgumentConflict {
        /// Name of the argument.
        name: String,
        /// Value of the first template.
        first: String,
        /// Value of the second template.
        second: String,
    },
    /// An argument has no value.
    #[error("args.{name} was not resolved")]
    Unresolved {
        /// Name of the argument.
        name: String,
    },
    /// Two dry-run rules have one name.
    #[error("two Dry-Run metric rules have the same name '{name}'")]
    DuplicateDryRun {
        /// The rule.
        name: String,
    },
    /// Two retention rules have one name.
    #[error("two Measurement Retention metric rules have the same name '{name}'")]
    DuplicateRetention {
        /// The rule.
        name: String,
    },
    /// A template that must end would run for ever.
    #[error(
        "AnalysisTemplate {template} has metric {metric} which runs indefinitely. Invalid value for count: {count}"
    )]
    Endless {
        /// Name of the template.
        template: String,
        /// Name of the metric.
        metric: String,
        /// The metric's count as written, or `<nil>`.
        count: String,
    },
    /// A template's metric has a placeholder that is none of its arguments.
    #[error("AnalysisTemplate {template}: {error}")]
    Argument {
        /// Name of the template.
        template: String,
        /// What is wrong.
        error: ArgumentError,
    },
}

fn kind(cluster: bool) -> &'static str {
    if cluster { "ClusterAnalysisTemplate" } else { "AnalysisTemplate" }
}

/// The templates that exist, by name.
#[derive(Clone, Debug, Default)]
pub struct Templates<'a> {
    /// AnalysisTemplates of the namespace.
    pub namespaced: BTreeMap<&'a str, &'a AnalysisTemplateSpec>,
    /// ClusterAnalysisTemplates.
    pub cluster: BTreeMap<&'a str, &'a AnalysisTemplateSpec>,
}

/// A template that takes part in a composition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is a ClusterAnalysisTemplate.
    pub cluster: bool,
    /// What it says.
    pub spec: &'a AnalysisTemplateSpec,
}

/// What several templates say together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Composed {
    /// Metrics: of AnalysisTemplates first, then of ClusterAnalysisTemplates.
    pub metrics: Vec<Metric>,
    /// Arguments, each name once.
    pub args: Vec<Argument>,
    /// Dry-run rules.
    pub dry_run: Vec<DryRun>,
    /// Retention rules.
    pub measurement_retention: Vec<MeasurementRetention>,
}

/// Finds all templates that a list of references reaches, each once: AnalysisTemplates first, then
/// ClusterAnalysisTemplates, each in the order in which they are reached.
///
/// # Errors
/// A template that does not exist, or a circle.
pub fn collect<'a>(
    refs: &'a [AnalysisTemplateRef],
    templates: &Templates<'a>,
) -> Result<Vec<Found<'a>>, ComposeError> {
    let mut walk = Walk { templates, found: Vec::new(), seen: BTreeSet::new(), path: Vec::new() };
    walk.refs(refs)?;
    let (mut found, cluster): (Vec<_>, Vec<_>) = walk.found.into_iter().partition(|found| !found.cluster);
    found.extend(cluster);
    Ok(found)
}

/// A walk over references; `path` holds the templates that the walk is inside of.
struct Walk<'a, 'w> {
    templates: &'w Templates<'a>,
    found: Vec<Found<'a>>,
    seen: BTreeSet<(bool, &'a str)>,
    path: Vec<(bool, &'a str)>,
}

impl<'a> Walk<'a, '_> {
    fn refs(&mut self, refs: &'a [AnalysisTemplateRef]) -> Result<(), ComposeError> {
        for reference in refs {
            let name = reference.template_name.as_deref().unwrap_or_default();
            let cluster = reference.cluster_scope.unwrap_or_default();
            if let Some(start) = self.path.iter().position(|inside| *inside == (cluster, name)) {
                let circle = self.path.iter().skip(start).map(|(_, name)| (*name).to_owned());
                return Err(ComposeError::Cycle { path: circle.chain([name.to_owned()]).collect() });
            }
            if !self.seen.insert((cluster, name)) {
                continue;
            }
            let place = if cluster { &self.templates.cluster } else { &self.templates.namespaced };
            let Some(spec) = place.get(name).copied() else {
                let nested = !self.path.is_empty();
                return Err(ComposeError::NotFound { name: name.to_owned(), cluster, nested });
            };
            self.found.push(Found { name, cluster, spec });
            // The depth is bounded by the number of templates: a name is entered once.
            self.path.push((cluster, name));
            self.refs(spec.templates.as_deref().unwrap_or_default())?;
            self.path.pop();
        }
        Ok(())
    }
}

/// Puts templates together.
///
/// # Errors
/// Metrics or rules of one name, or arguments of one name with different values.
pub fn compose(found: &[Found<'_>]) -> Result<Composed, ComposeError> {
    let mut composed = Composed::default();
    let mut names = BTreeSet::new();
    for metric in found.iter().flat_map(|found| found.spec.metrics.iter().flatten()) {
        if !names.insert(metric.name.as_str()) {
            return Err(ComposeError::DuplicateMetric { name: metric.name.clone() });
        }
        composed.metrics.push(metric.clone());
    }
    for arg in found.iter().flat_map(|found| found.spec.args.iter().flatten()) {
        merge_argument(&mut composed.args, arg)?;
    }
    composed.dry_run = found.iter().flat_map(|found| found.spec.dry_run.iter().flatten()).cloned().collect();
    composed.measurement_retention =
        found.iter().flat_map(|found| found.spec.measurement_retention.iter().flatten()).cloned().collect();
    unique_rules(&composed.dry_run, &composed.measurement_retention)?;
    Ok(composed)
}

/// Of two templates with one argument, whichever has a value gives it; two different values are a conflict.
fn merge_argument(args: &mut Vec<Argument>, arg: &Argument) -> Result<(), ComposeError> {
    let Some(known) = args.iter_mut().find(|known| known.name == arg.name) else {
        args.push(arg.clone());
        return Ok(());
    };
    match (&known.value, &arg.value) {
        (Some(first), Some(second)) if first != second => {
            return Err(ComposeError::ArgumentConflict {
                name: arg.name.clone(),
                first: first.clone(),
                second: second.clone(),
            });
        }
        (None, Some(_)) => known.value.clone_from(&arg.value),
        _ => {}
    }
    if known.value_from.is_none() {
        known.value_from.clone_from(&arg.value_from);
    }
    Ok(())
}

fn unique_rules(dry_run: &[DryRun], retention: &[MeasurementRetention]) -> Result<(), ComposeError> {
    let mut names = BTreeSet::new();
    for rule in dry_run {
        if !names.insert(rule.metric_name.as_str()) {
            return Err(ComposeError::DuplicateDryRun { name: rule.metric_name.clone() });
        }
    }
    let mut names = BTreeSet::new();
    for rule in retention {
        if !names.insert(rule.metric_name.as_str()) {
            return Err(ComposeError::DuplicateRetention { name: rule.metric_name.clone() });
        }
    }
    Ok(())
}

/// The spec of an AnalysisRun: templates, with the caller's arguments and rules. Arguments that no template
/// declares are dropped, the caller's value wins over a template's, and the caller's rules come first.
///
/// # Errors
/// An argument without a value, or rules of one name.
pub fn new_run_spec(
    composed: Composed,
    args: &[Argument],
    dry_run: &[DryRun],
    retention: &[MeasurementRetention],
) -> Result<AnalysisRunSpec, ComposeError> {
    let mut merged = composed.args;
    for arg in &mut merged {
        if let Some(given) = args.iter().find(|given| given.name == arg.name) {
            arg.value.clone_from(&given.value);
            arg.value_from.clone_from(&given.value_from);
        }
        let has_secret = arg.value_from.as_ref().is_some_and(|from| from.secret_key_ref.is_some());
        if arg.value.is_none() && !has_secret {
            return Err(ComposeError::Unresolved { name: arg.name.clone() });
        }
    }
    let dry_run: Vec<DryRun> = dry_run.iter().cloned().chain(composed.dry_run).collect();
    let retention: Vec<MeasurementRetention> =
        retention.iter().cloned().chain(composed.measurement_retention).collect();
    unique_rules(&dry_run, &retention)?;
    Ok(AnalysisRunSpec {
        metrics: composed.metrics,
        args: (!merged.is_empty()).then_some(merged),
        terminate: None,
        dry_run: (!dry_run.is_empty()).then_some(dry_run),
        measurement_retention: (!retention.is_empty()).then_some(retention),
        ttl_strategy: None,
    })
}

/// Checks that a template of a step, or of a blue-green promotion, comes to an end, by the values that its own arguments
/// have. A count that is an argument without one is refused, because it could be anything. `[analysis.finite]`
///
/// # Errors
/// A metric that runs for ever, or a placeholder that is none of the template's arguments.
pub fn check_finite(template: &Found<'_>) -> Result<(), ComposeError> {
    let args: Vec<Argument> = template
        .spec
        .args
        .iter()
        .flatten()
        .map(|arg| {
            let value = arg.value.clone().unwrap_or_else(|| PLACEHOLDER_VALUE.to_owned());
            Argument { value: Some(value), value_from: None, ..arg.clone() }
        })
        .collect();
    for metric in template.spec.metrics.iter().flatten() {
        let metric = resolve_metric(metric, &args, None)
            .map_err(|error| ComposeError::Argument { template: template.name.to_owned(), error })?;
        if effective_count(&metric).is_none() {
            return Err(ComposeError::Endless {
                template: template.name.to_owned(),
                metric: metric.name.clone(),
                count: metric.count.as_ref().map_or_else(|| "<nil>".to_owned(), IntOrString::to_string),
            });
        }
    }
    Ok(())
}
