//! Metrics, under the names that Argo Rollouts has. Gauges about objects are made from the caches when asked for, so
//! that nothing of a deleted object stays behind.

use crate::cache::Caches;
use kube::ResourceExt;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bounds of the reconcile histograms, in seconds.
const RECONCILE_SECONDS: [f64; 5] = [0.01, 0.15, 0.25, 0.5, 1.0];

/// Bounds of the histogram of whole updates, in seconds: from half a minute to a working day.
const UPDATE_SECONDS: [f64; 9] = [30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0];
/// Bounds of the histogram of updates without the waits for people, in seconds.
const PROGRESSION_SECONDS: [f64; 7] = [30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
/// Bounds of the histogram of waits for people, in seconds; the first counts updates without any.
const PAUSE_SECONDS: [f64; 9] = [0.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ObjectLabels {
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct EventLabels {
    namespace: String,
    name: String,
    r#type: String,
    reason: String,
}

/// How an update ended: one of a closed set of words. Not whose it was, so that the number of series is bounded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    status: &'static str,
}

/// Which kind of object was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    Rollout,
    AnalysisRun,
}

/// All metrics.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Mutex<Registry>>,
    rollout_seconds: Family<ObjectLabels, Histogram>,
    run_seconds: Family<ObjectLabels, Histogram>,
    rollout_errors: Family<ObjectLabels, Counter>,
    run_errors: Family<ObjectLabels, Counter>,
    events: Family<EventLabels, Counter>,
    events_dropped: Counter,
    /// Seconds of updates: in all, without the waits for people, and of these waits.
    updates: [Family<EndLabels, Histogram>; 3],
    /// Which series of events an object has, so that it takes them along when it goes.
    told: Arc<Mutex<BTreeMap<ObjectLabels, BTreeSet<EventLabels>>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram = || Histogram::new(RECONCILE_SECONDS);
        let metrics = Self {
            registry: Arc::default(),
            rollout_seconds: Family::new_with_constructor(histogram),
            run_seconds: Family::new_with_constructor(histogram),
            rollout_errors: Family::default(),
            run_errors: Family::default(),
            events: Family::default(),
            events_dropped: Counter::default(),
            updates: [
                Family::new_with_constructor(|| Histogram::new(UPDATE_SECONDS)),
                Family::new_with_constructor(|| Histogram::new(PROGRESSION_SECONDS)),
                Family::new_with_constructor(|| Histogram::new(PAUSE_SECONDS)),
            ],
            told: Arc::default(),
        };
        let mut registry = metrics.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register(
            "rollout_reconcile",
            "Seconds of one look at a Rollout",
            metrics.rollout_seconds.clone(),
        );
        registry.register(
            "analysis_run_reconcile",
            "Seconds of one look at an AnalysisRun",
            metrics.run_seconds.clone(),
        );
        registry.register(
            "rollout_reconcile_error",
            "Looks at a Rollout that failed",
            metrics.rollout_errors.clone(),
        );
        registry.register(
            "analysis_run_reconcile_error",
            "Looks at an AnalysisRun that failed",
            metrics.run_errors.clone(),
        );
        registry.register("rollout_events", "Events sent", metrics.events.clone());
        registry.register(
            "stepgate_events_dropped",
            "Events not sent because too many waited",
            metrics.events_dropped.clone(),
        );
        let [whole, progression, paused] = metrics.updates.clone();
        registry.register("rollout_duration_seconds", "Seconds that updates took", whole);
        registry.register(
            "rollout_progression_duration_seconds",
            "Seconds that updates took without the waits for people",
            progression,
        );
        registry.register(
            "rollout_manual_pause_duration_seconds",
            "Seconds that updates waited for people",
            paused,
        );
        drop(registry);
        metrics
    }
}

impl Metrics {
    pub(crate) fn looked(&self, what: Looked, namespace: &str, name: &str, took: Duration, failed: bool) {
        let labels = ObjectLabels { namespace: namespace.to_owned(), name: name.to_owned() };
        let (seconds, errors) = match what {
            Looked::Rollout => (&self.rollout_seconds, &self.rollout_errors),
            Looked::AnalysisRun => (&self.run_seconds, &self.run_errors),
        };
        seconds.get_or_create(&labels).observe(took.as_secs_f64());
        if failed {
            errors.get_or_create(&labels).inc();
        }
    }

