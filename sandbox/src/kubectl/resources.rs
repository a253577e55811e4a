//! Which resources the API server has: the built-in ones, as a real server lists them, and those of
//! CustomResourceDefinitions.

use crate::Dig;
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// One resource in one version.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// API version, for example `v1`.
    pub version: String,
    /// Kind of one object.
    pub kind: String,
    /// Name in paths, for example `pods`.
    pub plural: String,
    /// Name for one, for example `pod`.
    pub singular: String,
    /// Abbreviations that `kubectl` takes.
    #[serde(default)]
    pub short_names: Vec<String>,
    /// Groups of resources that `kubectl get` takes, for example `all`.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// What may be asked of it, for example `list`.
    pub verbs: Vec<String>,
    /// Paths below one object.
    #[serde(default)]
    pub subresources: Vec<Subresource>,
    /// What `kubectl get` prints; empty when it cannot be listed.
    #[serde(default)]
    pub columns: Vec<Column>,
    /// What a CustomResourceDefinition says beyond the above; none for a built-in resource.
    #[serde(skip)]
    pub custom: Option<Custom>,
}

/// A path below one object, for example `pods/eviction`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subresource {
    /// Last part of the path.
    pub name: String,
    /// Group of the body's kind.
    pub group: String,
    /// Version of the body's kind.
    pub version: String,
    /// Kind of the body.
    pub kind: String,
    /// What may be asked of it.
    pub verbs: Vec<String>,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Hint to the reader: `name` for the name of the object.
    #[serde(default)]
    pub format: String,
    /// What it shows.
    #[serde(default)]
    pub description: String,
    /// 0 is always shown, more only with `-o wide`.
    #[serde(default)]
    pub priority: i64,
    /// Where a custom resource has the value; empty for built-in columns.
    #[serde(default)]
    pub json_path: String,
}

/// What a CustomResourceDefinition says beyond names and columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Custom {
    /// Kind of a list.
    pub list_kind: String,
    /// Whether objects are stored in this version.
    pub stored: bool,
    /// `openAPIV3Schema` of this version.
    pub schema: Arc<Value>,
}

/// What each served version of a CustomResourceDefinition allows.
const CUSTOM_VERBS: [&str; 8] =
    ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const SUBRESOURCE_VERBS: [&str; 3] = ["get", "patch", "update"];
/// How the server describes the first column of every table.
pub(super) const NAME_DESCRIPTION: &str = "Name must be unique within a namespace. Is required when creating \
    resources, although some resources may allow a client to request the generation of an appropriate name \
    automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be \
    updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

static BUILT_IN: LazyLock<Vec<Resource>> = LazyLock::new(|| {
    // The file is part of the program and a test reads it, so that the default is never taken.
    serde_json::from_str(include_str!("../../data/resources.json")).unwrap_or_default()
});

/// The resources of a real API server in the groups that the sandbox has, groups in the server's order and
/// resources by name.
#[must_use]
pub fn built_in() -> &'static [Resource] {
    &BUILT_IN
}

impl Resource {
    /// `group/version` as it stands in `apiVersion`; only the version for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// Kind of a list of these objects.
    #[must_use]
    pub fn list_kind(&self) -> String {
        self.custom.as_ref().map_or_else(|| format!("{}List", self.kind), |custom| custom.list_kind.clone())
    }

    /// Path of the collection over all namespaces, for example `/apis/apps/v1/deployments`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", root(&self.group, &self.version), self.plural)
    }

    /// Whether `verb`, for example `list`, may be asked of it.
    #[must_use]
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.iter().any(|own| own == verb)
    }

    /// The path of this name below one object.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|sub| sub.name == name)
    }

    /// One resource for each served version of a CustomResourceDefinition (`apiextensions.k8s.io/v1`), in the
    /// order of its versions; empty when names or versions are missing.
    #[must_use]
    pub fn of_crd(crd: &Value) -> Vec<Self> {
        let versions = crd.at("/spec/versions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        versions
            .iter()
            .filter(|version| version.get("served") == Some(&Value::Bool(true)))
            .filter_map(|version| Self::of_crd_version(crd, version))
            .collect()
    }

    fn of_crd_version(crd: &Value, version: &Value) -> Option<Self> {
        let spec = crd.get("spec")?;
        let names = spec.get("names")?;
        let kind = text(names, "kind")?;
        let group = text(spec, "group")?;
        let name = text(version, "name")?;
        Some(Self {
            group: group.to_owned(),
            version: name.to_owned(),
            kind: kind.to_owned(),
            plural: text(names, "plural")?.to_owned(),
            singular: text(names, "singular").map_or_else(|| kind.to_lowercase(), str::to_owned),
            short_names: texts(names, "shortNames"),
            categories: texts(names, "categories"),
            namespaced: text(spec, "scope") == Some("Namespaced"),
            verbs: owned(&CUSTOM_VERBS),
            subresources: custom_subresources(version, group, name, kind),
            columns: custom_columns(version),
            custom: Some(Custom {
                list_kind: text(names, "listKind").map_or_else(|| format!("{kind}List"), str::to_owned),
                stored: version.get("storage") == Some(&Value::Bool(true)),
                schema: Arc::new(version.at("/schema/openAPIV3Schema").cloned().unwrap_or_default()),
            }),
        })
    }
}

/// `group/version`, or only the version for the core group.
pub(super) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// Path that all resources of a group version have before their name.
pub(super) fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

fn custom_subresources(version: &Value, group: &str, name: &str, kind: &str) -> Vec<Subresource> {
    let has = |sub: &str| version.at("/subresources").and_then(|all| all.get(sub)).is_some();
    let sub = |name: &str, group: &str, version: &str, kind: &str| Subresource {
        name: name.to_owned(),
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        verbs: owned(&SUBRESOURCE_VERBS),
    };
    let status = has("status").then(|| sub("status", group, name, kind));
    let scale = has("scale").then(|| sub("scale", "autoscaling", "v1", "Scale"));
    status.into_iter().chain(scale).collect()
}

/// The name, then the columns that the definition asks for; the age where it asks for none.
fn custom_columns(version: &Value) -> Vec<Column> {
    let name = Column {
        name: "Name".to_owned(),
        kind: "string".to_owned(),
        format: "name".to_owned(),
        description: NAME_DESCRIPTION.to_owned(),
        priority: 0,
        json_path: ".metadata.name".to_owned(),
    };
    let age = Column {
        name: "Age".to_owned(),
        kind: "date".to_owned(),
        format: String::new(),
        description: String::new(),
        priority: 0,
        json_path: ".metadata.creationTimestamp".to_owned(),
    };
    let asked = version.get("additionalPrinterColumns").and_then(Value::as_array);
    let mut asked: Vec<Column> =
        asked.into_iter().flatten().filter_map(|column| Column::deserialize(column).ok()).collect();
    if asked.is_empty() {
        asked.push(age);
    }
    // The server describes a column that does not describe itself by its path.
    for column in asked.iter_mut().filter(|column| column.description.is_empty()) {
        column.description =
            format!("Custom resource definition column (in JSONPath format): {}", column.json_path);
    }
    std::iter::once(name).chain(asked).collect()
}

fn text<'v>(of: &'v Value, name: &str) -> Option<&'v str> {
    of.get(name)?.as_str()
}

fn texts(of: &Value, name: &str) -> Vec<String> {
    of.get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
