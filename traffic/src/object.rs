//! Objects of routers, as raw JSON.

use crate::Problem;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// API group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Name in paths.
    pub plural: &'static str,
    /// Whether the stock role may list objects of the kind.
    pub listable: bool,
    /// Whether the stock role may patch them; else they are replaced whole.
    pub patchable: bool,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $kind:ident, $plural:literal, $api:literal, $version:literal, [$($verb:ident),*];)*) => {
        $($(#[$doc])* pub(crate) const $name: Kind = Kind {
            group: $api,
            version: $version,
            kind: stringify!($kind),
            plural: $plural,
            listable: kinds!(@has list $($verb)*),
            patchable: kinds!(@has patch $($verb)*),
        };)*

        /// All kinds that routers read.
        pub const KINDS: &[Kind] = &[$($name),*];
    };
    (@has $wanted:ident) => { false };
    (@has list list $($rest:ident)*) => { true };
    (@has patch patch $($rest:ident)*) => { true };
    (@has $wanted:ident $other:ident $($rest:ident)*) => { kinds!(@has $wanted $($rest)*) };
}

// The verbs are those of the stock role: what it lacks there is no need for.
kinds! {
    /// Of ingress controllers.
    INGRESS = Ingress, "ingresses", "networking.k8s.io", "v1", [list, patch];
    /// Of Traefik.
    TRAEFIK_SERVICE = TraefikService, "traefikservices", "traefik.io", "v1alpha1", [];
    /// Of Istio.
    VIRTUAL_SERVICE = VirtualService, "virtualservices", "networking.istio.io", "v1alpha3", [list, patch];
    /// Of Istio.
    DESTINATION_RULE = DestinationRule, "destinationrules", "networking.istio.io", "v1alpha3", [list, patch];
    /// Of the Gateway API.
    HTTP_ROUTE = HTTPRoute, "httproutes", "gateway.networking.k8s.io", "v1", [list];
    /// Of the Gateway API.
    GRPC_ROUTE = GRPCRoute, "grpcroutes", "gateway.networking.k8s.io", "v1", [list];
    /// Of the Gateway API.
    TCP_ROUTE = TCPRoute, "tcproutes", "gateway.networking.k8s.io", "v1alpha2", [list];
    /// Of the Gateway API.
    TLS_ROUTE = TLSRoute, "tlsroutes", "gateway.networking.k8s.io", "v1alpha2", [list];
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Objects as they were read; one that is not there has no entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects(pub BTreeMap<Reference, Arc<Value>>);

impl Objects {
    /// The object, if it is there.
    #[must_use]
    pub fn get(&self, reference: &Reference) -> Option<&Value> {
        self.0.get(reference).map(Arc::as_ref)
    }

    /// The object.
    ///
    /// # Errors
    /// When it is not there.
    pub fn require(&self, reference: &Reference) -> Result<&Value, Problem> {
        self.get(reference).ok_or_else(|| Problem::Missing {
            kind: reference.kind.kind,
            namespace: reference.namespace.clone(),
            name: reference.name.clone(),
        })
    }
}

impl Reference {
    /// Something is wrong with the object.
    pub(crate) fn unfit(&self, what: impl Into<String>) -> Problem {
        Problem::Unfit { kind: self.kind.kind, name: self.name.clone(), what: what.into() }
    }
}
