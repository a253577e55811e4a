//! The workload of `workloadRef`: where the pod template of such a Rollout is changed. `[cli.workload]`

use crate::cluster::Cluster;
use crate::images;
use anyhow::Context;
use crds::rollout::workload::WorkloadKind;
use crds::{LabelSelector, PodTemplate, Rollout};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

/// The workload that a Rollout takes its template from.
pub(crate) struct Workload {
    api: Api<DynamicObject>,
    object: DynamicObject,
    kind: WorkloadKind,
}

impl Workload {
    /// The workload of `rollout`; `None` when it has a template of its own.
    ///
    /// # Errors
    /// It is not there, is of a kind that has no template, or cannot be read.
    pub(crate) async fn of(cluster: &Cluster<'_>, rollout: &Rollout) -> anyhow::Result<Option<Self>> {
        let Some(reference) = &rollout.spec.workload_ref else { return Ok(None) };
        let name = rollout.name_any();
        let kind = reference.target().with_context(|| {
            let kind = reference.kind.as_deref().unwrap_or_default();
            format!(
                "rollout {name:?} refers to a {kind:?}: only a Deployment, ReplicaSet or PodTemplate has a pod template"
            )
        })?;
        let api = api(cluster, kind);
        let found = match reference.name() {
            // Without a name it would be the list.
            "" => None,
            name => api.get_opt(name).await?,
        };
        let missing = || {
            format!("{} {:?}, to which rollout {name:?} refers, not found", kind.resource(), reference.name())
        };
        Ok(Some(Self { object: found.with_context(missing)?, api, kind }))
    }

    /// Its pod template.
    pub(crate) fn template(&self) -> Value {
        self.object.data.pointer(self.path()).cloned().unwrap_or_default()
    }

    fn path(&self) -> &'static str {
        match self.kind {
            WorkloadKind::Deployment | WorkloadKind::ReplicaSet => "/spec/template",
            WorkloadKind::PodTemplate => "/template",
        }
    }

    /// `metadata.generation`; 0 without one.
    pub(crate) fn generation(&self) -> i64 {
        self.object.metadata.generation.unwrap_or(0)
    }

    /// The Rollout as if the template were its own.
    pub(crate) fn resolve(&self, rollout: &Rollout) -> Rollout {
        let selector = self.object.data.pointer("/spec/selector").cloned();
        let selector: Option<LabelSelector> =
            selector.and_then(|selector| serde_json::from_value(selector).ok());
        rollout.with_template_of(PodTemplate(self.template()), selector.as_ref())
    }

    /// Gives containers other images; fails with a conflict when it was changed since it was read.
    pub(crate) async fn set_images(&self, wanted: &[String]) -> anyhow::Result<kube::Result<()>> {
        let template = images::patch(&self.template(), wanted)?;
        let metadata = json!({"resourceVersion": self.object.resource_version()});
        let patch = match self.kind {
            WorkloadKind::PodTemplate => json!({"metadata": metadata, "template": template}),
            _ => json!({"metadata": metadata, "spec": {"template": template}}),
        };
        let name = self.object.name_any();
        Ok(self.api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop))
    }

    /// Replaces the whole pod template.
    pub(crate) async fn replace_template(&self, template: Value) -> anyhow::Result<()> {
        let patch = json!([{"op": "replace", "path": self.path(), "value": template}]);
        let patch = Patch::<DynamicObject>::Json(serde_json::from_value(patch)?);
        self.api.patch(&self.object.name_any(), &PatchParams::default(), &patch).await?;
        Ok(())
    }
}

fn api(cluster: &Cluster<'_>, kind: WorkloadKind) -> Api<DynamicObject> {
    let (group, name, plural) = match kind {
        WorkloadKind::Deployment => ("apps", "Deployment", "deployments"),
        WorkloadKind::ReplicaSet => ("apps", "ReplicaSet", "replicasets"),
        WorkloadKind::PodTemplate => ("", "PodTemplate", "podtemplates"),
    };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", name), plural);
    Api::namespaced_with(cluster.client().clone(), cluster.namespace(), &resource)
}

/// What `status` has to know of the workload as it is now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// `metadata.generation`.
    pub(crate) generation: i64,
    /// Images of its template.
    pub(crate) images: Vec<String>,
}

impl Seen {
    /// The workload of `rollout`. Who may not read it, or finds none, is left with what the Rollout says.
    pub(crate) async fn of(cluster: &Cluster<'_>, rollout: &Rollout) -> Option<Self> {
        let workload = Workload::of(cluster, rollout).await.ok()??;
        Some(Self { generation: workload.generation(), images: images::of_template(&workload.template()) })
    }
}
