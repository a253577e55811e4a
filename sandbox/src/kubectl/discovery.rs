//! Discovery: which groups, versions and resources there are, in the two forms that clients ask for, and the
//! server's version.

use super::openapi;
use super::resources::{Resource, api_version, built_in, root};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::sync::LazyLock;

/// What to send for a path of discovery.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Value of the header `Content-Type`; clients tell the two forms of discovery apart by it.
    pub content_type: &'static str,
    /// The body, sent as JSON.
    pub body: Value,
}

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

static VERSION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../data/version.json")).unwrap_or_default());

/// Answers `/version`, `/api...`, `/apis...` and `/openapi/v3...` up to the list of one version's resources,
/// for a server that has these resources. `path` comes without its query, `accept` is the request's header
/// `Accept`, empty when it has none.
///
/// None is for paths that are not of discovery, or name a group or version that is not there: 404. This holds
/// for `/openapi/v2` too, which kubectl asks for only where the third version is missing.
#[must_use]
pub fn answer(path: &str, accept: &str, resources: &[Resource]) -> Option<Answer> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let body = match parts.as_slice() {
        ["version"] => VERSION.clone(),
        // The server does not say that this is JSON.
        ["openapi", "v3"] => {
            return Some(Answer { content_type: PLAIN, body: openapi::answer(&[], resources)? });
        }
        ["openapi", "v3", rest @ ..] => openapi::answer(rest, resources)?,
        ["api" | "apis"] => return Some(roots(parts == ["api"], accept, &groups(resources))),
        ["api", version] => list("", version, &groups(resources))?,
        ["apis", group] => {
            let groups = groups(resources);
            let mut found = legacy_group(groups.iter().find(|own| own.name == *group && !group.is_empty())?);
            found.insert("kind".to_owned(), "APIGroup".into());
            found.insert("apiVersion".to_owned(), "v1".into());
            Value::Object(found)
        }
        ["apis", group, version] if !group.is_empty() => list(group, version, &groups(resources))?,
        _ => return None,
    };
    Some(Answer { content_type: JSON, body })
}

/// The resources of one group, sorted into versions, the preferred one first.
pub(super) struct Group<'r> {
    pub(super) name: &'r str,
    pub(super) versions: Vec<(&'r str, Vec<&'r Resource>)>,
}

/// Built-in groups first, as the server's priorities have them, then custom ones by name; the order of `resources`
/// does not matter.
pub(super) fn groups(resources: &[Resource]) -> Vec<Group<'_>> {
    let mut sorted: Vec<&Resource> = resources.iter().collect();
    sorted.sort_by_key(|resource| {
        let rank = built_in().iter().position(|own| own.group == resource.group);
        (rank.unwrap_or(usize::MAX), &resource.group)
    });
    let mut groups: Vec<Group<'_>> = Vec::new();
    for resource in sorted {
        let group = match groups.iter_mut().position(|group| group.name == resource.group) {
            Some(at) => groups.get_mut(at),
            None => {
                groups.push(Group { name: &resource.group, versions: Vec::new() });
                groups.last_mut()
            }
        };
        let Some(group) = group else { continue };
        match group.versions.iter_mut().find(|(version, _)| *version == resource.version) {
            Some((_, members)) => members.push(resource),
            None => group.versions.push((&resource.version, vec![resource])),
        }
    }
    for group in &mut groups {
        group.versions.sort_by_key(|(version, _)| Reverse(priority(version)));
        for (_, members) in &mut group.versions {
            members.sort_by(|one, other| one.plural.cmp(&other.plural));
        }
    }
    groups
}

/// Kubernetes' order of versions: v2 before v1 before v1beta2 before v1beta1 before v1alpha1 before others.
fn priority(version: &str) -> (u8, u32, u32) {
    let parse = || -> Option<(u8, u32, u32)> {
        let rest = version.strip_prefix('v')?;
        let letters = rest.find(|letter: char| letter.is_ascii_alphabetic());
        let Some(at) = letters else { return Some((3, rest.parse().ok()?, 0)) };
        let (major, stage) = rest.split_at_checked(at)?;
        let (rank, minor) = match (stage.strip_prefix("beta"), stage.strip_prefix("alpha")) {
            (Some(minor), _) => (2, minor),
            (None, Some(minor)) => (1, minor),
            (None, None) => return None,
        };
        Some((rank, major.parse().ok()?, minor.parse().ok()?))
    };
    parse().unwrap_or((0, 0, 0))
}

/// `/api` and `/apis`: aggregated, with all resources, or only the names.
fn roots(core: bool, accept: &str, groups: &[Group<'_>]) -> Answer {
    let asked = groups.iter().filter(|group| group.name.is_empty() == core);
    if wants_aggregated(accept) {
        let items: Vec<Value> = asked.map(aggregated_group).collect();
        return Answer {
            content_type: AGGREGATED,
            body: json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}),
        };
    }
    let body = if core {
        let versions: Vec<&str> =
            asked.flat_map(|group| group.versions.iter().map(|(version, _)| *version)).collect();
        json!({"kind": "APIVersions", "versions": versions, "serverAddressByClientCIDRs": []})
    } else {
        let groups: Vec<Value> = asked.map(|group| Value::Object(legacy_group(group))).collect();
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    };
    Answer { content_type: JSON, body }
}

