//! Whether the Rollout and what it refers to are valid. `[validation]`

use crate::World;
use analysis::{Templates, collect, compose, new_run_spec};
use crds::analysis::{AnalysisTemplateSpec, Argument};
use crds::validate::{self, ReferencedAnalysis, References, ServiceFacts, TemplateFault};

/// What is wrong, as the condition's message says it; `None` for a valid Rollout.
pub(super) fn verdict(world: &World) -> Option<String> {
    let rollout = &world.rollout;
    let name = rollout.metadata.name.as_deref().unwrap_or_default();
    let own = validate::rollout_spec(rollout).err().or_else(|| validate::not_built(rollout));
    let invalid = own.or_else(|| validate::references(rollout, &Around(world)).err())?;
    Some(invalid.condition_message(name))
}

struct Around<'w>(&'w World);

impl References for Around<'_> {
    fn service(&self, name: &str) -> Option<ServiceFacts<'_>> {
        let service = self.0.services.get(name)?;
        Some(ServiceFacts { selector: &service.selector, annotations: &service.annotations })
    }

    fn template(&self, name: &str, cluster: bool) -> Option<&AnalysisTemplateSpec> {
        if cluster { self.0.cluster_analysis_templates.get(name) } else { self.0.analysis_templates.get(name) }
    }

    fn compose(&self, wanted: &ReferencedAnalysis<'_>) -> Result<(), TemplateFault> {
        let together = |error: String| TemplateFault::Together(error);
        let templates = Templates {
            namespaced: self.0.analysis_templates.iter().map(|(name, spec)| (name.as_str(), spec)).collect(),
            cluster: self.0.cluster_analysis_templates.iter().map(|(name, spec)| (name.as_str(), spec)).collect(),
        };
        let found = collect(wanted.templates, &templates).map_err(|error| together(error.to_string()))?;
        if !wanted.may_be_endless {
            for template in &found {
                analysis::compose::check_finite(template).map_err(|error| TemplateFault::One {
                    template: template.name.to_owned(),
                    message: error.to_string(),
                })?;
            }
        }
        let composed = compose(&found).map_err(|error| together(error.to_string()))?;
        // Only whether each argument has a value matters here; what it is may change until the run is made.
        let args: Vec<Argument> = wanted
            .args
            .iter()
            .map(|arg| Argument {
                name: arg.name.clone(),
                value: (arg.value.is_some() || arg.value_from.is_some()).then(|| arg.value.clone().unwrap_or_default()),
                value_from: None,
            })
            .collect();
        new_run_spec(composed, &args, wanted.dry_run, wanted.measurement_retention)
            .map(|_| ())
            .map_err(|error| together(error.to_string()))
    }
}
