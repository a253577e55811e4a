//! Writes in words: for people, and for metrics.

use crate::metrics::Written;
use planner::Write;

/// A write for people.
pub(crate) fn describe(write: &Write) -> String {
    match write {
        Write::CreateReplicaSet { name, .. } => format!("create ReplicaSet {name}"),
        Write::AdoptReplicaSet { target } => format!("adopt ReplicaSet {}", target.name),
        Write::ReleaseReplicaSet { target } => format!("release ReplicaSet {}", target.name),
        Write::ScaleReplicaSet { target, from, to, .. } => {
            format!("scale ReplicaSet {} from {from} to {to}", target.name)
        }
        Write::AnnotateReplicaSet { target, .. } => format!("annotate ReplicaSet {}", target.name),
        Write::EditTemplate { target, .. } => format!("put metadata into ReplicaSet {}", target.name),
        Write::LabelPod { target, .. } => format!("label pod {}", target.name),
        Write::DeleteReplicaSet { target } => format!("delete ReplicaSet {}", target.name),
        Write::SelectService { target, .. } => format!("select with Service {}", target.name),
        Write::RouteTraffic { router, intent } => {
            format!("route {} of {} to the canary with {router}", intent.canary.weight, intent.total)
        }
        Write::GiveBackRoutes { router } => format!("give back the fields of {router}"),
        Write::AnnotateRollout { .. } => "annotate the Rollout".to_owned(),
        Write::SetRolloutReplicas { .. } => "set replicas of the Rollout".to_owned(),
        Write::ScaleWorkload { target, from, to } => {
            format!("scale Deployment {} from {from} to {to}", target.name)
        }
        Write::CreateAnalysisRun { name, .. } => format!("create AnalysisRun {name}"),
        Write::TerminateAnalysisRun { target } => format!("terminate AnalysisRun {}", target.name),
        Write::DeleteAnalysisRun { target } => format!("delete AnalysisRun {}", target.name),
        Write::EvictPod { target } => format!("evict pod {}", target.name),
    }
}

/// A write for metrics.
pub(super) fn written(write: &Write) -> Written {
    let set = |verb, reason| Written::new(verb, "replicasets", reason);
    let run = |verb, reason| Written::new(verb, "analysisruns", reason);
    match write {
        Write::CreateReplicaSet { .. } => set("create", "create"),
        Write::AdoptReplicaSet { .. } => set("patch", "adopt"),
        Write::ReleaseReplicaSet { .. } => set("patch", "release"),
        Write::ScaleReplicaSet { .. } => set("patch", "scale"),
        Write::AnnotateReplicaSet { .. } => set("patch", "annotate"),
        Write::EditTemplate { .. } => set("patch", "metadata"),
        Write::DeleteReplicaSet { .. } => set("delete", "history"),
        Write::LabelPod { .. } => Written::new("update", "pods", "metadata"),
        Write::SelectService { .. } => Written::new("patch", "services", "select"),
        Write::RouteTraffic { router, .. } => Written::new("edit", router, "route"),
        Write::GiveBackRoutes { router } => Written::new("edit", router, "give-back"),
        Write::AnnotateRollout { .. } => Written::new("patch", "rollouts", "annotate"),
        Write::SetRolloutReplicas { .. } => Written::new("patch", "rollouts", "replicas"),
        Write::ScaleWorkload { .. } => Written::new("update", "deployments", "scale"),
        Write::CreateAnalysisRun { .. } => run("create", "create"),
        Write::TerminateAnalysisRun { .. } => run("patch", "terminate"),
        Write::DeleteAnalysisRun { .. } => run("delete", "history"),
        Write::EvictPod { .. } => Written::new("create", "pods/eviction", "restart"),
    }
}
