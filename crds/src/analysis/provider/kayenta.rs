//! Kayenta.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kayenta.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KayentaMetric {
    /// Address of the server.
    pub address: String,
    /// Application.
    pub application: String,
    /// Name of the canary configuration.
    pub canary_config_name: String,
    /// Account for metrics.
    pub metrics_account_name: String,
    /// Account for configurations.
    pub configuration_account_name: String,
    /// Account for storage.
    pub storage_account_name: String,
    /// Scores.
    pub threshold: KayentaThreshold,
    /// Scopes.
    pub scopes: Vec<KayentaScope>,
    /// Start at the run's beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback: Option<bool>,
}

/// Scores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KayentaThreshold {
    /// At least this is a success.
    pub pass: i64,
    /// At least this is inconclusive.
    pub marginal: i64,
}

/// A pair of scopes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KayentaScope {
    /// Name.
    pub name: String,
    /// The control.
    pub control_scope: ScopeDetail,
    /// The experiment.
    pub experiment_scope: ScopeDetail,
}

/// A scope.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScopeDetail {
    /// Name.
    pub scope: String,
    /// Region.
    pub region: String,
    /// Seconds of a point.
    pub step: i64,
    /// Beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// End.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}
