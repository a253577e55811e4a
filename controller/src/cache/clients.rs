//! How objects of routers are reached: in which cluster, and under which API group and version.

use crate::args::RouterApis;
use kube::core::ApiResource;
use kube::{Api, Client, api::DynamicObject};
use traffic::Kind;

/// API group of what may be in another cluster.
const ISTIO: &str = "networking.istio.io";
/// API group of what had another one before.
const TRAEFIK: &str = "traefik.io";

/// Clients for objects of routers.
#[derive(Clone)]
pub(crate) struct Clients {
    /// The cluster of the Rollouts.
    home: Client,
    /// That of Istio's configuration.
    mesh: Client,
    apis: RouterApis,
    edits: bool,
}

impl Clients {
    pub(crate) fn new(home: Client, mesh: Client, apis: RouterApis) -> Self {
        Self { home, mesh, apis, edits: true }
    }

    /// For a process that edits nothing, and needs no right to.
    pub(crate) fn reading(self) -> Self {
        Self { edits: false, ..self }
    }

    /// Whether objects are edited with them.
    pub(crate) fn edits(&self) -> bool {
        self.edits
    }

    /// The cluster of a kind's objects.
    pub(crate) fn of(&self, kind: Kind) -> &Client {
        if kind.group == ISTIO { &self.mesh } else { &self.home }
    }

    /// Objects of a kind, in a namespace or in all.
    pub(crate) fn api(&self, kind: Kind, namespace: Option<&str>) -> Api<DynamicObject> {
        let (client, resource) = (self.of(kind).clone(), self.resource(kind));
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        }
    }

    /// A kind as kube names it.
    pub(crate) fn resource(&self, kind: Kind) -> ApiResource {
        let (group, version) = match kind.group {
            ISTIO => (ISTIO, self.apis.istio_api_version.as_str()),
            // The version may come with its group, as Argo Rollouts takes it.
            TRAEFIK => match self.apis.traefik_api_version.split_once('/') {
                Some(both) => both,
                None => (self.apis.traefik_api_group.as_str(), self.apis.traefik_api_version.as_str()),
            },
            group => (group, kind.version),
        };
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: format!("{group}/{version}"),
            kind: kind.kind.to_owned(),
            plural: kind.plural.to_owned(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser;
    use http::{Request, Response};
    use kube::client::Body;

    fn clients(flags: &[&str]) -> Clients {
        let service =
            |_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::empty())) };
        let client = Client::new(tower::service_fn(service), "default");
        let args = Args::try_parse_from(["stepgate-controller"].iter().chain(flags)).unwrap();
        Clients::new(client.clone(), client, args.router_apis)
    }

    #[tokio::test]
    async fn flags_say_which_versions_are_spoken() {
        let of = |flags: &[&str], name: &str| {
            let kind = traffic::KINDS.iter().find(|kind| kind.kind == name).unwrap();
            clients(flags).resource(*kind).api_version
        };
        assert_eq!(of(&[], "VirtualService"), "networking.istio.io/v1alpha3");
        assert_eq!(of(&["--istio-api-version=v1"], "DestinationRule"), "networking.istio.io/v1");
        assert_eq!(of(&[], "TraefikService"), "traefik.io/v1alpha1");
        let old = "traefik.containo.us/v1alpha1";
        assert_eq!(of(&["--traefik-api-group=traefik.containo.us"], "TraefikService"), old);
        assert_eq!(of(&["--traefik-api-version=traefik.containo.us/v1alpha1"], "TraefikService"), old);
        assert_eq!(of(&["--istio-api-version=v1"], "HTTPRoute"), "gateway.networking.k8s.io/v1");
    }
}
