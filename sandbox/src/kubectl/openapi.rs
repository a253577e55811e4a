//! OpenAPI version 3, one document for each group version. Schemas of built-in kinds are those of a real server;
//! those of custom kinds come from their definitions; paths are made from the resources and say no more than
//! which kind they take and which parameters, since clients look for nothing else.

use super::discovery::{document_path, groups};
use super::resources::Resource;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static SCHEMAS: LazyLock<BTreeMap<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../data/schemas.json")).unwrap_or_default());

/// Names of the built-in schemas by group, version and kind.
static NAMES: LazyLock<BTreeMap<(String, String, String), &'static str>> = LazyLock::new(|| {
    let mut names = BTreeMap::new();
    for (name, schema) in SCHEMAS.iter() {
        let kinds = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
        for kind in kinds.into_iter().flatten() {
            let part = |part: &str| kind.get(part).and_then(Value::as_str).unwrap_or_default().to_owned();
            names.insert((part("group"), part("version"), part("kind")), name.as_str());
        }
    }
    names
});

const REFERENCE: &str = "#/components/schemas/";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const GVK: &str = "x-kubernetes-group-version-kind";

/// The schemas of built-in kinds by name, as a real server publishes them, with `$ref`s among them.
#[must_use]
pub fn built_in_schemas() -> &'static BTreeMap<String, Value> {
    &SCHEMAS
}

/// The schema of a built-in kind, for example of `("apps", "v1", "Deployment")`.
#[must_use]
pub fn schema_of(group: &str, version: &str, kind: &str) -> Option<&'static Value> {
    let name = NAMES.get(&(group.to_owned(), version.to_owned(), kind.to_owned()))?;
    SCHEMAS.get(*name)
}

/// `/openapi/v3` for no parts, else the document of a group version; none when it is not there.
pub(super) fn answer(parts: &[&str], resources: &[Resource]) -> Option<Value> {
    let groups = groups(resources);
    let mut paths = Map::new();
    for group in &groups {
        for (version, members) in &group.versions {
            let path = document_path(group.name, version);
            if parts.is_empty() {
                // Clients keep a document as long as its address is the same.
                let hash = fingerprint(members);
                paths.insert(
                    path.clone(),
                    json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash:016X}")}),
                );
            } else if path == parts.join("/") {
                return Some(document(members));
            }
        }
    }
    parts.is_empty().then(|| json!({"paths": paths}))
}

