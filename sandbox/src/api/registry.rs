//! What the API server serves: the built-in resources, and those of CustomResourceDefinitions.

use super::failure::Of;
use crate::schema::Schema;
use std::sync::Arc;

/// A resource of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceId(pub(crate) usize);

/// How one resource is served.
#[derive(Clone, Debug)]
pub struct ResourceType {
    /// API group; empty for the core group.
    pub group: String,
    /// API version, such as `v1`.
    pub version: String,
    /// Name in addresses.
    pub plural: String,
    /// Kind of the objects.
    pub kind: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether `status` is a subresource: then it is written there only.
    pub status: bool,
    /// Where `scale` finds sizes.
    pub scale: Option<Scale>,
    /// Whether `metadata.generation` counts changes.
    pub generation: bool,
    /// Of a CustomResourceDefinition.
    pub custom: Option<Arc<Custom>>,
}

/// Paths of the scale subresource, in dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Path of the wanted size.
    pub spec: String,
    /// Path of the size that is.
    pub status: String,
    /// Path of the selector as text; empty without one.
    pub selector: String,
}

/// What a CustomResourceDefinition says of its objects.
#[derive(Debug)]
pub struct Custom {
    /// Name of the definition.
    pub definition: String,
    /// The schema, when it has one that prunes and judges.
    pub schema: Option<Schema>,
}

impl ResourceType {
    /// `v1`, or `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    pub(crate) fn of(&self) -> Of<'_> {
        Of { group: &self.group, plural: &self.plural, kind: &self.kind }
    }

    pub(crate) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

/// Group, version, plural, kind, and letters: `n`amespaced, `s`tatus, scal`e`, `g`eneration.
const BUILT_IN: [(&str, &str, &str, &str, &str); 33] = [
    ("", "v1", "namespaces", "Namespace", "s"),
    ("", "v1", "nodes", "Node", "s"),
    ("", "v1", "pods", "Pod", "nsg"),
    ("", "v1", "services", "Service", "ns"),
    ("", "v1", "endpoints", "Endpoints", "n"),
    ("", "v1", "configmaps", "ConfigMap", "n"),
    ("", "v1", "secrets", "Secret", "n"),
    ("", "v1", "events", "Event", "n"),
    ("", "v1", "serviceaccounts", "ServiceAccount", "n"),
    ("", "v1", "resourcequotas", "ResourceQuota", "ns"),
    ("", "v1", "limitranges", "LimitRange", "n"),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "ns"),
    ("", "v1", "podtemplates", "PodTemplate", "ng"),
    ("", "v1", "replicationcontrollers", "ReplicationController", "nseg"),
    ("apps", "v1", "replicasets", "ReplicaSet", "nseg"),
    ("apps", "v1", "deployments", "Deployment", "nseg"),
    ("apps", "v1", "statefulsets", "StatefulSet", "nseg"),
    ("apps", "v1", "daemonsets", "DaemonSet", "nsg"),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", "n"),
    ("batch", "v1", "jobs", "Job", "nsg"),
    ("batch", "v1", "cronjobs", "CronJob", "nsg"),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "nsg"),
    ("coordination.k8s.io", "v1", "leases", "Lease", "n"),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "ng"),
    ("events.k8s.io", "v1", "events", "Event", "n"),
    ("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "ns"),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", "nsg"),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "ng"),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", "n"),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "n"),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", ""),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", ""),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", "sg"),
];

/// All that is served.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    types: Vec<Option<Arc<ResourceType>>>,
}

impl Registry {
    pub(crate) fn built_in() -> Self {
        let types = BUILT_IN.iter().map(|(group, version, plural, kind, letters)| {
            let scale = || Scale {
                spec: "spec.replicas".to_owned(),
                status: "status.replicas".to_owned(),
                selector: String::new(),
            };
            Some(Arc::new(ResourceType {
                group: (*group).to_owned(),
                version: (*version).to_owned(),
                plural: (*plural).to_owned(),
                kind: (*kind).to_owned(),
                namespaced: letters.contains('n'),
                status: letters.contains('s'),
                scale: letters.contains('e').then(scale),
                generation: letters.contains('g'),
                custom: None,
            }))
        });
        Self { types: types.collect() }
    }

    /// Serves a resource, or serves it anew.
    pub(crate) fn add(&mut self, new: ResourceType) -> ResourceId {
        let known = self.find(&new.group, &new.version, &new.plural);
        let id = known.unwrap_or(ResourceId(self.types.len()));
        match self.types.get_mut(id.0) {
            Some(slot) => *slot = Some(Arc::new(new)),
            None => self.types.push(Some(Arc::new(new))),
        }
        id
    }

    /// Serves the resources of a definition no more, and gives them.
    pub(crate) fn remove(&mut self, definition: &str) -> Vec<ResourceId> {
        let mut gone = Vec::new();
        for (index, slot) in self.types.iter_mut().enumerate() {
            let of = slot.as_ref().and_then(|known| known.custom.as_ref()).map(|custom| &custom.definition);
            if of.is_some_and(|of| of == definition) {
                *slot = None;
                gone.push(ResourceId(index));
            }
        }
        gone
    }

    pub(crate) fn get(&self, id: ResourceId) -> Option<&Arc<ResourceType>> {
        self.types.get(id.0)?.as_ref()
    }

    /// By group, version and plural, as in addresses.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<ResourceId> {
        self.position(|known| known.group == group && known.version == version && known.plural == plural)
    }

    /// By API version and kind, as in objects.
    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Option<ResourceId> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        self.position(|known| known.kind == kind && known.group == group && known.version == version)
    }

    fn position(&self, is: impl Fn(&ResourceType) -> bool) -> Option<ResourceId> {
        self.types.iter().position(|slot| slot.as_ref().is_some_and(|known| is(known))).map(ResourceId)
    }

    /// All resources that are served.
    pub(crate) fn all(&self) -> impl Iterator<Item = (ResourceId, &Arc<ResourceType>)> {
        self.types
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| Some((ResourceId(index), slot.as_ref()?)))
    }
}
