//! What a Rollout refers to: that it is there and fits. `[validation.references]`

use super::{Invalid, InvalidKind};
use crate::analysis::{AnalysisTemplateSpec, DryRun, MeasurementRetention};
use crate::rollout::analysis::{AnalysisRunArgument, AnalysisTemplateRef, RolloutAnalysis};
use crate::{ResourceExt, Rollout, meta};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a Service.
#[derive(Clone, Copy, Debug)]
pub struct ServiceFacts<'a> {
    /// `spec.selector`; empty without one.
    pub selector: &'a BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: &'a BTreeMap<String, String>,
}

/// An analysis that a Rollout asks for.
#[derive(Clone, Debug)]
pub struct ReferencedAnalysis<'a> {
    /// Path of its `templates`.
    pub path: String,
    /// The templates that are composed; never empty.
    pub templates: &'a [AnalysisTemplateRef],
    /// Values that the Rollout gives.
    pub args: &'a [AnalysisRunArgument],
    /// The Rollout's own dry-run rules.
    pub dry_run: &'a [DryRun],
    /// The Rollout's own retention rules.
    pub measurement_retention: &'a [MeasurementRetention],
    /// Whether it may run until it is stopped: only beside the steps of a canary.
    pub may_be_endless: bool,
}

/// Why templates make no run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateFault {
    /// The templates do not go together, or an argument has no value.
    Together(String),
    /// One of them is wrong.
    One {
        /// Name of the template.
        template: String,
        /// What is wrong with it.
        message: String,
    },
}

/// Why a router cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterFault {
    /// Path of the field, below `trafficRouting`.
    pub path: String,
    /// The field's value; `None` where fields do not go together.
    pub value: Option<serde_json::Value>,
    /// The object that is missing or unfit; empty where none is.
    pub name: String,
    /// The kind of what is missing or unfit.
    pub kind: &'static str,
    /// A sentence.
    pub message: String,
}

/// The objects around a Rollout, as far as they are known.
pub trait References {
    /// A Service of the Rollout's namespace.
    fn service(&self, name: &str) -> Option<ServiceFacts<'_>>;

    /// An AnalysisTemplate of the Rollout's namespace, or a ClusterAnalysisTemplate.
    fn template(&self, name: &str, cluster: bool) -> Option<&AnalysisTemplateSpec>;

    /// What is wrong with the first router whose objects are missing, or unfit where `missing` is false.
    fn router(&self, missing: bool) -> Option<RouterFault> {
        let _ = missing;
        None
    }

