#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::traffic::{Clients, Outcome, ROUTER, Settings, Traffic};
use crate::{Blueprint, Cluster, Options};
use serde_json::json;
use std::time::Duration;

fn saw(routers: &mut Routers, kind: RouterKind, object: &Value) {
    routers.saw(kind, object, false);
}

/// Services and weights of the route `web`.
fn weights(routers: &Routers, kind: RouterKind) -> Vec<(String, u32)> {
    let split = routers.split(kind, "default", "web").unwrap();
    split.shares.iter().map(|share| (share.service.clone(), share.weight)).collect()
}

fn pair(one: (&str, u32), other: (&str, u32)) -> Vec<(String, u32)> {
    [one, other].map(|(service, weight)| (service.to_owned(), weight)).to_vec()
}

fn object(name: &str, spec: &Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec})
}

#[test]
fn an_http_route_splits_by_the_rule_that_plain_requests_meet() {
    let mut routers = Routers::default();
    let managed = json!({
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"name": "x", "value": "y"}]}],
        "backendRefs": [{"name": "canary"}],
    });
    let rule = json!({"backendRefs": [{"name": "stable", "weight": 3}, {"name": "canary"}]});
    saw(&mut routers, RouterKind::HttpRoute, &object("web", &json!({"rules": [managed, rule]})));
    assert_eq!(weights(&routers, RouterKind::HttpRoute), pair(("stable", 3), ("canary", 1)));
    let told = routers.saw(RouterKind::HttpRoute, &object("web", &json!({})), true);
    assert_eq!(told, [((Some(RouterKind::HttpRoute), "default".to_owned(), "web".to_owned()), None)]);
}

#[test]
fn a_traefik_service_splits_by_its_weights() {
    let mut routers = Routers::default();
    let services = json!([{"name": "stable", "weight": 80}, {"name": "canary", "weight": 20}]);
    let spec = json!({"weighted": {"services": services}});
    saw(&mut routers, RouterKind::TraefikService, &object("web", &spec));
    assert_eq!(weights(&routers, RouterKind::TraefikService), pair(("stable", 80), ("canary", 20)));
}

#[test]
fn a_virtual_service_splits_by_host_and_by_subset() {
    let mut routers = Routers::default();
    let by_host = json!({"http": [{"route": [
        {"destination": {"host": "stable.default.svc.cluster.local"}, "weight": 75},
        {"destination": {"host": "canary"}, "weight": 25},
    ]}]});
    saw(&mut routers, RouterKind::VirtualService, &object("web", &by_host));
    assert_eq!(weights(&routers, RouterKind::VirtualService), pair(("stable", 75), ("canary", 25)));
    let alone = json!({"http": [{"route": [{"destination": {"host": "all", "subset": "new"}}]}]});
    saw(&mut routers, RouterKind::VirtualService, &object("web", &alone));
    let rule = json!({"host": "all", "subsets": [{"name": "new", "labels": {"hash": "b"}}]});
    let told = routers.saw(RouterKind::DestinationRule, &object("rule", &rule), false);
    let split = told[0].1.as_ref().unwrap();
    assert_eq!(told[0].0.2, "web", "the rule changes the route");
    assert_eq!((&*split.shares[0].service, split.shares[0].weight), ("all", 1));
    assert_eq!(split.shares[0].labels, BTreeMap::from([("hash".to_owned(), "b".to_owned())]));
}

fn ingress(name: &str, service: &str, annotations: &Value) -> Value {
    let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}});
    json!({
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {"rules": [{"host": "web.example", "http": {"paths": [path]}}]},
    })
}

fn canary(weight: &str, total: Option<&str>) -> Value {
    let mut annotations = json!({
        "nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": weight,
    });
    if let Some(total) = total {
        annotations["nginx.ingress.kubernetes.io/canary-weight-total"] = total.into();
    }
    ingress("web-canary", "canary", &annotations)
}

#[test]
fn a_canary_ingress_takes_its_weight_from_the_stable_one() {
    let mut routers = Routers::default();
    saw(&mut routers, RouterKind::Ingress, &ingress("web", "stable", &json!({})));
    let alone = routers.split(RouterKind::Ingress, "default", "web").unwrap();
    assert_eq!((&*alone.shares[0].service, alone.shares.len()), ("stable", 1));
    saw(&mut routers, RouterKind::Ingress, &canary("10", None));
    assert_eq!(weights(&routers, RouterKind::Ingress), pair(("stable", 90), ("canary", 10)));
    saw(&mut routers, RouterKind::Ingress, &canary("10", Some("1000")));
    assert_eq!(weights(&routers, RouterKind::Ingress), pair(("stable", 990), ("canary", 10)));
    assert_eq!(routers.split(RouterKind::Ingress, "default", "web-canary"), None, "it is no route by itself");
}

