//! Tables: what `kubectl get` prints, row by row, as the API server makes them.

mod age;
mod config;
mod events;
mod jobs;
mod jsonpath;
mod network;
mod pods;
mod policy;
mod read;
mod storage;
mod workloads;

pub use age::human;

use super::resources::{Column, Resource};
use crate::Dig;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// What a row carries beside its cells; the query parameter `includeObject`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// The object's metadata; what is sent when nothing is asked for.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

impl IncludeObject {
    /// Reads the query parameter; none for a value that the API server refuses as well.
    #[must_use]
    pub fn parse(parameter: &str) -> Option<Self> {
        match parameter {
            "None" => Some(Self::None),
            "" | "Metadata" => Some(Self::Metadata),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// A `Table` (`meta.k8s.io/v1`) of objects of this resource at the time `now`: the answer to a request that
/// [`Form::of`] takes for one. `metadata` is that of the list, or `{}`.
#[must_use]
pub fn table(
    resource: &Resource,
    objects: &[&Value],
    metadata: &Value,
    now: DateTime<Utc>,
    include: IncludeObject,
) -> Value {
    let columns: Vec<Value> = resource.columns.iter().map(definition).collect();
    let rows: Vec<Value> = objects.iter().map(|object| row(resource, object, now, include)).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": columns, "rows": rows,
    })
}

/// The object of one watch event, as a table of one row. Only the `first` event of a watch names the columns.
#[must_use]
pub fn event(
    resource: &Resource,
    object: &Value,
    now: DateTime<Utc>,
    include: IncludeObject,
    first: bool,
) -> Value {
    let version = object.at("/metadata/resourceVersion").cloned().unwrap_or_default();
    let mut table = table(resource, &[object], &json!({"resourceVersion": version}), now, include);
    if let (Some(fields), false) = (table.as_object_mut(), first) {
        fields.insert("columnDefinitions".to_owned(), Value::Null);
    }
    table
}

/// The form in which a client wants objects, from its header `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Object,
    /// As a `Table`.
    Table,
    /// As `PartialObjectMetadata`.
    Metadata,
    /// As a `PartialObjectMetadataList`.
    MetadataList,
}

impl Form {
    /// The first form in `accept` that the server knows; none is for the answer 406.
    #[must_use]
    pub fn of(accept: &str) -> Option<Self> {
        if accept.trim().is_empty() {
            return Some(Self::Object);
        }
        accept.split(',').find_map(|kind| {
            let mut parts = kind.split(';').map(str::trim);
            if !matches!(parts.next(), Some("application/json" | "application/*" | "*/*")) {
                return None;
            }
            let parameters: Vec<&str> = parts.collect();
            let wanted = parameters.iter().find_map(|parameter| parameter.strip_prefix("as="));
            let meta = ["g=meta.k8s.io", "v=v1"].iter().all(|needed| parameters.contains(needed));
            match wanted {
                None => Some(Self::Object),
                Some("Table") if meta => Some(Self::Table),
                Some("PartialObjectMetadata") if meta => Some(Self::Metadata),
                Some("PartialObjectMetadataList") if meta => Some(Self::MetadataList),
                Some(_) => None,
            }
        })
    }
}

fn definition(column: &Column) -> Value {
    json!({
        "name": column.name, "type": column.kind, "format": column.format,
        "description": column.description, "priority": column.priority,
    })
}

fn row(resource: &Resource, object: &Value, now: DateTime<Utc>, include: IncludeObject) -> Value {
    let mut row = Map::new();
    row.insert("cells".to_owned(), cells(resource, object, now).into());
    let is_pod = resource.group.is_empty() && resource.plural == "pods";
    if let Some(condition) = is_pod.then(|| pods::ended(object)).flatten() {
        row.insert("conditions".to_owned(), json!([condition]));
    }
    let included = match include {
        IncludeObject::None => Value::Null,
        IncludeObject::Metadata => json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": object.get("metadata").cloned().unwrap_or_default(),
        }),
        IncludeObject::Object => {
            // Objects inside a list have no kind of their own; alone they do.
            let mut object = object.clone();
            if let Some(fields) = object.as_object_mut() {
                fields.insert("kind".to_owned(), resource.kind.as_str().into());
                fields.insert("apiVersion".to_owned(), resource.api_version().into());
            }
            object
        }
    };
    row.insert("object".to_owned(), included);
    Value::Object(row)
}

/// One value for each column of the resource.
fn cells(resource: &Resource, object: &Value, now: DateTime<Utc>) -> Vec<Value> {
    if resource.custom.is_some() {
        return resource.columns.iter().map(|column| jsonpath::cell(column, object, now)).collect();
    }
    let of = read::Reader { object, now };
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => pods::cells(of),
        ("", "services") => network::service(of),
        ("", "endpoints") => network::endpoints(of),
        ("", "nodes") => config::node(of),
        ("", "namespaces") => config::namespace(of),
        ("", "configmaps") => config::config_map(of),
        ("", "secrets") => config::secret(of),
        ("", "serviceaccounts") => vec![of.name(), of.age()],
        ("", "resourcequotas") => config::resource_quota(of),
        ("", "persistentvolumes") => storage::volume(of),
        ("", "persistentvolumeclaims") => storage::claim(of),
        ("", "podtemplates") => workloads::pod_template(of),
        ("", "replicationcontrollers") | ("apps", "replicasets") => workloads::replica_set(of),
        ("", "events") | ("events.k8s.io", "events") => events::event(of),
        ("apps", "deployments") => workloads::deployment(of),
        ("apps", "statefulsets") => workloads::stateful_set(of),
        ("apps", "daemonsets") => workloads::daemon_set(of),
        ("apps", "controllerrevisions") => workloads::controller_revision(of),
        ("batch", "jobs") => jobs::job(of),
        ("batch", "cronjobs") => jobs::cron_job(of),
        ("autoscaling", "horizontalpodautoscalers") => workloads::autoscaler::cells(of),
        ("policy", "poddisruptionbudgets") => policy::disruption_budget(of),
        ("coordination.k8s.io", "leases") => policy::lease(of),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => policy::role_binding(of),
        ("discovery.k8s.io", "endpointslices") => network::endpoint_slice(of),
        ("networking.k8s.io", "ingresses") => network::ingress::ingress(of),
        ("networking.k8s.io", "ingressclasses") => network::ingress::class(of),
        ("networking.k8s.io", "networkpolicies") => network::network_policy(of),
        ("networking.k8s.io", "ipaddresses") => network::ip_address(of),
        ("networking.k8s.io", "servicecidrs") => network::service_cidr(of),
        // What has no printer of its own has its name and when it was made.
        _ => {
            let made = of.text("/metadata/creationTimestamp").unwrap_or_default();
            resource
                .columns
                .iter()
                .map(|column| if column.name == "Name" { of.name() } else { made.into() })
                .collect()
        }
    }
}
