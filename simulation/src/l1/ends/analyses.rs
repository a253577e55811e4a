//! The AnalysisRuns of a Rollout at rest.

use super::{Rest, Verdict, ensure};
use crate::l1::cluster::Run;
use crds::analysis::AnalysisPhase;
use crds::{defaults, meta};

impl Rest<'_> {
    /// No analysis goes on for nothing, and no more of the ended ones are kept than people want.
    pub(super) fn analyses(&self) -> Verdict {
        if self.is_halted() {
            return Ok(());
        }
        let named: Vec<&str> = self.recorded().into_iter().map(|(name, _)| name).collect();
        for (name, phase) in self.recorded() {
            let run = self.cluster.runs.iter().find(|run| run.view.name == name);
            let is = run.map(Run::phase);
            ensure(is.is_none_or(|is| is == phase), || format!("AnalysisRun {name} is {is:?}, not {phase}"))?;
        }
        let mut ended = (0, 0);
        for run in &self.cluster.runs {
            let name = run.view.name.as_str();
            let current = named.contains(&name);
            let live = !run.phase().is_completed();
            ensure(!live || current, || format!("AnalysisRun {name} goes on, but nobody needs it"))?;
            if live && (self.status.abort || self.status.phase == "Healthy") {
                return Err(format!("AnalysisRun {name} goes on, but it is {}", self.status.phase));
            }
            let hash = run.view.labels.get(meta::POD_TEMPLATE_HASH_LABEL);
            let version = self.sets.iter().any(|set| Some(set.view.hash()) == hash.map(String::as_str));
            ensure(version || current || live, || {
                format!("AnalysisRun {name} is of a version that is gone")
            })?;
            match run.phase() {
                AnalysisPhase::Successful if !current => ended.0 += 1,
                _ if !current => ended.1 += 1,
                _ => {}
            }
        }
        let limits = (
            defaults::successful_run_history_limit(self.rollout),
            defaults::unsuccessful_run_history_limit(self.rollout),
        );
        ensure(ended.0 <= limits.0 && ended.1 <= limits.1, || {
            format!("{ended:?} ended AnalysisRuns are kept of {limits:?}")
        })
    }

    /// Names and phases of the runs that the status names.
    pub(super) fn recorded(&self) -> Vec<(&str, AnalysisPhase)> {
        self.status.analysis_runs().map(|run| (run.name.as_str(), run.status)).collect()
    }
}