    /// Whether the templates of an analysis, which are all there, make a run. Composition is the analysis engine's.
    ///
    /// # Errors
    /// Why not.
    fn compose(&self, analysis: &ReferencedAnalysis<'_>) -> Result<(), TemplateFault>;
}

/// Checks what the Rollout refers to: first that all of it is there, then that it fits.
///
/// # Errors
/// The first reference that is wrong, and why.
pub fn references(rollout: &Rollout, around: &dyn References) -> Result<(), Invalid> {
    check(rollout, around).map_err(|invalid| invalid.of_kind(InvalidKind::Reference))
}

/// Checks only that what is there fits: what is missing may still come.
///
/// # Errors
/// The first reference to something that is there and wrong, and why.
pub fn references_fit(rollout: &Rollout, around: &dyn References) -> Result<(), Invalid> {
    fit(rollout, around).map_err(|invalid| invalid.of_kind(InvalidKind::Reference))
}

fn check(rollout: &Rollout, around: &dyn References) -> Result<(), Invalid> {
    for (field, name) in services(rollout) {
        if around.service(name).is_none() {
            let path = format!("spec.strategy.{field}");
            let missing = Invalid::value(path, &name, &format!("service {name:?} not found"));
            return Err(missing.until("Service", name));
        }
    }
    for analysis in &analyses(rollout) {
        templates_exist(&analysis.path, analysis.templates, around, &mut BTreeSet::new())?;
    }
    if let Some(fault) = around.router(true) {
        return Err(router_fault(&fault).until(fault.kind, &fault.name));
    }
    fit(rollout, around)
}

fn router_fault(fault: &RouterFault) -> Invalid {
    let path = format!("spec.strategy.canary.trafficRouting.{}", fault.path);
    match &fault.value {
        Some(value) => Invalid::value(path, value, &fault.message),
        None => Invalid::internal(path, &fault.message),
    }
}

fn fit(rollout: &Rollout, around: &dyn References) -> Result<(), Invalid> {
    for (field, name) in services(rollout) {
        if let Some(service) = around.service(name) {
            service_fits(rollout, &format!("spec.strategy.{field}"), name, service)?;
        }
    }
    for analysis in &analyses(rollout) {
        let there = templates_exist(&analysis.path, analysis.templates, around, &mut BTreeSet::new());
        if there.is_ok() {
            around.compose(analysis).map_err(|fault| template_fault(analysis, fault))?;
        }
    }
    around.router(false).map_or(Ok(()), |fault| Err(router_fault(&fault)))
}

/// Field and name of each Service that is named, in the order in which they are looked up.
fn services(rollout: &Rollout) -> Vec<(&'static str, &str)> {
    let Some(strategy) = &rollout.spec.strategy else { return Vec::new() };
    let mut named = Vec::new();
    if let Some(canary) = &strategy.canary {
        named.push(("canary.stableService", canary.stable_service.as_deref()));
        named.push(("canary.canaryService", canary.canary_service.as_deref()));
        let pair = canary.ping_pong.as_ref();
        named.push(("canary.pingPong.pingService", pair.map(|pair| pair.ping_service.as_str())));
        named.push(("canary.pingPong.pongService", pair.map(|pair| pair.pong_service.as_str())));
    }
    if let Some(blue_green) = &strategy.blue_green {
        named.push(("blueGreen.activeService", Some(blue_green.active_service.as_str())));
        named.push(("blueGreen.previewService", blue_green.preview_service.as_deref()));
    }
    let set = named.into_iter().filter_map(|(field, name)| Some((field, name?)));
    set.filter(|(_, name)| !name.is_empty()).collect()
}

/// The Service selects pods of this Rollout and no other Rollout switches it.
fn service_fits(rollout: &Rollout, path: &str, name: &str, service: ServiceFacts<'_>) -> Result<(), Invalid> {
    if let Some(template) = &rollout.spec.template {
        let labels = template.labels();
        let set_by_us = |key: &str| key == meta::POD_TEMPLATE_HASH_LABEL;
        let differing =
            service.selector.iter().find(|(key, value)| !set_by_us(key) && labels.get(*key) != Some(value));
        if let Some((label, _)) = differing {
            let why = format!("Service {name:?} has unmatch label {label:?} in rollout");
            return Err(Invalid::value(path, &name, &why));
        }
    }
    match service.annotations.get(meta::MANAGED_BY_ANNOTATION) {
        Some(manager) if *manager != rollout.name_any() => {
            let why = format!("Service {name:?} is managed by another Rollout");
            Err(Invalid::value(path, &name, &why))
        }
        _ => Ok(()),
    }
}

/// Every analysis of the Rollout that names a template.
fn analyses(rollout: &Rollout) -> Vec<ReferencedAnalysis<'_>> {
    let Some(strategy) = &rollout.spec.strategy else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(blue_green) = &strategy.blue_green {
        let analyses = [
            ("prePromotionAnalysis", &blue_green.pre_promotion_analysis),
            ("postPromotionAnalysis", &blue_green.post_promotion_analysis),
        ];
        for (field, analysis) in analyses {
            let path = format!("spec.strategy.blueGreen.{field}.templates");
            found.extend(analysis.as_ref().map(|analysis| referenced(path, analysis)));
        }
    }
    if let Some(canary) = &strategy.canary {
        for (index, step) in canary.steps.iter().flatten().enumerate() {
            let path = format!("spec.strategy.canary.steps[{index}].analysis.templates");
            found.extend(step.analysis.as_ref().map(|analysis| referenced(path, analysis)));
        }
        found.extend(canary.analysis.as_ref().map(|analysis| ReferencedAnalysis {
            path: "spec.strategy.canary.analysis.templates".to_owned(),
            templates: analysis.templates.as_deref().unwrap_or_default(),
            args: analysis.args.as_deref().unwrap_or_default(),
            dry_run: analysis.dry_run.as_deref().unwrap_or_default(),
            measurement_retention: analysis.measurement_retention.as_deref().unwrap_or_default(),
            may_be_endless: true,
        }));
    }
    // An analysis without templates is skipped by the controller.
    found.retain(|analysis| !analysis.templates.is_empty());
    found
}

fn referenced(path: String, analysis: &RolloutAnalysis) -> ReferencedAnalysis<'_> {
    ReferencedAnalysis {
        path,
        templates: analysis.templates.as_deref().unwrap_or_default(),
        args: analysis.args.as_deref().unwrap_or_default(),
        dry_run: analysis.dry_run.as_deref().unwrap_or_default(),
        measurement_retention: analysis.measurement_retention.as_deref().unwrap_or_default(),
        may_be_endless: false,
    }
}

/// Follows the references through nested templates; each template is visited once, so that a circle ends.
fn templates_exist<'a>(
    path: &str,
    refs: &'a [AnalysisTemplateRef],
    around: &'a dyn References,
    seen: &mut BTreeSet<(bool, &'a str)>,
) -> Result<(), Invalid> {
    for reference in refs {
        let name = reference.template_name.as_deref().unwrap_or_default();
        let cluster = reference.cluster_scope == Some(true);
        if !seen.insert((cluster, name)) {
            continue;
        }
        let Some(template) = around.template(name, cluster) else {
            let kind = if cluster { "ClusterAnalysisTemplate" } else { "AnalysisTemplate" };
            let missing = Invalid::value(path, &name, &format!("{kind} '{name}' not found"));
            return Err(missing.until(kind, name));
        };
        // PARITY: the path is that of the field in the template.
        let nested = template.templates.as_deref().unwrap_or_default();
        templates_exist("spec.templates", nested, around, seen)?;
    }
    Ok(())
}

fn template_fault(analysis: &ReferencedAnalysis<'_>, fault: TemplateFault) -> Invalid {
    match fault {
        TemplateFault::One { template, message } => Invalid::value(&analysis.path, &template, &message),
        TemplateFault::Together(message) => {
            // Each template is named once, those of the namespace first.
            let mut names: Vec<&str> = Vec::new();
            for cluster in [false, true] {
                let scoped = analysis.templates.iter().filter(|t| (t.cluster_scope == Some(true)) == cluster);
                for name in scoped.map(|template| template.template_name.as_deref().unwrap_or_default()) {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
            Invalid::value(&analysis.path, &format!("templateNames: [{}]", names.join(" ")), &message)
        }
    }
}
