//! How many finished AnalysisRuns are kept. `[analysis.retention]`

use super::{RunKind, phase, target};
use crate::defect;
use crate::rollout::pass::Pass;
use crate::{AnalysisRunView, Write};
use crds::analysis::AnalysisPhase;
use crds::defaults;
use crds::meta::POD_TEMPLATE_HASH_LABEL;
use crds::rollout::status::RolloutAnalysisRunStatus;
use std::collections::BTreeMap;

/// Deletes finished runs beyond the limits, oldest first, and those whose version is gone. Current ones stay.
pub(super) fn delete_old(pass: &mut Pass<'_>, current: &BTreeMap<RunKind, RolloutAnalysisRunStatus>) {
    let finished: Vec<&AnalysisRunView> = pass
        .world
        .analysis_runs
        .iter()
        .filter(|run| !run.deleting && phase(run).is_completed())
        .filter(|run| !current.values().any(|kept| kept.name == run.name) || defect!(CurrentRunDeleted))
        .collect();
    let (orphans, kept): (Vec<_>, Vec<_>) = finished.into_iter().partition(|run| !has_version(pass, run));
    let (good, bad): (Vec<_>, Vec<_>) =
        kept.into_iter().partition(|run| phase(run) == AnalysisPhase::Successful);
    let good_limit = defaults::successful_run_history_limit(&pass.world.rollout);
    let bad_limit = defaults::unsuccessful_run_history_limit(&pass.world.rollout);
    let (good_limit, bad_limit) =
        if defect!(LimitsSwapped) { (bad_limit, good_limit) } else { (good_limit, bad_limit) };
    for run in orphans.into_iter().chain(beyond(&good, good_limit)).chain(beyond(&bad, bad_limit)) {
        let write = Write::DeleteAnalysisRun { target: target(run) };
        pass.write(write, format!("AnalysisRun {} is beyond the history limits", run.name));
    }
}

fn has_version(pass: &Pass<'_>, run: &AnalysisRunView) -> bool {
    let hash = run.labels.get(POD_TEMPLATE_HASH_LABEL).map_or("", String::as_str);
    defect!(RunsOutliveVersion) || !hash.is_empty() && pass.all.iter().any(|set| set.hash() == hash)
}

/// The oldest runs that are too many; the list is sorted by age.
fn beyond<'a, 'w>(
    runs: &'a [&'w AnalysisRunView],
    limit: i32,
) -> impl Iterator<Item = &'w AnalysisRunView> + use<'a, 'w> {
    let many = runs.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    runs.iter().take(many).copied()
}
