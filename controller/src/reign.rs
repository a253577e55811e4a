//! Who begins to lead reads the Rollouts anew before it decides anything. Its watch may not have told yet what the leader
//! before it has recorded: ReplicaSets and Services would be led by what was true then. What is written to the objects
//! themselves meets a conflict where they are not as they were seen; the Rollout is written last.
//!
//! DIFFERS: Argo Rollouts decides by what its watches have told so far. `[lease.reads]`

use crate::cache::{self, Caches, Received};
use crate::lease::Claim;
use crds::Rollout;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use std::collections::BTreeMap;
use std::time::Duration;

/// Pause after a reading that failed.
const RETRY: Duration = Duration::from_millis(500);
/// How many Rollouts are listed with one request.
const PAGE: u32 = 500;

/// Reads the Rollouts.
pub(crate) struct Reader {
    pub(crate) client: Client,
    /// The one namespace that is looked at, if it is one.
    pub(crate) scope: Option<String>,
    /// The labels of the Rollouts of our instance id.
    pub(crate) selector: Option<String>,
    pub(crate) caches: Caches,
}

impl Reader {
    /// Reads whenever this process comes to lead; until it has, nothing is decided.
    pub(crate) async fn run(self, claim: Claim) {
        loop {
            let reign = claim.unread().await;
            match self.read().await {
                Ok(()) => claim.has_read(reign),
                Err(error) => {
                    tracing::warn!(%error, "Rollouts cannot be listed: nothing is decided until they are");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Lists what there is, and gets what the store has otherwise.
    async fn read(&self) -> kube::Result<()> {
        let api: Api<Rollout> = match &self.scope {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let mut params =
            ListParams { label_selector: self.selector.clone(), ..ListParams::default() }.limit(PAGE);
        let store = &self.caches.rollouts;
        let stored = store.all().into_iter();
        let mut otherwise: BTreeMap<_, _> = stored.map(|one| (id(&*one), one.resource_version())).collect();
        loop {
            let page = api.list_metadata(&params).await?;
            for listed in &page.items {
                let (id, version) = (id(listed), listed.resource_version());
                if otherwise.get(&id) == Some(&version) {
                    otherwise.remove(&id);
                } else {
                    otherwise.insert(id, version);
                }
            }
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                break;
            }
        }
        for (namespace, name) in otherwise.into_keys() {
            self.get(&namespace, &name).await?;
        }
        Ok(())
    }

    /// Reads one Rollout. One that cannot be read is left to its watch, which tells of it.
    async fn get(&self, namespace: &str, name: &str) -> kube::Result<()> {
        let api: Api<Received<Rollout>> = Api::namespaced(self.client.clone(), namespace);
        let store = &self.caches.rollouts;
        match api.get_opt(name).await? {
            Some(Received(Ok(rollout))) => {
                self.caches.workloads.want(&rollout);
                self.caches.routes.want(&rollout);
                cache::put(store, rollout);
            }
            Some(Received(Err(_))) => {}
            None => {
                if let Some(gone) = store.get(namespace, name) {
                    store.delete(&gone);
                }
            }
        }
        Ok(())
    }
}

fn id<K: kube::Resource>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}
