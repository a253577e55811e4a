//! Problems as Argo Rollouts words them where it has words: people and pipelines match on them. `[validation.routers]`

use crate::{Problem, routing};
use crds::Rollout;
use serde_json::{Value, json};

/// A problem with its place in the Rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Path of the field, below `trafficRouting`.
    pub path: String,
    /// Its value; `None` where the fields do not go together.
    pub value: Option<Value>,
    /// What is wrong.
    pub message: String,
}

/// What is said of a problem of the router with that name.
#[must_use]
pub fn fault(rollout: &Rollout, router: &str, problem: &Problem) -> Fault {
    let (path, value) = place(rollout, router, problem.name());
    match problem {
        Problem::Choice(what) => Fault { path: router.to_owned(), value: None, message: (*what).to_owned() },
        Problem::Missing { kind: "Ingress", name, .. } => {
            let message = format!("ingress.networking.k8s.io {name:?} not found");
            Fault { path, value: Some(value), message }
        }
        Problem::Missing { kind: "VirtualService", name, .. } => {
            let message = format!("virtualservices.networking.istio.io {name:?} not found");
            Fault { path, value: Some(value), message }
        }
        Problem::NoBackend { name, service } => {
            let message = format!("ingress `{name}` has no rules using service {service} backend");
            Fault { path, value: Some(value), message }
        }
        Problem::Unselected { field, .. } => {
            Fault { path: format!("{router}.{field}"), value: Some(value), message: problem.to_string() }
        }
        Problem::Missing { .. } | Problem::Absent { .. } | Problem::Unfit { .. } | Problem::Rollout(_) => {
            Fault { path, value: Some(value), message: problem.to_string() }
        }
    }
}

/// The field that names the object, and what it says.
fn place(rollout: &Rollout, router: &str, name: &str) -> (String, Value) {
    let field = |path: &str, value: Value| (format!("{router}.{path}"), value);
    let Some(routing) = routing(rollout) else { return (router.to_owned(), json!(name)) };
    match router {
        "nginx" => match routing.nginx.as_ref().and_then(|nginx| nginx.stable_ingresses.as_ref()) {
            // PARITY: written with a capital.
            Some(names) if !names.is_empty() => field("StableIngresses", json!(names)),
            _ => field("stableIngress", json!(name)),
        },
        "alb" => match routing.alb.as_ref().and_then(|alb| alb.ingresses.as_ref()) {
            Some(names) if !names.is_empty() => field("ingresses", json!(names)),
            _ => field("ingress", json!(name)),
        },
        "istio" => {
            let istio = routing.istio.as_ref();
            let several = istio.is_some_and(|istio| istio.virtual_services.is_some());
            let first = istio.and_then(|istio| istio.virtual_services.as_ref()?.first());
            let one = istio.and_then(|istio| istio.virtual_service.as_ref()).or(first);
            let name = if name.is_empty() { one.map_or("", |one| one.name.as_str()) } else { name };
            field(if several { "virtualServices.name" } else { "virtualService.name" }, json!(name))
        }
        "traefik" => field("weightedTraefikServiceName", json!(name)),
        _ => (router.to_owned(), json!(name)),
    }
}
