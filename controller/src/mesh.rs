//! Istio whose configuration is in another cluster: a mesh with several clusters has its VirtualServices and
//! DestinationRules in one of them. `[traffic.primary]`

use crate::cache::rights;
use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};

/// Marks the Secret that has the kubeconfig of that cluster.
const LABEL: &str = "istio.argoproj.io/primary-cluster=true";

/// How the cluster with Istio's configuration is reached; `None` where it is this one. Secrets are looked for in the
/// namespace, or in all.
///
/// # Errors
/// When there are several such Secrets, or one has no kubeconfig.
pub(crate) async fn primary(client: &Client, namespace: Option<&str>) -> anyhow::Result<Option<Config>> {
    let api: Api<Secret> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    if !rights::is_allowed(client, ("", "secrets"), namespace, "list").await {
        tracing::debug!("secrets may not be listed: Istio's configuration is taken to be in this cluster");
        return Ok(None);
    }
    let secrets = match api.list(&ListParams::default().labels(LABEL)).await {
        Ok(secrets) => secrets.items,
        Err(error) => {
            tracing::warn!(%error, "secrets cannot be listed: Istio's configuration is taken to be in this cluster");
            return Ok(None);
        }
    };
    let secret = match secrets.as_slice() {
        [] => return Ok(None),
        [secret] => secret,
        several => bail!("{} Secrets have the label {LABEL}: take it off all but one", several.len()),
    };
    let name = format!("Secret {}/{}", secret.namespace().unwrap_or_default(), secret.name_any());
    let file = kubeconfig(secret).with_context(|| name.clone())?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    tracing::info!(secret = name, "Istio's configuration is in another cluster");
    config.map(Some).with_context(|| name)
}

/// The one entry of the Secret.
fn kubeconfig(secret: &Secret) -> anyhow::Result<Kubeconfig> {
    let mut entries = secret.data.iter().flatten();
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        bail!("must have one entry, with a kubeconfig");
    };
    let text = std::str::from_utf8(&value.0).with_context(|| format!("data.{key} is not text"))?;
    Kubeconfig::from_yaml(text).with_context(|| format!("data.{key} is no kubeconfig"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};

    const KUBECONFIG: &str = "{apiVersion: v1, kind: Config, current-context: it, contexts: [{name: it, context: \
        {cluster: primary, user: us}}], clusters: [{name: primary, cluster: {server: 'https://primary.example:6443'}}], \
        users: [{name: us, user: {token: secret}}]}";

    fn secret(name: &str, entries: &[(&str, &str)]) -> Value {
        use k8s_openapi::ByteString;
        let data: std::collections::BTreeMap<_, _> =
            entries.iter().map(|(key, text)| (*key, ByteString(text.as_bytes().to_vec()))).collect();
        json!({"metadata": {"name": name, "namespace": "mesh"}, "data": data})
    }

    fn server(status: u16, items: Vec<Value>) -> Client {
        let service = tower::service_fn(move |request: Request<Body>| {
            if request.uri().path().ends_with("selfsubjectaccessreviews") {
                let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                    "metadata": {}, "spec": {}, "status": {"allowed": status == 200}});
                let body = Body::from(review.to_string().into_bytes());
                return std::future::ready(Ok(Response::builder().status(201).body(body).unwrap()));
            }
            assert_eq!(status, 200, "what may not be listed is not asked for");
            let query = request.uri().query().unwrap_or_default();
            assert!(query.contains("labelSelector=istio.argoproj.io%2Fprimary-cluster%3Dtrue"), "{query}");
            let list = json!({"apiVersion": "v1", "kind": "SecretList", "metadata": {}, "items": items});
            let body = Body::from(list.to_string().into_bytes());
            std::future::ready(Ok::<_, std::convert::Infallible>(
                Response::builder().status(status).body(body).unwrap(),
            ))
        });
        Client::new(service, "default")
    }

    #[tokio::test]
    async fn a_secret_says_where_istio_is() {
        let client = server(200, vec![secret("primary", &[("primary", KUBECONFIG)])]);
        let config = primary(&client, None).await.unwrap().unwrap();
        assert_eq!(config.cluster_url.to_string(), "https://primary.example:6443/");
        assert!(primary(&server(200, Vec::new()), Some("mesh")).await.unwrap().is_none());
        assert!(primary(&server(403, Vec::new()), None).await.unwrap().is_none(), "it is here, then");
    }

    #[tokio::test]
    async fn what_is_wrong_with_it_is_told() {
        let wrong =
            async |items: Vec<Value>| format!("{:#}", primary(&server(200, items), None).await.unwrap_err());
        let one = || secret("primary", &[("primary", KUBECONFIG)]);
        assert!(wrong(vec![one(), one()]).await.starts_with("2 Secrets have the label"));
        let empty = wrong(vec![secret("primary", &[])]).await;
        assert_eq!(empty, "Secret mesh/primary: must have one entry, with a kubeconfig");
        let text = wrong(vec![secret("primary", &[("it", "[")])]).await;
        assert!(text.starts_with("Secret mesh/primary: data.it is no kubeconfig"), "{text}");
    }
}
