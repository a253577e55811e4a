//! Names of labels, annotations and other strings that clients rely on.

/// Label with the identity of a pod template, on ReplicaSets, their pods and templates, and in Service selectors.
pub const POD_TEMPLATE_HASH_LABEL: &str = "rollouts-pod-template-hash";
/// Label that assigns an object to one controller instance.
pub const INSTANCE_ID_LABEL: &str = "argo-rollouts.argoproj.io/controller-instance-id";
/// Label of an AnalysisRun: [`crate::analysis::RunKind`] as text.
pub const ROLLOUT_TYPE_LABEL: &str = "rollout-type";
/// Label of a step's AnalysisRun: index of the canary step.
pub const STEP_INDEX_LABEL: &str = "step-index";
/// Annotation with the decimal revision, on Rollouts, ReplicaSets, AnalysisRuns and Experiments.
pub const REVISION_ANNOTATION: &str = "rollout.argoproj.io/revision";
/// Annotation of a ReplicaSet: comma separated former revisions.
pub const REVISION_HISTORY_ANNOTATION: &str = "rollout.argoproj.io/revision-history";
/// Annotation of a ReplicaSet: `spec.replicas` of the Rollout when it was last scaled.
pub const DESIRED_REPLICAS_ANNOTATION: &str = "rollout.argoproj.io/desired-replicas";
/// Annotation of a Rollout: generation of the workload that it refers to.
pub const WORKLOAD_GENERATION_ANNOTATION: &str = "rollout.argoproj.io/workload-generation";
/// Annotation of a ReplicaSet: metadata that was injected, as JSON.
pub const EPHEMERAL_METADATA_ANNOTATION: &str = "rollout.argoproj.io/ephemeral-metadata";
/// Annotation of a ReplicaSet: RFC 3339 time after which it may be scaled to zero.
pub const SCALE_DOWN_DEADLINE_ANNOTATION: &str = "scale-down-deadline";
/// Annotation of a Service: name of the Rollout that manages its selector.
pub const MANAGED_BY_ANNOTATION: &str = "argo-rollouts.argoproj.io/managed-by-rollouts";
/// Annotation of a ReplicaSet: fingerprint of the pod template that it was made for.
pub const TEMPLATE_ANNOTATION: &str = "stepgate.dev/template";
/// Annotation of a Rollout: which ReplicaSets of another maker stand for which pod template, as `hash=fingerprint`,
/// comma separated.
pub const ADOPTED_ANNOTATION: &str = "stepgate.dev/adopted";
/// Annotation of a ReplicaSet or a Service: the resource version at which it was changed only so that an earlier write
/// without an answer cannot be carried out any more.
pub const FENCE_ANNOTATION: &str = "stepgate.dev/fence";
/// Annotation of a Rollout: how long its routers may take to do what their objects say, as a duration such as `35s`.
pub const TRAFFIC_SETTLE_ANNOTATION: &str = "stepgate.dev/traffic-settle";
/// On a Rollout: `true` when its router keeps lists of pods that follow those of a Service only after a while, as the load
/// balancers of clouds do. ALB is known to.
pub const TRAFFIC_LISTS_ANNOTATION: &str = "stepgate.dev/traffic-lists-pods";
/// State of the notification engine on a Rollout; never copied to ReplicaSets.
pub const NOTIFIED_ANNOTATION: &str = "notified.notifications.argoproj.io";
/// What client-side `kubectl apply` remembers; never copied to ReplicaSets.
pub const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Label of a Job made for a measurement: uid of its AnalysisRun.
pub const ANALYSIS_RUN_UID_LABEL: &str = "analysisrun.argoproj.io/uid";
/// Annotation of a Job made for a measurement: name of its AnalysisRun.
pub const ANALYSIS_RUN_NAME_ANNOTATION: &str = "analysisrun.argoproj.io/name";
/// Annotation of a Job made for a measurement: namespace of its AnalysisRun.
pub const ANALYSIS_RUN_NAMESPACE_ANNOTATION: &str = "analysisrun.argoproj.io/namespace";
/// Annotation of a Job made for a measurement: the metric's name.
pub const ANALYSIS_RUN_METRIC_ANNOTATION: &str = "analysisrun.argoproj.io/metric-name";
/// Annotation of ReplicaSets and Services that an Experiment made.
pub const EXPERIMENT_NAME_ANNOTATION: &str = "experiment.argoproj.io/name";
/// Annotation of ReplicaSets and Services that an Experiment made: which template.
pub const EXPERIMENT_TEMPLATE_NAME_ANNOTATION: &str = "experiment.argoproj.io/template-name";
