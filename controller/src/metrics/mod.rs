//! Metrics, under the names that Argo Rollouts has, and some of our own beside them.

mod families;
mod objects;
mod process;
pub(crate) mod text;

pub(crate) use families::{
    ADDS, DEPTH, LONGEST, OLDEST, QUEUED, REQUESTS, RETRIES, SHADOW_DIFFERENCES, SHADOW_ROLLOUTS, UNFINISHED,
    WORKED,
};
pub(crate) use text::{Histogram, Page};

use crate::cache::Caches;
use std::sync::Arc;
use std::time::Duration;
use text::Series;

/// Bounds of the reconcile histograms, in seconds.
const RECONCILE_SECONDS: [f64; 5] = [0.01, 0.15, 0.25, 0.5, 1.0];
/// Bounds of the histogram of whole updates, in seconds: from half a minute to a working day.
const UPDATE_SECONDS: [f64; 9] = [30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0];
/// Bounds of the histogram of updates without the waits for people, in seconds.
const PROGRESSION_SECONDS: [f64; 7] = [30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
/// Bounds of the histogram of waits for people, in seconds; the first counts updates without any.
const PAUSE_SECONDS: [f64; 9] = [0.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0];
/// Bounds of the histogram of first writes, in seconds.
const FIRST_WRITE_SECONDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Which kind of object was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    Rollout,
    AnalysisRun,
}

/// What is counted while the controller runs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Counted>);

struct Counted {
    rollout_seconds: Series<Histogram>,
    run_seconds: Series<Histogram>,
    rollout_errors: Series<u64>,
    run_errors: Series<u64>,
    events: Series<u64>,
    dropped: Series<u64>,
    /// Seconds of updates: in all, without the waits for people, and of these waits.
    updates: [Series<Histogram>; 3],
    first_write: Series<Histogram>,
    writes: Series<u64>,
    faults: Series<u64>,
    refused: Series<u64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self(Arc::new(Counted {
            rollout_seconds: Series::new(&families::ROLLOUT_RECONCILE),
            run_seconds: Series::new(&families::RUN_RECONCILE),
            rollout_errors: Series::new(&families::ROLLOUT_ERRORS),
            run_errors: Series::new(&families::RUN_ERRORS),
            events: Series::new(&families::EVENTS),
            dropped: Series::new(&families::DROPPED),
            updates: [
                Series::new(&families::UPDATE_SECONDS),
                Series::new(&families::PROGRESSION_SECONDS),
                Series::new(&families::PAUSE_SECONDS),
            ],
            first_write: Series::new(&families::FIRST_WRITE),
            writes: Series::new(&families::WRITES),
            faults: Series::new(&families::FAULTS),
            refused: Series::new(&families::SHADOW_REFUSED),
        }))
    }
}

impl Metrics {
    pub(crate) fn looked(&self, what: Looked, namespace: &str, name: &str, took: Duration, failed: bool) {
        let (seconds, errors) = self.of(what);
        seconds.observe(&[namespace, name], &RECONCILE_SECONDS, took.as_secs_f64());
        if failed {
            errors.count(&[namespace, name]);
        }
    }

    /// Forgets the series of an object that is gone.
    pub(crate) fn forget(&self, what: Looked, namespace: &str, name: &str) {
        let (seconds, errors) = self.of(what);
        seconds.forget(&[namespace, name]);
        errors.forget(&[namespace, name]);
        self.0.events.forget(&[namespace, name]);
    }

    fn of(&self, what: Looked) -> (&Series<Histogram>, &Series<u64>) {
        match what {
            Looked::Rollout => (&self.0.rollout_seconds, &self.0.rollout_errors),
            Looked::AnalysisRun => (&self.0.run_seconds, &self.0.run_errors),
        }
    }

    pub(crate) fn event(&self, namespace: &str, name: &str, event_type: &str, reason: &str) {
        self.0.events.count(&[namespace, name, event_type, reason]);
    }

    pub(crate) fn event_dropped(&self) {
        self.0.dropped.count(&[]);
    }

