//! Endpoints and EndpointSlices of Services, for those who read them.

use super::nodes::NODE;
use super::{Known, all, views};
use crate::Dig;
use crate::api::{ApiServer, At, Deletion, Part, number, text};
use crate::models::endpoints::{Candidate, Endpoint, addresses, slice};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Writes the endpoints of each Service of a namespace.
pub(super) fn look(api: &mut ApiServer, known: Known, namespace: &str) {
    let pods = all(api, known.pods, namespace);
    for service in all(api, known.services, namespace) {
        let wanted: BTreeMap<String, String> = service
            .value
            .at("/spec/selector")
            .cloned()
            .and_then(|selector| serde_json::from_value(selector).ok())
            .unwrap_or_default();
        if wanted.is_empty() {
            continue;
        }
        let chosen: Vec<&Value> = pods
            .iter()
            .map(|pod| &pod.value)
            .filter(|pod| {
                let labels = views::labels(pod);
                wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
            })
            .collect();
        let candidates: Vec<Candidate> = chosen.iter().map(|pod| views::candidate(pod)).collect();
        write(api, &service.value, &chosen, &candidates);
    }
    forget(api, known, namespace);
}

/// Deletes the Endpoints of Services that are gone; their EndpointSlices are the garbage collector's.
fn forget(api: &mut ApiServer, known: Known, namespace: &str) {
    let Some(resource) = api.resource_of("v1", "Endpoints") else { return };
    for endpoints in all(api, resource, namespace) {
        let name = text(&endpoints.value, "/metadata/name").to_owned();
        let ours = views::labels(&endpoints.value).get(MANAGED_BY).is_some_and(|by| by == CONTROLLER);
        let service = At { resource: known.services, namespace: namespace.to_owned(), name: name.clone() };
        if ours && api.get(&service).is_none() {
            let at = At { resource, namespace: namespace.to_owned(), name };
            let _ = api.delete(&at, &Deletion::default());
        }
    }
}

/// Label of Endpoints with who writes them.
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const CONTROLLER: &str = "endpoint-controller";
/// Label of EndpointSlices with their Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

fn target(pod: &Value) -> Value {
    json!({
        "kind": "Pod", "name": text(pod, "/metadata/name"), "namespace": text(pod, "/metadata/namespace"),
        "uid": text(pod, "/metadata/uid"),
    })
}

/// The port of a pod that a port of the Service means.
fn port(service_port: &Value, pod: Option<&&Value>) -> Option<i64> {
    match service_port.get("targetPort") {
        Some(Value::String(name)) => {
            let containers = pod?.at("/spec/containers").and_then(Value::as_array)?;
            let ports =
                containers.iter().filter_map(|container| container.get("ports")?.as_array()).flatten();
            let named = ports.into_iter().find(|port| text(port, "/name") == name)?;
            number(named, "/containerPort")
        }
        Some(number) => number.as_i64(),
        None => number(service_port, "/port"),
    }
}

fn write(api: &mut ApiServer, service: &Value, chosen: &[&Value], candidates: &[Candidate]) {
    let (namespace, name) = (text(service, "/metadata/namespace"), text(service, "/metadata/name"));
    let ports = ports(service, chosen.first());
    put(api, "v1", "Endpoints", namespace, name, endpoints_of(service, chosen, candidates, &ports));
    let known = slice_of(api, namespace, name, text(service, "/metadata/uid")).unwrap_or_default();
    let slice = new_slice(service, chosen, candidates, ports);
    put(api, "discovery.k8s.io/v1", "EndpointSlice", namespace, &known, slice);
}

fn publishes_all(service: &Value) -> bool {
    service.at("/spec/publishNotReadyAddresses") == Some(&Value::Bool(true))
}

fn ports(service: &Value, pod: Option<&&Value>) -> Vec<Value> {
    let wanted = service.at("/spec/ports").and_then(Value::as_array);
    let of = |service_port: &Value| {
        let number = port(service_port, pod)?;
        let mut port = json!({"port": number, "protocol": text(service_port, "/protocol")});
        let name = text(service_port, "/name");
        if let (false, Some(map)) = (name.is_empty(), port.as_object_mut()) {
            map.insert("name".to_owned(), name.into());
        }
        Some(port)
    };
    wanted.into_iter().flatten().filter_map(of).collect()
}