    /// Forgets the series of an object that is gone.
    pub(crate) fn forget(&self, what: Looked, namespace: &str, name: &str) {
        let labels = ObjectLabels { namespace: namespace.to_owned(), name: name.to_owned() };
        let (seconds, errors) = match what {
            Looked::Rollout => (&self.rollout_seconds, &self.rollout_errors),
            Looked::AnalysisRun => (&self.run_seconds, &self.run_errors),
        };
        seconds.remove(&labels);
        errors.remove(&labels);
        for series in self.told().remove(&labels).unwrap_or_default() {
            self.events.remove(&series);
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectLabels, BTreeSet<EventLabels>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn event(&self, namespace: &str, name: &str, event_type: &str, reason: &str) {
        let labels = EventLabels {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            r#type: event_type.to_owned(),
            reason: reason.to_owned(),
        };
        self.events.get_or_create(&labels).inc();
        let object = ObjectLabels { namespace: namespace.to_owned(), name: name.to_owned() };
        self.told().entry(object).or_default().insert(labels);
    }

    /// Counts an update that is over. To be called once its end is recorded. `[status.duration]`
    pub(crate) fn update_ended(&self, ended: planner::rollout::Ended) {
        let labels = EndLabels { status: ended.status };
        let [whole, progression, paused] = &self.updates;
        let seconds = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).as_secs_f64();
        whole.get_or_create(&labels).observe(seconds(ended.seconds));
        progression.get_or_create(&labels).observe(seconds(ended.seconds - ended.paused_seconds));
        paused.get_or_create(&labels).observe(seconds(ended.paused_seconds));
    }

    pub(crate) fn event_dropped(&self) {
        self.events_dropped.inc();
    }

    /// Everything as text in the Prometheus format.
    pub(crate) fn render(&self, caches: &Caches, waiting: usize) -> String {
        let mut out = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String cannot fail.
        let _ = text::encode(&mut out, &registry);
        drop(registry);
        // The end marker of OpenMetrics would hide what follows.
        if let Some(end) = out.rfind("# EOF") {
            out.truncate(end);
        }
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(
            out,
            "# TYPE argo_rollouts_controller_info gauge\nargo_rollouts_controller_info{{version={version:?}}} 1"
        );
        let _ = writeln!(out, "# TYPE workqueue_depth gauge\nworkqueue_depth{{name=\"Rollouts\"}} {waiting}");
        rollouts(&mut out, caches);
        runs(&mut out, caches);
        out
    }
}

/// A number of a Rollout.
type Gauge = fn(&crds::Rollout) -> i32;

fn rollouts(out: &mut String, caches: &Caches) {
    let all = caches.rollouts.all();
    let _ = writeln!(out, "# TYPE rollout_info gauge");
    for rollout in &all {
        let (namespace, name) = (rollout.namespace().unwrap_or_default(), rollout.name_any());
        let strategy = rollout.spec.strategy.as_ref();
        let strategy = match strategy.map(|s| (s.canary.is_some(), s.blue_green.is_some())) {
            Some((_, true)) => "blueGreen",
            Some((true, false)) => "canary",
            _ => "none",
        };
        let phase = info_phase(rollout);
        let _ = writeln!(
            out,
            "rollout_info{{namespace={namespace:?},name={name:?},strategy={strategy:?},traffic_router=\"\",phase={phase:?}}} 1"
        );
    }
    let gauges: [(&str, Gauge); 4] = [
        ("rollout_info_replicas_available", |r| r.status.as_ref().map_or(0, |s| s.available_replicas)),
        ("rollout_info_replicas_unavailable", |r| {
            r.status.as_ref().map_or(0, |s| s.replicas - s.available_replicas)
        }),
        ("rollout_info_replicas_desired", crds::defaults::replicas),
        ("rollout_info_replicas_updated", |r| r.status.as_ref().map_or(0, |s| s.updated_replicas)),
    ];
    for (metric, value) in gauges {
        let _ = writeln!(out, "# TYPE {metric} gauge");
        for rollout in &all {
            let (namespace, name) = (rollout.namespace().unwrap_or_default(), rollout.name_any());
            let _ = writeln!(out, "{metric}{{namespace={namespace:?},name={name:?}}} {}", value(rollout));
        }
    }
}

/// The phase as this metric names it: by conditions.
fn info_phase(rollout: &crds::Rollout) -> &'static str {
    let status = rollout.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let has = |kind: &str, reason: &str| {
        conditions.iter().any(|c| c.kind == kind && (reason.is_empty() || c.reason == reason))
    };
    if has("InvalidSpec", "") {
        "InvalidSpec"
    } else if has("Progressing", "RolloutAborted") {
        "Abort"
    } else if has("Progressing", "ProgressDeadlineExceeded") {
        "Timeout"
    } else if status.phase == "Paused" {
        "Paused"
    } else if status.phase == "Healthy" {
        "Completed"
    } else {
        "Progressing"
    }
}

fn runs(out: &mut String, caches: &Caches) {
    let _ = writeln!(out, "# TYPE analysis_run_info gauge");
    for run in caches.runs.all() {
        let (namespace, name) = (run.namespace().unwrap_or_default(), run.name_any());
        let phase = run.status.as_ref().map_or("", |status| status.phase.as_str());
        let _ = writeln!(out, "analysis_run_info{{namespace={namespace:?},name={name:?},phase={phase:?}}} 1");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_that_ended_is_counted_three_times() {
        let metrics = Metrics::default();
        metrics.update_ended(planner::rollout::Ended { status: "Aborted", seconds: 100, paused_seconds: 75 });
        let text = metrics.render(&Caches::new(true), 0);
        for line in [
            "rollout_duration_seconds_sum{status=\"Aborted\"} 100.0",
            "rollout_progression_duration_seconds_bucket{le=\"30.0\",status=\"Aborted\"} 1",
            "rollout_manual_pause_duration_seconds_sum{status=\"Aborted\"} 75.0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
