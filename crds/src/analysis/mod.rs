//! AnalysisTemplates and AnalysisRuns.

mod phase;
pub mod provider;
pub mod run;
pub mod template;

pub use phase::AnalysisPhase;
pub use run::{AnalysisRunSpec, AnalysisRunStatus, Measurement, MetricResult, RunSummary};
pub use template::{AnalysisTemplateSpec, Argument, DryRun, MeasurementRetention, Metric, ValueFrom};

/// AnalysisTemplates have no status.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NoStatus {}

crate::kind::kind!(
    /// What to measure, in one namespace.
    AnalysisTemplate, "analysistemplates", kube_core::NamespaceResourceScope, AnalysisTemplateSpec, NoStatus
);
crate::kind::kind!(
    /// What to measure, for every namespace.
    ClusterAnalysisTemplate, "clusteranalysistemplates", kube_core::ClusterResourceScope, AnalysisTemplateSpec, NoStatus
);
crate::kind::kind!(
    /// One run of an analysis.
    AnalysisRun, "analysisruns", kube_core::NamespaceResourceScope, AnalysisRunSpec, AnalysisRunStatus
);