fn endpoints_of(service: &Value, chosen: &[&Value], candidates: &[Candidate], ports: &[Value]) -> Value {
    let (namespace, name) = (text(service, "/metadata/namespace"), text(service, "/metadata/name"));
    let (ready, waiting) = addresses(candidates, publishes_all(service));
    let address = |index: &usize| {
        let pod = chosen.get(*index)?;
        Some(json!({"ip": text(pod, "/status/podIP"), "nodeName": NODE, "targetRef": target(pod)}))
    };
    let mut subset = Map::new();
    for (key, indexes) in [("addresses", &ready), ("notReadyAddresses", &waiting)] {
        let list: Vec<Value> = indexes.iter().filter_map(address).collect();
        if !list.is_empty() {
            subset.insert(key.to_owned(), list.into());
        }
    }
    let mut endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {"name": name, "namespace": namespace, "labels": {MANAGED_BY: CONTROLLER}},
    });
    if let (false, Some(map)) = (subset.is_empty(), endpoints.as_object_mut()) {
        subset.insert("ports".to_owned(), ports.into());
        map.insert("subsets".to_owned(), json!([subset]));
    }
    endpoints
}

fn new_slice(service: &Value, chosen: &[&Value], candidates: &[Candidate], mut ports: Vec<Value>) -> Value {
    let (namespace, name) = (text(service, "/metadata/namespace"), text(service, "/metadata/name"));
    let endpoint = |endpoint: &Endpoint| {
        let pod = chosen.get(endpoint.pod)?;
        let Endpoint { ready, serving, terminating, .. } = endpoint;
        Some(json!({
            "addresses": [text(pod, "/status/podIP")],
            "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
            "nodeName": NODE, "targetRef": target(pod),
        }))
    };
    let list: Vec<Value> = slice(candidates, publishes_all(service)).iter().filter_map(endpoint).collect();
    // Ports of slices always have a name, be it empty: `kubectl describe` relies on it.
    for port in ports.iter_mut().filter_map(Value::as_object_mut) {
        port.entry("name").or_insert_with(|| "".into());
    }
    let of = json!({
        "apiVersion": "v1", "kind": "Service", "name": name, "uid": text(service, "/metadata/uid"),
        "controller": true, "blockOwnerDeletion": true,
    });
    // Go writes lists that are not there as null.
    let any = !list.is_empty();
    let some = |list: Vec<Value>| if any { Value::from(list) } else { Value::Null };
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "generateName": format!("{name}-"), "namespace": namespace, "ownerReferences": [of],
            "labels": {
                SERVICE_NAME: name,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
        },
        "endpoints": some(list), "ports": some(ports),
    })
}

/// Name of the EndpointSlice that a Service has.
fn slice_of(api: &ApiServer, namespace: &str, service: &str, uid: &str) -> Option<String> {
    let resource = api.resource_of("discovery.k8s.io/v1", "EndpointSlice")?;
    let found = api.objects(resource, Some(namespace)).find(|slice| {
        views::labels(&slice.value).get(SERVICE_NAME).is_some_and(|of| of == service)
            && views::controller(&slice.value).is_some_and(|owner| text(owner, "/uid") == uid)
    })?;
    Some(text(&found.value, "/metadata/name").to_owned())
}

/// Creates an object, or gives one that is there this content.
fn put(api: &mut ApiServer, version: &str, kind: &str, namespace: &str, name: &str, object: Value) {
    let Some(resource) = api.resource_of(version, kind) else { return };
    let at = At { resource, namespace: namespace.to_owned(), name: name.to_owned() };
    if api.get(&at).is_none() {
        let _ = api.create(resource, namespace, object, false);
        return;
    }
    let _ = api.change(&at, Part::Main, false, |old| {
        let mut new = old.clone();
        if let (Some(map), Some(content)) = (new.as_object_mut(), object.as_object()) {
            for (key, value) in content.iter().filter(|(key, _)| *key != "metadata") {
                map.insert(key.clone(), value.clone());
            }
            if !content.contains_key("subsets") {
                map.remove("subsets");
            }
        }
        Ok(new)
    });
}
