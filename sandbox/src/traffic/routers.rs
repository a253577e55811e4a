//! What the objects of routers say: how each route splits its requests.
//!
//! A model of its own, made from the documents of these routers. It must know nothing of how a controller reads or edits
//! them, or both would have the same mistakes. The requests are plain ones: they have none of the headers, queries and
//! methods that a rule may ask for, so that the first rule that asks for none takes them.

use super::plane::{Key, Manner, Share, Split};
use crate::Dig;
use crate::api::{number, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A kind of objects that routers obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouterKind {
    /// Of the Gateway API.
    HttpRoute,
    /// Of the Gateway API.
    GrpcRoute,
    /// Of Traefik.
    TraefikService,
    /// Of Istio.
    VirtualService,
    /// Of Istio: the subsets of a Service. It is no route by itself.
    DestinationRule,
    /// Of ingress-nginx. The route is the stable Ingress; one that says that it is a canary adds to it.
    Ingress,
}

/// Group, versions and names of the kinds that a cluster does not have by itself.
const CUSTOM: [(RouterKind, &str, &[&str], &str, &str); 5] = [
    (RouterKind::HttpRoute, "gateway.networking.k8s.io", &["v1"], "HTTPRoute", "httproutes"),
    (RouterKind::GrpcRoute, "gateway.networking.k8s.io", &["v1"], "GRPCRoute", "grpcroutes"),
    (RouterKind::TraefikService, "traefik.io", &["v1alpha1"], "TraefikService", "traefikservices"),
    (RouterKind::VirtualService, "networking.istio.io", &["v1alpha3"], "VirtualService", "virtualservices"),
    (
        RouterKind::DestinationRule,
        "networking.istio.io",
        &["v1alpha3"],
        "DestinationRule",
        "destinationrules",
    ),
];
const INGRESS: (&str, &str) = ("networking.k8s.io", "Ingress");

/// What an entry without a weight counts, with the Gateway API and Traefik.
const UNSET_WEIGHT: i64 = 1;
/// What the weights of an Ingress and its canary add up to, unless the canary says otherwise.
const NGINX_TOTAL: i64 = 100;
const NGINX: &str = "nginx.ingress.kubernetes.io/";

impl RouterKind {
    /// The kind of this API group and name.
    #[must_use]
    pub fn of(group: &str, kind: &str) -> Option<Self> {
        if (group, kind) == INGRESS {
            return Some(Self::Ingress);
        }
        CUSTOM.iter().find(|(_, own, _, name, _)| (*own, *name) == (group, kind)).map(|(found, ..)| *found)
    }
}

/// Definitions of the kinds that a cluster does not have by itself. They take every field, and have no status of their
/// own.
#[must_use]
pub fn definitions() -> Vec<Value> {
    CUSTOM
        .iter()
        .map(|(_, group, versions, kind, plural)| definition(group, versions, kind, plural))
        .collect()
}

/// A definition of a kind that takes every field.
#[must_use]
pub fn definition(group: &str, versions: &[&str], kind: &str, plural: &str) -> Value {
    let version = |(index, name): (usize, &&str)| {
        serde_json::json!({
            "name": name, "served": true, "storage": index == 0, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
        })
    };
    let versions: Vec<Value> = versions.iter().enumerate().map(version).collect();
    let names = serde_json::json!({
        "kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List"),
    });
    serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions},
    })
}

/// A route: its kind, namespace and name.
pub type RouteKey = (Option<RouterKind>, String, String);

/// The objects of all routers as they are.
#[derive(Clone, Debug, Default)]
pub struct Routers {
    objects: BTreeMap<(RouterKind, Key), Arc<Value>>,
}

impl Routers {
    /// An object is now so, or gone. Gives the routes that this is about, as they are now.
    pub fn saw(
        &mut self,
        kind: RouterKind,
        object: &Value,
        deleted: bool,
    ) -> Vec<(RouteKey, Option<Arc<Split>>)> {
        let id = (text(object, "/metadata/namespace").to_owned(), text(object, "/metadata/name").to_owned());
        if deleted {
            self.objects.remove(&(kind, id.clone()));
        } else {
            self.objects.insert((kind, id.clone()), Arc::new(object.clone()));
        }
        let mut names = vec![id.1.clone()];
        let route = match kind {
            RouterKind::DestinationRule => {
                names = self.names(RouterKind::VirtualService, &id.0);
                RouterKind::VirtualService
            }
            RouterKind::Ingress => {
                names.extend(self.names(kind, &id.0).into_iter().filter(|name| *name != id.1));
                kind
            }
            _ => kind,
        };
        let told = |name: String| {
            let split = self.split(route, &id.0, &name).map(Arc::new);
            ((Some(route), id.0.clone(), name), split)
        };
        names.into_iter().map(told).collect()
    }

    /// How a route splits its requests; `None` when there is no such route, or no request that it takes.
    #[must_use]
    pub fn split(&self, kind: RouterKind, namespace: &str, name: &str) -> Option<Split> {
        let object = self.objects.get(&(kind, (namespace.to_owned(), name.to_owned())))?;
        match kind {
            RouterKind::HttpRoute | RouterKind::GrpcRoute => http_route(object),
            RouterKind::TraefikService => traefik_service(object),
            RouterKind::VirtualService => self.virtual_service(object, namespace),
            RouterKind::DestinationRule => None,
            RouterKind::Ingress => self.ingress(object, namespace),
        }
    }

    fn of_kind<'r>(&'r self, kind: RouterKind, namespace: &'r str) -> impl Iterator<Item = &'r Arc<Value>> {
        let is_it = move |(own, (there, _)): &(RouterKind, Key)| *own == kind && there == namespace;
        self.objects.iter().filter(move |(id, _)| is_it(id)).map(|(_, object)| object)
    }

