//! What this process may do with objects of routers, by asking: a request that is refused says only one verb of it, and
//! counts as an attack where such things are counted. `[traffic.rights]`

use super::Clients;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use traffic::Kind;

/// Verbs that are needed to follow objects of a kind, and to edit them where that is done.
fn needed(kind: Kind, edits: bool) -> impl Iterator<Item = &'static str> {
    let list = kind.listable.then_some("list");
    let edit = edits.then_some(if kind.patchable { "patch" } else { "update" });
    list.into_iter().chain(["watch"]).chain(edit)
}

/// Why objects of a kind cannot be used, where rights are missing in the namespace, or in all. A server that does not answer the
/// question says nothing: then it is tried.
pub(super) async fn missing(clients: &Clients, kind: Kind, namespace: Option<&str>) -> Option<String> {
    let mut missing = Vec::new();
    for verb in needed(kind, clients.edits()) {
        let resource = clients.resource(kind);
        let of = (resource.group.as_str(), kind.plural);
        if !is_allowed(clients.of(kind), of, namespace, verb).await {
            missing.push(verb);
        }
    }
    let place = namespace.map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
    let hint =
        if kind.group == GATEWAY_API { ": kubectl apply -k manifests/gateway-api grants it" } else { "" };
    (!missing.is_empty())
        .then(|| format!("the role of this controller does not allow {}{place}{hint}", missing.join(", ")))
}

/// Its rule is not in the role of Argo Rollouts, and shipped apart.
const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// Whether the API server allows this process a verb on a resource of a group, in the namespace or in all.
pub(crate) async fn is_allowed(
    client: &Client,
    (group, resource): (&str, &str),
    namespace: Option<&str>,
    verb: &str,
) -> bool {
    let attributes = ResourceAttributes {
        group: Some(group.to_owned()),
        namespace: namespace.map(str::to_owned),
        resource: Some(resource.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            non_resource_attributes: None,
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await;
    answer.ok().and_then(|review| review.status).is_none_or(|status| status.allowed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::args::RouterApis;
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};
    use traffic::KINDS;

    /// A server whose answers depend on the verb that is asked for.
    fn server(allows: fn(&str) -> Option<bool>) -> Clients {
        let service = tower::service_fn(move |request: Request<Body>| async move {
            assert_eq!(request.uri().path(), "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
            let body = request.into_body().collect_bytes().await.unwrap();
            let mut review: Value = serde_json::from_slice(&body).unwrap();
            let verb = review["spec"]["resourceAttributes"]["verb"].as_str().unwrap().to_owned();
            let (code, answer) = match allows(&verb) {
                Some(allowed) => {
                    review["status"] = json!({"allowed": allowed});
                    (201, review)
                }
                None => (500, json!({"kind": "Status", "status": "Failure", "code": 500})),
            };
            let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
            Ok::<_, std::convert::Infallible>(answer.unwrap())
        });
        let client = Client::new(service, "default");
        Clients::new(client.clone(), client, RouterApis::default())
    }

    fn kind(name: &str) -> Kind {
        *KINDS.iter().find(|kind| kind.kind == name).unwrap()
    }

    #[tokio::test]
    async fn missing_verbs_are_named() {
        let reads = server(|verb| Some(matches!(verb, "list" | "watch")));
        let route = missing(&reads, kind("HTTPRoute"), None).await.unwrap();
        assert_eq!(
            route,
            "the role of this controller does not allow update: kubectl apply -k manifests/gateway-api grants it"
        );
        let nothing = server(|_| Some(false));
        let mesh = missing(&nothing, kind("VirtualService"), Some("team")).await.unwrap();
        assert_eq!(mesh, "the role of this controller does not allow list, watch, patch in namespace team");
        // What the role of Argo Rollouts lacks there is no need for.
        let traefik = missing(&nothing, kind("TraefikService"), None).await.unwrap();
        assert_eq!(traefik, "the role of this controller does not allow watch, update");
    }

    #[tokio::test]
    async fn who_edits_nothing_needs_no_right_to() {
        let reads = server(|verb| Some(matches!(verb, "list" | "watch"))).reading();
        assert_eq!(missing(&reads, kind("HTTPRoute"), None).await, None);
        let nothing = missing(&server(|_| Some(false)).reading(), kind("HTTPRoute"), None).await.unwrap();
        assert!(nothing.starts_with("the role of this controller does not allow list, watch"), "{nothing}");
    }

    #[tokio::test]
    async fn who_may_all_or_is_not_answered_tries() {
        assert_eq!(missing(&server(|_| Some(true)), kind("HTTPRoute"), None).await, None);
        assert_eq!(missing(&server(|_| None), kind("HTTPRoute"), None).await, None);
    }
}
