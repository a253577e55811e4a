//! The making of an AnalysisRun.

use super::{RunKind, phase};
use crate::defect;
use crate::rollout::pass::Pass;
use crate::rollout::status;
use crate::{AnalysisRunView, Write};
use analysis::arguments::RolloutFacts;
use analysis::{Templates, arguments_of_rollout, collect, compose, new_run_spec};
use crds::analysis::{AnalysisPhase, AnalysisRunSpec};
use crds::meta;
use crds::rollout::analysis::RolloutAnalysis;
use crds::rollout::status::RolloutAnalysisRunStatus;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Plans a new run and tells how it is recorded. A run of ours that is equal and unfinished is taken up again: the
/// status that named it was lost. (No such run has a verdict: none begins before a status names it.)
pub(super) fn new_run(
    pass: &mut Pass<'_>,
    kind: RunKind,
    wanted: &RolloutAnalysis,
) -> Result<RolloutAnalysisRunStatus, String> {
    let spec = spec(pass, wanted)?;
    let hash = pass.new.map_or_else(String::new, |new| new.hash().to_owned());
    let index = status::step_index(pass).unwrap_or(0);
    let base = format!("{}-{hash}-{}", pass.name(), pass.revision);
    let base = match kind {
        RunKind::Step => format!("{base}-{index}"),
        RunKind::Background => base,
        RunKind::PrePromotion => format!("{base}-pre"),
        RunKind::PostPromotion => format!("{base}-post"),
    };
    // It may have any number: the runs before it may have been deleted.
    let live = |run: &&AnalysisRunView| {
        number(&base, &run.name).is_some() && !phase(run).is_completed() && is_same(run, &spec)
    };
    if let Some(run) = pass.world.analysis_runs.iter().find(live).filter(|_| !defect!(SecondRun)) {
        return Ok(super::as_status(run));
    }
    // A name that a run had, and others have read about, is not given to another one while a later one is there.
    let own = pass.world.analysis_runs.iter().map(|run| &run.name);
    let taken = pass.world.foreign_run_names.iter().chain(own).filter_map(|name| number(&base, name)).max();
    let name = match taken {
        None => base,
        Some(number) => format!("{base}.{}", number.saturating_add(1)),
    };
    let (labels, annotations) = metadata(pass, kind, wanted, &hash, index);
    let write = Write::CreateAnalysisRun { name: name.clone(), labels, annotations, spec: Arc::new(spec) };
    pass.write(write, format!("the {} analysis begins", kind.label()));
    Ok(RolloutAnalysisRunStatus { name, status: AnalysisPhase::New, message: String::new() })
}

/// The number behind the name of a run: 0 for the first one, which has none.
fn number(base: &str, name: &str) -> Option<u32> {
    match name.strip_prefix(base)? {
        "" => Some(0),
        rest => rest.strip_prefix('.')?.parse().ok(),
    }
}

fn is_same(run: &AnalysisRunView, spec: &AnalysisRunSpec) -> bool {
    !run.deleting
        && run.spec.terminate != Some(true)
        && run.spec.metrics == spec.metrics
        && run.spec.args == spec.args
        && run.spec.dry_run == spec.dry_run
        && run.spec.measurement_retention == spec.measurement_retention
}

fn spec(pass: &Pass<'_>, wanted: &RolloutAnalysis) -> Result<AnalysisRunSpec, String> {
    let world = pass.world;
    let templates = Templates {
        namespaced: world.analysis_templates.iter().map(|(name, spec)| (name.as_str(), spec)).collect(),
        cluster: world.cluster_analysis_templates.iter().map(|(name, spec)| (name.as_str(), spec)).collect(),
    };
    let found =
        collect(wanted.templates.as_deref().unwrap_or_default(), &templates).map_err(|e| e.to_string())?;
    let composed = compose(&found).map_err(|e| e.to_string())?;
    let rollout = serde_json::to_value(&world.rollout).map_err(|e| e.to_string())?;
    let facts = RolloutFacts {
        rollout: &rollout,
        stable_hash: pass.stable.map_or("", |stable| stable.hash()),
        latest_hash: pass.new.map_or("", |new| new.hash()),
    };
    let args =
        arguments_of_rollout(wanted.args.as_deref().unwrap_or_default(), facts).map_err(|e| e.to_string())?;
    let dry_run = wanted.dry_run.as_deref().unwrap_or_default();
    let retention = wanted.measurement_retention.as_deref().unwrap_or_default();
    new_run_spec(composed, &args, dry_run, retention).map_err(|e| e.to_string())
}

type Map = BTreeMap<String, String>;

fn metadata(pass: &Pass<'_>, kind: RunKind, wanted: &RolloutAnalysis, hash: &str, index: i32) -> (Map, Map) {
    let mut labels = Map::from([
        (meta::POD_TEMPLATE_HASH_LABEL.to_owned(), hash.to_owned()),
        (meta::ROLLOUT_TYPE_LABEL.to_owned(), kind.label().to_owned()),
    ]);
    if kind == RunKind::Step {
        labels.insert(meta::STEP_INDEX_LABEL.to_owned(), index.to_string());
    }
    if let Some(id) = &pass.world.settings.instance_id {
        labels.insert(meta::INSTANCE_ID_LABEL.to_owned(), id.clone());
    }
    let mut annotations = Map::new();
    if let Some(extra) = &wanted.analysis_run_metadata {
        labels.extend(extra.labels.clone().unwrap_or_default());
        annotations.extend(extra.annotations.clone().unwrap_or_default());
    }
    // The Rollout's own labels win: autoscalers and network policies select by them.
    let selector = pass.world.rollout.spec.selector.as_ref();
    labels.extend(selector.and_then(|selector| selector.match_labels.clone()).unwrap_or_default());
    annotations.insert(meta::REVISION_ANNOTATION.to_owned(), pass.revision.to_string());
    (labels, annotations)
}
