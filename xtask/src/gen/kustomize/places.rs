//! Every place of a kind's manifest, by the path that kustomize knows it by: lists are walked through without a mark.

use crds::manifest::{self, Detail};
use sandbox::kubectl::openapi;
use serde_json::{Map, Value};

/// Nesting that is read at most; real schemas have less than 20 levels.
const DEPTH_LIMIT: usize = 32;
const REFERENCE: &str = "#/components/schemas/";
const POD_TEMPLATE: &str = "io.k8s.api.core.v1.PodTemplateSpec";
/// Nobody writes it into a manifest.
const STATUS: &str = "status";
/// The API server refuses them in a template.
const EPHEMERAL: &str = "ephemeralContainers";

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Names of fields, with `/` between them.
    pub(super) path: String,
    /// Whether a text stands there, or a list of texts.
    pub(super) is_text: bool,
    /// Whether it is inside of a pod template.
    pub(super) in_pod: bool,
    /// Whether anything may stand below it.
    pub(super) is_open: bool,
}

impl Place {
    /// Whether the path ends with these fields.
    pub(super) fn ends(&self, fields: &str) -> bool {
        self.path.strip_suffix(fields).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    }
}

/// The kinds and the schemas of their CRDs.
pub(super) fn kinds() -> Vec<(String, Value)> {
    let of = |(_, manifest): (String, Value)| {
        let kind = manifest.pointer("/spec/names/kind")?.as_str()?.to_owned();
        let schema = manifest.pointer("/spec/versions/0/schema/openAPIV3Schema")?.clone();
        Some((kind, schema))
    };
    manifest::all(Detail::Slim).into_iter().filter_map(of).collect()
}

/// Whether the schema is that of a pod template.
pub(super) fn is_pod_template(schema: &Value) -> bool {
    schema.pointer("/properties/spec/properties/containers").is_some()
}

/// The places of the manifest, but for those of its status.
pub(super) fn places(schema: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    walk(schema, "", false, 0, &mut found);
    // The order of a JSON map depends on the build.
    found.sort_by(|one: &Place, other| one.path.cmp(&other.path));
    found
}

fn walk(schema: &Value, path: &str, in_pod: bool, depth: usize, found: &mut Vec<Place>) {
    if depth > DEPTH_LIMIT {
        return;
    }
    let mut schema = resolved(schema);
    let mut in_pod = in_pod;
    if !in_pod && is_pod_template(schema) {
        // Volumes are left open in a CRD: Kubernetes' own schema says more.
        in_pod = true;
        schema = openapi::built_in_schemas().get(POD_TEMPLATE).unwrap_or(schema);
    }
    if let Some(items) = schema.get("items") {
        return walk(items, path, in_pod, depth + 1, found);
    }
    if !path.is_empty() {
        found.push(Place {
            path: path.to_owned(),
            is_text: schema.get("type").and_then(Value::as_str) == Some("string"),
            in_pod,
            is_open: schema.get("x-kubernetes-preserve-unknown-fields").is_some(),
        });
    }
    for (name, property) in properties(schema) {
        let skipped = (path.is_empty() && name == STATUS) || name == EPHEMERAL;
        if !skipped {
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            walk(property, &below, in_pod, depth + 1, found);
        }
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// The schema itself, or the one of Kubernetes that it refers to.
fn resolved(schema: &Value) -> &Value {
    let reference = schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref"));
    let name = reference.and_then(Value::as_str).and_then(|text| text.strip_prefix(REFERENCE));
    name.and_then(|name| openapi::built_in_schemas().get(name)).unwrap_or(schema)
}
