//! Routes: how users are sent to Services by weight, and the objects that say so.

use serde_json::{Value, json};
use std::time::Duration;

/// A data plane that sends users to pods as routes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plane {
    /// The class of its Gateways and routes.
    pub class: String,
    /// The port of its Gateways.
    pub port: u16,
    /// How long a Rollout must wait until a change is surely served.
    pub settle: Duration,
    /// How long pods must serve on after they were told to end.
    pub linger: Duration,
}

/// How users come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Users {
    /// So many requests a second: on new connections, on kept ones and by HTTP/2, a third each.
    Requests(u32),
    /// So many gRPC streams that stay open.
    Streams(u32),
}

/// The name of the Gateway of a story.
const GATEWAY: &str = "web";

/// The object in which weights stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Router {
    /// An `HTTPRoute` and a `GRPCRoute`.
    GatewayApi,
    /// A `TraefikService`.
    Traefik,
}

/// Names of the Services of a canary.
pub(crate) const STABLE: &str = "web-stable";
pub(crate) const CANARY: &str = "web-canary";
/// Names of the routes.
const WEB: &str = "web";
const STREAMS: &str = "web-streams";

/// The host that users of a story ask for pages.
pub(crate) fn web_host(story: &str) -> String {
    format!("web.{story}.test")
}

/// The host that users of a story ask for streams.
pub(crate) fn stream_host(story: &str) -> String {
    format!("streams.{story}.test")
}

impl Router {
    /// `trafficRouting` of a Rollout.
    pub(crate) fn routing(self) -> Value {
        match self {
            Self::GatewayApi => json!({"plugins": {"argoproj-labs/gatewayAPI": {
                "httpRoutes": [{"name": WEB}],
                "grpcRoutes": [{"name": STREAMS}],
            }}}),
            Self::Traefik => json!({"traefik": {"weightedTraefikServiceName": WEB}}),
        }
    }

    /// The routes, with all weight on the stable Service.
    pub(crate) fn objects(self, plane: &Plane, story: &str) -> Vec<Value> {
        let shares = [(STABLE, 100), (CANARY, 0)];
        match self {
            Self::GatewayApi => {
                vec![
                    gateway(plane),
                    route("HTTPRoute", WEB, &web_host(story), &shares),
                    route("GRPCRoute", STREAMS, &stream_host(story), &shares),
                ]
            }
            Self::Traefik => traefik(plane, story),
        }
    }
}

/// Where users of a plane come in.
pub(crate) fn gateway(plane: &Plane) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": GATEWAY},
        "spec": {
            "gatewayClassName": plane.class,
            "listeners": [{"name": "http", "port": plane.port, "protocol": "HTTP"}],
        },
    })
}

/// A route of this kind that sends a host's users to Services by weight.
pub(crate) fn route(kind: &str, name: &str, host: &str, shares: &[(&str, u32)]) -> Value {
    let backends: Vec<Value> = shares
        .iter()
        .map(|(service, weight)| json!({"name": service, "port": 80, "weight": weight}))
        .collect();
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "parentRefs": [{"name": GATEWAY}],
            "hostnames": [host],
            "rules": [{"backendRefs": backends}],
        },
    })
}

/// Traefik's own kinds: both hosts go to one weighted service, whose pods speak HTTP/2 without TLS as gRPC asks.
fn traefik(plane: &Plane, story: &str) -> Vec<Value> {
    let metadata = json!({"name": WEB, "annotations": {"kubernetes.io/ingress.class": plane.class}});
    let service = |name: &str, weight: u32| json!({"kind": "Service", "name": name, "port": 80, "scheme": "h2c", "weight": weight});
    let rule = format!("Host(`{}`) || Host(`{}`)", web_host(story), stream_host(story));
    vec![
        json!({
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "TraefikService",
            "metadata": metadata,
            "spec": {"weighted": {"services": [service(STABLE, 100), service(CANARY, 0)]}},
        }),
        json!({
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "IngressRoute",
            "metadata": metadata,
            "spec": {
                "entryPoints": ["web"],
                "routes": [{
                    "kind": "Rule",
                    "match": rule,
                    "services": [{"kind": "TraefikService", "name": WEB}],
                }],
            },
        }),
    ]
}
