//! Objects of routers that no Rollout uses any more are let go. `[traffic.release]`

use crate::apply::{Applier, ApplyError, routes};
use crate::cache::reads::{self, Reads};
use crate::metrics::Written;
use crate::queue::{Key, Outcome};
use crds::Rollout;
use kube::{Api, ResourceExt};
use std::collections::BTreeSet;
use traffic::{Edit, Reference};

/// Looks at one object: what Rollouts that do not use it any more have left there is taken out.
pub(crate) async fn look(applier: &Applier, key: &Key) -> Outcome {
    let Some(reference) = reads::of_key(&key.namespace, &key.name) else { return Outcome::Done };
    match release(applier, &reference).await {
        Ok(()) | Err(ApplyError::NotLeading) => Outcome::Done,
        Err(error) if error.is_stale() => Outcome::Done,
        Err(error) => {
            let (namespace, name) = (&key.namespace, &key.name);
            tracing::warn!(namespace, name, %error, "an object of a router could not be released");
            Outcome::Retry
        }
    }
}

async fn release(applier: &Applier, reference: &Reference) -> Result<(), ApplyError> {
    let found = applier.caches.routes.find(std::slice::from_ref(reference), &[], crds::Time::default());
    let Some(value) = found.objects.get(reference) else { return Ok(()) };
    // What cannot be read is told where a Rollout uses it.
    let writers = traffic::writers(reference, value).unwrap_or_default();
    let (namespace, index) = reads::key(reference);
    let rollouts = applier.caches.rollouts.find(&namespace, &index);
    let mut referring: BTreeSet<String> = rollouts.iter().map(|rollout| rollout.name_any()).collect();
    for writer in &writers {
        if !referring.contains(writer) && is_used_by(applier, reference, writer).await? {
            referring.insert(writer.clone());
        }
    }
    if writers.is_subset(&referring) {
        return Ok(());
    }
    let Ok(Some(to)) = traffic::release(reference, value, &referring) else { return Ok(()) };
    let edit = Edit { object: reference.clone(), to };
    applier
        .guard(&format!("release {}", reference.kind.kind), routes::send(applier, Some(value), &edit))
        .await?;
    applier.metrics.wrote(Written::new("edit", reference.kind.plural, "release"));
    Ok(())
}

/// Whether a Rollout that is not in our caches uses the object: one of another instance id, or one that has just come.
async fn is_used_by(applier: &Applier, reference: &Reference, name: &str) -> Result<bool, ApplyError> {
    let api: Api<Rollout> = Api::namespaced(applier.client.clone(), &reference.namespace);
    let mut uses = false;
    applier
        .guard("get Rollout", async {
            let rollout = api.get_opt(name).await?;
            uses = rollout.is_some_and(|rollout| Reads::of(&rollout).references.contains(reference));
            Ok(())
        })
        .await?;
    Ok(uses)
}
