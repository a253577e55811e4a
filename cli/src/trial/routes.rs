//! Routers in a trial: their objects take part, and users come through them.

use super::manifests::text;
use sandbox::traffic::RouterKind;
use serde_json::Value;

/// The versions of groups that the cluster in memory has.
const VERSIONS: [(&str, &str); 3] =
    [("gateway.networking.k8s.io", "v1"), ("traefik.io", "v1alpha1"), ("networking.istio.io", "v1alpha3")];

/// An object of a router in the version that the cluster in memory has of it: of what is played, all have the same fields.
pub(super) fn in_its_version(object: &mut Value) {
    let Some((group, _)) = text(object, "/apiVersion").split_once('/') else { return };
    let Some((group, version)) = VERSIONS.iter().find(|(own, _)| *own == group) else { return };
    let version = format!("{group}/{version}");
    if let Some(object) = object.as_object_mut() {
        object.insert("apiVersion".to_owned(), Value::String(version));
    }
}

/// The kind of a router's object.
pub(super) fn kind(object: &Value) -> Option<RouterKind> {
    let (group, _) = text(object, "/apiVersion").split_once('/')?;
    RouterKind::of(group, text(object, "/kind"))
}

/// The route that an object is, if requests to the Rollout come through it: it is named there, or found by its labels and
/// leads to the stable Service. What a load balancer makes of an Ingress of its own is not played: users call the
/// Services then.
pub(super) fn of(rollout: &Value, object: &Value) -> Option<RouterKind> {
    let canary = rollout.pointer("/spec/strategy/canary")?;
    let routing = canary.get("trafficRouting")?;
    let name = text(object, "/metadata/name");
    let is_named = |key: &str| routing.get(key).is_some_and(|router| mentions(router, name));
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let pair = ["/stableService", "/pingPong/pingService"].map(|at| text(canary, at));
    let leads = || pair.iter().any(|service| !service.is_empty() && mentions(spec, service));
    let kind = kind(object)?;
    let is_used = match kind {
        RouterKind::HttpRoute | RouterKind::GrpcRoute => leads(),
        RouterKind::TraefikService => is_named("traefik"),
        RouterKind::VirtualService => is_named("istio"),
        RouterKind::Ingress => is_named("nginx"),
        RouterKind::DestinationRule => false,
    };
    is_used.then_some(kind)
}

/// Whether an object has to be there for a Rollout: an Ingress that it does not name is nobody's business.
pub(super) fn has_part(rollout: &Value, object: &Value) -> bool {
    let routing = rollout.pointer("/spec/strategy/canary/trafficRouting");
    let is_named = || routing.is_some_and(|routing| mentions(routing, text(object, "/metadata/name")));
    kind(object) != Some(RouterKind::Ingress) || is_named()
}

/// Whether this text stands anywhere in a value.
fn mentions(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => text == word,
        Value::Array(items) => items.iter().any(|item| mentions(item, word)),
        Value::Object(fields) => fields.values().any(|field| mentions(field, word)),
        _ => false,
    }
}