/// FNV-1a of what the document is made from: a number that changes with it, nothing more.
fn fingerprint(members: &[&Resource]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for resource in members {
        let schema = resource.custom.as_ref().map(|custom| custom.schema.to_string());
        let text = format!("{}{:?}{:?}{schema:?}", resource.plural, resource.kind, resource.subresources);
        for byte in text.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

fn document(members: &[&Resource]) -> Value {
    let mut paths = Map::new();
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    for resource in members {
        if resource.custom.is_some() {
            custom_schemas(resource, &mut schemas);
        }
        add_paths(resource, &mut paths);
    }
    let mut wanted: Vec<String> = Vec::new();
    references(&Value::Object(paths.clone()), &mut wanted);
    for schema in schemas.values() {
        references(schema, &mut wanted);
    }
    let mut seen: BTreeSet<String> = schemas.keys().cloned().collect();
    // Ends because each name is taken once.
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if let Some(schema) = SCHEMAS.get(&name) {
            references(schema, &mut wanted);
            schemas.insert(name, schema.clone());
        }
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

/// Collects the names of the schemas that `value` refers to.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str().and_then(|text| text.strip_prefix(REFERENCE)) {
                    Some(reference) if name == "$ref" => found.push(reference.to_owned()),
                    _ => references(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// `io.argoproj.v1alpha1.Rollout` for a Rollout: the group backwards, as the server names it.
fn schema_name(group: &str, version: &str, kind: &str) -> String {
    let built_in = NAMES.get(&(group.to_owned(), version.to_owned(), kind.to_owned()));
    built_in.map_or_else(
        || {
            let parts: Vec<&str> = group.rsplit('.').collect();
            format!("{}.{version}.{kind}", parts.join("."))
        },
        |name| (*name).to_owned(),
    )
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("{REFERENCE}{name}")})
}

/// The kind as defined, with the fields that every object has, and its list.
fn custom_schemas(resource: &Resource, schemas: &mut BTreeMap<String, Value>) {
    let Some(custom) = &resource.custom else { return };
    let text = |description: &str| json!({"type": "string", "description": description});
    let common = |meta: &str, description: &str| {
        let mut fields = Map::new();
        fields.insert(
            "apiVersion".to_owned(),
            text("APIVersion defines the versioned schema of this representation of an object."),
        );
        fields.insert(
            "kind".to_owned(),
            text("Kind is a string value representing the REST resource this object represents."),
        );
        fields.insert("metadata".to_owned(), json!({"description": description, "allOf": [reference(meta)]}));
        fields
    };
    let gvk = |kind: &str| json!([{"group": resource.group, "version": resource.version, "kind": kind}]);
    let name = schema_name(&resource.group, &resource.version, &resource.kind);

    let mut schema = match custom.schema.as_ref() {
        Value::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    let mut properties = match schema.remove("properties") {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    properties.extend(common(OBJECT_META, "Standard object's metadata."));
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    schema.insert(GVK.to_owned(), gvk(&resource.kind));
    schemas.insert(name.clone(), schema.into());

    let mut properties = common(LIST_META, "Standard list metadata.");
    properties.insert(
        "items".to_owned(),
        json!({"description": format!("List of {}.", resource.plural), "type": "array", "items": reference(&name)}),
    );
    let list = json!({
        "description": format!("{} is a list of {}", custom.list_kind, resource.kind),
        "type": "object", "required": ["items"], "properties": properties, GVK: gvk(&custom.list_kind),
    });
    schemas.insert(schema_name(&resource.group, &resource.version, &custom.list_kind), list);
}

/// One operation: HTTP method, the action's name in the document, the verb that allows it.
const ON_ALL: [(&str, &str, &str); 1] = [("get", "list", "list")];
const ON_COLLECTION: [(&str, &str, &str); 3] =
    [("get", "list", "list"), ("post", "post", "create"), ("delete", "deletecollection", "deletecollection")];
const ON_OBJECT: [(&str, &str, &str); 4] = [
    ("get", "get", "get"),
    ("put", "put", "update"),
    ("patch", "patch", "patch"),
    ("delete", "delete", "delete"),
];
const ON_SUBRESOURCE: [(&str, &str, &str); 5] = [
    ("get", "get", "get"),
    ("post", "post", "create"),
    ("put", "put", "update"),
    ("patch", "patch", "patch"),
    ("delete", "delete", "delete"),
];

fn add_paths(resource: &Resource, paths: &mut Map<String, Value>) {
    let all = resource.path();
    let (collection, mut parameters) = if resource.namespaced {
        let (before, after) = all.rsplit_once('/').unwrap_or_default();
        (format!("{before}/namespaces/{{namespace}}/{after}"), vec![json!(in_path("namespace"))])
    } else {
        (all.clone(), Vec::new())
    };
    let custom = resource.custom.is_some();
    let own = Kind { group: &resource.group, version: &resource.version, kind: &resource.kind, custom };
    let list_kind = resource.list_kind();
    if resource.namespaced {
        add(paths, all, &[], &ON_ALL, &resource.verbs, (own, &list_kind));
    }
    add(paths, collection.clone(), &parameters, &ON_COLLECTION, &resource.verbs, (own, &list_kind));
    parameters.push(in_path("name"));
    let object = format!("{collection}/{{name}}");
    add(paths, object.clone(), &parameters, &ON_OBJECT, &resource.verbs, (own, &list_kind));
    for sub in &resource.subresources {
        let kind = Kind { group: &sub.group, version: &sub.version, kind: &sub.kind, custom };
        add(
            paths,
            format!("{object}/{}", sub.name),
            &parameters,
            &ON_SUBRESOURCE,
            &sub.verbs,
            (kind, &list_kind),
        );
    }
}

#[derive(Clone, Copy)]
struct Kind<'r> {
    group: &'r str,
    version: &'r str,
    kind: &'r str,
    custom: bool,
}

impl Kind<'_> {
    /// Where the schema stands; options of streams (`exec`, `attach`, `proxy`) have none.
    fn schema(self, kind: &str) -> Value {
        let known = NAMES.contains_key(&(self.group.to_owned(), self.version.to_owned(), kind.to_owned()));
        if known || self.custom {
            reference(&schema_name(self.group, self.version, kind))
        } else {
            json!({"type": "string"})
        }
    }
}

fn add(
    paths: &mut Map<String, Value>,
    path: String,
    parameters: &[Value],
    operations: &[(&str, &str, &str)],
    verbs: &[String],
    (kind, list_kind): (Kind<'_>, &str),
) {
    let mut item = Map::new();
    for (method, action, verb) in operations {
        if verbs.iter().any(|own| own == verb) {
            item.insert((*method).to_owned(), operation(action, kind, list_kind));
        }
    }
    if !item.is_empty() {
        if !parameters.is_empty() {
            item.insert("parameters".to_owned(), parameters.into());
        }
        paths.insert(path, item.into());
    }
}

fn operation(action: &str, kind: Kind<'_>, list_kind: &str) -> Value {
    let query: &[&str] = match action {
        "list" | "deletecollection" => {
            &["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion"]
        }
        // kubectl leaves validation to the server where it finds `fieldValidation` here.
        "post" | "put" | "patch" => &["dryRun", "fieldManager", "fieldValidation"],
        "delete" => &["dryRun", "gracePeriodSeconds", "propagationPolicy"],
        _ => &[],
    };
    let query: Vec<Value> =
        query.iter().map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}})).collect();
    let shown = if action == "list" { list_kind } else { kind.kind };
    let content = |schema: Value| json!({"application/json": {"schema": schema}});
    let mut found = json!({
        "parameters": query,
        "responses": {"200": {"description": "OK", "content": content(kind.schema(shown))}},
        "x-kubernetes-action": action,
        GVK: {"group": kind.group, "version": kind.version, "kind": kind.kind},
    });
    if let (Some(fields), "post" | "put") = (found.as_object_mut(), action) {
        fields.insert(
            "requestBody".to_owned(),
            json!({"required": true, "content": content(kind.schema(kind.kind))}),
        );
    }
    found
}

fn in_path(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
}
