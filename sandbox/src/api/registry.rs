//! What the API server serves: the built-in resources, and those of CustomResourceDefinitions.

use super::decode::Type;
use super::failure::Of;
use crate::Dig;
use crate::kubectl::resources::{self, Resource};
use crate::schema::Schema;
use serde_json::Value;
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
    /// As discovery tells of it.
    pub info: Arc<Resource>,
    /// The type of its objects, of a built-in kind.
    pub(crate) typed: Option<Type>,
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

/// Built-in kinds whose generation counts changes of what is wanted.
const COUNTED: [&str; 15] = [
    "ControllerRevision",
    "CronJob",
    "CustomResourceDefinition",
    "DaemonSet",
    "Deployment",
    "EndpointSlice",
    "Ingress",
    "Job",
    "NetworkPolicy",
    "Pod",
    "PodDisruptionBudget",
    "PodTemplate",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];
/// Built-in groups whose objects are questions: nothing of them is kept.
const QUESTIONS: [&str; 2] = ["authentication.k8s.io", "authorization.k8s.io"];

impl ResourceType {
    /// A built-in resource.
    fn built_in(info: &Resource) -> Self {
        let scale = || Scale {
            spec: "spec.replicas".to_owned(),
            status: "status.replicas".to_owned(),
            selector: String::new(),
        };
        Self::of_info(
            info,
            info.subresource("scale").is_some().then(scale),
            COUNTED.contains(&info.kind.as_str()),
            None,
        )
    }

    fn of_info(info: &Resource, scale: Option<Scale>, generation: bool, custom: Option<Arc<Custom>>) -> Self {
        Self {
            group: info.group.clone(),
            version: info.version.clone(),
            plural: info.plural.clone(),
            kind: info.kind.clone(),
            namespaced: info.namespaced,
            status: info.subresource("status").is_some(),
            scale,
            generation,
            typed: custom.is_none().then(|| Type::of(&info.group, &info.version, &info.kind)).flatten(),
            custom,
            info: Arc::new(info.clone()),
        }
    }

    /// The resources of a definition; what is wrong with its schemas comes along.
    pub(crate) fn of_definition(definition: &Value) -> (Vec<Self>, Vec<String>) {
        let name = super::text(definition, "/metadata/name");
        let versions = definition.at("/spec/versions").and_then(Value::as_array);
        let mut faults = Vec::new();
        let types = Resource::of_crd(definition).into_iter().map(|info| {
            let version = versions.into_iter().flatten().find(|v| super::text(v, "/name") == info.version);
            let paths = version.and_then(|version| version.at("/subresources/scale")).map(|scale| Scale {
                spec: super::text(scale, "/specReplicasPath").to_owned(),
                status: super::text(scale, "/statusReplicasPath").to_owned(),
                selector: super::text(scale, "/labelSelectorPath").to_owned(),
            });
            let schema = info.custom.as_ref().and_then(|custom| match Schema::parse(&custom.schema) {
                Ok(schema) => Some(match version.and_then(|version| version.at("/subresources/scale")) {
                    Some(scale) => schema.scaled(scale),
                    None => schema,
                }),
                Err(error) => {
                    faults.push(error.to_string());
                    None
                }
            });
            let custom = Arc::new(Custom { definition: name.to_owned(), schema });
            Self::of_info(&info, paths, true, Some(custom))
        });
        (types.collect(), faults)
    }
}

/// All that is served.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    types: Vec<Option<Arc<ResourceType>>>,
}

impl Registry {
    pub(crate) fn built_in() -> Self {
        let kept = resources::built_in().iter().filter(|info| !QUESTIONS.contains(&info.group.as_str()));
        Self { types: kept.map(|info| Some(Arc::new(ResourceType::built_in(info)))).collect() }
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

    /// Whether a group's version is a built-in one.
    pub(crate) fn has_built_in(&self, group: &str, version: &str) -> bool {
        self.position(|known| known.custom.is_none() && known.group == group && known.version == version)
            .is_some()
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
        self.types.iter().enumerate().filter_map(|(index, slot)| Some((ResourceId(index), slot.as_ref()?)))
    }
}
