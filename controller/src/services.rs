//! Services that their Rollout does not refer to any more get their selector back. `[services.release]`

use crate::FIELD_MANAGER;
use crate::apply::{Applier, ApplyError};
use crate::cache::Caches;
use crate::metrics::Written;
use crate::observe;
use crate::queue::{Key, Kind, Outcome, Queue};
use crds::meta;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use planner::defect;
use serde_json::json;

/// Wakes the Rollouts that refer to a Service, and gives their names.
pub(crate) fn wake(caches: &Caches, queue: &Queue, key: &Key) -> Vec<String> {
    let rollouts = caches.rollouts.find(&key.namespace, &key.name);
    for rollout in rollouts.iter().filter(|_| !defect!(MendingWakesNobody)) {
        queue.add(Key { kind: Kind::Rollout, name: rollout.name_any(), namespace: key.namespace.clone() });
    }
    rollouts.iter().map(|rollout| rollout.name_any()).collect()
}

/// Looks at one Service: it wakes the Rollouts that refer to it. Where the one that manages it is not among them, its hash
/// selector is taken out: another one that refers to it is invalid until then.
pub(crate) async fn look(applier: &Applier, queue: &Queue, key: &Key) -> Outcome {
    // One that has gone makes its Rollouts invalid.
    let referred = wake(&applier.caches, queue, key);
    let Some(service) = applier.caches.services.get(&key.namespace, &key.name) else { return Outcome::Done };
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let has_hash = selector.is_some_and(|selector| selector.contains_key(meta::POD_TEMPLATE_HASH_LABEL));
    let managed = service.metadata.annotations.as_ref().and_then(|map| map.get(meta::MANAGED_BY_ANNOTATION));
    // Without our mark the hash may be someone else's: another controller of another instance id.
    let Some(manager) = managed.filter(|_| has_hash && !defect!(ServiceKeepsTheHash)) else {
        return Outcome::Done;
    };
    if referred.contains(manager) {
        return Outcome::Done;
    }
    match release(applier, &service).await {
        Ok(()) | Err(ApplyError::NotLeading) => Outcome::Done,
        Err(error) => {
            tracing::warn!(namespace = key.namespace, name = key.name, %error, "a Service could not be released");
            Outcome::Retry
        }
    }
}

async fn release(applier: &Applier, service: &Service) -> Result<(), ApplyError> {
    let namespace = service.namespace().unwrap_or_default();
    let managed = service.metadata.annotations.as_ref().and_then(|map| map.get(meta::MANAGED_BY_ANNOTATION));
    if let Some(name) = managed {
        // A Rollout of another instance id is not in our caches: the server decides whether it is gone.
        let api: Api<crds::Rollout> = Api::namespaced(applier.client.clone(), &namespace);
        let mut exists = false;
        applier
            .guard("get Rollout", async {
                exists = api
                    .get_opt(name)
                    .await?
                    .is_some_and(|rollout| observe::service_names(&rollout).contains(&service.name_any()));
                Ok(())
            })
            .await?;
        if exists {
            return Ok(());
        }
    }
    let patch = json!({
        "metadata": {
            "resourceVersion": service.resource_version(),
            "annotations": {meta::MANAGED_BY_ANNOTATION: null},
        },
        "spec": {"selector": {meta::POD_TEMPLATE_HASH_LABEL: null}},
    });
    let api: Api<Service> = Api::namespaced(applier.client.clone(), &namespace);
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    applier
        .guard("release Service", async {
            let service = api.patch(&service.name_any(), &params, &Patch::Merge(patch)).await?;
            applier.caches.services.wrote(service);
            Ok(())
        })
        .await?;
    applier.metrics.wrote(Written::new("patch", "services", "release"));
    Ok(())
}
