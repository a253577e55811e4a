//! Routes on the cluster in memory: which object splits the users of a host.

use sandbox::traffic::{self, RouterKind};
use scenarios::{Kind, Plane};
use serde_json::Value;
use std::time::Duration;

/// Kinds of objects that name hosts.
pub(super) const KINDS: [Kind; 3] = [Kind::HttpRoute, Kind::GrpcRoute, Kind::IngressRoute];
/// What the controller waits by itself; it covers a router that is a little late.
const SETTLE: Duration = Duration::from_secs(5);
/// How much later than the router a Rollout is told to wait, and how much longer pods serve on.
const MARGIN: Duration = Duration::from_secs(5);

/// The data plane: a Rollout waits a little longer than it is late.
pub(super) fn plane(lag: Duration) -> Plane {
    let settle = if lag < SETTLE { SETTLE } else { lag.saturating_add(MARGIN) };
    Plane { class: "sandbox".to_owned(), port: 80, settle, linger: settle.saturating_add(MARGIN) }
}

/// Definitions of the kinds of routes that stories use.
pub(super) fn definitions() -> Vec<Value> {
    let mut all = traffic::definitions();
    all.push(traffic::definition("gateway.networking.k8s.io", &["v1"], "Gateway", "gateways"));
    all.push(traffic::definition("traefik.io", &["v1alpha1"], "IngressRoute", "ingressroutes"));
    all
}

/// The object that has the weights of a host's users.
pub(super) fn of_host(objects: &[Value], host: &str) -> Option<(RouterKind, String)> {
    let text = |object: &Value, at: &str| object.pointer(at).and_then(Value::as_str).map(str::to_owned);
    objects.iter().find_map(|object| {
        let kind = Kind::of(object)?;
        if kind == Kind::IngressRoute {
            let matches = text(object, "/spec/routes/0/match")?.contains(&format!("Host(`{host}`)"));
            let service = text(object, "/spec/routes/0/services/0/name").filter(|_| matches)?;
            return Some((RouterKind::TraefikService, service));
        }
        let hosts = object.pointer("/spec/hostnames")?.as_array()?;
        let kind = if kind == Kind::GrpcRoute { RouterKind::GrpcRoute } else { RouterKind::HttpRoute };
        hosts.iter().any(|one| one == host).then_some((kind, text(object, "/metadata/name")?))
    })
}
