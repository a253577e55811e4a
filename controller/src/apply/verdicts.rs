//! Verdicts that come while a promotion is carried out. `[promotion.verdict]`
//!
//! The status has a precondition on the Rollout only: an AnalysisRun may fail between the plan that makes a version
//! stable and that write.

use crate::cache::Store;
use crate::observe;
use crds::AnalysisRun;
use crds::analysis::AnalysisPhase;
use planner::AnalysisRunView;

/// A run that had no verdict in `seen` and has ended without success since.
pub(super) fn overtaken(
    namespace: &str,
    seen: &[AnalysisRunView],
    runs: &Store<AnalysisRun>,
) -> Option<String> {
    let phase = |run: &AnalysisRunView| run.status.as_ref().map(|status| status.phase).unwrap_or_default();
    let overtaken = seen.iter().filter(|run| !phase(run).is_completed()).find(|run| {
        let now = runs.get(namespace, &run.name).map(|run| phase(&observe::analysis_run(&run)));
        now.is_some_and(|now| now.is_completed() && now != AnalysisPhase::Successful)
    });
    overtaken.map(|run| run.name.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn run(version: &str, phase: &str) -> AnalysisRun {
        let metadata = json!({"namespace": "default", "name": "web-1", "resourceVersion": version});
        serde_json::from_value(
            json!({"metadata": metadata, "spec": {"metrics": []}, "status": {"phase": phase}}),
        )
        .unwrap()
    }

    #[test]
    fn a_verdict_that_has_come_since_the_plan_is_found() {
        let told = |seen: &str, now: &str| {
            let runs = Store::new(true);
            runs.put(run("2", now).into());
            overtaken("default", &[observe::analysis_run(&run("1", seen))], &runs)
        };
        for bad in ["Failed", "Error", "Inconclusive"] {
            assert_eq!(told("Running", bad).as_deref(), Some("web-1"), "{bad}");
            assert_eq!(told(bad, bad), None, "the plan knew");
        }
        assert_eq!(told("Running", "Successful"), None);
        assert_eq!(told("Running", "Running"), None);
        assert_eq!(
            overtaken("default", &[observe::analysis_run(&run("1", "Running"))], &Store::new(true)),
            None
        );
    }
}