    /// Counts an update that is over. To be called once its end is recorded. `[status.duration]`
    pub(crate) fn update_ended(&self, ended: planner::rollout::Ended) {
        // By how it ended: a closed set of words. Not whose it was, so that the number of series is bounded.
        let labels = [ended.status];
        let seconds = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).as_secs_f64();
        let [whole, progression, paused] = &self.0.updates;
        whole.observe(&labels, &UPDATE_SECONDS, seconds(ended.seconds));
        let working = ended.seconds.saturating_sub(ended.paused_seconds);
        progression.observe(&labels, &PROGRESSION_SECONDS, seconds(working));
        paused.observe(&labels, &PAUSE_SECONDS, seconds(ended.paused_seconds));
    }

    /// Counts a write that the API server took.
    pub(crate) fn wrote(&self, write: Written) {
        self.0.writes.count(&[write.verb, write.kind, write.reason]);
    }

    /// Counts how long after a change its first write was done.
    pub(crate) fn first_write(&self, took: Duration) {
        self.0.first_write.observe(&[], &FIRST_WRITE_SECONDS, took.as_secs_f64());
    }

    /// Counts a plan that broke a rule of the planner's check.
    pub(crate) fn fault(&self, rule: &str) {
        self.0.faults.count(&[rule]);
    }

    /// Counts a write that a shadow did not send.
    pub(crate) fn refused_write(&self) {
        self.0.refused.count(&[]);
    }

    /// Adds what stands for itself: this build, the process and what was counted.
    pub(crate) fn show(&self, page: &mut Page, caches: &Caches) {
        let version = env!("CARGO_PKG_VERSION");
        page.add(&families::INFO, &[version], 1);
        let commit = option_env!("STEPGATE_COMMIT").unwrap_or("");
        page.add(&families::BUILD, &[version, "none", architecture(), commit], 1);
        process::show(page);
        objects::show(page, caches);
        let counted = &self.0;
        counted.rollout_seconds.show(page);
        counted.run_seconds.show(page);
        counted.updates.iter().for_each(|seconds| seconds.show(page));
        counted.first_write.show(page);
        let counters = [
            &counted.rollout_errors,
            &counted.run_errors,
            &counted.events,
            &counted.dropped,
            &counted.writes,
            &counted.faults,
        ];
        counters.into_iter().for_each(|counter| counter.show(page));
    }

    /// Adds what only a shadow counts.
    pub(crate) fn show_shadow(&self, page: &mut Page) {
        self.0.refused.show(page);
    }
}

/// What a write was for: words of closed sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// As the role names it.
    pub(crate) verb: &'static str,
    /// Resource, in the plural.
    pub(crate) kind: &'static str,
    /// What for.
    pub(crate) reason: &'static str,
}

impl Written {
    pub(crate) const fn new(verb: &'static str, kind: &'static str, reason: &'static str) -> Self {
        Self { verb, kind, reason }
    }
}

/// The machine as Go names it: that is what the label is compared with.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_that_ended_is_counted_three_times() {
        let metrics = Metrics::default();
        metrics.update_ended(planner::rollout::Ended { status: "Aborted", seconds: 100, paused_seconds: 75 });
        let mut page = Page::default();
        metrics.show(&mut page, &Caches::new(true));
        let text = page.into_text();
        for line in [
            "rollout_duration_seconds_sum{status=\"Aborted\"} 100\n",
            "rollout_progression_duration_seconds_bucket{status=\"Aborted\",le=\"30\"} 1\n",
            "rollout_manual_pause_duration_seconds_sum{status=\"Aborted\"} 75\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn what_is_gone_leaves_no_series() {
        let metrics = Metrics::default();
        for name in ["gone", "stays"] {
            metrics.looked(Looked::Rollout, "a", name, Duration::from_millis(3), true);
            metrics.event("a", name, "Normal", "RolloutUpdated");
        }
        metrics.forget(Looked::Rollout, "a", "gone");
        let mut page = Page::default();
        metrics.show(&mut page, &Caches::new(true));
        let text = page.into_text();
        assert!(!text.contains("gone"), "{text}");
        for family in ["rollout_reconcile_count", "rollout_reconcile_error", "rollout_events_total"] {
            let line = format!("{family}{{namespace=\"a\",name=\"stays\"");
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    }
}
