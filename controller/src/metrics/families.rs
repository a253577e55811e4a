//! All families of series, with their labels. The names and labels of Argo Rollouts' own are those of its dashboards
//! and alerts; `docs/reference/metrics.md` has the same table, and a test compares what is served with it.

use super::text::{Family, Kind};

macro_rules! families {
    ($($id:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(crate) static $id: Family =
            Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*
    };
}

families! {
    ROLLOUT_INFO = Gauge "rollout_info" ["namespace", "name", "strategy", "traffic_router", "phase"]
        "What a Rollout is, and where it stands";
    ROLLOUT_AVAILABLE = Gauge "rollout_info_replicas_available" ["namespace", "name"]
        "Available pods of a Rollout";
    ROLLOUT_UNAVAILABLE = Gauge "rollout_info_replicas_unavailable" ["namespace", "name"]
        "Pods of a Rollout that are not available";
    ROLLOUT_DESIRED = Gauge "rollout_info_replicas_desired" ["namespace", "name"]
        "Pods that a Rollout wants";
    ROLLOUT_UPDATED = Gauge "rollout_info_replicas_updated" ["namespace", "name"]
        "Pods of the newest version of a Rollout";
    ROLLOUT_PHASE = Gauge "rollout_phase" ["namespace", "name", "strategy", "phase"]
        "1 for the phase of a Rollout, 0 for each other phase; rollout_info says the same in one series";
    ROLLOUT_RECONCILE = Histogram "rollout_reconcile" ["namespace", "name"]
        "Seconds of one look at a Rollout";
    ROLLOUT_ERRORS = Counter "rollout_reconcile_error" ["namespace", "name"]
        "Looks at a Rollout that failed";
    EVENTS = Counter "rollout_events_total" ["namespace", "name", "type", "reason"]
        "Events about a Rollout or an AnalysisRun";
    UPDATE_SECONDS = Histogram "rollout_duration_seconds" ["status"]
        "Seconds that updates took, by how they ended";
    PROGRESSION_SECONDS = Histogram "rollout_progression_duration_seconds" ["status"]
        "Seconds that updates took without the waits for people";
    PAUSE_SECONDS = Histogram "rollout_manual_pause_duration_seconds" ["status"]
        "Seconds that updates waited for people";
    RUN_INFO = Gauge "analysis_run_info" ["namespace", "name", "phase"]
        "Where an AnalysisRun stands";
    RUN_PHASE = Gauge "analysis_run_phase" ["namespace", "name", "phase"]
        "1 for the phase of an AnalysisRun, 0 for each other phase; analysis_run_info says the same in one series";
    RUN_METRIC_TYPE = Gauge "analysis_run_metric_type" ["namespace", "name", "metric", "type"]
        "Which provider a metric of an AnalysisRun asks";
    RUN_METRIC_PHASE = Gauge "analysis_run_metric_phase"
        ["namespace", "name", "metric", "type", "dry_run", "phase"]
        "1 for the phase of a metric of an AnalysisRun, 0 for each other phase";
    RUN_RECONCILE = Histogram "analysis_run_reconcile" ["namespace", "name"]
        "Seconds of one look at an AnalysisRun";
    RUN_ERRORS = Counter "analysis_run_reconcile_error" ["namespace", "name"]
        "Looks at an AnalysisRun that failed";
    TEMPLATE_INFO = Gauge "analysis_template_info" ["namespace", "name"]
        "AnalysisTemplates, and ClusterAnalysisTemplates with an empty namespace";
    TEMPLATE_METRIC_INFO = Gauge "analysis_template_metric_info" ["namespace", "name", "type", "metric"]
        "Metrics of templates, with the provider that each asks";
    REQUESTS = Counter "controller_clientset_k8s_request_total"
        ["kind", "namespace", "name", "verb", "status_code"]
        "Requests that the API server answered; names only of Rollouts and Services that are there, else N/A";
    INFO = Gauge "argo_rollouts_controller_info" ["version"]
        "The running version";
    BUILD = Gauge "build_info" ["version", "goversion", "goarch", "commit"]
        "What runs: goversion is none, for there is no Go in it";
    DEPTH = Gauge "workqueue_depth" ["name"]
        "Objects that wait for a worker";
    ADDS = Counter "workqueue_adds_total" ["name"]
        "Objects that began to wait for a worker";
    QUEUED = Histogram "workqueue_queue_duration_seconds" ["name"]
        "Seconds that objects waited for a worker";
    WORKED = Histogram "workqueue_work_duration_seconds" ["name"]
        "Seconds that a worker had an object";
    UNFINISHED = Gauge "workqueue_unfinished_work_seconds" ["name"]
        "Seconds that workers have had the objects that they have now, in all";
    LONGEST = Gauge "workqueue_longest_running_processor_seconds" ["name"]
        "Seconds that a worker has had the object that is held longest";
    RETRIES = Counter "workqueue_retries_total" ["name"]
        "Looks that are to be taken again after a failure";
    CPU = Counter "process_cpu_seconds_total" []
        "CPU time of the process in seconds";
    RESIDENT = Gauge "process_resident_memory_bytes" []
        "Memory that the process has in RAM";
    VIRTUAL = Gauge "process_virtual_memory_bytes" []
        "Address space of the process";
    OPEN_FILES = Gauge "process_open_fds" []
        "Open file descriptors";
    MAX_FILES = Gauge "process_max_fds" []
        "Most file descriptors that may be open";
    STARTED = Gauge "process_start_time_seconds" []
        "When the process began, in seconds since 1970";
    OLDEST = Gauge "stepgate_queue_oldest_seconds" ["name"]
        "Seconds that the object that waits longest has waited for a worker";
    FIRST_WRITE = Histogram "stepgate_event_to_first_write_seconds" []
        "Seconds from the change that a watch told of to the first write that it led to";
    WRITES = Counter "stepgate_writes_total" ["verb", "kind", "reason"]
        "Writes that the API server took, by what they are for";
    FAULTS = Counter "stepgate_plan_faults_total" ["rule"]
        "Plans that broke a rule of the planner's own check; each is a defect to report";
    DROPPED = Counter "stepgate_events_dropped_total" []
        "Events not sent because too many waited";
    SHADOW_ROLLOUTS = Gauge "stepgate_shadow_rollouts" ["state"]
        "With --shadow: Rollouts by what the live controller makes of them: same, pending, differs or unknown";
    SHADOW_DIFFERENCES = Gauge "stepgate_shadow_differences" ["namespace", "name"]
        "With --shadow: writes and fields of the status that are planned and not done for longer than the grace, and broken laws";
    SHADOW_REFUSED = Counter "stepgate_shadow_refused_writes_total" []
        "With --shadow: requests that were not sent because they would have written; each is a defect to report";
}