/// A cluster with two versions behind two Services, and clients of a route.
async fn cluster(kind: RouterKind) -> (Cluster, Traffic) {
    let blueprint = Blueprint::default().with(&definitions());
    let cluster = Cluster::new(&Options { blueprint, ..Options::default() });
    tokio::spawn(cluster.clone().run());
    for version in ["stable", "canary"] {
        let template = json!({
            "metadata": {"labels": {"track": version}},
            "spec": {"containers": [{"name": "web", "image": format!("web:{version}")}]},
        });
        let set = json!({"metadata": {"name": version}, "spec": {"replicas": 1,
            "selector": {"matchLabels": {"track": version}}, "template": template}});
        cluster.create("apps/v1", "ReplicaSet", "default", set).unwrap();
        let front = json!({"metadata": {"name": version},
            "spec": {"selector": {"track": version}, "ports": [{"port": 80}]}});
        cluster.create("v1", "Service", "default", front).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    let traffic = Traffic::over(&cluster, Settings { seed: 1, scrape: None });
    traffic.send("users", Clients::of_object(kind, "default", "web", 10));
    (cluster, traffic)
}

fn answered(traffic: &Traffic, version: &str) -> u64 {
    traffic.tally("users").get(&(version.into(), Outcome::Answered)).copied().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn a_late_router_goes_on_as_it_was_told_before() {
    let (cluster, traffic) = cluster(RouterKind::HttpRoute).await;
    let rules = |canary: u32| {
        json!({"rules": [{"backendRefs": [
            {"name": "stable", "weight": 100 - canary}, {"name": "canary", "weight": canary},
        ]}]})
    };
    let route = json!({"metadata": {"name": "web"}, "spec": rules(0)});
    cluster.create("gateway.networking.k8s.io/v1", "HTTPRoute", "default", route).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!((answered(&traffic, "stable"), answered(&traffic, "canary")), (100, 0));
    traffic.set_lag(ROUTER, Duration::from_secs(5));
    cluster.with(|api| {
        let resource = api.resource_of("gateway.networking.k8s.io/v1", "HTTPRoute").unwrap();
        let at = crate::api::At { resource, namespace: "default".into(), name: "web".into() };
        let all = |old: &Value| {
            let mut new = old.clone();
            new["spec"] = rules(100);
            Ok(new)
        };
        api.change(&at, crate::api::Part::Main, false, all).unwrap();
    });
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!((answered(&traffic, "stable"), answered(&traffic, "canary")), (150, 100));
}

#[tokio::test(start_paused = true)]
async fn nginx_answers_nothing_while_its_stable_service_has_no_pods() {
    let (cluster, traffic) = cluster(RouterKind::Ingress).await;
    let with_class = |mut ingress: Value| {
        ingress["metadata"].as_object_mut().unwrap().remove("namespace");
        ingress
    };
    let stable = with_class(ingress("web", "stable", &json!({})));
    cluster.create("networking.k8s.io/v1", "Ingress", "default", stable).unwrap();
    let beside = with_class(canary("100", None));
    cluster.create("networking.k8s.io/v1", "Ingress", "default", beside).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!((answered(&traffic, "stable"), answered(&traffic, "canary")), (0, 100));
    for (version, met) in [("canary", (50, 100, 0)), ("stable", (50, 100, 50))] {
        cluster.with(|api| {
            let resource = api.resource_of("v1", "Service").unwrap();
            let at = crate::api::At { resource, namespace: "default".into(), name: version.into() };
            let nowhere = |old: &Value| {
                let mut new = old.clone();
                new["spec"]["selector"]["track"] = "nothing".into();
                Ok(new)
            };
            api.change(&at, crate::api::Part::Main, false, nowhere).unwrap();
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        let lost: u64 = traffic.tally("users").get(&("".into(), Outcome::NoEndpoint)).copied().unwrap_or(0);
        assert_eq!((answered(&traffic, "stable"), answered(&traffic, "canary"), lost), met, "{version}");
    }
}
