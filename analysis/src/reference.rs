//! Whether the templates that a Rollout names make a run: what its validation asks of the engine.

use crate::compose::{ComposeError, Templates, check_finite, collect, compose, new_run_spec};
use crds::analysis::Argument;
use crds::rollout::analysis::AnalysisRunArgument;
use crds::validate::{ReferencedAnalysis, TemplateFault, is_downward_api_path};

/// Checks that the templates go together, that each argument has a value, and that a run that has to end does.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_reference(
    analysis: &ReferencedAnalysis<'_>,
    templates: &Templates<'_>,
) -> Result<(), TemplateFault> {
    let args: Vec<Argument> = analysis.args.iter().filter_map(given).collect();
    let found = collect(analysis.templates, templates).map_err(fault)?;
    let composed = compose(&found).map_err(fault)?;
    new_run_spec(composed, &args, analysis.dry_run, analysis.measurement_retention).map_err(fault)?;
    if !analysis.may_be_endless {
        found.iter().try_for_each(check_finite).map_err(fault)?;
    }
    Ok(())
}

/// The argument with some value, because the real one is only known when the run starts; `None` for one that can
/// have none.
fn given(arg: &AnalysisRunArgument) -> Option<Argument> {
    let field = arg.value_from.as_ref().and_then(|from| from.field_ref.as_ref());
    let unreadable = |path: &str| path.starts_with("metadata") && !is_downward_api_path(path);
    if field.is_some_and(|field| unreadable(&field.field_path)) {
        return None;
    }
    let value = arg.value.clone().unwrap_or_default();
    Some(Argument { name: arg.name.clone(), value: Some(value), value_from: None })
}

fn fault(error: ComposeError) -> TemplateFault {
    let message = error.to_string();
    match error {
        ComposeError::Endless { template, .. } | ComposeError::Argument { template, .. } => {
            TemplateFault::One { template, message }
        }
        _ => TemplateFault::Together(message),
    }
}
