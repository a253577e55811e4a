//! `Rollout.status`.
//!
//! Values that are zero are left out when written, as clients of Argo Rollouts expect; only
//! `currentStepIndex: 0` is written, because Argo CD's resource actions read it.

use crate::analysis::AnalysisPhase;
use crate::scalar::zero;
use crate::{Embedded, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was observed of a Rollout, and what people asked of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// A person or the controller gave the update up.
    #[serde(default, skip_serializing_if = "zero::bool")]
    pub abort: bool,
    /// Why the Rollout waits; a person clears the list to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_conditions: Option<Vec<PauseCondition>>,
    /// The controller added a pause; with no pause condition left, a person has resumed.
    #[serde(default, skip_serializing_if = "zero::bool")]
    pub controller_pause: bool,
    /// When the controller saw the abort.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted_at: Option<Time>,
    /// Hash of the newest pod template's ReplicaSet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub current_pod_hash: String,
    /// Hash of the canary steps.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub current_step_hash: String,
    /// Pods of all ReplicaSets.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub replicas: i32,
    /// Pods of the newest version.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub updated_replicas: i32,
    /// Ready pods.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub ready_replicas: i32,
    /// Available pods.
    #[serde(default, skip_serializing_if = "zero::i32")]
    pub available_replicas: i32,
    /// Index of the current step; the number of steps when all are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_step_index: Option<i32>,
    /// How often the hash was changed because a foreign ReplicaSet had the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
    /// `metadata.generation` that this status belongs to, as decimal text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub observed_generation: String,
    /// Conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<RolloutCondition>>,
    /// Status of a canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryStatus>,
    /// Status of a blue-green update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue_green: Option<BlueGreenStatus>,
    /// Pods that an autoscaler should count.
    #[serde(rename = "HPAReplicas", default, skip_serializing_if = "zero::i32")]
    pub hpa_replicas: i32,
    /// Label selector for autoscalers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selector: String,
    /// Hash of the version that was last promoted.
    #[serde(rename = "stableRS", default, skip_serializing_if = "String::is_empty")]
    pub stable_rs: String,
    /// Last restart that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_at: Option<Time>,
    /// Skip all that is left; cleared when promoted.
    #[serde(default, skip_serializing_if = "zero::bool")]
    pub promote_full: bool,
    /// `Healthy`, `Degraded`, `Progressing` or `Paused`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// Why that phase.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Generation of the referenced workload that this status belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workload_observed_generation: String,
    /// Load balancer, when verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alb: Option<AlbStatus>,
    /// Load balancers, when verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub albs: Option<Vec<AlbStatus>>,
    /// How long the update took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationStatus>,
}

/// One reason to wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PauseCondition {
    /// `CanaryPauseStep`, `BlueGreenPause`, `InconclusiveAnalysisRun` or `InconclusiveExperiment`.
    pub reason: String,
    /// Since when.
    pub start_time: Time,
}

/// A condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutCondition {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// When it was last confirmed by progress.
    pub last_update_time: Time,
    /// When its status last changed.
    pub last_transition_time: Time,
    /// One word for why.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// Status of a canary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStatus {
    /// The current step's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_step_analysis_run_status: Option<RolloutAnalysisRunStatus>,
    /// The background run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_background_analysis_run_status: Option<RolloutAnalysisRunStatus>,
    /// Name of the current experiment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub current_experiment: String,
    /// Weights that were last given to the routers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<TrafficWeights>,
    /// Which of both Services is the stable one: `ping` or `pong`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stable_ping_pong: String,
    /// What step plugins answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_plugin_statuses: Option<Vec<StepPluginStatus>>,
}

/// Status of a blue-green update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueGreenStatus {
    /// Hash in the preview Service's selector.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preview_selector: String,
    /// Hash in the active Service's selector.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub active_selector: String,
    /// The preview passed its gates and is scaled up.
    #[serde(default, skip_serializing_if = "zero::bool")]
    pub scale_up_preview_check_point: bool,
    /// The run before the switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_promotion_analysis_run_status: Option<RolloutAnalysisRunStatus>,
    /// The run after the switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_promotion_analysis_run_status: Option<RolloutAnalysisRunStatus>,
}

impl super::RolloutStatus {
    /// The runs that it names: of the step, beside the steps, before and after the promotion.
    pub fn analysis_runs(&self) -> impl Iterator<Item = &RolloutAnalysisRunStatus> {
        let (canary, blue_green) = (self.canary.as_ref(), self.blue_green.as_ref());
        [
            canary.and_then(|canary| canary.current_step_analysis_run_status.as_ref()),
            canary.and_then(|canary| canary.current_background_analysis_run_status.as_ref()),
            blue_green.and_then(|blue_green| blue_green.pre_promotion_analysis_run_status.as_ref()),
            blue_green.and_then(|blue_green| blue_green.post_promotion_analysis_run_status.as_ref()),
        ]
        .into_iter()
        .flatten()
    }

    /// Whether it names an AnalysisRun.
    #[must_use]
    pub fn names_run(&self, name: &str) -> bool {
        self.analysis_runs().any(|run| run.name == name)
    }
}

/// A run as its Rollout remembers it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutAnalysisRunStatus {
    /// Name of the AnalysisRun.
    pub name: String,
    /// Its phase.
    pub status: AnalysisPhase,
    /// Its message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Weights that were last given to the routers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrafficWeights {
    /// The canary's.
    pub canary: WeightDestination,
    /// The stable version's.
    pub stable: WeightDestination,
    /// Those of experiments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional: Option<Vec<WeightDestination>>,
    /// Whether the router was seen to use them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// A destination with its weight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WeightDestination {
    /// The weight.
    pub weight: i32,
    /// The Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// The version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template_hash: Option<String>,
}

/// What a step plugin answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepPluginStatus {
    /// Index of the step.
    pub index: i32,
    /// Name of the plugin.
    pub name: String,
    /// Its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `Running`, `Successful`, `Failed` or `Error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// `Run`, `Terminate` or `Abort`.
    pub operation: String,
    /// How long until it is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<String>,
    /// How often it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executions: Option<i32>,
    /// It is switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The plugin's own state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Embedded>,
}

/// A load balancer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlbStatus {
    /// The load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<AwsResourceRef>,
    /// The canary's target group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_target_group: Option<AwsResourceRef>,
    /// The stable version's target group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_target_group: Option<AwsResourceRef>,
    /// The Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<String>,
}

/// A resource of AWS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsResourceRef {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
}

/// How long the update took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DurationStatus {
    /// When the update began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_started_at: Option<Time>,
    /// When the current wait for a person began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_pause_started_at: Option<Time>,
    /// Seconds waited for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_manual_pause_duration_seconds: Option<i64>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_status: Option<String>,
}