    fn names(&self, kind: RouterKind, namespace: &str) -> Vec<String> {
        self.of_kind(kind, namespace).map(|object| text(object, "/metadata/name").to_owned()).collect()
    }

    /// Istio: one destination alone gets everything; of several, each gets its weight.
    fn virtual_service(&self, object: &Value, namespace: &str) -> Option<Split> {
        let route = list(object, "/spec/http").iter().find(|route| is_plain(route, "match"))?;
        let destinations = list(route, "/route");
        let share = |entry: &Value| {
            let host = text(entry, "/destination/host");
            let weight = if destinations.len() == 1 { 1 } else { number(entry, "/weight").unwrap_or(0) };
            let labels = self.subset(namespace, host, text(entry, "/destination/subset"));
            Share { labels, ..share(short(host), weight) }
        };
        Some(plain(destinations.iter().map(share)))
    }

    /// Labels of the pods of a subset, which some DestinationRule of the host names.
    fn subset(&self, namespace: &str, host: &str, subset: &str) -> BTreeMap<String, String> {
        let rules = self.of_kind(RouterKind::DestinationRule, namespace);
        let of_host = rules.filter(|rule| short(text(rule, "/spec/host")) == short(host));
        let mut subsets = of_host.flat_map(|rule| list(rule, "/spec/subsets"));
        let found = subsets.find(|entry| !subset.is_empty() && text(entry, "/name") == subset);
        let labels = found.and_then(|entry| entry.at("/labels")).and_then(Value::as_object);
        let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        labels.into_iter().flatten().filter_map(pair).collect()
    }

    /// ingress-nginx: a canary Ingress of the same host and path takes its weight from the stable one.
    fn ingress(&self, object: &Value, namespace: &str) -> Option<Split> {
        if is_canary(object) {
            return None;
        }
        let canaries: Vec<&Arc<Value>> =
            self.of_kind(RouterKind::Ingress, namespace).filter(|other| is_canary(other)).collect();
        let own = paths(object);
        let paired = own.iter().find_map(|(place, service)| {
            let beside = |canary: &&Arc<Value>| {
                let there = paths(canary).into_iter().find(|(other, _)| other == place)?;
                Some((weight_of(canary), there.1.to_owned()))
            };
            canaries.iter().find_map(beside).map(|found| ((*service).to_owned(), found))
        });
        let Some((service, ((weight, total), canary))) = paired else {
            let (_, service) = own.first()?;
            return Some(plain([share(service, 1)].into_iter()));
        };
        let weight = weight.clamp(0, total);
        let shares = [share(&service, total.saturating_sub(weight)), share(&canary, weight)];
        Some(Split { shares: shares.into(), manner: Manner::Nginx })
    }
}

fn list<'v>(object: &'v Value, path: &str) -> &'v [Value] {
    object.at(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn share(service: &str, weight: i64) -> Share {
    let weight = u32::try_from(weight.max(0)).unwrap_or(u32::MAX);
    Share { service: service.to_owned(), weight, labels: BTreeMap::new() }
}

fn plain(shares: impl Iterator<Item = Share>) -> Split {
    Split { shares: shares.collect(), manner: Manner::Plain }
}

/// Whether a rule takes requests that have nothing special: it asks for nothing, or one of its matches does not.
fn is_plain(rule: &Value, key: &str) -> bool {
    let special = ["headers", "queryParams", "method", "withoutHeaders", "authority", "port", "sourceLabels"];
    let matches = rule.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    matches.is_empty() || matches.iter().any(|one| special.iter().all(|field| one.get(*field).is_none()))
}

/// Only the proportion of the weights counts.
fn http_route(object: &Value) -> Option<Split> {
    let rule = list(object, "/spec/rules").iter().find(|rule| is_plain(rule, "matches"))?;
    let backends = list(rule, "/backendRefs").iter();
    Some(plain(backends.map(|backend| share(text(backend, "/name"), weight(backend)))))
}

fn traefik_service(object: &Value) -> Option<Split> {
    let services = object.at("/spec/weighted/services")?.as_array()?;
    Some(plain(services.iter().map(|entry| share(text(entry, "/name"), weight(entry)))))
}

fn weight(entry: &Value) -> i64 {
    number(entry, "/weight").unwrap_or(UNSET_WEIGHT)
}

/// The Service of a host, which may be named in full.
fn short(host: &str) -> &str {
    host.split('.').next().unwrap_or_default()
}

fn annotation<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    let annotations = object.at("/metadata/annotations")?.as_object()?;
    annotations.get(&format!("{NGINX}{name}"))?.as_str()
}

fn is_canary(ingress: &Value) -> bool {
    annotation(ingress, "canary") == Some("true")
}

/// The weight of a canary Ingress, and what it is a part of.
fn weight_of(ingress: &Value) -> (i64, i64) {
    let number = |name| annotation(ingress, name).and_then(|text| text.parse::<i64>().ok());
    (number("canary-weight").unwrap_or(0), number("canary-weight-total").unwrap_or(NGINX_TOTAL).max(1))
}

/// Hosts and paths of an Ingress, with the Service of each.
fn paths(ingress: &Value) -> Vec<((&str, &str), &str)> {
    let of_rule = |rule| {
        let path =
            move |entry| ((text(rule, "/host"), text(entry, "/path")), text(entry, "/backend/service/name"));
        list(rule, "/http/paths").iter().map(path)
    };
    list(ingress, "/spec/rules").iter().flat_map(of_rule).collect()
}

#[cfg(test)]
mod tests;
