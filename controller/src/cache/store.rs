//! Objects of one kind by namespace and name. A write's answer goes in at once, and older news of the watch does not
//! take it out again: that is the read-your-writes overlay.

use kube::{Resource, ResourceExt};
use planner::defect;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Namespace (empty for cluster-scoped kinds) and name.
pub(crate) type Id = (String, String);

/// The store.
pub(crate) struct Store<K> {
    overlay: bool,
    objects: RwLock<BTreeMap<Id, Arc<K>>>,
}

impl<K> Store<K> {
    /// An empty store. With `overlay` the answers to our own writes go in at once.
    pub(crate) fn new(overlay: bool) -> Self {
        Self { overlay, objects: RwLock::default() }
    }
}

/// Namespace and name of an object.
pub(crate) fn id<K: Resource>(object: &K) -> Id {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// A resource version as a number; the API server's are decimal and grow.
fn version<K: Resource>(object: &K) -> u64 {
    object.meta().resource_version.as_ref().and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl<K: Resource> Store<K> {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Id, Arc<K>>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Id, Arc<K>>> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an object in unless a newer one is there; gives the one that it replaces.
    pub(crate) fn put(&self, object: K) -> Option<Arc<K>> {
        let id = id(&object);
        let mut objects = self.write();
        let newer = |known: &Arc<K>| version(known.as_ref()) > version(&object);
        if !defect!(OlderOverwrites) && objects.get(&id).is_some_and(newer) {
            return None;
        }
        objects.insert(id, Arc::new(object))
    }

    /// Takes in the answer to a write of our own.
    pub(crate) fn wrote(&self, object: K) {
        if self.overlay {
            self.put(object);
        }
    }

    /// Takes an object out when it is gone; a newer one of the same name stays.
    pub(crate) fn delete(&self, object: &K) {
        let id = id(object);
        let mut objects = self.write();
        let same = objects.get(&id).is_some_and(|known| known.uid() == object.uid());
        if same {
            objects.remove(&id);
        }
    }

    /// Takes out what a list from the server did not have. An object of ours that is younger than the list comes
    /// back with the watch; until then a second create of it is answered `AlreadyExists`.
    pub(crate) fn retain_listed(&self, listed: &BTreeSet<Id>) -> Vec<Arc<K>> {
        let mut gone = Vec::new();
        self.write().retain(|id, object| {
            let keep = listed.contains(id) || defect!(GoneStays);
            if !keep {
                gone.push(object.clone());
            }
            keep
        });
        gone
    }

    /// The object of that name.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.read().get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// All objects of a namespace, by name.
    pub(crate) fn list(&self, namespace: &str) -> Vec<Arc<K>> {
        let from = (namespace.to_owned(), String::new());
        let objects = self.read();
        objects
            .range(from..)
            .take_while(|((ns, _), _)| ns == namespace)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// All objects, by namespace and name.
    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.read().values().cloned().collect()
    }
}
