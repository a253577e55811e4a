//! Whether target groups have the pods of a Service. `[traffic.registered]`
//!
//! The AWS Load Balancer Controller notes in a `TargetGroupBinding` which target group is to have the pods of which
//! Service. The pods are looked at, and not the Endpoints: those may still be what the Service selected before.

use super::counts::{addresses, both, count};
use crate::clock::Clock;
use crate::observe;
use crds::Time;
use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use planner::{Registered, Targets};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The group of the kind where the flag names only a version.
const GROUP: &str = "elbv2.k8s.aws";
/// Most objects of a kind that are looked at; a target group has at most 1000 targets.
const OBJECTS_MAX: u32 = 5000;

/// Reads what is bound to target groups.
pub(crate) struct Bindings {
    client: Client,
    resource: ApiResource,
}

impl Bindings {
    /// Reads them in the API version of that name, such as `elbv2.k8s.aws/v1beta1`.
    pub(crate) fn new(client: Client, api_version: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or((GROUP, api_version));
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: format!("{group}/{version}"),
            kind: "TargetGroupBinding".to_owned(),
            plural: "targetgroupbindings".to_owned(),
        };
        Self { client, resource }
    }
}

/// The pods that a Service selects at some time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selected {
    namespace: String,
    pub(super) service: String,
    uid: String,
    selector: BTreeMap<String, String>,
    ports: Vec<ServicePort>,
    /// When we last changed it: after each move it is another question.
    changed: Option<Time>,
}

impl Selected {
    pub(super) fn by(service: &Service) -> Self {
        let spec = service.spec.clone().unwrap_or_default();
        Self {
            namespace: service.namespace().unwrap_or_default(),
            service: service.name_any(),
            uid: service.uid().unwrap_or_default(),
            selector: spec.selector.unwrap_or_default(),
            ports: spec.ports.unwrap_or_default(),
            changed: observe::own_change(&service.metadata),
        }
    }

    /// The port of pods that a port of the Service means, by its number or its name.
    fn target_port(&self, port: &IntOrString) -> Option<IntOrString> {
        let is_it = |own: &&ServicePort| match port {
            IntOrString::Int(number) => own.port == *number,
            IntOrString::String(name) => own.name.as_deref() == Some(name),
        };
        let own = self.ports.iter().find(is_it)?;
        Some(own.target_port.clone().unwrap_or(IntOrString::Int(own.port)))
    }
}

/// What is read of a `TargetGroupBinding`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    #[serde(default)]
    service_ref: Option<ServiceReference>,
    #[serde(rename = "targetGroupARN", default)]
    target_group_arn: String,
    #[serde(default)]
    target_type: String,
}

#[derive(Deserialize)]
struct ServiceReference {
    name: String,
    port: IntOrString,
}

/// A target group that is to have the pods of the Service.
struct Bound {
    /// Of the `TargetGroupBinding`.
    name: String,
    /// Of the Service, by number or name.
    port: IntOrString,
    target_group_arn: String,
}

/// Asks all target groups that are bound to a Service.
pub(super) async fn ask(
    bindings: &Bindings,
    aws: &aws::Client,
    selected: &Selected,
    clock: Clock,
) -> Result<Targets, String> {
    let bound = bound(bindings, selected).await?;
    if bound.is_empty() {
        return Ok(Targets::Unbound);
    }
    let pods = ready_pods(&bindings.client, selected).await?;
    let mut all: Option<Registered> = None;
    for Bound { name, port, target_group_arn: arn } in bound {
        let wrong = |why: String| format!("TargetGroupBinding {name:?}: {why}");
        if arn.is_empty() {
            return Err(wrong("it names no target group yet".to_owned()));
        }
        let port = selected
            .target_port(&port)
            .ok_or_else(|| wrong("it names a port that the Service does not have".to_owned()))?;
        let pods: Vec<BTreeSet<SocketAddr>> = pods.iter().map(|pod| addresses(pod, &port)).collect();
        let wanted = pods.iter().flatten().copied().collect();
        let said = aws::registration(aws, &arn, &wanted, clock.now().0).await;
        let said = said.map_err(|error| wrong(error.to_string()))?;
        let one = count(&arn, &pods, &said);
        all = Some(all.map_or_else(|| one.clone(), |all| both(all, &one)));
    }
    Ok(all.map_or(Targets::Unbound, Targets::Bound))
}

/// The bindings of the Service to target groups whose targets are IP addresses, by name. Targets of others are nodes.
async fn bound(bindings: &Bindings, selected: &Selected) -> Result<Vec<Bound>, String> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(bindings.client.clone(), &selected.namespace, &bindings.resource);
    let list = api.list(&ListParams::default().limit(OBJECTS_MAX)).await;
    let what = format!("{}.{}", bindings.resource.plural, bindings.resource.group);
    let list = list.map_err(|error| format!("{what} cannot be listed: {error}"))?;
    let mut found = Vec::new();
    for object in list.items {
        let name = object.name_any();
        let spec = object.data.get("spec").cloned().unwrap_or_default();
        let binding: Binding = serde_json::from_value(spec)
            .map_err(|error| format!("TargetGroupBinding {name:?} cannot be read: {error}"))?;
        let port = binding.service_ref.filter(|to| to.name == selected.service).map(|to| to.port);
        if let Some(port) = port.filter(|_| binding.target_type == "ip") {
            found.push(Bound { name, port, target_group_arn: binding.target_group_arn });
        }
    }
    found.sort_by(|one: &Bound, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Pods that requests to the Service reach: ready ones that stay.
async fn ready_pods(client: &Client, selected: &Selected) -> Result<Vec<Pod>, String> {
    let labels: Vec<String> =
        selected.selector.iter().map(|(label, value)| format!("{label}={value}")).collect();
    let api: Api<Pod> = Api::namespaced(client.clone(), &selected.namespace);
    let params = ListParams::default().labels(&labels.join(",")).limit(OBJECTS_MAX);
    let list = api.list(&params).await.map_err(|error| format!("pods cannot be listed: {error}"))?;
    Ok(list.items.into_iter().filter(is_ready).collect())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let ready = conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}
