//! The workload that a Rollout takes its pod template from. `[workload-ref]`

use super::spec::WorkloadRef;
use crate::{LabelSelector, PodTemplate, Rollout};

/// Kinds that `workloadRef` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// `Deployment` of the group `apps`.
    Deployment,
    /// `ReplicaSet` of the group `apps`.
    ReplicaSet,
    /// `PodTemplate` of the core group.
    PodTemplate,
}

/// What becomes of the pods of a referenced Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScaleDown {
    /// They stay; any text that means nothing else means this.
    #[default]
    Never,
    /// They go when the Rollout is Healthy.
    OnSuccess,
    /// They go as the Rollout's become available.
    Progressively,
}

impl WorkloadRef {
    /// The group of `apiVersion`: `apps/v1` has the group `apps`; `v1`, and text that is no version, has none.
    #[must_use]
    pub fn group(&self) -> &str {
        let version = self.api_version.as_deref().unwrap_or_default();
        version.split_once('/').filter(|(_, version)| !version.contains('/')).map_or("", |(group, _)| group)
    }

    /// The kind that is meant; `None` when no pod template can be taken from it.
    #[must_use]
    pub fn target(&self) -> Option<WorkloadKind> {
        match (self.group(), self.kind.as_deref().unwrap_or_default()) {
            ("apps", "Deployment") => Some(WorkloadKind::Deployment),
            ("apps", "ReplicaSet") => Some(WorkloadKind::ReplicaSet),
            ("", "PodTemplate") => Some(WorkloadKind::PodTemplate),
            _ => None,
        }
    }

    /// Name of the workload; empty when none is given.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// What becomes of the Deployment's pods.
    #[must_use]
    pub fn scale_down(&self) -> ScaleDown {
        match self.scale_down.as_deref() {
            Some("onsuccess") => ScaleDown::OnSuccess,
            Some("progressively") => ScaleDown::Progressively,
            _ => ScaleDown::Never,
        }
    }
}

impl WorkloadKind {
    /// The kind as manifests name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::PodTemplate => "PodTemplate",
        }
    }

    /// The resource and its group, as the API server names them in messages.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployments.apps",
            Self::ReplicaSet => "replicasets.apps",
            Self::PodTemplate => "podtemplates",
        }
    }
}

impl Rollout {
    /// The Rollout with a template of its own in place of the reference: all that the rest of the program has to know of
    /// it. The selector of the workload counts only where the Rollout has none. For memory only: nothing of it is
    /// written.
    #[must_use]
    pub fn with_template_of(&self, template: PodTemplate, selector: Option<&LabelSelector>) -> Self {
        let mut resolved = self.clone();
        resolved.spec.workload_ref = None;
        resolved.spec.template = Some(template);
        if resolved.spec.selector.is_none() {
            resolved.spec.selector = selector.cloned();
        }
        resolved
    }
}
