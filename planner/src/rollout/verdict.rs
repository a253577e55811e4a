//! Whether the Rollout and what it refers to are valid. `[validation]`

use super::gate;
use crate::World;
use analysis::Templates;
use analysis::reference::check_reference;
use crds::analysis::AnalysisTemplateSpec;
use crds::validate::{
    self, Invalid, ReferencedAnalysis, References, RouterFault, ServiceFacts, TemplateFault,
};

/// What is wrong; `None` for a valid Rollout.
pub(super) fn verdict(world: &World) -> Option<Invalid> {
    let rollout = &world.rollout;
    let own = validate::rollout_spec(rollout).err().or_else(|| validate::not_built(rollout));
    let invalid = own.or_else(|| validate::references(rollout, &Around(world)).err())?;
    if invalid.missing.is_some() && gate::is_patient(world) {
        // No waiting mends what is there and does not fit.
        return validate::references_fit(rollout, &Around(world)).err().or(Some(invalid));
    }
    Some(invalid)
}

struct Around<'w>(&'w World);

impl References for Around<'_> {
    fn service(&self, name: &str) -> Option<ServiceFacts<'_>> {
        let service = self.0.services.get(name)?;
        Some(ServiceFacts { selector: &service.selector, annotations: &service.annotations })
    }

    fn template(&self, name: &str, cluster: bool) -> Option<&AnalysisTemplateSpec> {
        if cluster {
            self.0.cluster_analysis_templates.get(name)
        } else {
            self.0.analysis_templates.get(name)
        }
    }

    fn router(&self, missing: bool) -> Option<RouterFault> {
        let faults = self.0.routers.iter().filter_map(|router| router.observed.as_ref().err());
        let fault = faults.into_iter().find(|fault| fault.missing == missing)?;
        Some(RouterFault {
            path: fault.path.clone(),
            value: fault.value.clone(),
            name: fault.name.clone(),
            kind: fault.kind,
            message: fault.message.clone(),
        })
    }

    fn compose(&self, wanted: &ReferencedAnalysis<'_>) -> Result<(), TemplateFault> {
        let templates = Templates {
            namespaced: self.0.analysis_templates.iter().map(|(name, spec)| (name.as_str(), spec)).collect(),
            cluster: self
                .0
                .cluster_analysis_templates
                .iter()
                .map(|(name, spec)| (name.as_str(), spec))
                .collect(),
        };
        check_reference(wanted, &templates)
    }
}