/// Clients list what they take, the best first; whoever names the aggregated form puts it before the other.
fn wants_aggregated(accept: &str) -> bool {
    accept.split(',').any(|kind| {
        let mut parts = kind.split(';').map(str::trim);
        let has = |wanted: &str| parts.clone().any(|part| part == wanted);
        has("g=apidiscovery.k8s.io")
            && has("v=v2")
            && has("as=APIGroupDiscoveryList")
            && parts.next() == Some(JSON)
    })
}

fn aggregated_group(group: &Group<'_>) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|(version, members)| {
            let resources: Vec<Value> = members.iter().map(|resource| aggregated(resource)).collect();
            json!({"version": version, "resources": resources, "freshness": "Current"})
        })
        .collect();
    let metadata = if group.name.is_empty() { json!({}) } else { json!({"name": group.name}) };
    json!({"metadata": metadata, "versions": versions})
}

fn aggregated(resource: &Resource) -> Value {
    let kind =
        |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let mut found = Map::new();
    found.insert("resource".to_owned(), resource.plural.as_str().into());
    found.insert("responseKind".to_owned(), kind(&resource.group, &resource.version, &resource.kind));
    let scope = if resource.namespaced { "Namespaced" } else { "Cluster" };
    found.insert("scope".to_owned(), scope.into());
    found.insert("singularResource".to_owned(), resource.singular.as_str().into());
    found.insert("verbs".to_owned(), resource.verbs.clone().into());
    names(resource, &mut found);
    if !resource.subresources.is_empty() {
        let subresources: Vec<Value> = resource
            .subresources
            .iter()
            .map(|sub| {
                json!({"subresource": sub.name, "responseKind": kind(&sub.group, &sub.version, &sub.kind), "verbs": sub.verbs})
            })
            .collect();
        found.insert("subresources".to_owned(), subresources.into());
    }
    Value::Object(found)
}

fn names(resource: &Resource, found: &mut Map<String, Value>) {
    for (name, values) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
        if !values.is_empty() {
            found.insert(name.to_owned(), values.clone().into());
        }
    }
}

fn legacy_group(group: &Group<'_>) -> Map<String, Value> {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|(version, _)| json!({"groupVersion": api_version(group.name, version), "version": version}))
        .collect();
    let mut found = Map::new();
    found.insert("name".to_owned(), group.name.into());
    found.insert("preferredVersion".to_owned(), versions.first().cloned().unwrap_or_default());
    found.insert("versions".to_owned(), versions.into());
    found
}

/// `APIResourceList`: subresources stand beside their resources, by name.
fn list(group: &str, version: &str, groups: &[Group<'_>]) -> Option<Value> {
    let group = groups.iter().find(|own| own.name == group)?;
    let (_, members) = group.versions.iter().find(|(own, _)| *own == version)?;
    // Subresources keep the order in which the server has them.
    let mut resources: Vec<(&str, Value)> = Vec::new();
    for resource in members {
        let mut found = Map::new();
        found.insert("name".to_owned(), resource.plural.as_str().into());
        found.insert("singularName".to_owned(), resource.singular.as_str().into());
        found.insert("namespaced".to_owned(), resource.namespaced.into());
        found.insert("kind".to_owned(), resource.kind.as_str().into());
        found.insert("verbs".to_owned(), resource.verbs.clone().into());
        names(resource, &mut found);
        resources.push((resource.plural.as_str(), Value::Object(found)));
        for sub in &resource.subresources {
            let name = format!("{}/{}", resource.plural, sub.name);
            let mut value = json!({
                "name": name, "singularName": "", "namespaced": resource.namespaced, "kind": sub.kind, "verbs": sub.verbs,
            });
            let elsewhere = (&sub.group, &sub.version) != (&resource.group, &resource.version);
            if let (Some(fields), true) = (value.as_object_mut(), elsewhere) {
                fields.insert("group".to_owned(), sub.group.as_str().into());
                fields.insert("version".to_owned(), sub.version.as_str().into());
            }
            resources.push((resource.plural.as_str(), value));
        }
    }
    resources.sort_by_key(|(plural, _)| *plural);
    let resources: Vec<Value> = resources.into_iter().map(|(_, value)| value).collect();
    let group_version = api_version(group.name, version);
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}),
    )
}

/// Path below which a group version's document of OpenAPI stands, for example `apis/apps/v1`.
pub(super) fn document_path(group: &str, version: &str) -> String {
    root(group, version).trim_start_matches('/').to_owned()
}
